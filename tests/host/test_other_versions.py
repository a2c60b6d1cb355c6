"""An agent whose server is of another minor version keeps what guests have, does what it understands, and says so.

Real packets: a guest asks its DHCP server's address at a steady pace all the while.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec
import pytest
from hosted import on_a_host, shell
from test_damage import DHCP_TAP, HOST_FILE, NETNS, guest_is_served, guest_pid, on_one_host
from whole_agent import ScriptedServer, WholeAgent, whole_agent

from golden.stories import NET1, VM, VM_PORT
from netglass.model.protocol import Bookmark, FeedLine, Listed, Report, RowLine
from netglass.model.resources import Port, Row
from support.pace import stretched

pytestmark = pytest.mark.host

SOON_S = 15.0


@contextmanager
def asking() -> Iterator[list[int]]:
    """Has the guest ask a hundred times a second; gives, in the list, how many were sent and lost in the end."""
    argv = ("nsenter", f"--target={guest_pid()}", "--net", "ping", "-n", "-i0.01", "-W1", "10.0.0.2")
    counted: list[int] = []
    with TemporaryFile("w+") as output:  # a pipe that nobody reads would be full after a thousand answers
        running = subprocess.Popen(argv, stdout=output)
        yield counted
        running.send_signal(signal.SIGINT)
        running.wait(timeout=10)
        output.seek(0)
        said = output.read()
    answered = {int(number) for number in re.findall(r"icmp_seq=(\d+)", said)}
    counted += [max(answered), max(answered) - len(answered)]


def until(claim: Callable[[], object], agent: WholeAgent, what: str) -> None:
    started = time.monotonic()
    while not claim():
        assert time.monotonic() - started < stretched(SOON_S), f"not {what}: " + "\n".join(
            text for _, text in agent.said[-30:]
        )
        time.sleep(0.02)


def newest(agent: WholeAgent) -> Report | None:
    return agent.server.reports[-1] if agent.server.reports else None


def line(row: Row, **strange: Any) -> RowLine:
    return RowLine(kind=row.kind, id=row.id, row=msgspec.to_builtins(row) | strange)


def newer_intent(rows: list[Row]) -> list[FeedLine]:
    """Gives a commit of a newer server: a port says what this agent does not know, and the guest's server is gone."""
    port = next(row for row in rows if isinstance(row, Port) and row.id == VM_PORT)
    return [line(port, warp=9), RowLine(kind="server", id=VM, row=None), RowLine(kind="network", id=NET1, row=None)]


def started(test: Callable[[list[Row], ScriptedServer], None]) -> None:
    """Runs a test on a host with a NIC."""

    @on_a_host
    def on_it() -> None:
        shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "wall2")
        shell("ip", "link", "set", "wall2", "up")
        rows = on_one_host("iptables_hybrid")
        test(rows, ScriptedServer(rows))

    on_it()


def test_an_older_agent_keeps_its_data_plane_and_says_so() -> None:
    def test(rows: list[Row], server: ScriptedServer) -> None:
        server.protocol = "1.99"
        with whole_agent("all", rows, server) as agent:
            agent.await_settled(SOON_S, guest_is_served)
            assert any("newer than this agent's" in text for text in agent.warnings())
            with asking() as counted:
                server.say(*newer_intent(rows), Bookmark(revision=2))
                until(lambda: (seen := newest(agent)) and seen.unread, agent, "told what is not understood")
                shell("ip", "link", "set", "eth2", "down")  # damage, away from the guest's way
                agent.await_settled(SOON_S)
                told = len(server.reports)
                until(lambda: len(server.reports) > told, agent, "heard of again")
                assert server.reports[-1].realised_revision == 1
            assert counted[0]
            assert counted[1] == 0
            assert any(f"port {VM_PORT}: unknown warp; keeping to revision 1" in text for text in agent.warnings())

    started(test)


def test_an_older_agent_that_starts_among_what_it_does_not_understand_touches_nothing() -> None:
    def test(rows: list[Row], server: ScriptedServer) -> None:
        with whole_agent("all", rows, server) as agent:
            agent.await_settled(SOON_S, guest_is_served)
        before, dnsmasq = guest_pid(), shell("ip", "netns", "pids", NETNS)
        Path("/var/lib/netglass/intent.jsonl").unlink(missing_ok=True)  # nothing is left of what the newer agent knew

        later = ScriptedServer(rows)
        later.listed = [line(row, warp=9) for row in rows] + [Listed(revision=2)]
        with asking() as counted:
            with whole_agent("all", rows, later) as agent:
                until(lambda: (seen := newest(agent)) and seen.unread, agent, "told what is not understood")
                assert later.reports[-1].realised_revision == 0
            assert agent.differs().empty
        assert (guest_pid(), shell("ip", "netns", "pids", NETNS)) == (before, dnsmasq)
        assert counted[1] == 0

    started(test)


def test_a_newer_agent_does_what_an_older_server_wants() -> None:
    def test(rows: list[Row], server: ScriptedServer) -> None:
        server.protocol = "1.0"
        with whole_agent("all", rows, server) as agent:
            agent.await_settled(SOON_S, guest_is_served)
            assert any("older than this agent's" in text for text in agent.warnings())
            with asking() as counted:
                shell("ip", "-n", NETNS, "route", "delete", "default")
                Path(HOST_FILE).write_text("")
                agent.await_settled(SOON_S, guest_is_served)
            assert counted[1] == 0
            assert DHCP_TAP in shell("ovs-vsctl", "list-ports", "br-int")

    started(test)
