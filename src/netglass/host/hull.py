"""The root file system of a light guest: the machine's programs, and nothing else of the machine.

Built in the guest's own mount namespace by its PID 1 before it executes its init, out of a tmpfs: programs and
libraries are read-only binds of the machine's, everything else is the guest's own.  Nothing has to be unmounted later:
the mounts end with the namespace.

A guest's root may not do to the machine what root may: it keeps what networking needs of the capabilities, so that it
can neither mount, load modules, make device nodes nor write the kernel's settings, those of its own network aside.
"""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import msgspec

from netglass.host import syscalls
from netglass.host.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC

NAMESPACES = syscalls.NEWNET | syscalls.NEWNS | syscalls.NEWUTS | syscalls.NEWIPC | syscalls.NEWPID

CAPABILITIES = frozenset(
    (
        "chown",
        "dac_override",
        "fowner",
        "fsetid",
        "kill",
        "setgid",
        "setuid",
        "net_bind_service",
        "net_broadcast",
        "net_admin",
        "net_raw",
        "ipc_lock",
        "ipc_owner",
        "sys_chroot",
        "sys_nice",
        "audit_write",
    )
)
"""What a guest's root may do."""

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin",
    "HOME": "/root",
    "TERM": "linux",
}
"""What programs in a guest begin with; busybox's are the last resort."""

_PROGRAMS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_OWN = (
    "etc",
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "var",
    "var/tmp",
    "var/log",
    "root",
    "etc/ssl",
    "etc/netglass",
    "opt",
    "opt/bin",
)
# What programs of the machine look for in /etc and that says nothing of the machine itself.
_OF_THE_MACHINE = ("alternatives", "ld.so.cache", "services", "protocols", "ssl/certs")
_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_READ_ONLY_IN_PROC = ("sys", "sysrq-trigger", "irq", "bus", "fs")
# Named where the machine lacks the program of that name; busybox brings them all.
_BUSYBOX = ("nc", "wget", "telnet", "traceroute", "arping", "httpd", "udhcpc", "vi")
_SCRIPTS = ("init", "say", "names", "dhcp", "ipv6", "dhcpcd.conf", "metadata")
_HIDDEN_IN_PROC = ("kcore", "keys", "kmsg", "timer_list", "sched_debug")


class Root(msgspec.Struct, frozen=True):
    """What a root is made of.

    staging   an empty directory; a mount point in the new namespace only
    hostname  of the guest
    console   file that /dev/console leads to; it is open for appending
    files     path below the root -> (content, mode)
    """

    staging: str
    hostname: str
    console: str
    files: dict[str, tuple[bytes, int]] = {}


def enter(root: Root) -> None:
    """Makes `root` this process's root and gives up what a guest may not do.

    Called as PID 1 of new namespaces (`NAMESPACES`), between fork and exec.  Raises OSError.
    """
    syscalls.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    syscalls.mount("guest", root.staging, "tmpfs", MS_NOSUID, "mode=755,size=256m")
    here = Path(root.staging)
    for name in _OWN:
        (here / name).mkdir()
    for name in ("tmp", "var/tmp"):
        (here / name).chmod(0o1777)
    _share_programs(here)
    for path, (content, mode) in (_identity(root.hostname) | root.files).items():
        _write(here / path, content, mode)
    for name in _BUSYBOX:
        (here / "opt/bin" / name).symlink_to("/bin/busybox")
    _make_devices(here / "dev", root.console)
    _mount_kernel(here)
    syscalls.pivot_root(root.staging)
    socket.sethostname(root.hostname)
    syscalls.keep_capabilities(CAPABILITIES)
    os.umask(0o022)


def _share_programs(root: Path) -> None:
    for name in _PROGRAMS:
        there = Path("/", name)
        if there.is_symlink():  # merged /usr
            (root / name).symlink_to(there.readlink())
        elif there.is_dir():
            (root / name).mkdir()
            syscalls.bind(str(there), str(root / name), read_only=True)
    for name in _OF_THE_MACHINE:
        there, here = Path("/etc", name), root / "etc" / name
        if there.is_dir():
            here.mkdir()
        elif there.is_file():
            here.touch()
        else:
            continue
        syscalls.bind(str(there), str(here), read_only=True)


def _identity(hostname: str) -> dict[str, tuple[bytes, int]]:
    users = "root:x:0:0:root:/root:/bin/sh\ntcpdump:x:100:100::/nonexistent:/usr/sbin/nologin\n"
    nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    hosts = f"127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost ip6-localhost\n"
    texts = {
        "etc/passwd": users + nobody,
        "etc/group": "root:x:0:\ntcpdump:x:100:\nnogroup:x:65534:\n",
        "etc/hostname": hostname + "\n",
        "etc/hosts": hosts,
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "etc/resolv.conf": "",
    }
    return {path: (text.encode(), 0o644) for path, text in texts.items()}


def _make_devices(dev: Path, console: str) -> None:
    syscalls.mount("dev", str(dev), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k")
    for name, (major, minor) in _DEVICES.items():
        os.mknod(dev / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (dev / name).chmod(0o666)  # whatever the umask is
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    syscalls.mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    syscalls.mount("shm", f"{dev}/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=16m")
    links = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
    for name, target in links.items():
        (dev / name).symlink_to(target)
    (dev / "console").touch(0o600)
    syscalls.bind(console, f"{dev}/console")


def _mount_kernel(root: Path) -> None:
    proc = root / "proc"
    syscalls.mount("proc", str(proc), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for place in [proc / name for name in _READ_ONLY_IN_PROC if (proc / name).exists()]:
        syscalls.bind(str(place), str(place), read_only=True)
    # The settings of its own network namespace are the guest's, and so is its name: that of its own UTS namespace,
    # which sethostname(2) would want CAP_SYS_ADMIN for.
    for own in (f"{proc}/sys/net", f"{proc}/sys/kernel/hostname"):
        syscalls.bind(own, own)
        syscalls.mount("none", own, flags=syscalls.MS_BIND | syscalls.MS_REMOUNT | MS_NOSUID)
    for place in [proc / name for name in _HIDDEN_IN_PROC if (proc / name).exists()]:
        syscalls.bind(f"{root}/dev/null", str(place))
    syscalls.mount("sysfs", f"{root}/sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.write_bytes(content)
    path.chmod(mode)


def scripts(source: Path) -> dict[str, tuple[bytes, int]]:
    """Gives the guest's own scripts as files of its root."""
    return {f"etc/netglass/{name}": ((source / name).read_bytes(), 0o755) for name in _SCRIPTS}
