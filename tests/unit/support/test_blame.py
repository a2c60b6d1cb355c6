"""A lost packet is laid on the switch on its way that died, and on nobody else then."""

from __future__ import annotations

from support.blame import MACHINE, NOBODY, Kill, Lost, blame

SWITCH = Kill(10.0, 10.0, "ovs-vswitchd", "bob", "KILL")
STOPPED = Kill(20.0, 25.0, "ovs-vswitchd", "daisy", "STOP")
AGENT = Kill(10.1, 10.1, "agent", "bob", "KILL")
SERVER = Kill(40.0, 40.0, "server", "controller", "KILL")
KILLS = (SWITCH, STOPPED, AGENT, SERVER)


def lost(*at: float) -> Lost:
    return Lost("two hosts", frozenset({"bob", "daisy"}), 5000, at)


def test_losses_in_a_row_are_laid_on_the_death_before_the_first() -> None:
    assert blame(lost(10.2, 11.0, 11.9, 12.8, 13.7), KILLS) == {"ovs-vswitchd": 5}
    assert blame(lost(26.0), KILLS) == {"ovs-vswitchd": 1}


def test_a_switch_that_is_not_on_the_way_is_not_guilty() -> None:
    elsewhere = Lost("one host", frozenset({"carol"}), 5000, (10.2, 24.0))
    assert blame(elsewhere, KILLS) == {"agent": 1, NOBODY: 1}


def test_a_loss_without_a_switch_that_died_is_laid_on_whoever_died() -> None:
    assert blame(lost(40.5, 60.0), KILLS) == {"server": 1, NOBODY: 1}


def test_nobody_has_to_die_for_a_loss_on_a_machine_that_stood_still() -> None:
    assert blame(lost(39.9, 40.5, 60.0), KILLS, held=(40.6,)) == {MACHINE: 2, NOBODY: 1}
