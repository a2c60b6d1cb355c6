"""The agent's copy of intent moves from one committed state to the next, and never between."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from netglass.agent.replica import Replica
from netglass.model.protocol import Beat, Bookmark, Listed, Relist, RowLine
from netglass.model.resources import Network, Port
from netglass.model.snapshot import Snapshot

RED = Network(id="red", name="red", segmentation_id=1000)
BLUE = Network(id="blue", name="blue", segmentation_id=1001)


def _line(row: Network | Port) -> RowLine:
    return RowLine(kind=row.kind, id=row.id, row=msgspec.to_builtins(row))


def _gone(row: Network | Port) -> RowLine:
    return RowLine(kind=row.kind, id=row.id, row=None)


def _told(replica: Replica, *lines: Any) -> Snapshot | None:
    for line in lines:
        replica.take(line)
    return replica.snapshot


def test_nothing_is_known_before_the_list_is_complete() -> None:
    replica = Replica()
    assert _told(replica, _line(RED), _line(BLUE)) is None
    assert Snapshot.of([RED, BLUE]) == _told(replica, Listed(revision=7))
    assert replica.revision == 7


def test_a_commit_shows_only_once_it_is_closed() -> None:
    replica = Replica()
    _told(replica, _line(RED), Listed(revision=1))
    changed = msgspec.structs.replace(RED, name="rot")
    assert Snapshot.of([RED]) == _told(replica, _line(changed), _line(BLUE))
    assert Snapshot.of([changed, BLUE]) == _told(replica, Bookmark(revision=2))


def test_dropped_rows_go() -> None:
    replica = Replica()
    _told(replica, _line(RED), _line(BLUE), Listed(revision=1))
    assert Snapshot.of([BLUE]) == _told(replica, _gone(RED), Bookmark(revision=2))


def test_a_row_made_and_dropped_in_one_commit_leaves_nothing() -> None:
    replica = Replica()
    _told(replica, Listed(revision=1))
    assert Snapshot.empty() == _told(replica, _line(RED), _gone(RED), Bookmark(revision=2))


def test_dropping_what_was_never_known_is_no_change() -> None:
    replica = Replica()
    _told(replica, Listed(revision=1))
    replica.take(_gone(RED))
    assert not replica.take(Bookmark(revision=2))
    assert replica.revision == 2


def test_a_stream_that_broke_in_a_commit_leaves_no_part_of_it() -> None:
    replica = Replica()
    _told(replica, _line(RED), Listed(revision=1))
    replica.take(_line(BLUE))
    replica.reconnected()
    assert Snapshot.of([RED]) == _told(replica, Listed(revision=1))


def test_relisting_forgets_the_old_rows_only_when_the_new_ones_are_complete() -> None:
    replica = Replica()
    _told(replica, _line(RED), Listed(revision=9))
    replica.reconnected()
    assert Snapshot.of([RED]) == _told(replica, Relist(), _line(BLUE))
    assert Snapshot.of([BLUE]) == _told(replica, Listed(revision=3))


def test_a_beat_moves_the_revision_and_nothing_else() -> None:
    replica = Replica()
    before = _told(replica, _line(RED), Listed(revision=1))
    assert not replica.take(Beat(revision=5))
    assert replica.snapshot is before
    assert replica.revision == 5


LATER = [
    RowLine(kind="teleporter", id="t", row={"id": "t"}),
    RowLine(kind="network", id="red", row={"id": "red", "warp": 9}),
    RowLine(kind="network", id="red", row={"id": "red", "mtu": "as much as there is"}),
    RowLine(kind="host", id="h2", row={"id": "h2", "settings": {"warp": 9}}),
    RowLine(
        kind="port", id="p", row={"id": "p", "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5", "warp": 9}]}
    ),
]


@pytest.mark.parametrize("later", LATER)
def test_what_is_understood_in_part_is_no_intent_until_it_is_understood_whole(later: RowLine) -> None:
    replica = Replica()
    before = _told(replica, _line(RED), Listed(revision=1, store="s"))

    assert _told(replica, later, _line(BLUE), Bookmark(revision=2)) is before
    replica.take(Beat(revision=4))
    assert replica.revision == 1
    assert replica.unread


def test_all_that_was_told_meanwhile_is_intent_once_the_row_that_was_not_understood_is_gone() -> None:
    replica = Replica()
    later = RowLine(kind="teleporter", id="t", row={"id": "t"})
    before = _told(replica, _line(RED), Listed(revision=1, store="s"))
    assert _told(replica, later, _line(BLUE), Bookmark(revision=2)) is before
    assert replica.unread == ("teleporter t: rows of this kind are unknown",)

    gone = RowLine(kind="teleporter", id="t", row=None)
    assert Snapshot.of([RED, BLUE]) == _told(replica, gone, Bookmark(revision=3))
    assert (replica.revision, replica.store, replica.unread) == (3, "s", ())


def test_a_stream_that_broke_goes_on_where_all_was_understood() -> None:
    replica = Replica()
    later = RowLine(kind="teleporter", id="t", row={"id": "t"})
    _told(replica, _line(RED), Listed(revision=1, store="s"))
    _told(replica, Relist(), later, _line(BLUE), Listed(revision=9, store="another"))
    assert (replica.snapshot, replica.revision, replica.store) == (Snapshot.of([RED]), 1, "s")

    replica.reconnected()
    assert (replica.unread, replica.revision, replica.store) == ((), 1, "s")
    assert Snapshot.of([BLUE]) == _told(replica, Relist(), _line(BLUE), Listed(revision=9, store="another"))
    assert replica.store == "another"


def test_a_list_that_is_not_understood_at_the_start_is_no_intent() -> None:
    replica = Replica()
    later = RowLine(kind="teleporter", id="t", row={"id": "t"})
    assert _told(replica, _line(RED), later, Listed(revision=1)) is None
    assert len(replica.unread) == 1
