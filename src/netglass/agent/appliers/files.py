"""Keeps files as they must be (File).

A file that fails is reported and the others are written: carry on.  Ours are the files that the manifest names, with
owner and intent; a path gets into the manifest before its file is written, so that nothing of ours is ever unknown.
A manifest that cannot be read, as a power cut may leave it, is begun anew with all files that are wanted.
A directory that was made for a file goes with the last file in it, and takes along what daemons left there (a pid
file after SIGKILL).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.state import File, HostState, Thing
from netglass.host.children import replace_file
from netglass.host.inotify import DirectoryNews

log = logging.getLogger(__name__)


class _Entry(msgspec.Struct, frozen=True):
    owner: str
    intent: tuple[str, ...]


class _Manifest(msgspec.Struct, frozen=True):
    files: dict[str, _Entry] = {}
    directories: frozenset[str] = frozenset()  # made for files


class Files:
    """The applier of files.

    manifest  where the list of our files is kept; must survive a reboot as the files do
    """

    kinds = ("files",)

    def __init__(self, manifest: Path = Path("/var/lib/netglass/files.json")) -> None:
        self._path = manifest
        self._news = DirectoryNews()
        self._directories: set[str] = set()  # where files were wanted when they were last observed

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Reads back our files; what else lies where one is wanted is none of them, and is replaced."""
        self._directories = {os.path.dirname(f.path) for f in desired.files}  # noqa: PTH120 - a Path takes longer
        self._news.follow(self._directories)  # before the look: what happens after it is heard
        self._news.drain()
        wanted = {f.path: _Entry(f.owner, f.intent) for f in desired.files}
        found = (_observed(path, wanted.get(path, entry)) for path, entry in sorted(self._read().files.items()))
        return {"files": tuple(f for f in found if f is not None)}

    def apply(self, work: Work) -> list[ApplyError]:
        """Writes files, each whole or not at all."""
        wanted = [thing for thing in work.wanted if isinstance(thing, File)]
        try:
            self._note(wanted)
        except OSError as error:
            return [ApplyError("files", f.path, f"manifest {self._path}: {error}") for f in wanted]
        failed = []
        for file in wanted:
            try:
                Path(file.path).parent.mkdir(parents=True, exist_ok=True)
                replace_file(Path(file.path), file.text.encode(), file.mode)
            except OSError as error:
                failed.append(ApplyError("files", file.path, str(error)))
        return failed

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Deletes files, and directories that were made for them."""
        failed = []
        gone = set()
        for thing in things:
            try:
                Path(thing.key).unlink(missing_ok=True)
                gone.add(thing.key)
            except OSError as error:
                failed.append(ApplyError(kind, thing.key, str(error)))
            if hurry():
                break
        self._forget(gone)
        return failed

    def watch(self) -> list[int]:
        """Gives what news of the files' directories comes by."""
        self._news.follow(self._directories)
        return self._news.filenos()

    def _read(self) -> _Manifest:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Manifest)
        except FileNotFoundError:
            return _Manifest()
        except OSError as error:
            raise ApplyError("files", str(self._path), f"manifest of our files: {error}") from error
        except msgspec.DecodeError as error:
            log.warning("%s is begun anew, as it cannot be read: %s", self._path, error)
            return _Manifest()

    def _write(self, manifest: _Manifest) -> None:
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        replace_file(self._path, msgspec.json.encode(manifest, order="deterministic"), 0o600)

    def _note(self, files: list[File]) -> None:
        before = self._read()
        parents = {str(Path(f.path).parent) for f in files}
        missing = {directory for directory in parents if _is_nobodys(Path(directory))}
        after = _Manifest(
            before.files | {f.path: _Entry(f.owner, f.intent) for f in files}, before.directories | missing
        )
        if after != before:
            self._write(after)

    def _forget(self, paths: set[str]) -> None:
        before = self._read()
        files = {path: entry for path, entry in before.files.items() if path not in paths}
        left = {str(Path(path).parent) for path in files}
        empty = {d for d in before.directories if d not in left}
        for directory in empty:
            _drop(Path(directory))
        self._write(_Manifest(files, before.directories - empty))


def _observed(path: str, entry: _Entry) -> File | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a network host reads hundreds, and a Path takes longer
            text = file.read().decode(errors="replace")
            mode = os.fstat(file.fileno()).st_mode & 0o7777
    except OSError:
        return None
    return File(owner=entry.owner, intent=entry.intent, path=path, text=text, mode=mode)


def _is_nobodys(directory: Path) -> bool:
    # A guest's console log comes before the first file in its directory, and stays until the last one goes.
    return not directory.is_dir() or {entry.name for entry in directory.iterdir()} == {"console.log"}


def _drop(directory: Path) -> None:
    try:
        for left in directory.iterdir():
            if left.is_file():
                left.unlink()
        directory.rmdir()
    except OSError:
        return  # somebody keeps more there: it is theirs now
