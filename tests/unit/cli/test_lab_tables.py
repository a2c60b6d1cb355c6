"""The tables of ``netglass lab``: nothing is lost where the terminal is narrow, and names are taken literally."""

from __future__ import annotations

from typing import Any

import pytest

from netglass.cli.lab import _print_table

COLUMNS = ("host", "state", "pid", "roles", "address", "agent", "guests")
NAME = "x" * 255
ROW: dict[str, Any] = {
    "host": "compute1",
    "state": "up",
    "pid": 4_194_304,
    "roles": "hypervisor",
    "address": "192.168.100.11",
    "agent": "realised",
    "guests": NAME,
}
OTHERS = ("compute1", "up", "4194304", "hypervisor", "192.168.100.11", "realised")


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_a_long_name_wraps_and_the_other_columns_stay(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", width)
    _print_table(COLUMNS, [ROW, ROW | {"guests": ""}], "guests")
    lines = capsys.readouterr().out.splitlines()
    assert all(word in lines[1] and word in lines[-1] for word in OTHERS)
    assert sum(line.count("x") for line in lines) == len(NAME)
    assert width == "40" or max(len(line) for line in lines[1:]) <= int(width)


def test_in_a_pipe_a_row_is_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _print_table(COLUMNS, [ROW], "guests")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert NAME in lines[1]


def test_names_are_neither_markup_nor_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    _print_table(COLUMNS, [ROW | {"guests": "[red]a[/] \x9b2J\x1b[2J"}], "guests")
    assert "[red]a[/] \\x9b2J\\x1b[2J" in capsys.readouterr().out
