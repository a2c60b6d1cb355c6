"""Random packets to trace in a cloud: between its ports, to the world, and to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from random import Random
from typing import Any

from agreement.random_clouds import Call
from netglass.trace.model import Wish

INTERNET = "198.51.100.10"
_PORTS = (22, 53, 67, 80, 82, 443, 9697)


@dataclass(frozen=True)
class Cloud:
    """What packets may go between, as the API lists it; in an order that depends on addresses, not on ids."""

    ports: list[dict[str, Any]]
    subnets: list[dict[str, Any]]
    floating: list[dict[str, Any]]
    public: str

    @staticmethod
    def of(call: Call) -> Cloud:
        """Asks for all of it."""
        ports, subnets, floating, networks = (
            call("GET", f"/v2.0/{name}", None)[1][name] for name in ("ports", "subnets", "floatingips", "networks")
        )
        names = {network["id"]: network["name"] for network in networks}
        public = next((network["name"] for network in networks if network["router:external"]), "")
        return Cloud(
            sorted(ports, key=lambda p: (names[p["network_id"]], [f["ip_address"] for f in p["fixed_ips"]])),
            sorted(subnets, key=lambda s: (names[s["network_id"]], s["cidr"])),
            sorted(floating, key=lambda f: f["floating_ip_address"]),
            public,
        )


def random_wishes(rng: Random, cloud: Cloud) -> Iterator[Wish]:
    """Draws packets without end."""
    senders = [port for port in cloud.ports if port["fixed_ips"] and port["device_owner"] != "network:floatingip"]
    while senders:
        sender = rng.choice(senders)
        destination = _destination(rng, cloud, sender)
        protocol = rng.choice(["icmp"] * 6 + ["tcp", "udp"] * 3 + ["arp", "dhcp"])
        port = rng.choice(_PORTS) if protocol in ("tcp", "udp") else None
        source = rng.choice(["outside", f"{INTERNET}@{cloud.public}"]) if cloud.public and rng.random() < 0.08 else ""
        size = rng.choice([0, 0, 0, 1400, 1458, 1459, 1500, 1501])
        if protocol == "dhcp":
            destination, size = "dhcp", 0
        yield Wish(source or sender["id"], destination, protocol, port, size)


def _destination(rng: Random, cloud: Cloud, sender: dict[str, Any]) -> str:
    kind = rng.choice(
        ["port"] * 4 + ["near"] * 4 + ["address"] * 2 + ["floating"] * 2 + ["world", "nobody", "gateway", "all"]
    )
    near = [port for port in cloud.ports if port["network_id"] == sender["network_id"] and port["id"] != sender["id"]]
    if kind == "near" and near:
        return str(rng.choice(near)["id"])
    if kind == "floating" and cloud.floating:
        return str(rng.choice(cloud.floating)["floating_ip_address"])
    if kind == "address":
        return str(rng.choice([f["ip_address"] for p in cloud.ports for f in p["fixed_ips"]]))
    if kind == "world":
        return rng.choice([INTERNET, "metadata"])
    if kind == "all":
        subnet = rng.choice(cloud.subnets)
        return rng.choice(["255.255.255.255", str(ip_network(subnet["cidr"]).broadcast_address), "224.0.0.1"])
    if kind in ("nobody", "gateway"):
        subnet = rng.choice(cloud.subnets)
        if kind == "gateway" and subnet["gateway_ip"]:
            return str(subnet["gateway_ip"])
        return str(ip_network(subnet["cidr"])[11])
    return str(rng.choice(cloud.ports)["id"])
