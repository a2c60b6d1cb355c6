"""Real frames on real switches do what the model says: a sample here, every case by ``make firewall``."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from firewall.cases import Scene, conversation_scenes, dead_scenes, forging_scenes, rule_scenes
from firewall.shooting import Range
from firewall.site import site
from host.hosted import on_a_host

pytestmark = [pytest.mark.host, pytest.mark.timeout(1200)]

DRIVERS = ("iptables_hybrid", "openvswitch")
_EVERY = 1 if os.environ.get("NETGLASS_ALL_CASES") else 9
_LEAST = 500


def _scenes() -> Iterator[Scene]:
    """Gives all forged senders, dead ports and conversations, and every ninth of the scenes in which rules differ."""
    yield from itertools.islice(rule_scenes(), 0, None, _EVERY)
    yield from conversation_scenes()
    yield from dead_scenes()
    yield from forging_scenes()


@pytest.mark.parametrize("driver", DRIVERS)
def test_frames_arrive_just_where_the_model_says(driver: str) -> None:
    @on_a_host
    def on_it() -> None:
        with site("one", "two") as hosts:
            shooting = Range(hosts, driver)
            verdicts = [verdict for scene in _scenes() for verdict in shooting.play(scene)]
        wrong = [verdict.text for verdict in verdicts if verdict.expected != verdict.seen]
        arrived = sum(verdict.seen for verdict in verdicts)
        print(f"{driver}: {len(verdicts)} cases, {arrived} of them arrived, {len(wrong)} wrong")
        assert wrong == [], "\n".join(wrong)
        assert len(verdicts) >= _LEAST

    on_it()
