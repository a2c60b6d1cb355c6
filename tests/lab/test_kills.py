"""A cloud whose processes are killed at random while clients write loses nothing; bench/kills.py is the long run."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from footprint import leaks, of_cloud
from killing import Pace, furnished, kill_round, settle
from labs import TestLab, netglass
from processes import KINDS

from support.blame import SWITCH
from support.load import clear

pytestmark = pytest.mark.lab


@pytest.fixture
def gre() -> Iterator[TestLab]:
    name = f"k{os.getpid()}"
    netglass("lab", "up", "gre", "--lab", name)
    try:
        yield TestLab(name)
    finally:
        netglass("lab", "down", "--lab", name)


def test_a_cloud_whose_processes_are_killed_at_random_loses_no_write_no_packet_and_no_address(gre: TestLab) -> None:
    dice = random.Random(1)
    with furnished(gre, guests=6) as site:
        assert settle(site) == []
        before = of_cloud(gre)
        load = site.load(clients=3)
        try:
            others = kill_round(site, load, dice, Pace(kills=10, seconds=5, stop_s=3), KINDS.keys() - SWITCH)
            switches = kill_round(site, load, dice, Pace(kills=4, seconds=2, stop_s=3), KINDS)
        finally:
            load.stop()
        assert (others.faults, switches.faults) == ([], [])
        assert others.blamed == {}, [(kill.kind, kill.host, kill.how) for kill in others.kills]
        clear(site.admin)
        assert settle(site) == []
        assert list(leaks(before, of_cloud(gre))) == []
