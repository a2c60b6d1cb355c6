"""The table of cases notices when a driver forgets something: every mutant is caught by some frame.

Some here; all by ``make mutants``, which prints what caught each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from firewall.cases import Scene, conversation_scenes, dead_scenes, forging_scenes, rule_scenes
from firewall.mutants import Mutant, arm, mutants_of
from firewall.shooting import Range
from firewall.site import site
from host.hosted import on_a_host

pytestmark = [pytest.mark.host, pytest.mark.timeout(1200)]

DRIVERS = ("iptables_hybrid", "openvswitch")
_EVERY = 1 if os.environ.get("NETGLASS_ALL_CASES") else 5
_LEAST = 10


def _scenes_for(mutant: Mutant) -> Iterator[Scene]:
    """Gives all scenes, those in which the mutant should show first."""
    every = [*conversation_scenes(), *dead_scenes(), *forging_scenes(), *rule_scenes()]
    hinted = [scene for words in mutant.scenes for scene in every if words in scene.name]
    yield from hinted
    yield from (scene for scene in every if scene not in hinted)


def _caught(shooting: Range, mutant: Mutant) -> str:
    """Gives what tells a mutant from the driver; empty when nothing does."""
    for scene in _scenes_for(mutant):
        for verdict in shooting.verdicts(scene):
            if verdict.expected != verdict.seen:
                return verdict.text
    return ""


def _survivors(hosts: dict[str, Any], driver: str, mutants: Sequence[Mutant]) -> Iterator[str]:
    shooting = Range(hosts, driver)
    for mutant in mutants:
        for host in hosts.values():
            host.run(arm, driver, mutant.name)
        text = _caught(shooting, mutant)
        print(f"{driver}: {mutant.name}: {text or 'SURVIVES'}", flush=True)
        if not text:
            yield mutant.name


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_a_driver_forgets_is_noticed(driver: str) -> None:
    @on_a_host
    def on_it() -> None:
        with site("one", "two") as hosts:
            assert list(_survivors(hosts, driver, mutants_of(driver)[::_EVERY])) == []

    assert len(mutants_of(driver)) >= _LEAST
    on_it()
