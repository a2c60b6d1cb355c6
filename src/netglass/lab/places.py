"""Where a lab keeps what it must keep, and what it remembers of itself.

    /var/lib/netglass/labs/<lab>/     0700; locked while the lab goes up or down
        lab.json                      the topology, the uplink, and whether all of it was made
        fabric/                       state directory of the fabric's PID 1
        hosts/<host>/                 state directory of the host's PID 1
            etc, work                 what the host's /etc differs in from the machine's (overlayfs)
            lib, log                  the host's /var/lib and /var/log

On disk, since the database in the server's /var/lib must outlive a reboot of the machine.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from netglass.host.children import Child, alive, recorded, replace_file
from netglass.lab.topology import DEFAULT, LabError, Topology

LABS = Path("/var/lib/netglass/labs")
HIDDEN = ("/run", "/var/run", "/etc", "/var/lib", "/var/log")
"""What a host has of its own, so that the machine's is not seen there."""


class LabRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a lab remembers of itself.

    uplink   subnet between the machine (first address) and the server's host (second)
    boot_id  of the machine's boot in which its hosts were started; after another boot they are gone
    whole    False while hosts are being made: what is there is not all
    """

    topology: Topology
    uplink: str
    boot_id: str
    whole: bool = False


@dataclass(frozen=True)
class HostPlace:
    """One host's directories on the machine."""

    root: Path

    @property
    def etc(self) -> Path:
        """Gives what the host's /etc has over the machine's; not to be written while the host is up."""
        return self.root / "etc"

    @property
    def work(self) -> Path:
        """Gives overlayfs' own directory."""
        return self.root / "work"

    @property
    def lib(self) -> Path:
        """Gives the host's /var/lib."""
        return self.root / "lib"

    @property
    def log(self) -> Path:
        """Gives the host's /var/log."""
        return self.root / "log"


@dataclass(frozen=True)
class LabPlace:
    """One lab's directory."""

    name: str

    @property
    def root(self) -> Path:
        """Gives the lab's directory."""
        return LABS / self.name

    @property
    def fabric(self) -> Path:
        """Gives the state directory of the fabric."""
        return self.root / "fabric"

    def host(self, name: str) -> HostPlace:
        """Gives a host's directories."""
        return HostPlace(self.root / "hosts" / name)

    def read(self) -> LabRecord | None:
        """Reads what the lab remembers; None when it was never made or cannot be read."""
        try:
            return msgspec.json.decode((self.root / "lab.json").read_bytes(), type=LabRecord)
        except (OSError, msgspec.DecodeError):
            return None

    def write(self, record: LabRecord) -> None:
        """Remembers, whole or not at all."""
        replace_file(self.root / "lab.json", msgspec.json.encode(record), 0o600)

    def children(self) -> dict[Path, Child]:
        """Gives the PID 1 of the fabric and of every host that lives, by state directory."""
        record = self.read()
        if record is None or record.boot_id != boot_id():
            return {}
        found = {}
        for directory in (self.fabric, *sorted((self.root / "hosts").glob("*"))):
            state = recorded(directory)
            if state is not None and alive(state.child):
                found[directory] = state.child
        return found

    def pid(self, host: str) -> int:
        """Gives the pid of a host's PID 1.  Raises LabError when there is no such host, or when it is down."""
        record = self.read()
        if record is None:
            raise LabError(f"There is no lab {self.name!r}; bring it up with: netglass lab up {self.name}")
        if host not in record.topology.hosts:
            there = ", ".join(record.topology.hosts)
            raise LabError(f"Lab {self.name!r} has no host {host!r}; it has {there}.", usage=True)
        child = self.children().get(self.host(host).root)
        if child is None:
            raise LabError(f"Host {host!r} of lab {self.name!r} is down; mend it with: netglass lab up {self.name}")
        return child.pid

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other commands from changing the lab meanwhile; makes its directory.

        Raises LabError when another command is at it.
        """
        fd = _locked(self.root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if fd is None:
            raise LabError(f"Lab {self.name!r} is being brought up or taken down by another command; wait for it.")
        try:
            yield
        finally:
            os.close(fd)

    def clear(self) -> None:
        """Deletes the lab's directory, and those above it that hold nothing else."""
        shutil.rmtree(self.root, ignore_errors=True)
        for directory in (LABS, LABS.parent):
            with suppress(OSError):  # another lab, or a real host's own state, is there
                directory.rmdir()


def _locked(directory: Path, how: int) -> int | None:
    while True:
        for parent in (LABS.parent, LABS, directory):
            parent.mkdir(mode=0o755 if parent == LABS.parent else 0o700, exist_ok=True)
        try:
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # a lab that went down took it away in between
            continue
        try:
            fcntl.flock(fd, how)
        except BlockingIOError:
            os.close(fd)
            return None
        if os.fstat(fd).st_nlink:  # else whoever held the lock has deleted it
            return fd
        os.close(fd)


@contextmanager
def choosing() -> Iterator[None]:
    """Lets one lab at a time choose what labs share (the machine's free subnets)."""
    fd = _locked(LABS, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if fd is not None:
            os.close(fd)


def names() -> list[str]:
    """Gives the labs that there are, up or in parts.  Raises LabError where only root may know."""
    try:
        return sorted(entry.name for entry in LABS.iterdir() if entry.is_dir())
    except PermissionError:
        raise LabError(f"Labs are root's: only root may look into {LABS}.", usage=True) from None
    except OSError:
        return []


def choose(wanted: str) -> LabPlace:
    """Gives the lab that a command means: the named one, else the only one, else the default one.

    Raises LabError when it does not exist.
    """
    there = names()
    name = wanted or (there[0] if len(there) == 1 else DEFAULT)
    if name in there:
        return LabPlace(name)
    if not there:
        raise LabError(f"No lab is up; bring one up with: netglass lab up {wanted}".rstrip())
    listed = ", ".join(there)
    if wanted:
        raise LabError(f"There is no lab {name!r}; there are: {listed}.", usage=True)
    raise LabError(f"Several labs are up: {listed}. Say which with --lab, or with NETGLASS_LAB.", usage=True)


def boot_id() -> str:
    """Gives what differs from one boot of the machine to the next (random(4))."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
