"""Named network namespaces, as ip-netns(8) keeps them: files below ``/run/netns`` with a namespace mounted on each.

Making one needs no process: a thread of our own unshares its network namespace and mounts it under the name, which
takes a millisecond, where ``ip netns add`` takes five.  Names made here are seen by ``ip netns`` and the other way
round.

Source: ip-netns(8), setns(2), unshare(2), mount_namespaces(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

DIRECTORY = Path("/run/netns")

_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_SHARED = 0x100000
_MNT_DETACH = 2
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1

_libc = ctypes.CDLL(None, use_errno=True)  # os.setns and os.unshare came with Python 3.12


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, flags: int) -> None:
    result = _libc.mount(source.encode(), target.encode(), b"none", ctypes.c_ulong(flags), None)
    _check(result, f"mount {source} on {target}")


def path(name: str) -> Path:
    """Gives the file that stands for a namespace; the empty name is our own namespace."""
    return DIRECTORY / name if name else Path("/proc/self/ns/net")


def identity(name: str) -> int:
    """Gives what tells a namespace from others that had or will have its name; 0 for our own, the empty name.

    Raises FileNotFoundError when there is none of that name.
    """
    return os.stat(f"{DIRECTORY}/{name}").st_ino if name else 0  # noqa: PTH116 - asked often, and a Path takes longer


def names() -> set[str]:
    """Gives the names of all namespaces; empty when none was ever made."""
    try:
        return set(os.listdir(DIRECTORY))  # noqa: PTH208 - names are wanted, not paths; read often
    except FileNotFoundError:
        return set()


def live_names() -> set[str]:
    """Gives the names on which a namespace is really mounted; a mere file of that name is a wreck of a crash."""
    found: set[str] = set()
    try:
        with os.scandir(DIRECTORY) as entries:
            device = DIRECTORY.stat().st_dev
            # Each live one is a mount point, so that its device (nsfs) differs from the directory's.
            found.update(entry.name for entry in entries if os.stat(entry.path).st_dev != device)  # noqa: PTH116
    except FileNotFoundError:
        pass
    return found


def _share_directory() -> None:
    """Makes mounts below the directory reach every mount namespace that was copied from this one, as ip-netns does."""
    DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        _mount("", str(DIRECTORY), _MS_SHARED | _MS_REC)
    except OSError:  # EINVAL: not a mount point yet
        _mount(str(DIRECTORY), str(DIRECTORY), _MS_BIND | _MS_REC)
        _mount("", str(DIRECTORY), _MS_SHARED | _MS_REC)


def make(name: str) -> None:
    """Makes a namespace with a name and lo up; a file of that name without a namespace on it is used.

    It has its name only once it is ready, so that a crash leaves none half made.  Raises OSError.
    """
    _share_directory()
    target = path(name)
    target.touch(mode=0o444, exist_ok=True)

    def unshare() -> None:
        _check(_libc.unshare(_CLONE_NEWNET), "unshare")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            # struct ifreq with ifr_flags (netdevice(7)).
            ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))
        _mount(f"/proc/self/task/{threading.get_native_id()}/ns/net", str(target), _MS_BIND)

    # The thread ends with the call, and takes its membership of the new namespace with it.
    _in_thread(unshare)


def drop(name: str) -> None:
    """Takes a namespace's name away; the kernel deletes it when no process and no socket is left in it."""
    target = path(name)
    result = _libc.umount2(str(target).encode(), _MNT_DETACH)
    if result != 0 and ctypes.get_errno() not in (2, 22):  # ENOENT, EINVAL: nothing is mounted there
        _check(result, f"umount {target}")
    target.unlink(missing_ok=True)


@contextmanager
def entered(name: str) -> Iterator[None]:
    """Runs the body in a namespace, then comes back; the empty name stays where it is.

    Only the calling thread moves.  Raises FileNotFoundError when there is no such namespace, OSError when it cannot
    be entered.  A thread that cannot come back would do every later thing in the wrong place, so the process ends.
    """
    if not name:
        yield
        return
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            result = _libc.setns(there, _CLONE_NEWNET)
            if result != 0 and ctypes.get_errno() == errno.EINVAL:
                raise FileNotFoundError(f"namespace {name} is no more than a name")  # on its way in or out
            _check(result, f"enter namespace {name}")
        finally:
            os.close(there)
        try:
            yield
        finally:
            if _libc.setns(own, _CLONE_NEWNET) != 0:
                os.abort()
    finally:
        os.close(own)


def _in_thread(work: Callable[[], T]) -> T:
    outcome: list[T] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=target, name="netns")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
