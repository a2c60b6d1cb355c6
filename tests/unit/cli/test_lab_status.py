"""``netglass lab status`` of labs that are not as they were."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from netglass.cli.lab import app
from netglass.lab import places
from netglass.lab.places import LabPlace, LabRecord
from netglass.lab.programs import PORT
from netglass.lab.topology import find_topology, renamed

UPLINK, SERVER = "127.77.0.0/30", "127.77.0.2"


@pytest.fixture
def labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "LABS", tmp_path)
    monkeypatch.delenv("NETGLASS_LAB", raising=False)  # of whoever has a lab of their own in this shell
    return tmp_path


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """Somebody else, at the address that the lab's server had."""
    with socket.create_server((SERVER, PORT)) as server:
        server.setblocking(False)
        yield server


def status() -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(app, ["status", "--json"])
    return done.exit_code, json.loads(done.stdout)


def dead(labs: Path, name: str) -> None:
    place = LabPlace(name)
    place.root.mkdir()
    record = LabRecord(topology=renamed(find_topology("vlan"), name), uplink=UPLINK, boot_id=places.boot_id())
    place.write(msgspec.structs.replace(record, whole=True))


def test_nobody_is_asked_in_place_of_a_server_that_is_dead(labs: Path, listening: socket.socket) -> None:
    dead(labs, "wreck")

    code, (found,) = status()

    assert code == 1
    assert {(row["state"], row["agent"]) for row in found["hosts"]} == {("down", "unknown"), ("down", "")}
    with pytest.raises(BlockingIOError):
        listening.accept()


def test_a_lab_that_was_never_whole_does_not_hide_the_others(labs: Path) -> None:
    dead(labs, "wreck")
    (labs / "begun").mkdir()

    code, found = status()

    assert (code, [one["lab"] for one in found]) == (1, ["begun", "wreck"])
    assert found[0]["hosts"] == []
    assert "'begun' was never whole" in CliRunner().invoke(app, ["status"]).stdout
