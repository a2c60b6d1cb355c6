"""From the first moment that a guest's NIC is there nothing reaches it that its rules do not let in.

Neighbours never stop sending while the host wires and filters the new port, on its network and on another one.
Source: CVE-2018-14636 (a port without its tag hears other networks), CVE-2015-5240 (a port that is plugged before it is
filtered).
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firewall.cases import guest
from firewall.expected import Group, Guest, Model, Rule
from firewall.rows import port_id, rows_of
from firewall.site import Station
from host.hosted import on_a_host, shell
from netglass.base.ids import tap_name

pytestmark = [pytest.mark.host, pytest.mark.timeout(900)]

DRIVERS = ("iptables_hybrid", "openvswitch")
OPEN = Group("open", tuple(Rule(way, v) for way in ("egress", "ingress") for v in (4, 6)))
SHUT = Group("shut")
MARK = b"netglass-flood"
_FLOOD = """
import socket, sys, time
own, new, ours, theirs = sys.argv[1:]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
sys.path[:0] = ['%s']
from firewall import frames
from firewall.test_first_moment import MARK
made = []
for to in (new, "ff:ff:ff:ff:ff:ff"):
    body = frames.transport(17, ours, theirs, (5000, 7), MARK, 0)
    made.append(frames.ethernet(own, to, 0x0800, frames.ip_packet(ours, theirs, 17, body)))
    made.append(frames.ethernet(own, to, 0x0800, frames.ip_packet(ours, theirs, 17, body), (0,)))
print("flooding", flush=True)
while True:
    for frame in made:
        wire.send(frame)
    time.sleep(0.001)
"""


@contextmanager
def flooded(sender: Guest, new: Guest) -> Iterator[None]:
    """Has a guest send to another, and to all, about every quarter of a millisecond."""
    program = _FLOOD % Path(__file__).parents[1]
    words = (sender.mac, new.mac, sender.addresses[0], new.addresses[0])
    argv = ("ip", "netns", "exec", sender.name, sys.executable, "-c", program, *words)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"flooding\n"
    try:
        yield
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def heard(station: Station, name: str) -> int:
    """Gives how many frames of the flood a guest has got since it was last asked."""
    return sum(MARK in frame for frame in station.so_far(name))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_new_guest_hears_nothing_before_its_rules_let_it(driver: str) -> None:
    @on_a_host
    def on_it() -> None:
        shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "nowhere")
        neighbour = guest("neighbour", 16, "one", "open")
        stranger = guest("stranger", 17, "one", "open", network="other")
        new = guest("new", 18, "one", "shut")
        groups = {"open": OPEN, "shut": SHUT}
        station = Station("one")
        for one in (neighbour, stranger):
            station.plug(one.name, port_id(one.name), one.mac)
        before = Model({one.name: one for one in (neighbour, stranger)}, groups)
        station.converge(rows_of(before, driver))
        model = Model({**before.guests, "new": new}, groups)
        with flooded(neighbour, new), flooded(stranger, new):
            for _ in range(3):
                station.plug("new", port_id("new"), new.mac)
                station.converge(rows_of(model, driver))
                assert heard(station, "new") == 0
                station.converge(rows_of(before, driver))
                assert heard(station, "new") == 0
                shell("ip", "link", "delete", tap_name(port_id("new")))
                shell("ip", "netns", "delete", "new")
            station.plug("new", port_id("new"), new.mac)
            station.converge(rows_of(model, driver))
            assert heard(station, "new") == 0

            let_in = Model(model.guests, {**groups, "shut": Group("shut", (Rule("ingress"),))})
            station.converge(rows_of(let_in, driver))
            deadline = time.monotonic() + 10
            while not heard(station, "new"):  # what is sent would be heard
                assert time.monotonic() < deadline

    on_it()
