"""News of directories: that something in them was written, came or went (inotify(7)).

The kernel allows a user few of these (``fs.inotify.max_user_instances``, 128), which all hosts of a lab share.
Without one there is no news, and what changes is found when it is next looked at.

Source: inotify(7); numbers from linux/inotify.h.
"""

from __future__ import annotations

import ctypes
import logging
import os
import struct
from collections.abc import Iterable

log = logging.getLogger(__name__)

_CLOSE_WRITE, _ATTRIB, _MOVED, _CREATE, _DELETE = 0x8, 0x4, 0xC0, 0x100, 0x200
_ONLYDIR = 0x01000000
_IGNORED = 0x8000  # the directory is gone, and its watch with it
_MOVE_SELF = 0x800  # it has another name
_MASK = _CLOSE_WRITE | _ATTRIB | _MOVED | _CREATE | _DELETE | _MOVE_SELF | _ONLYDIR
_EVENT = struct.Struct("=iIII")  # watch, mask, cookie, length of the name that follows

_libc = ctypes.CDLL(None, use_errno=True)


class DirectoryNews:
    """What happens in a few directories."""

    def __init__(self) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._directories: dict[int, str] = {}
        if self._fd < 0:
            log.warning("changes by hand are seen late: inotify: %s", os.strerror(ctypes.get_errno()))

    def filenos(self) -> list[int]:
        """Gives the descriptor that is readable when there is news; none when the kernel has no more to give."""
        return [self._fd] if self._fd >= 0 else []

    def follow(self, directories: Iterable[str]) -> None:
        """Listens to these directories from now on, and to no others; those that do not exist are left out."""
        if self._fd < 0:
            return
        wanted = set(directories)
        for watch, directory in list(self._directories.items()):
            if directory not in wanted:
                _libc.inotify_rm_watch(self._fd, watch)
                del self._directories[watch]
        for directory in wanted - set(self._directories.values()):
            watch = _libc.inotify_add_watch(self._fd, directory.encode(), _MASK)
            if watch >= 0:
                self._directories[watch] = directory

    def drain(self) -> set[str]:
        """Takes in all news; gives the directories that it is of, those that went or have another name included."""
        heard: set[str] = set()
        while True:
            try:
                received = os.read(self._fd, 1 << 16) if self._fd >= 0 else b""
            except BlockingIOError:
                return heard
            if not received:
                return heard
            at = 0
            while at < len(received):
                watch, mask, _, length = _EVENT.unpack_from(received, at)
                at += _EVENT.size + length
                if watch in self._directories:
                    heard.add(self._directories[watch])
                if mask & (_IGNORED | _MOVE_SELF) and self._directories.pop(watch, None) and mask & _MOVE_SELF:
                    _libc.inotify_rm_watch(self._fd, watch)

    def close(self) -> None:
        """Ends the listening."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
