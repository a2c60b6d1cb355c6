"""A userspace switch's packet sockets are held along with it, and by nobody longer than that."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hosted import kill_switch, on_a_host, shell, start_switch

from netglass.host.switch_sockets import SwitchSockets
from support.pace import until

pytestmark = pytest.mark.host

RUN = "/run/openvswitch"
PORTS = ("one", "two", "three")
ANOTHER = f"from netglass.host.switch_sockets import SwitchSockets; SwitchSockets({RUN!r}).look(); input()"


def _bridge_with_veths() -> None:
    shell("ovs-vsctl", "add-br", "br", "--", "set", "Bridge", "br", "datapath_type=netdev")
    for port in PORTS:
        shell("ip", "link", "add", port, "type", "veth", "peer", "name", f"far-{port}")
        shell("ovs-vsctl", "add-port", "br", port)


def _packet_sockets() -> set[str]:
    lines = Path("/proc/net/packet").read_text().splitlines()[1:]
    return {f"socket:[{line.split()[-1]}]" for line in lines}


def _opened_by(process: Path) -> set[str]:
    try:
        return {str(fd.readlink()) for fd in (process / "fd").iterdir()}
    except OSError:
        return set()  # it has ended


def _holders(name: str) -> set[int]:
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and name in _opened_by(entry)}


def _each_held_by(holders: int, sockets: int) -> bool:
    held = _packet_sockets()
    return len(held) == sockets and all(len(_holders(name)) == holders for name in held)


def _holder_of_all() -> int:
    (holder,) = _holders(_packet_sockets().pop()) - {int(Path(RUN, "ovs-vswitchd.pid").read_text())}
    return holder


@on_a_host
def test_each_packet_socket_is_held_twice_until_the_switch_closes_it_or_ends() -> None:
    _bridge_with_veths()
    assert _each_held_by(1, len(PORTS))
    sockets = SwitchSockets(RUN)
    sockets.look()
    until(lambda: _each_held_by(2, len(PORTS)))
    shell("ovs-vsctl", "del-port", "br", PORTS[0])
    sockets.look()
    until(lambda: _each_held_by(2, len(PORTS) - 1))
    kill_switch()
    until(lambda: not _packet_sockets())
    start_switch()
    until(lambda: len(_packet_sockets()) == len(PORTS) - 1)
    sockets.look()
    until(lambda: _each_held_by(2, len(PORTS) - 1))


@on_a_host
def test_what_may_not_be_held_is_tried_again_at_the_next_look() -> None:
    _bridge_with_veths()
    said = Path("/run/said")
    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT), 2)
    sockets = SwitchSockets(RUN)
    sockets.look()
    until(lambda: _each_held_by(2, len(PORTS)))
    holder = _holder_of_all()
    few, most = resource.prlimit(holder, resource.RLIMIT_NOFILE)
    resource.prlimit(holder, resource.RLIMIT_NOFILE, (3, most))
    shell("ip", "link", "add", "four", "type", "veth", "peer", "name", "far-four")
    shell("ovs-vsctl", "add-port", "br", "four")
    until(lambda: sockets.look() or "cannot be held: [Errno 24]" in said.read_text())
    resource.prlimit(holder, resource.RLIMIT_NOFILE, (few, most))
    until(lambda: sockets.look() or _each_held_by(2, len(PORTS) + 1))
    assert said.read_text().count("cannot be held") == 1
    assert _holder_of_all() == holder


@on_a_host
def test_who_holds_them_ends_with_whoever_started_it() -> None:
    _bridge_with_veths()
    started = subprocess.Popen((sys.executable, "-c", ANOTHER), stdin=subprocess.PIPE)
    until(lambda: _each_held_by(2, len(PORTS)))
    started.kill()
    started.wait()
    until(lambda: _each_held_by(1, len(PORTS)))


@on_a_host
def test_a_killed_holder_is_replaced_at_the_next_look() -> None:
    _bridge_with_veths()
    sockets = SwitchSockets(RUN)
    sockets.look()
    until(lambda: _each_held_by(2, len(PORTS)))
    os.kill(_holder_of_all(), signal.SIGKILL)
    until(lambda: _each_held_by(1, len(PORTS)))
    until(lambda: sockets.look() or _each_held_by(2, len(PORTS)))
