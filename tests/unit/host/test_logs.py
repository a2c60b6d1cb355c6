"""Logs are kept short under those who write them."""

from __future__ import annotations

from pathlib import Path

from netglass.host.children import shorten


def test_a_long_log_keeps_its_last_whole_lines_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("a") as writer:
        for number in range(1000):
            writer.write(f"line {number:03}\n")
        writer.flush()
        shorten(log, above=9000, keep=100)
        assert log.stat().st_size == 9000
        shorten(log, above=8999, keep=95)
        assert log.read_text().splitlines() == [f"line {number}" for number in range(990, 1000)]
        writer.write("and on\n")
    assert log.read_text().endswith("line 999\nand on\n")


def test_where_there_is_no_log_nothing_happens(tmp_path: Path) -> None:
    shorten(tmp_path / "log")
    assert list(tmp_path.iterdir()) == []
