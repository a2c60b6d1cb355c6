"""An agent whose first round takes long is heard of all the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hosted import on_a_host, shell
from one_host import on_one_host
from whole_agent import ScriptedServer, whole_agent

from support.pace import until

pytestmark = pytest.mark.host

SOON_S = 10


def _hold(program: str, go: Path) -> None:
    """Has a program wait for a file before it starts."""
    directory = Path("/run/in-front")
    directory.mkdir()
    wrapper = directory / program
    real = shell("which", program).strip()
    wrapper.write_text(f'#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.05; done\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    os.environ["PATH"] = f"{directory}:{os.environ['PATH']}"


@on_a_host
def test_it_says_that_it_is_at_work_before_its_first_round_ends_and_what_is_realised_after_it() -> None:
    shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "wall2")
    rows = on_one_host("iptables_hybrid")
    server = ScriptedServer(rows)
    go = Path("/run/go")
    _hold("iptables-save", go)
    with whole_agent("all", rows, server) as agent:
        until(lambda: server.reports, SOON_S, "something is reported")
        (first,) = server.reports
        assert (first.realised_revision, first.ports_realised, first.ports_lost) == (0, (), ())
        go.touch()
        agent.await_settled(SOON_S, lambda: server.reports[-1].realised_revision == 1)
