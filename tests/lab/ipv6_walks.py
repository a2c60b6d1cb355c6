"""The walks of DATAPLANE.md in IPv6 (15): what is made for them, what is sent, and where it must be seen.

red    slaac             one on bob     two on daisy
blue   dhcpv6-stateful                  three on daisy
green  dhcpv6-stateless  four on bob                      a router joins all three and `public`
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from ipaddress import IPv6Network
from typing import Any

from captures import Hop, Space
from cloud import Cloud, Guest, until
from scene import META_DATA, Scene
from walks import Walk, ping

from netglass.base.eui64 import link_local

INTERNET, CLIENT = "2001:db8:10::10", "2001:db8:10::20"
MODES = {"red": "slaac", "blue": "dhcpv6-stateful", "green": "dhcpv6-stateless"}
METADATA = "fe80::a9fe:a9fe"


def make(scene: Scene) -> None:
    """Makes networks, router and guests; these have their addresses then."""
    scene.router = scene.ours.router()
    prefixes = delegated(scene.ours, scene.router).subnets(new_prefix=64)
    for (name, mode), prefix in zip(MODES.items(), prefixes, strict=False):
        modes: dict[str, Any] = {"ipv6_ra_mode": mode, "ipv6_address_mode": mode, "dns_nameservers": [INTERNET]}
        scene.make_network(name, scene.ours, str(prefix), **modes)
        scene.ours.join(scene.router, scene.networks[name]["id"])
    bob, daisy = scene.places.bob, scene.places.daisy
    places = {"one": ("red", bob), "two": ("red", daisy), "three": ("blue", daisy), "four": ("green", bob)}
    scene.make_guests({name: (*place, "") for name, place in places.items()})
    until(lambda: scene.ours.ping(scene["one"], INTERNET, count=1).received, 5, "the way out is there")


def delegated(cloud: Cloud, router: str) -> IPv6Network:
    """Gives the prefix that the provider routes to a router: its outer address says which."""
    gateway: dict[str, Any] = cloud.api.get(f"/v2.0/routers/{router}")["router"]["external_gateway_info"]
    (outer,) = (ip for found in gateway["external_fixed_ips"] if ":" in (ip := found["ip_address"]))
    return IPv6Network(f"2001:db8:1:{outer[-2:]}00::/56")


def spaces(scene: Scene) -> Iterator[tuple[Space, tuple[str, ...]]]:
    """Gives where a packet of a walk may be seen, with the devices that must be looked at alone."""
    yield from (found for found in scene.spaces if not found[0].netns)
    yield scene.in_router, ()
    for network in ("blue", "green"):
        yield scene.in_dhcp(network), ()


def request(source: str, target: str) -> str:
    return rf"{re.escape(source)} > {re.escape(target)}: ICMP6, echo request, id \d+, seq 2,"


def reply(source: str, target: str) -> str:
    return request(source, target).replace("request", "reply")


def two_hosts(scene: Scene) -> list[Hop]:
    one, two = scene["one"], scene["two"]
    ping(scene, one, two.address)
    there, back = request(one.address, two.address), reply(two.address, one.address)
    return [
        *scene.from_guest(one, there),
        *scene.over("red", one.host, two.host, there),
        *scene.to_guest(two, there),
        *scene.from_guest(two, back),
        *scene.over("red", two.host, one.host, back),
        *scene.to_guest(one, back),
    ]


def routed(target: str, network: str) -> Callable[[Scene], list[Hop]]:
    """Gives the walk from red to another network."""

    def go(scene: Scene) -> list[Hop]:
        one, other = scene["one"], scene[target]
        assert "ttl=63" in ping(scene, one, other.address)
        there, back = request(one.address, other.address), reply(other.address, one.address)
        return [
            *_to_router(scene, one, "red", there),
            *_from_router(scene, other, network, there),
            *_to_router(scene, other, network, back),
            *_from_router(scene, one, "red", back),
        ]

    return go


def _to_router(scene: Scene, guest: Guest, network: str, text: str) -> list[Hop]:
    return [
        *scene.from_guest(guest, text),
        *scene.over(network, guest.host, scene.places.network, text),
        Hop(scene.in_router, scene.qr(network), False, text),
    ]


def _from_router(scene: Scene, guest: Guest, network: str, text: str) -> list[Hop]:
    return [
        Hop(scene.in_router, scene.qr(network), True, text),
        *scene.over(network, scene.places.network, guest.host, text),
        *scene.to_guest(guest, text),
    ]


def to_the_internet(scene: Scene) -> list[Hop]:
    """Without translation: the same addresses all the way."""
    one, p = scene["one"], scene.places
    ping(scene, one, INTERNET)
    assert "This is the internet" in scene.lab.inside(one.id, "curl", "-sS", "http://internet.example/")
    there, back = request(one.address, INTERNET), reply(INTERNET, one.address)
    return [
        *_to_router(scene, one, "red", there),
        Hop(scene.in_router, scene.qg(), True, there),
        Hop(Space(p.network), "eth3", True, there),
        Hop(Space("internet"), "eth1", False, there),
        Hop(Space("internet"), "eth1", True, back),
        Hop(Space(p.network), "eth3", False, back),
        Hop(scene.in_router, scene.qg(), False, back),
        *_from_router(scene, one, "red", back),
    ]


def from_the_internet(scene: Scene) -> list[Hop]:
    three, p = scene["three"], scene.places
    said = scene.lab.on("client", "ping", "-n", "-c", "2", "-i", "0.1", "-W", "1", three.address)
    assert " 0% packet loss" in said, said
    there, back = request(CLIENT, three.address), reply(three.address, CLIENT)
    return [
        Hop(Space("client"), "eth1", True, there),
        Hop(Space(p.network), "eth3", False, there),
        Hop(scene.in_router, scene.qg(), False, there),
        *_from_router(scene, three, "blue", there),
        *_to_router(scene, three, "blue", back),
        Hop(scene.in_router, scene.qg(), True, back),
        Hop(Space(p.network), "eth3", True, back),
        Hop(Space("client"), "eth1", False, back),
    ]


def dhcp(target: str, network: str, *messages: str) -> Callable[[Scene], list[Hop]]:
    """Gives the walk of a guest that begins anew, as if it had just booted; messages are the client's and the server's
    by turns.
    """

    def go(scene: Scene) -> list[Hop]:
        guest = scene[target]
        again = "rm -f /var/lib/dhcpcd/* && kill -9 $(ps -o pid= -C dhcpcd)"  # the guest's init starts it anew
        scene.lab.inside(guest.id, "sh", "-c", again)
        device = "tap" + str(scene.port("network:dhcp", network)["id"])[:11]
        hops = []
        for message in messages:
            asks = message in ("solicit", "request", "inf-req")
            ends = r"fe80::\S+\.546 > ff02::1:2\.547" if asks else r"fe80::\S+\.547 > fe80::\S+\.546"
            text = f"{ends}: dhcp6 {message}"
            here, there = (guest.host, scene.places.network) if asks else (scene.places.network, guest.host)
            at_server = [Hop(scene.in_dhcp(network), device, not asks, text)]
            hops += scene.from_guest(guest, text) if asks else at_server
            hops += scene.over(network, here, there, text)
            hops += at_server if asks else scene.to_guest(guest, text)
        return hops

    return go


def metadata(scene: Scene) -> list[Hop]:
    """To the one link-local address, at which the router of the guest's network is found."""
    one = scene["one"]
    assert json.loads(fetch(scene, one))["uuid"] == one.id
    own, there = re.escape(link_local(one.mac)), re.escape(METADATA)
    asked = rf"{own}\.\d+ > {there}\.80: Flags \[P\.\]"
    told = rf"{there}\.80 > {own}\.\d+: Flags \[[FP.]+\]"
    return [*_to_router(scene, one, "red", asked), *_from_router(scene, one, "red", told)]


def fetch(scene: Scene, guest: Guest) -> str:
    return scene.lab.inside(guest.id, "curl", "-sSfg", "-m", "10", f"http://[{METADATA}%25eth0]{META_DATA}")


WALKS = (
    Walk("15.2", "guest to guest, two hosts", two_hosts),
    Walk("15.7", "through a router, the guests on one host", routed("four", "green")),
    Walk("15.7", "through a router, the guests on two hosts", routed("three", "blue")),
    Walk("15.8", "to the internet", to_the_internet),
    Walk("15.8", "from the internet", from_the_internet),
    Walk("15.10", "DHCPv6 for an address", dhcp("three", "blue", "solicit", "advertise", "request", "reply")),
    Walk("15.10", "DHCPv6 for all else", dhcp("four", "green", "inf-req", "reply")),
    Walk("15.11", "metadata", metadata),
)
