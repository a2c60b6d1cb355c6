"""A cloud whose processes are killed at random while clients write loses nothing; bench/kills.py is the long run."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from killing import Pace, furnished, kill_round
from labs import TestLab, netglass
from processes import KINDS

from support.blame import MACHINE, SWITCH

pytestmark = pytest.mark.lab


@pytest.fixture
def gre() -> Iterator[TestLab]:
    name = f"k{os.getpid()}"
    netglass("lab", "up", "gre", "--lab", name)
    try:
        yield TestLab(name)
    finally:
        netglass("lab", "down", "--lab", name)


@pytest.mark.timeout(900)  # of which a machine that is busy with much else needs most
def test_a_cloud_whose_processes_are_killed_at_random_loses_no_write_no_packet_and_no_address(gre: TestLab) -> None:
    dice = random.Random(1)
    pace = Pace(kills=8, seconds=4, stop_s=2, clients=2)
    with furnished(gre, guests=6) as site:
        others = kill_round(site, dice, pace, kinds=KINDS.keys() - SWITCH, wiring=False)
        every = kill_round(site, dice, pace)
        assert (others.faults, every.faults) == ([], [])
        assert others.blamed.keys() <= {MACHINE}, [(kill.kind, kill.host, kill.how) for kill in others.kills]
