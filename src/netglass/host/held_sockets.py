"""Holds the packet sockets of an ovs-vswitchd along with it, so that it never waits for their end.

    python -m netglass.host.held_sockets DIRECTORY      the one whose pid file is there; ends with its standard input

In user space a switch has a packet socket for each port that is a device of the kernel.  Who closes one last
waits for a grace period of RCU, 10 to 15 ms: with 100 ports a switch that is killed takes more than a second to
be gone, in which the next one cannot start and no packet passes.  So this process has a descriptor of each of
them too, and does the waiting: when the switch has closed one, and when it has ended.  It reads nothing from
them, and if it ends first nothing is different from before.  What it may not hold now it tries to at each look
anew.  It is no thread of the agent's: programs that an agent starts would inherit the descriptors, and close them
last.

Source: pidfd_getfd(2), packet(7), proc(5); Linux, net/packet/af_packet.c (packet_release); decision 0021.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from netglass.host.syscalls import pidfd_getfd

_PID_FILE = "ovs-vswitchd.pid"
_PROC = Path("/proc")
_SO_DOMAIN = 39
_BELL = 0  # standard input
_MUCH = 4096


def main(directory: str) -> None:
    """Holds sockets until standard input ends; whatever comes there has it look at once.

    Why they cannot be held, or not all, is said on standard error, once until they can or the reason is another.
    """
    HeldSockets(Path(directory) / _PID_FILE).keep()


class HeldSockets:
    """The packet sockets of one switch after another."""

    def __init__(self, pid_file: Path) -> None:
        self._pid_file = pid_file
        self._switch: int | None = None  # its pidfd
        self._pid = 0
        self._sockets: dict[str, int] = {}  # our descriptor of each, by what proc(5) calls it: socket:[inode]
        self._others: set[str] = set()  # what it has open and is no packet socket
        self._ended: list[int] = []  # our descriptors of what it has closed
        self._said = ""  # why the last look could not take all

    def keep(self) -> None:
        """Follows the switch until standard input ends."""
        self._look()
        while True:
            ready = self._wait()
            if _BELL in ready and not os.read(_BELL, _MUCH):
                return
            if self._switch in ready:
                self._part()
            if ready:
                self._look()
            elif self._ended:
                os.close(self._ended.pop())  # one at a time: each may take a grace period

    def _wait(self) -> set[int]:
        """Waits for the bell and for the switch's end; not at all while there are sockets to let go of."""
        poll = select.poll()
        poll.register(_BELL, select.POLLIN)
        if self._switch is not None:
            poll.register(self._switch, select.POLLIN)
        return {fd for fd, _ in poll.poll(0 if self._ended else None)}

    def _look(self) -> None:
        """Follows the switch; says why not, where this process may not hold its sockets, or not so many."""
        said = ""
        try:
            self._follow()
        except OSError as error:
            said = f"the packet sockets of ovs-vswitchd cannot be held: {error}"
        if said and said != self._said:
            print(said, file=sys.stderr, flush=True)
        self._said = said

    def _follow(self) -> None:
        """Lets go of the sockets that the switch has closed, and takes those that it has and we have not."""
        if self._switch is None and not self._meet():
            return
        opened = _opened(self._pid)
        self._others &= opened.keys()
        self._let_go(self._sockets.keys() - opened.keys())
        for name, fd in opened.items():
            if name not in self._sockets and name not in self._others:
                self._take(name, fd)

    def _meet(self) -> bool:
        try:
            self._pid = int(self._pid_file.read_text())
            self._switch = os.pidfd_open(self._pid)
        except (OSError, ValueError):
            return False  # none runs, or it is just writing its number
        return True

    def _take(self, name: str, fd: int) -> None:
        assert self._switch is not None
        try:
            ours = pidfd_getfd(self._switch, fd)
        except OSError as error:
            if error.errno in (errno.EBADF, errno.ESRCH):
                return  # closed in the meantime, as all are when it has ended
            raise
        with socket.socket(fileno=ours) as taken:
            if taken.getsockopt(socket.SOL_SOCKET, _SO_DOMAIN) == socket.AF_PACKET:
                self._sockets[name] = taken.detach()
            else:
                self._others.add(name)

    def _part(self) -> None:
        """Lets go of a switch that has ended, and of all that it had."""
        assert self._switch is not None
        os.close(self._switch)
        self._switch = None
        self._let_go(tuple(self._sockets))
        self._others.clear()

    def _let_go(self, names: Iterable[str]) -> None:
        for name in names:
            self._ended.append(self._sockets.pop(name))


def _opened(pid: int) -> dict[str, int]:
    """Gives the sockets that a process has open, each by its name in proc(5); empty when it has ended."""
    directory = _PROC / str(pid) / "fd"
    found: dict[str, int] = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for fd in os.listdir(directory):  # noqa: PTH208 - names are wanted, not paths
            with contextlib.suppress(FileNotFoundError):
                name = os.readlink(f"{directory}/{fd}")  # noqa: PTH115 - what it says is no path
                if name.startswith("socket:"):
                    found[name] = int(fd)
    return found


if __name__ == "__main__":
    main(sys.argv[1])
