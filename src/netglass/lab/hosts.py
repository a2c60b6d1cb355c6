"""A lab host: namespaces of its own over the machine's programs, with a real init as PID 1.

    network, mount, UTS, PID, IPC   new
    /etc                            the machine's, with the host's own on top (overlayfs)
    /run, /dev/shm                  new and empty
    /var/lib, /var/log              the host's own directories
    /proc, /sys                     of the new namespaces
    all else                        the machine's

so that what is installed on the machine works, ``ip netns``, ``ovs-vsctl`` and ``ps`` show just this host, and
nothing of it needs to be unmounted when it ends.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from netglass.host import syscalls
from netglass.host.children import Child, Launch, replace_file, start
from netglass.host.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC
from netglass.lab.places import HIDDEN, HostPlace
from netglass.lab.topology import LabError

INIT = Path(__file__).with_name("init.py")
PROGRAMS = Path(sys.executable).parent
NAMESPACES = syscalls.NEWNET | syscalls.NEWNS | syscalls.NEWUTS | syscalls.NEWIPC | syscalls.NEWPID

ENVIRONMENT = {
    # The venv last: what the machine has wins, as on a real host, and netglass and openstack are found too.
    "PATH": f"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:{PROGRAMS}",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
"""What programs on a host begin with."""

_LIB = ("openvswitch", "netglass", "neutron", "nova/instances", "misc")
_LOG = ("openvswitch", "netglass")
_SERVICES = "netglass/services.json"


class Service(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A program that the host's init keeps running; `lab.init` says what the fields mean."""

    name: str
    kind: str
    argv: tuple[str, ...]
    log: str
    after: tuple[str, ...] = ()
    unless: str = ""
    pid_file: str = ""
    nice: int = 0
    environment: dict[str, str] = msgspec.field(default_factory=lambda: ENVIRONMENT)


@dataclass(frozen=True)
class HostPlan:
    """What a host is made with.

    etc  path below /etc -> (text, mode)
    lib  path below /var/lib -> (text, mode), written only where there is no such file yet
    """

    name: str
    services: tuple[Service, ...] = ()
    etc: dict[str, tuple[str, int]] = field(default_factory=dict)
    lib: dict[str, tuple[str, int]] = field(default_factory=dict)


def check_machine() -> None:
    """Raises LabError when hosts could not work on this machine, and says why."""
    if os.geteuid() != 0:
        raise LabError("A lab needs root: it makes namespaces and network devices.", usage=True)
    for path in (INIT, Path(sys.prefix), Path(sys.base_prefix)):
        for hidden in HIDDEN:
            if path.is_relative_to(hidden):
                raise LabError(f"{path} is below {hidden}, of which each host has its own; install Netglass elsewhere.")


def start_host(plan: HostPlan, place: HostPlace, go: int) -> Child:
    """Makes a host; its init waits for a byte from the pipe `go` before it starts anything.

    Raises LaunchError.
    """
    _prepare_directories(plan, place)
    return start(
        Launch(
            argv=(sys.executable, "-I", "-S", str(INIT), f"/etc/{_SERVICES}"),
            directory=place.root,
            log=place.log / "netglass/init.log",
            unshare=NAMESPACES,
            prepare=partial(_enter, plan.name, place),
            passed=(go,),
            environment=ENVIRONMENT,
        )
    )


def _prepare_directories(plan: HostPlan, place: HostPlace) -> None:
    for directory in (place.etc, place.work, place.lib, place.log):
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    for name in _LIB:
        (place.lib / name).mkdir(parents=True, exist_ok=True)
    for name in _LOG:
        (place.log / name).mkdir(parents=True, exist_ok=True)
    services = msgspec.json.format(msgspec.json.encode(plan.services)).decode()
    own = {"hostname": (plan.name + "\n", 0o644), _SERVICES: (services, 0o644)}
    # Some machines' /etc/resolv.conf leads into /run, which the host has not.
    resolv = Path("/etc/resolv.conf")
    if resolv.is_symlink() and resolv.exists():
        (place.etc / "resolv.conf").unlink(missing_ok=True)
        own["resolv.conf"] = (resolv.read_text(), 0o644)
    for path, (text, mode) in (own | plan.etc).items():
        _write(place.etc / path, text, mode)
    for path, (text, mode) in plan.lib.items():
        if not (place.lib / path).exists():
            _write(place.lib / path, text, mode)


def _write(path: Path, text: str, mode: int) -> None:
    # Who may not read a file may not look around beside it.
    path.parent.mkdir(mode=0o700 if mode == 0o600 else 0o755, parents=True, exist_ok=True)
    replace_file(path, text.encode(), mode)


def _enter(name: str, place: HostPlace) -> None:
    """Makes this process the host's PID 1 but for the exec; called between fork and exec."""
    syscalls.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    layers = f"lowerdir=/etc,upperdir={place.etc},workdir={place.work}"
    syscalls.mount("etc", "/etc", "overlay", options=layers)
    syscalls.mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for below in ("lock", "openvswitch", "netns"):
        Path("/run", below).mkdir()
    syscalls.mount("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    syscalls.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    syscalls.mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    syscalls.bind(str(place.log), "/var/log")
    syscalls.bind(str(place.lib), "/var/lib")  # last: hides the lab's own directory
    socket.sethostname(name)
    os.umask(0o022)
