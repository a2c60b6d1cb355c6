"""The agent's copy of intent moves from one committed state to the next, and never between."""

from __future__ import annotations

from typing import Any

import msgspec

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


def test_rows_of_kinds_that_are_not_known_are_left_out() -> None:
    replica = Replica()
    later = RowLine(kind="teleporter", id="t", row={"id": "t"})
    assert Snapshot.empty() == _told(replica, later, Listed(revision=1))
