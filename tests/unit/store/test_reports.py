"""What hosts last said of themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from netglass.model.protocol import Registration, Report
from netglass.store.reports import Reports
from netglass.store.store import Store

REGISTRATION = Registration(roles=("hypervisor",), vcpus=4)
NOON = "2026-11-21T12:00:00Z"


def report(revision: int) -> Report:
    return Report(version="0.1.0", started_at=NOON, realised_revision=revision)


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


def test_last_report_is_read_back_at_once_and_after_a_restart(store: Store, url: str) -> None:
    reports = Reports(store, agent_down_s=15)
    reports.register("compute1", REGISTRATION, NOON)
    for revision in range(20):
        reports.report("compute1", report(revision), "2026-11-21T12:00:05Z")
    heard = reports.get("compute1")

    assert heard is not None
    assert heard.report == report(19)
    assert heard.registration == REGISTRATION
    store.close()
    again = Store.open(url)
    assert Reports(again, agent_down_s=15).all() == [heard]
    again.close()


def test_report_of_a_host_that_did_not_register_is_not_kept(store: Store) -> None:
    reports = Reports(store, agent_down_s=15)

    assert reports.report("compute1", report(1), NOON) is None
    assert reports.get("compute1") is None


def test_registering_anew_forgets_the_old_report(store: Store) -> None:
    reports = Reports(store, agent_down_s=15)
    reports.register("compute1", REGISTRATION, NOON)
    reports.report("compute1", report(7), NOON)

    reports.register("compute1", REGISTRATION, NOON)

    heard = reports.get("compute1")
    assert heard is not None
    assert heard.report is None


@pytest.mark.parametrize(
    ("now", "alive"), [(NOON, True), ("2026-11-21T12:00:15Z", True), ("2026-11-21T12:00:16Z", False)]
)
def test_host_is_alive_while_it_was_heard_of_lately(store: Store, now: str, *, alive: bool) -> None:
    reports = Reports(store, agent_down_s=15)
    reports.register("compute1", REGISTRATION, NOON)

    assert reports.alive("compute1", now) is alive
    assert not reports.alive("compute2", now)


def test_heartbeats_take_no_revision_and_leave_no_change(store: Store) -> None:
    reports = Reports(store, agent_down_s=15)
    reports.register("compute1", REGISTRATION, NOON)
    reports.report("compute1", report(1), NOON)
    store.write(lambda connection: None).result()  # after what the reports have written

    assert store.snapshot.revision == 0
    assert store.changes_since(0) == []
