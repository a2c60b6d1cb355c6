"""What an agent reports of how far it is."""

from __future__ import annotations

from shelf import Shelf

from netglass.agent.reports import Reports
from netglass.agent.retries import Retries
from netglass.agent.rounds import ALL_KINDS, Rounds
from netglass.desired.state import HostState
from netglass.model.snapshot import Snapshot


def test_in_another_store_nothing_is_realised_that_was_in_the_one_before() -> None:
    retries = Retries()
    reports = Reports("h1", "2026-11-21T12:00:00Z", retries, dict, {})
    rounds = Rounds([Shelf()], retries, lambda: 0.0)
    desired = HostState(host="h1")
    reports.intent(Snapshot.empty(), desired)
    reports.revision(90)
    rounds.make(desired, set(ALL_KINDS))
    rounds.remove(lambda: False)
    told = [reports.due(rounds, beat=True)]

    reports.revision(3)
    told.append(reports.due(rounds, beat=True))

    assert [report.realised_revision for report in told if report is not None] == [90, 3]
