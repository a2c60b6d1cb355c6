"""The few system calls that Python 3.11 does not have: namespaces, mounts and capabilities.

Called between fork and exec, so each is one call into libc that was looked up at import, and nothing is allocated
that another thread might hold a lock for.  Source: unshare(2), setns(2), mount(2), pivot_root(2), prctl(2),
capabilities(7); numbers from the kernel's uapi headers, the same on every architecture that Debian builds for.
"""

from __future__ import annotations

import ctypes
import os

NEWNS = 0x00020000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWPID = 0x20000000
NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

CAPABILITIES = {
    "chown": 0,
    "dac_override": 1,
    "fowner": 3,
    "fsetid": 4,
    "kill": 5,
    "setgid": 6,
    "setuid": 7,
    "setpcap": 8,
    "net_bind_service": 10,
    "net_broadcast": 11,
    "net_admin": 12,
    "net_raw": 13,
    "ipc_lock": 14,
    "ipc_owner": 15,
    "sys_chroot": 18,
    "sys_nice": 23,
    "sys_resource": 24,
    "audit_write": 29,
}
"""The capabilities that something of ours keeps, by their name in capabilities(7) without ``CAP_``."""

_MNT_DETACH = 2
_PR_CAPBSET_DROP = 24
_EINVAL = 22

_libc = ctypes.CDLL(None, use_errno=True)
_unshare = _libc.unshare
_setns = _libc.setns
_mount = _libc.mount
_mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]
_umount2 = _libc.umount2
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_PIDFD_GETFD = 438  # on every architecture
_pivot_root = _libc.pivot_root
_prctl = _libc.prctl


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Moves this process into new namespaces (`NEWNS` and so on); a new PID namespace begins with its next child."""
    _checked(_unshare(flags), "unshare")


def pidfd_getfd(pidfd: int, fd: int) -> int:
    """Gives a descriptor of ours for what another process has open as `fd`; it is closed on exec.

    Errors: `OSError`: ESRCH when that process has ended, EBADF when it has no such descriptor, EPERM, and ENOSYS
    before Linux 5.6.
    """
    found: int = _syscall(_PIDFD_GETFD, pidfd, fd, 0)
    if found < 0:
        _checked(found, "pidfd_getfd")
    return found


def setns(fd: int, kind: int = 0) -> None:
    """Moves this thread into the namespace that `fd` refers to; `kind` is checked where it is not 0."""
    _checked(_setns(fd, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mounts `source` on `target`, as mount(2) does."""
    result = _mount(source.encode(), target.encode(), kind.encode(), flags, options.encode())
    _checked(result, f"mount {kind or 'bind'} {source} on {target}")


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Makes `source` visible at `target`, which must exist; mounts below `source` are left out."""
    mount(source, target, flags=MS_BIND)
    if read_only:
        # Flags of a bind mount can only be set by a second call, mount(2).
        mount(source, target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID)


def pivot_root(root: str) -> None:
    """Makes `root`, a mount point, the root of this mount namespace, and lets go of the old one."""
    os.chdir(root)
    # pivot_root(2), "pivot_root(".", ".")": the old root ends on top of the new one and needs no directory.
    _checked(_pivot_root(b".", b"."), f"pivot_root {root}")
    _checked(_umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


def keep_capabilities(names: frozenset[str]) -> None:
    """Takes every capability but `names` from the bounding set: what this process executes never has them again."""
    kept = {CAPABILITIES[name] for name in names}
    for number in range(64):
        if number in kept:
            continue
        if _prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) != 0:
            if ctypes.get_errno() == _EINVAL:  # past the last one that this kernel knows
                return
            _checked(-1, f"drop of capability {number}")
