"""What is kept is what was told, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from laws.strategies import any_clouds, snapshot_of
from netglass.agent.kept import Kept
from netglass.model.resources import Network, Row
from netglass.model.snapshot import Snapshot

RED = Network(id="red", name="red", segmentation_id=1000)


@given(any_clouds())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_what_is_kept_is_what_was_told(tmp_path: Path, rows: list[Row]) -> None:
    kept = Kept(tmp_path / "state" / "intent.jsonl", "h1")
    kept.save(snapshot_of(rows), 9, "store-1")
    assert kept.load() == (snapshot_of(rows), 9, "store-1")
    assert (tmp_path / "state" / "intent.jsonl").stat().st_mode & 0o777 == 0o600


def test_nothing_is_kept_at_first(tmp_path: Path) -> None:
    assert Kept(tmp_path / "intent.jsonl", "h1").load() is None


@pytest.mark.parametrize("harm", ["cut", "empty", "other host", "no json", "newer format"])
def test_what_cannot_be_used_is_nothing_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: str) -> None:
    path = tmp_path / "intent.jsonl"
    Kept(path, "h2" if harm == "other host" else "h1").save(Snapshot.of([RED]), 3, "store-1")
    text = path.read_text()
    changed = {"cut": text[:-9], "empty": "", "no json": "?" + text, "newer format": text.replace('t":1', 't":2')}
    path.write_text(changed.get(harm, text))

    assert Kept(path, "h1").load() is None
    assert "cannot be used" in caplog.text


@pytest.mark.parametrize(
    "row",
    [
        '{"type":"row","kind":"teleporter","id":"t","row":{"id":"t"}}',
        '{"type":"row","kind":"network","id":"blue","row":{"id":"blue","warp":9}}',
    ],
)
def test_what_a_newer_version_kept_is_used_whole_or_not_at_all(tmp_path: Path, row: str) -> None:
    path = tmp_path / "intent.jsonl"
    Kept(path, "h1").save(Snapshot.of([RED]), 3, "store-1")
    path.write_text(path.read_text().replace('"version":"', '"version":"9.') + row + "\n")
    assert Kept(path, "h1").load() is None


def test_what_another_version_kept_is_used_and_told_anew(tmp_path: Path) -> None:
    path = tmp_path / "intent.jsonl"
    Kept(path, "h1").save(Snapshot.of([RED]), 3, "store-1")
    path.write_text(path.read_text().replace('"version":"', '"version":"0.0.'))
    assert Kept(path, "h1").load() == (Snapshot.of([RED]), 3, "")
