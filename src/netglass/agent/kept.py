"""The last intent that an agent was told, on disk: a host that boots while no server can be reached is as it was.

One file of mode 0600: a line of JSON that says what it is, then a row on each line.  It is replaced whole; a reader
finds the old one or the new one.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

from netglass import __version__
from netglass.base.errors import NotUnderstood
from netglass.model.changes import decode_row, read_row
from netglass.model.protocol import RowLine
from netglass.model.resources import ROW_TYPES
from netglass.model.snapshot import Snapshot

log = logging.getLogger(__name__)

_FORMAT = 1


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the rest of the file is.

    version   of Netglass that wrote it
    revision  up to which it holds all that concerns the host
    store     id of the store that the revision counts in; empty when it is not known
    """

    format: int
    host: str
    revision: int
    version: str = ""
    store: str = ""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a row, as `RowLine` is written."""

    kind: str
    id: str
    row: msgspec.Raw


class KeptIntent(NamedTuple):
    """What was kept.

    store  empty when a server shall rather tell everything anew, as another version knew other kinds of rows
    """

    snapshot: Snapshot
    revision: int
    store: str


class Kept:
    """The file in which one host's intent is kept."""

    def __init__(self, path: Path, host: str) -> None:
        self._path = path
        self._host = host

    def save(self, snapshot: Snapshot, revision: int, store: str) -> None:
        """Replaces what is kept; raises OSError."""
        encode = msgspec.json.encode
        head = _Head(format=_FORMAT, host=self._host, revision=revision, version=__version__, store=store)
        lines = [encode(head)]
        for kind in ROW_TYPES:
            rows = sorted(snapshot.all(kind), key=lambda row: row.id)
            lines += [encode(RowLine(kind=kind.kind, id=row.id, row=msgspec.to_builtins(row))) for row in rows]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(self._path.name + ".new")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(b"\n".join(lines) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    def load(self) -> KeptIntent | None:
        """Gives what is kept; None where there is nothing that can be used, as the log explains.

        What a newer version kept can be used only if this one understands all of it: it would take away the rest.
        """
        try:
            first, *lines = self._path.read_bytes().splitlines()
            head = msgspec.json.decode(first, type=_Head)
            if head.format != _FORMAT or head.host != self._host:
                raise ValueError(f"format {head.format} of host {head.host!r}")
            told = [msgspec.json.decode(line, type=_Kept) for line in lines]
            if head.version == __version__:
                rows = [decode_row(one.kind, bytes(one.row)) for one in told]
            else:
                rows = [read_row(one.kind, msgspec.json.decode(one.row)) for one in told]
            store = head.store if head.version == __version__ else ""
            return KeptIntent(Snapshot.of(rows, revision=head.revision), head.revision, store)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, msgspec.MsgspecError, NotUnderstood) as error:
            log.warning("%s cannot be used: %s; waiting for a server", self._path, error)
            return None
