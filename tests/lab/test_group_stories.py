"""Groups on a host with Linux bridges and on one without: real packets, and what the tracer says of them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cloud import Cloud, Guest, end_project, new_project, until
from labs import TestLab
from story_fixtures import api_of
from test_convergence import agent_pid
from test_other_ways import ways  # noqa: F401 - fixture
from test_trace import netglass_trace

pytestmark = pytest.mark.lab

HOSTS = ("hybrid", "native")
_FLOOD = """
import socket, sys, time
wire, end, sent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), time.monotonic() + float(sys.argv[2]), 0
print("flooding", flush=True)
while time.monotonic() < end:
    wire.sendto(b"netglass-forbidden", (sys.argv[1], 9))
    sent += 1
    time.sleep(0.0005)
print(sent)
"""
_COUNT = """
import select, socket, sys, time
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
end, seen = time.monotonic() + float(sys.argv[1]), 0
print("listening", flush=True)
while (left := end - time.monotonic()) > 0:
    if select.select([wire], [], [], left)[0]:
        frame, address = wire.recvfrom(2048)
        seen += b"netglass-forbidden" in frame and address[2] != socket.PACKET_OUTGOING
print(seen)
"""


class Closed:
    """A project whose guests are in a group without ingress rules: `one` is on the first host, `two` on the other."""

    def __init__(self, lab: TestLab, cloud: Cloud) -> None:
        self.lab, self.cloud = lab, cloud
        self.group: str = cloud.api.post("/v2.0/security-groups", {"security_group": {"name": "closed"}})[
            "security_group"
        ]["id"]
        network = cloud.network("10.0.0.0/24")
        self.guests = {host: cloud.guest(f"on-{host}", network, host) for host in HOSTS}
        for guest in self.guests.values():
            body = {"port": {"security_groups": [self.group]}}
            assert cloud.api.call("PUT", f"/v2.0/ports/{guest.port_id}", body)[0] == 200
        assert lab.operator("wait", "--timeout", "20").returncode == 0

    def rule(self, **said: Any) -> str:
        """Adds a rule of IPv4 to the group; gives its id."""
        rule = {"security_group_id": self.group, "direction": "ingress", "ethertype": "IPv4", **said}
        made: str = self.cloud.api.post("/v2.0/security-group-rules", {"security_group_rule": rule})[
            "security_group_rule"
        ]["id"]
        return made

    def no_rule(self, rule: str) -> None:
        assert self.cloud.api.call("DELETE", f"/v2.0/security-group-rules/{rule}")[0] == 204

    def trace(self, sender: Guest, receiver: Guest, *words: str) -> tuple[int, str]:
        return netglass_trace(self.lab, sender.port_id, receiver.port_id, *words)


@pytest.fixture(scope="module")
def closed(ways: TestLab) -> Iterator[Closed]:  # noqa: F811
    admin = api_of(ways, "admin")
    url = ways.environment("admin")["OS_AUTH_URL"].split("/identity")[0]
    theirs = new_project(admin, url, "closed")
    made = Cloud(ways, theirs, guarded=True)
    yield Closed(ways, made)
    made.clear()
    end_project(admin, theirs, "closed")


def _pairs(closed: Closed) -> Iterator[tuple[Guest, Guest]]:
    here, there = (closed.guests[host] for host in HOSTS)
    yield from ((here, there), (there, here))


def test_walk_12_a_packet_that_a_group_drops_is_traced_to_the_group_and_one_that_passes_to_the_rule(
    closed: Closed,
) -> None:
    for sender, receiver in _pairs(closed):
        assert closed.cloud.ping(sender, receiver.address).received == 0
        status, said = closed.trace(sender, receiver)
        assert (status, "no rule of security group closed lets it in" in said) == (1, True), said
        place = f"qbr{receiver.port_id[:11]}" if receiver.host == "hybrid" else "br-int"
        assert f"The packet ends at {place} on {receiver.host}" in said, said
    rule = closed.rule(protocol="icmp")
    try:
        for sender, receiver in _pairs(closed):
            until(lambda: closed.cloud.ping(sender, receiver.address, 1).lost == 0, 20, "pings pass")  # noqa: B023
            status, said = closed.trace(sender, receiver, "--objects")
            assert status == 0, said
            assert f"lets it pass by rule {rule} (ingress IPv4 icmp) of security group closed" in " ".join(said.split())
            assert "Answered." in said
    finally:
        closed.no_rule(rule)
    for sender, receiver in _pairs(closed):
        until(lambda: closed.cloud.ping(sender, receiver.address, 1).received == 0, 20, "pings end")  # noqa: B023


@contextmanager
def _flood(closed: Closed, sender: Guest, victim: Guest, seconds: float) -> Iterator[Callable[[], tuple[int, int]]]:
    """Has one guest flood another; the function that is given waits for the end, and tells what was sent and came."""
    listening = _in(closed, victim, _COUNT, str(seconds + 0.5))
    sending = _in(closed, sender, _FLOOD, victim.address, str(seconds))
    ends = [listening, sending]
    try:
        yield lambda: (int(sending.communicate(timeout=30)[0]), int(listening.communicate(timeout=30)[0]))
    finally:
        for one in ends:
            one.kill()
            one.communicate()


def _in(closed: Closed, guest: Guest, script: str, *words: str) -> subprocess.Popen[str]:
    argv = [*closed.lab.to_guest(guest.id), "python3", "-c", script, *words]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline(), "it did not start"
    return process


def _filters(lab: TestLab, host: str) -> str:
    """Gives all that filters guests on a host, without counters, in no order but of the text."""
    flows = lab.on(host, "ovs-ofctl", "--no-stats", "dump-flows", "br-int", check=False)
    saved = "".join(lab.on(host, f"{name}-save") for name in ("iptables", "ip6tables"))
    return "\n".join(sorted([*flows.splitlines(), *(line for line in saved.splitlines() if line.startswith("-A"))]))


DAMAGES = {
    "iptables -F": ("hybrid", ("iptables", "-F")),
    "iptables -t mangle -F": ("hybrid", ("iptables", "-t", "mangle", "-F")),
    "iptables -t raw -F": ("hybrid", ("iptables", "-t", "raw", "-F")),
    "ovs-ofctl del-flows on the hybrid host": ("hybrid", ("ovs-ofctl", "del-flows", "br-int")),
    "ovs-ofctl del-flows on the native host": ("native", ("ovs-ofctl", "del-flows", "br-int")),
    "ovs-vswitchd killed on the hybrid host": (
        "hybrid",
        ("sh", "-c", "kill -9 $(cat /run/openvswitch/ovs-vswitchd.pid)"),
    ),
    "ovs-vswitchd killed on the native host": (
        "native",
        ("sh", "-c", "kill -9 $(cat /run/openvswitch/ovs-vswitchd.pid)"),
    ),
    "the agent killed on the native host": ("native", ()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_nothing_forbidden_passes_while_filters_are_damaged_and_mended(closed: Closed, damage: str) -> None:
    host, argv = DAMAGES[damage]
    victim = closed.guests[host]
    sender = next(guest for guest in closed.guests.values() if guest is not victim)
    before = until(lambda: _filters(closed.lab, host), 10, "filters")
    with _flood(closed, sender, victim, 3.0) as ended:
        started = time.monotonic()
        closed.lab.on(host, *(argv or ("kill", "-9", str(agent_pid(closed.lab, host)))))
        until(lambda: _filters(closed.lab, host) == before, 30, "filters are as they were")
        mended = time.monotonic() - started
        sent, came = ended()
    print(f"{damage}: mended after {mended:.2f} s; of {sent} forbidden frames, {came} came through")
    assert sent > 100
    assert came == 0


def test_a_flood_that_a_rule_permits_arrives(closed: Closed) -> None:
    rule = closed.rule(protocol="udp", port_range_min=9, port_range_max=9)
    try:
        assert closed.lab.operator("wait", "--timeout", "20").returncode == 0
        for sender, receiver in _pairs(closed):
            with _flood(closed, sender, receiver, 1.0) as ended:
                sent, came = ended()
            assert 0 < came <= sent
    finally:
        closed.no_rule(rule)
        assert closed.lab.operator("wait", "--timeout", "20").returncode == 0
