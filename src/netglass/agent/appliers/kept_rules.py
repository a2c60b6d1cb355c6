"""What iptables printed of namespaces' rules, kept over the agent's end: a start reads only what is another by now.

A file for each namespace in the run directory, which a reboot empties.  It names the edition that the rules were before
they were read: what changed meanwhile, or later, is another one, and is read again (decision 0022).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from netglass.host.children import replace_file
from netglass.host.iptables import Saved
from netglass.host.nf_tables import Edition

_decode = msgspec.json.Decoder(Saved).decode


class KeptRules:
    """Files of what was printed, by namespace."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names: dict[str, Edition | None] = dict.fromkeys(_entries(directory))

    def load(self, netns: str) -> Saved | None:
        """Gives what is kept of a namespace; None for nothing, or nothing that can be read."""
        if netns not in self._names:
            return None
        try:
            saved = _decode((self._directory / netns).read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None
        self._names[netns] = saved.edition
        return saved

    def keep(self, netns: str, saved: Saved) -> None:
        """Keeps what was printed; what cannot be kept is read at the next start."""
        if saved.edition is None or self._names.get(netns) == saved.edition:
            return
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            replace_file(self._directory / netns, msgspec.json.encode(saved), 0o600)
            self._names[netns] = saved.edition

    def keep_only(self, wanted: set[str]) -> None:
        """Drops what is kept of other namespaces."""
        for netns in self._names.keys() - wanted:
            with suppress(OSError):
                (self._directory / netns).unlink(missing_ok=True)
                del self._names[netns]


def _entries(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names are wanted, not paths
    except FileNotFoundError:
        return []
