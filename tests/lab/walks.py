"""The walks of DATAPLANE.md: what is sent, and where it must be seen on the way there and back."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from captures import Hop, Sight, Space, Watches
from cloud import Guest, until
from scene import CLIENT, INTERNET, META_DATA, Scene

# In a guest: says what a lease brought.
_SCRIPT = 'test "$1" = bound && echo "bound $ip $router $mtu" || true'


class Walk(NamedTuple):
    """One row of the table.

    number  as in DATAPLANE.md
    go      sends and checks what came back; gives the hops, in order
    """

    number: str
    name: str
    go: Callable[[Scene], list[Hop]]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


def walk(scene: Scene, watches: Watches, row: Walk) -> list[Sight]:
    """Walks; gives how the packet was seen at each hop."""
    since = time.time()
    return watches.follow(row.go(scene), since)


def request(source: str, target: str) -> str:
    # The second: before the first there may be ARP, and the first of a flow is decided in another way.
    return rf"{re.escape(source)} > {re.escape(target)}: ICMP echo request, id \d+, seq 2,"


def reply(source: str, target: str) -> str:
    return request(source, target).replace("request", "reply")


def ping(scene: Scene, guest: Guest, address: str) -> str:
    said = scene.lab.inside(guest.id, "ping", "-n", "-c", "2", "-i", "0.1", "-W", "2", address)
    assert " 0% packet loss" in said, said
    return said


def same_host(scene: Scene) -> list[Hop]:
    one, near = scene["one"], scene["near"]
    ping(scene, one, near.address)
    there, back = request(one.address, near.address), reply(near.address, one.address)
    return [
        *scene.from_guest(one, there),
        *scene.to_guest(near, there),
        *scene.from_guest(near, back),
        *scene.to_guest(one, back),
    ]


def two_hosts(scene: Scene) -> list[Hop]:
    one, far = scene["one"], scene["far"]
    ping(scene, one, far.address)
    for host, bridge, pattern in scene.counted():
        until(lambda h=host, b=bridge, p=pattern: counts(scene, h, b, p), 3, f"{bridge} on {host}: {pattern} counts")  # type: ignore[misc]
    there, back = request(one.address, far.address), reply(far.address, one.address)
    return [
        *scene.from_guest(one, there),
        *scene.over("red", one.host, far.host, there),
        *scene.to_guest(far, there),
        *scene.from_guest(far, back),
        *scene.over("red", far.host, one.host, back),
        *scene.to_guest(one, back),
    ]


def counts(scene: Scene, host: str, bridge: str, pattern: str) -> bool:
    """Says whether a flow that fits has counted a packet."""
    lines = scene.lab.on(host, "ovs-ofctl", "dump-flows", bridge).splitlines()
    found = [line for line in lines if re.search(pattern, line)]
    assert found, f"{bridge} on {host} has no flow {pattern}:\n" + "\n".join(lines)
    return any(" n_packets=0," not in line for line in found)


def routed(target: str) -> Callable[[Scene], list[Hop]]:
    """Gives the walk from red to blue."""

    def go(scene: Scene) -> list[Hop]:
        one, other, router, p = scene["one"], scene[target], scene.in_router, scene.places
        said = ping(scene, one, other.address)
        assert "ttl=63" in said, said
        there, back = request(one.address, other.address), reply(other.address, one.address)
        red, blue = scene.qr("red"), scene.qr("blue")
        return [
            *scene.from_guest(one, there),
            *scene.over("red", one.host, p.network, there),
            Hop(router, red, False, there),
            Hop(router, blue, True, there),
            *scene.over("blue", p.network, other.host, there),
            *scene.to_guest(other, there),
            *scene.from_guest(other, back),
            *scene.over("blue", other.host, p.network, back),
            Hop(router, blue, False, back),
            Hop(router, red, True, back),
            *scene.over("red", p.network, one.host, back),
            *scene.to_guest(one, back),
        ]

    return go


def to_the_internet(scene: Scene) -> list[Hop]:
    one, router, p = scene["one"], scene.in_router, scene.places
    ping(scene, one, INTERNET)
    page = scene.lab.inside(one.id, "wget", "-qO-", f"http://{INTERNET}/")
    assert "This is the internet" in page
    assert INTERNET in scene.lab.inside(one.id, "busybox", "nslookup", "internet.example", INTERNET)
    outer = scene.outer_address()
    there, back = request(one.address, INTERNET), reply(INTERNET, one.address)
    out, into = request(outer, INTERNET), reply(INTERNET, outer)
    return [
        *scene.from_guest(one, there),
        *scene.over("red", one.host, p.network, there),
        Hop(router, scene.qr("red"), False, there),
        Hop(router, scene.qg(), True, out),
        Hop(Space(p.network), "eth3", True, out),
        Hop(Space("internet"), "eth1", False, out),
        Hop(Space("internet"), "eth1", True, into),
        Hop(Space(p.network), "eth3", False, into),
        Hop(router, scene.qg(), False, into),
        Hop(router, scene.qr("red"), True, back),
        *scene.over("red", p.network, one.host, back),
        *scene.to_guest(one, back),
    ]


def to_a_floating_ip(scene: Scene) -> list[Hop]:
    far, router, p = scene["far"], scene.in_router, scene.places
    address = scene.floating()
    assert " 0% packet loss" in scene.lab.on("client", "ping", "-n", "-c", "2", "-i", "0.1", "-W", "1", address)
    there, into = request(CLIENT, address), request(CLIENT, far.address)
    out, back = reply(far.address, CLIENT), reply(address, CLIENT)
    return [
        Hop(Space("client"), "eth1", True, there),
        Hop(Space(p.network), "eth3", False, there),
        Hop(router, scene.qg(), False, there),
        Hop(router, scene.qr("red"), True, into),
        *scene.over("red", p.network, far.host, into),
        *scene.to_guest(far, into),
        *scene.from_guest(far, out),
        *scene.over("red", far.host, p.network, out),
        Hop(router, scene.qr("red"), False, out),
        Hop(router, scene.qg(), True, back),
        Hop(Space(p.network), "eth3", True, back),
        Hop(Space("client"), "eth1", False, back),
    ]


def dhcp(scene: Scene) -> list[Hop]:
    far, p = scene["far"], scene.places
    lease = ("cd /tmp && echo '#!/bin/sh\n" + _SCRIPT + "' >lease && chmod +x lease && "
             "busybox udhcpc -f -n -q -t 3 -T 1 -i eth0 -O mtu -s /tmp/lease 2>&1")  # fmt: skip
    said = scene.lab.inside(far.id, "sh", "-c", lease)
    for step in ("broadcasting discover", f"broadcasting select for {far.address}", f"lease of {far.address} obtained"):
        assert step in said, said
    assert f"bound {far.address} 10.0.1.1 {scene.mtu}" in said, said
    tap = "tap" + str(scene.port("network:dhcp", "red")["id"])[:11]
    server = re.escape(scene.dhcp_address("red"))
    asked = rf"0\.0\.0\.0\.68 > 255\.255\.255\.255\.67: BOOTP/DHCP, Request from {far.mac}"
    told = rf"{server}\.67 > \S+\.68: BOOTP/DHCP, Reply"
    once = [
        *scene.from_guest(far, asked),
        *scene.over("red", far.host, p.network, asked),
        Hop(scene.in_dhcp("red"), tap, False, asked),
        Hop(scene.in_dhcp("red"), tap, True, told),
        *scene.over("red", p.network, far.host, told),
        *scene.to_guest(far, told),
    ]
    return [*once, *once]  # discover, offer; request, ack


def metadata(scene: Scene) -> list[Hop]:
    """Through the router: 80 is redirected to haproxy there, and the server is asked on the management network."""
    one, router, p = scene["one"], scene.in_router, scene.places
    assert json.loads(fetch(scene, one))["uuid"] == one.id
    rules = ("ip", "netns", "exec", router.netns, "iptables", "-t", "nat", "-vnL", "neutron-l3-agent-PREROUTING")
    redirected = [line for line in scene.lab.on(p.network, *rules).splitlines() if "redir ports 9697" in line]
    assert redirected, "there is a REDIRECT to 9697"
    assert any(line.split()[0] != "0" for line in redirected), redirected
    asked = rf"{re.escape(one.address)}\.\d+ > 169\.254\.169\.254\.80: Flags \[P\.\]"
    told = rf"169\.254\.169\.254\.80 > {re.escape(one.address)}\.\d+: Flags \[[FP.]+\]"
    agent, server = re.escape(p.management["network"]), re.escape(p.management["controller"])
    upstream = rf"{agent}\.\d+ > {server}\.9696: Flags \[P\.\].*(GET|length)"
    downstream = rf"{server}\.9696 > {agent}\.\d+: Flags \[P\.\]"
    return [
        *scene.from_guest(one, asked),
        *scene.over("red", one.host, p.network, asked),
        Hop(router, scene.qr("red"), False, asked),
        Hop(Space(p.network), "eth1", True, upstream),
        Hop(Space(p.network), "eth1", False, downstream),
        Hop(router, scene.qr("red"), True, told),
        *scene.over("red", p.network, one.host, told),
        *scene.to_guest(one, told),
    ]


def fetch(scene: Scene, guest: Guest) -> str:
    return scene.lab.inside(guest.id, "curl", "-sSf", "-m", "10", f"http://169.254.169.254{META_DATA}")


def equal_addresses(scene: Scene) -> list[Hop]:
    """Each reaches its own and has its own metadata: ours by the router, theirs by qdhcp."""
    p = scene.places
    pairs = ((scene["one"], scene["far"], "red"), (scene["uno"], scene["due"], "alone"))
    hops: list[Hop] = []
    for here, there, network in pairs:
        ping(scene, here, there.address)
        # Frames that flood: to everybody, and to a MAC that no switch has learnt.
        scene.lab.inside(here.id, "ping", "-b", "-c", "1", "-W", "0.1", "10.0.1.255", check=False)
        scene.lab.inside(here.id, "ip", "neigh", "replace", "10.0.1.99", "lladdr", unknown(here), "dev", "eth0")
        scene.lab.inside(here.id, "ping", "-c", "1", "-W", "0.1", "10.0.1.99", check=False)
        assert json.loads(fetch(scene, here))["uuid"] == here.id
        text = rf"{here.mac} > {there.mac}, .*" if scene.kind not in ("vlan", "flat") else ""
        asked = request(here.address, there.address)
        hops += [
            *scene.from_guest(here, asked),
            *scene.over(network, p.bob, p.daisy, text + asked),
            *scene.to_guest(there, asked),
        ]
    return hops


def unknown(guest: Guest) -> str:
    """Gives a MAC that nobody has, and that tells who sends to it."""
    return "fa:16:3e:99" + guest.mac[11:]


def crossed(scene: Scene, watches: Watches, since: float) -> list[Sight]:
    """Gives frames of one project that were seen on a device of the other's; empty, as it must be."""
    ours = {name: scene[name] for name in ("one", "near", "far")}
    theirs = {name: scene[name] for name in ("uno", "due")}
    found = []
    sights = watches.sights(since)
    for mine, others in ((ours, theirs), (theirs, ours)):
        devices = {(g.host, f"{kind}{g.port_id[:11]}") for g in mine.values() for kind in ("tap", "qvo", "qvb", "qbr")}
        macs = {mac for g in others.values() for mac in (g.mac, unknown(g))}
        here = [sight for sight in sights if (sight.space.host, sight.device) in devices]
        assert any(g.mac in sight.text for sight in here for g in mine.values()), "the capture saw nothing"
        found += [sight for sight in here if any(mac in sight.text for mac in macs)]
    return found


