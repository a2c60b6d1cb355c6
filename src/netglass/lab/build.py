"""Brings a lab up and takes it down.

Everything that a lab makes on the machine is: its directory, one network device (the uplink's end), and the processes
below the PID 1 of its hosts and fabric.  The processes carry all the rest (namespaces, mounts, devices, rules), which
the kernel takes away with the last of them.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path

import msgspec

from netglass.host import syscalls
from netglass.host.children import Child, Launch, LaunchError, send, start, stop
from netglass.host.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_REC
from netglass.host.veth import VethError
from netglass.lab import fabric, hosts, places, uplink
from netglass.lab.hosts import INIT, check_machine
from netglass.lab.places import LabPlace, LabRecord
from netglass.lab.programs import plan_hosts
from netglass.lab.topology import LabError, Topology

Tell = Callable[[str], None]
"""Told in a few words what is being done now."""


def bring_up(topology: Topology, tell: Tell) -> LabRecord:
    """Makes what is missing of a lab: all of it, or nothing where it is up.

    A lab that is up in parts, or was cut short, is stopped and made again around what it has on disk.  Its API need
    not answer yet when this returns.  Raises LabError; then nothing of it runs.
    """
    check_machine()
    place = LabPlace(topology.name)
    with place.locked():
        there = place.read()
        if there is not None:
            _check_same(there.topology, topology)
            if is_whole(place, there):
                return there
            tell("stopping what was left of it")
            _stop(place)
        record = _claim(place, topology, there)
        try:
            _make(place, record, tell)
        except BaseException as error:
            _stop(place)
            if isinstance(error, (LaunchError, VethError, OSError)):
                raise LabError(f"Lab {topology.name!r} could not be made: {error}") from error
            raise
        whole = msgspec.structs.replace(record, whole=True)
        place.write(whole)
        return whole


def take_down(place: LabPlace, tell: Tell) -> None:
    """Ends a lab and deletes everything it made.  Raises LabError when something of it does not end."""
    check_machine()
    with place.locked():
        tell("stopping its hosts")
        _stop(place)
        tell("deleting its directory")
        place.clear()


def is_whole(place: LabPlace, record: LabRecord) -> bool:
    """Says whether every host of the lab, and what is between them, is there."""
    wanted = {place.fabric, *(place.host(name).root for name in record.topology.hosts)}
    return record.whole and place.children().keys() == wanted


def _check_same(there: Topology, wanted: Topology) -> None:
    if there != wanted:
        message = f"Lab {wanted.name!r} is there already, made from another description. Take it down first:"
        other = "or give this one another name: --lab NAME"
        raise LabError(f"{message} netglass lab down {wanted.name}; {other}", usage=True)


def _claim(place: LabPlace, topology: Topology, before: LabRecord | None) -> LabRecord:
    """Chooses the lab's uplink and writes it down before another lab can choose."""
    with places.choosing():
        others = [LabPlace(name).read() for name in places.names() if name != place.name]
        taken = [IPv4Network(other.uplink) for other in others if other is not None]
        busy = [*taken, *uplink.machine_routes()]
        # What clients were told stays true, if it can.
        kept = before is not None and not any(IPv4Network(before.uplink).overlaps(n) for n in busy if n.prefixlen)
        subnet = before.uplink if before is not None and kept else str(uplink.pick_uplink(place.name, busy))
        record = LabRecord(topology=topology, uplink=subnet, boot_id=places.boot_id())
        place.write(record)
        return record


def _make(place: LabPlace, record: LabRecord, tell: Tell) -> None:
    topology = record.topology
    reading, writing = os.pipe2(os.O_CLOEXEC)
    try:
        tell(f"starting {', '.join(topology.hosts)}")
        between = _start_fabric(place, reading)
        pids = {
            plan.name: hosts.start_host(plan, place.host(plan.name), reading).pid
            for plan in plan_hosts(topology, place, record.uplink)
        }
        tell("plugging them together")
        fabric.wire(topology, between.pid, pids, IPv4Network(record.uplink))
        # Their programs start now.  Had we died before this, the closed pipe would have ended them.
        os.write(writing, b"." * (1 + len(pids)))
    finally:
        os.close(reading)
        os.close(writing)


def _start_fabric(place: LabPlace, go: int) -> Child:
    place.fabric.mkdir(mode=0o700, exist_ok=True)
    services = place.fabric / "services.json"
    services.write_text("[]\n")
    return start(
        Launch(
            argv=(sys.executable, "-I", "-S", str(INIT), str(services)),
            directory=place.fabric,
            log=place.fabric / "init.log",
            unshare=hosts.NAMESPACES,
            prepare=partial(_enter_fabric, f"{place.name}-fabric"),
            passed=(go,),
            environment=hosts.ENVIRONMENT,
        )
    )


def _enter_fabric(name: str) -> None:
    syscalls.mount("none", "/", flags=MS_REC | MS_PRIVATE)
    syscalls.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    syscalls.mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    # A wire between hosts filters nothing.  On, as in every new namespace (br_netfilter), frames would go through
    # iptables, and fragments be put together on the way.
    for setting in Path("/proc/sys/net/bridge").glob("bridge-nf-call-*"):
        setting.write_text("0")
    # Nor does it say anything itself: hosts should capture what hosts send.
    for setting in Path("/proc/sys/net/ipv6/conf").glob("*/disable_ipv6"):
        setting.write_text("1")
    socket.sethostname(name)


def _stop(place: LabPlace) -> None:
    there = place.children()
    for child in there.values():
        send(child, signal.SIGKILL)  # to all at once, and then waited for
    for directory, child in there.items():
        # The end of PID 1 is the end of every process in its namespace, and stop returns only after all of them.
        if not stop(child, grace_s=0):
            raise LabError(f"Process {child.pid} ({directory}) does not end, even after SIGKILL.")
    try:
        fabric.unwire(place.name)
    except VethError as error:
        raise LabError(f"The uplink of lab {place.name!r} could not be taken away: {error}") from error
