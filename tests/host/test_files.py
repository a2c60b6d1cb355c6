"""The applier of files, on real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from netglass.agent.appliers.files import Files
from netglass.agent.appliers.protocol import Work
from netglass.desired.state import File, HostState

pytestmark = pytest.mark.host


def _file(path: Path, text: str, mode: int = 0o644) -> File:
    return File(owner="dhcp", intent=("network:n1",), path=str(path), text=text, mode=mode)


def _never() -> bool:
    return False


def _state(*files: File) -> HostState:
    return HostState(host="h", files=files)


def test_what_was_applied_is_observed_whatever_the_umask(tmp_path: Path) -> None:
    files = Files(tmp_path / "manifest.json")
    wanted = _file(tmp_path / "dhcp/n1/host", "fa:16:3e:00:00:01,host-10-0-0-3,10.0.0.3\n", 0o666)

    assert files.observe(_state(wanted)) == {"files": ()}
    assert files.apply(Work(kind="files", add=(wanted,))) == []

    assert files.observe(_state()) == {"files": (wanted,)}
    assert Path(wanted.path).stat().st_mode & 0o777 == 0o666


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    files = Files(tmp_path / "manifest.json")
    old, new = _file(tmp_path / "d/host", "old\n"), _file(tmp_path / "d/host", "new\n")
    files.apply(Work(kind="files", add=(old,)))

    with Path(old.path).open() as reader:
        files.apply(Work(kind="files", change=((old, new),)))

        assert reader.read() == "old\n"  # the old file stays what it was for whoever had it open
    assert Path(new.path).read_text() == "new\n"
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["host"]


def test_a_new_agent_finds_files_that_are_no_longer_wanted_and_takes_their_directory_away(tmp_path: Path) -> None:
    wanted = _file(tmp_path / "dhcp/n1/host", "x\n"), _file(tmp_path / "dhcp/n1/opts", "y\n")
    Files(tmp_path / "manifest.json").apply(Work(kind="files", add=wanted))
    (tmp_path / "dhcp/n1/pid").write_text("4711\n")  # what a killed dnsmasq leaves

    after = Files(tmp_path / "manifest.json")
    seen = after.observe(_state())["files"]
    assert seen == wanted
    assert after.remove("files", seen, _never) == []

    assert not (tmp_path / "dhcp/n1").exists()
    assert after.observe(_state()) == {"files": ()}


@pytest.mark.parametrize("left", [b"", b'{"files": {"/va', b"[]"])
def test_a_torn_manifest_is_begun_anew_and_knows_all_that_is_wanted(tmp_path: Path, left: bytes) -> None:
    wanted = _file(tmp_path / "d/host", "x\n"), _file(tmp_path / "d/opts", "y\n")
    Files(tmp_path / "manifest.json").apply(Work(kind="files", add=wanted))
    (tmp_path / "manifest.json").write_bytes(left)

    after = Files(tmp_path / "manifest.json")
    assert after.observe(_state(*wanted)) == {"files": ()}
    assert after.apply(Work(kind="files", add=wanted)) == []

    assert after.observe(_state(*wanted)) == {"files": wanted}
    assert after.observe(_state()) == {"files": wanted}  # so that they can be taken away


def test_a_directory_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/keep").write_text("x")
    files = Files(tmp_path / "manifest.json")
    wanted = _file(tmp_path / "theirs/ours", "x\n")
    files.apply(Work(kind="files", add=(wanted,)))

    files.remove("files", (wanted,), _never)

    assert [p.name for p in (tmp_path / "theirs").iterdir()] == ["keep"]


def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "d/host").mkdir(parents=True)
    bad, good = _file(tmp_path / "d/host", "x\n"), _file(tmp_path / "d/opts", "y\n")

    failed = Files(tmp_path / "manifest.json").apply(Work(kind="files", add=(bad, good)))

    assert [error.key for error in failed] == [bad.path]
    assert Path(good.path).read_text() == "y\n"


def test_a_directory_that_cannot_be_made_costs_its_own_files_only(tmp_path: Path) -> None:
    (tmp_path / "n1").write_text("somebody else's\n")
    bad, good = _file(tmp_path / "n1/host", "x\n"), _file(tmp_path / "n2/host", "y\n")
    files = Files(tmp_path / "manifest.json")

    assert [error.key for error in files.apply(Work(kind="files", add=(bad, good)))] == [bad.path]
    assert Path(good.path).read_text() == "y\n"

    (tmp_path / "n1").unlink()
    assert files.apply(Work(kind="files", add=(bad,))) == []
    assert files.observe(_state())["files"] == (bad, good)


def test_a_hurried_removal_stops_after_the_file_at_hand(tmp_path: Path) -> None:
    files = Files(tmp_path / "manifest.json")
    wanted = _file(tmp_path / "d/a", "x\n"), _file(tmp_path / "d/b", "y\n")
    files.apply(Work(kind="files", add=wanted))

    files.remove("files", wanted, lambda: True)

    assert files.observe(_state()) == {"files": (wanted[1],)}
