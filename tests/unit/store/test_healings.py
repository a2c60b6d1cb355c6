"""What hosts healed is kept once, and the newest of it."""

from __future__ import annotations

from typing import Any

import pytest

from netglass.model.protocol import Healed
from netglass.store import healings
from netglass.store.healings import Healings
from netglass.store.store import Store


def healed(second: int, **values: Any) -> Healed:
    told = {"kind": "flows", "key": "k", "title": "t", "owner": "switching", "intent": ("host:h",), "was": "missing"}
    return Healed(at=f"2026-11-21T12:00:{second:02}.000000Z", seconds=0.1, **(told | values))


def test_it_is_there_after_a_restart_and_in_order(database_url: str) -> None:
    store = Store.open(database_url)
    Healings(store).add("h1", [healed(2), healed(1)])
    Healings(store).add("h2", [healed(3)])
    store.close()

    store = Store.open(database_url)
    found = Healings(store)
    assert [(host, one.at[17:19]) for host, one in found.newest(10)] == [("h1", "01"), ("h1", "02"), ("h2", "03")]
    assert [one.at[17:19] for _, one in found.newest(1, host="h1")] == ["02"]
    assert [host for host, _ in found.newest(10, since="2026-11-21T12:00:03.000000Z")] == ["h2"]
    store.close()


def test_what_is_told_twice_counts_once(database_url: str) -> None:
    store = Store.open(database_url)
    kept = Healings(store)
    kept.add("h", [healed(1)])
    kept.add("h", [healed(1), healed(1, key="other"), healed(1, kind="links")])
    assert len(kept.newest(10)) == 3
    assert dict(kept.counts) == {("h", "flows"): 2, ("h", "links"): 1}
    store.close()


def test_only_the_newest_are_kept(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healings, "KEPT", 3)
    store = Store.open(database_url)
    kept = Healings(store)
    for second in range(9):
        kept.add("h", [healed(second)])
    assert [one.at[18:19] for _, one in kept.newest(10)] == ["6", "7", "8"]
    store.close()
