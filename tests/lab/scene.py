"""A scene on which every walk can be walked: two projects, guests on two hosts, a router, the world outside.

ours     red    one, near on bob     far on daisy
         blue   beside on bob        other on daisy      a router joins red, blue and `public`
theirs   alone  uno on bob           due on daisy        addresses as red's, no router
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from captures import Hop, Space
from cloud import Cloud, Guest, end_project, new_project, until
from labs import TestLab
from story_fixtures import api_of

from support.api import Api

INTERNET, CLIENT, PROVIDER = "198.51.100.10", "198.51.100.20", "203.0.113.1"
META_DATA = "/openstack/latest/meta_data.json"

OVERHEAD = {"gre": 42, "vxlan": 50, "geneve": 58, "vlan": 0, "flat": 0}
_INTO_TUNNEL = {
    "gre": r"{a} > {b}: GREv0, key={key:#x}, .*",
    "vxlan": r"{a}\.\d+ > {b}\.4789: VXLAN, flags \[I\] \(0x08\), vni {key}\b.*",
    "geneve": r"{a}\.\d+ > {b}\.6081: Geneve, .*vni {key:#x}, .*",
}
_TUNNEL_TABLE = {"gre": 2, "vxlan": 3, "geneve": 4}


@dataclass(frozen=True)
class Places:
    """What the hosts of a lab are called, and over which NIC their networks go."""

    bob: str = "bob"
    daisy: str = "daisy"
    network: str = "network"
    controller: str = "controller"
    wire: str = "eth2"
    tunnels: dict[str, str] = field(
        default_factory=lambda: {"bob": "192.168.133.112", "network": "192.168.133.113", "daisy": "192.168.133.114"}
    )
    management: dict[str, str] = field(
        default_factory=lambda: {"network": "192.168.122.113", "controller": "192.168.122.11"}
    )


@dataclass
class Scene:
    """What was made, and how packets are seen on it."""

    lab: TestLab
    kind: str
    places: Places
    admin: Api
    ours: Cloud
    theirs: Cloud
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)
    guests: dict[str, Guest] = field(default_factory=dict)
    router: str = ""
    _tags: dict[tuple[str, str], int] = field(default_factory=dict)
    _floating: str = ""

    def __getitem__(self, name: str) -> Guest:
        return self.guests[name]

    @property
    def mtu(self) -> int:
        return 1500 - OVERHEAD[self.kind]

    # --- making

    def make(self) -> None:
        for name, owner, cidr in (
            ("red", self.ours, "10.0.1.0/24"),
            ("blue", self.ours, "10.0.2.0/24"),
            ("alone", self.theirs, "10.0.1.0/24"),
        ):
            self.make_network(name, owner, cidr)
        self.router = self.ours.router(self.networks["red"]["id"], self.networks["blue"]["id"])
        bob, daisy = self.places.bob, self.places.daisy
        self.make_guests(
            {
                "one": ("red", bob, "10.0.1.11"),
                "near": ("red", bob, "10.0.1.12"),
                "far": ("red", daisy, "10.0.1.13"),
                "beside": ("blue", bob, "10.0.2.11"),
                "other": ("blue", daisy, "10.0.2.12"),
                "uno": ("alone", bob, "10.0.1.11"),
                "due": ("alone", daisy, "10.0.1.13"),
            }
        )
        until(lambda: self.ours.ping(self["one"], INTERNET, count=1).received, 5, "the way out is there")

    def make_small(self) -> None:
        """Makes red and its router alone, with a guest on each host."""
        self.make_network("red", self.ours, "10.0.1.0/24")
        self.router = self.ours.router(self.networks["red"]["id"])
        places = {"one": self.places.bob, "far": self.places.daisy}
        self.make_guests({name: ("red", host, "") for name, host in places.items()})
        until(lambda: self.ours.ping(self["one"], INTERNET, count=1).received, 5, "the way out is there")

    def make_network(self, name: str, owner: Cloud, cidr: str, **subnet: Any) -> None:
        wish: dict[str, Any] = {"name": name, "provider:network_type": self.kind, "project_id": owner.api.project_id}
        if self.kind in ("vlan", "flat"):
            wish["provider:physical_network"] = "default"
        made = self.admin.post("/v2.0/networks", {"network": wish})["network"]
        owner.undo("DELETE", f"/v2.0/networks/{made['id']}")
        version = 6 if ":" in cidr else 4
        wanted = {"network_id": made["id"], "ip_version": version, "cidr": cidr, **subnet}
        owner.api.post("/v2.0/subnets", {"subnet": wanted})
        self.networks[name] = made

    def make_guests(self, wanted: dict[str, tuple[str, str, str]]) -> None:
        for name, (network, host, address) in wanted.items():
            owner = self.theirs if network == "alone" else self.ours
            server = owner.start(name, self.networks[network]["id"], host, address)
            self.guests[name] = owner.guest_of(server, name, host)
        for guest in self.guests.values():
            self.ours.wait_address(guest)

    # --- looking

    @property
    def in_router(self) -> Space:
        return Space(self.places.network, f"qrouter-{self.router}")

    def in_dhcp(self, network: str) -> Space:
        return Space(self.places.network, f"qdhcp-{self.networks[network]['id']}")

    @property
    def spaces(self) -> Iterator[tuple[Space, tuple[str, ...]]]:
        """Gives where a packet of a walk may be seen, with the devices that must be looked at alone."""
        wire, p = self.places.wire, self.places
        alone = (wire, f"int-br-{wire}", f"phy-br-{wire}") if self.kind in ("vlan", "flat") else ()
        for host in (p.bob, p.daisy, p.network):
            yield Space(host), alone
        for host in ("internet", "client"):
            yield Space(host), ()
        yield self.in_router, ()
        for network in self.networks:
            if network != "blue":
                yield self.in_dhcp(network), ()

    def port(self, owner: str, network: str) -> dict[str, Any]:
        """Gives a service's port on a network: network:dhcp, network:router_interface or network:router_gateway."""
        network_id = self.networks[network]["id"] if network in self.networks else self.ours.public()
        found = self.admin.get(f"/v2.0/ports?network_id={network_id}&device_owner={owner}")["ports"]
        if owner != "network:dhcp":
            found = [port for port in found if port["device_id"] == self.router]
        (port,) = found
        return dict(port)

    def dhcp_address(self, network: str) -> str:
        return str(self.port("network:dhcp", network)["fixed_ips"][0]["ip_address"])

    def outer_address(self) -> str:
        return str(self.port("network:router_gateway", "public")["fixed_ips"][0]["ip_address"])

    def floating(self) -> str:
        """Gives the floating IP of far, which answers."""
        if not self._floating:
            address = str(self.ours.floating(self["far"].port_id)["floating_ip_address"])
            until(lambda: self.answers(address), 5, f"{address} answers")
            self._floating = address
        return self._floating

    def answers(self, address: str) -> bool:
        """Says whether the client gets an answer from an address."""
        words = ("ping", "-n", "-c", "1", "-W", "0.5", address)
        return " 1 received" in self.lab.on("client", *words, check=False)

    def qr(self, network: str) -> str:
        return "qr-" + str(self.port("network:router_interface", network)["id"])[:11]

    def qg(self) -> str:
        return "qg-" + str(self.port("network:router_gateway", "public")["id"])[:11]

    def tag(self, network: str, host: str) -> int:
        """Gives a network's own tag on a host, as the switch there has it."""
        if (network, host) not in self._tags:
            self._tags[network, host] = self._read_tag(network, host)
        return self._tags[network, host]

    def _read_tag(self, network: str, host: str) -> int:
        device = ""
        if host == self.places.network:
            device = "tap" + str(self.port("network:dhcp", network)["id"])[:11]
        for guest in self.guests.values():
            if guest.host == host and guest.network_id == self.networks[network]["id"]:
                device = "qvo" + guest.port_id[:11]
        return int(self.lab.on(host, "ovs-vsctl", "get", "Port", device, "tag"))

    # --- the parts of a walk

    def from_guest(self, guest: Guest, text: str) -> list[Hop]:
        at, port = Space(guest.host), guest.port_id[:11]
        return [Hop(at, f"tap{port}", False, text), Hop(at, f"qvb{port}", True, text)]

    def to_guest(self, guest: Guest, text: str) -> list[Hop]:
        at, port = Space(guest.host), guest.port_id[:11]
        return [Hop(at, f"qvo{port}", True, text), Hop(at, f"tap{port}", True, text)]

    def over(self, network: str, here: str, there: str, text: str) -> list[Hop]:
        """Gives the hops of a frame of a network from one host to another."""
        wire = self.places.wire
        if self.kind in _INTO_TUNNEL:
            a, b = (re.escape(self.places.tunnels[host]) for host in (here, there))
            key = self.networks[network]["provider:segmentation_id"]
            wrapped = _INTO_TUNNEL[self.kind].format(a=a, b=b, key=key) + text
            return [Hop(Space(here), wire, True, wrapped), Hop(Space(there), wire, False, wrapped)]
        segment = self.networks[network]["provider:segmentation_id"]
        outside = rf"vlan {segment}, .*" if segment is not None else r"^\S+ > \S+, ethertype IPv4 .*"
        inner, outer = f"int-br-{wire}", f"phy-br-{wire}"
        local = rf"vlan {self.tag(network, here)}, .*"
        return [
            Hop(Space(here), inner, None, local + text),
            Hop(Space(here), outer, None, local + text),
            Hop(Space(here), wire, None, outside + text),
            Hop(Space(there), wire, None, outside + text),
            Hop(Space(there), outer, None, outside + text),
            Hop(Space(there), inner, None, outside + text),
        ]

    def counted(self) -> list[tuple[str, str, str]]:
        """Gives what must have counted packets of red from bob to daisy: host, bridge, pattern of the flow's line."""
        p, wire = self.places, self.places.wire
        here, there = self.tag("red", p.bob), self.tag("red", p.daisy)
        segment = self.networks["red"]["provider:segmentation_id"]
        if self.kind in _INTO_TUNNEL:
            table = _TUNNEL_TABLE[self.kind]
            return [
                (p.bob, "br-tun", rf"table=20, .*{self['far'].mac} .*load:{segment:#x}->NXM_NX_TUN_ID\[\],output:"),
                (p.daisy, "br-tun", rf"table={table}, .*tun_id={segment:#x} .*mod_vlan_vid:{there},resubmit\(,10\)"),
                (p.daisy, "br-tun", rf"table=10, .*dl_vlan={there} .*output:1$"),
            ]
        out = f"mod_vlan_vid:{segment}" if segment is not None else "strip_vlan"
        into = f"dl_vlan={segment}" if segment is not None else r"vlan_tci=0x0000"
        return [
            (p.bob, f"br-{wire}", rf"priority=4,.*dl_vlan={here} actions={out},NORMAL"),
            (p.daisy, "br-int", rf"priority=3,.*{into}\S* actions=mod_vlan_vid:{there},NORMAL"),
        ]


@contextmanager
def scene_on(lab: TestLab, kind: str, places: Places) -> Iterator[Scene]:
    """Gives an empty scene; what is made on it goes afterwards."""
    admin, name = api_of(lab, "admin"), f"theirs-{kind}"
    url = lab.environment("admin")["OS_AUTH_URL"].split("/identity")[0]
    theirs = new_project(admin, url, name)
    made = Scene(lab, kind, places, admin, Cloud(lab, admin), Cloud(lab, theirs))
    try:
        yield made
    finally:
        made.ours.clear()
        made.theirs.clear()
        end_project(admin, theirs, name)