def to_dhcp_namespace(scene: Scene) -> list[Hop]:
    far, p = scene["far"], scene.places
    address = scene.dhcp_address("red")
    ping(scene, far, address)
    from_there = ("ip", "netns", "exec", scene.in_dhcp("red").netns, "ping", "-n", "-c", "2", "-i", "0.1", far.address)
    assert " 0% packet loss" in scene.lab.on(p.network, *from_there)
    tap = "tap" + str(scene.port("network:dhcp", "red")["id"])[:11]
    there, back = request(far.address, address), reply(address, far.address)
    return [
        *scene.from_guest(far, there),
        *scene.over("red", far.host, p.network, there),
        Hop(scene.in_dhcp("red"), tap, False, there),
        Hop(scene.in_dhcp("red"), tap, True, back),
        *scene.over("red", p.network, far.host, back),
        *scene.to_guest(far, back),
    ]


TWO_HOSTS = Walk("2-6", "guest to guest, two hosts", two_hosts)
# What is walked on VLAN, GRE and VXLAN; two hosts on every type.
WALKS = (
    Walk("1", "guest to guest, same host", same_host),
    Walk("7", "through a router, back to the same host", routed("beside")),
    Walk("7", "through a router, two hosts", routed("other")),
    Walk("8", "guest to the internet and back", to_the_internet),
    Walk("9", "the internet to a floating IP", to_a_floating_ip),
    Walk("10", "DHCP", dhcp),
    Walk("11", "metadata", metadata),
    Walk("13", "two projects with equal addresses", equal_addresses),
    Walk("14", "guest to its qdhcp namespace", to_dhcp_namespace),
)
