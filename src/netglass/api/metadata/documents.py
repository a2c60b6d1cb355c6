"""What an instance is told of itself: pure but for the random seed, out of its rows.

Source: Nova's metadata documents, in the shape that cloud-init and cirros read.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_network
from typing import Any

from netglass.base.ids import tap_name
from netglass.model.resources import Flavor, Network, Port, Server, Subnet
from netglass.model.snapshot import Snapshot

_SEED_BYTES = 512


@dataclass(frozen=True)
class Subject:
    """The instance that asks.

    domain  of its host name; empty: none
    """

    server: Server
    snapshot: Snapshot
    domain: str

    @property
    def hostname(self) -> str:
        """Gives its host name with the domain."""
        return f"{self.server.hostname}.{self.domain}" if self.domain else self.server.hostname

    @cached_property
    def ports(self) -> list[Port]:
        """Gives its ports, eth0 first; one deleted behind its back is left out."""
        found = (self.snapshot.get(Port, port_id) for port_id in self.server.port_ids)
        return [port for port in found if port is not None and port.device_id == self.server.id]

    @property
    def flavor_name(self) -> str:
        """Gives the name of its size; empty when that is gone."""
        flavor = self.snapshot.get(Flavor, self.server.flavor_id)
        return flavor.name if flavor is not None else ""

    @property
    def fixed_ipv4(self) -> str:
        """Gives its first IPv4 address; empty when it has none."""
        found = (fixed.ip_address for port in self.ports for fixed in port.fixed_ips)
        return next((address for address in found if ":" not in address), "")

    @property
    def public_ipv4(self) -> str:
        """Gives a floating address that leads to it; empty when none does."""
        found = (f for port in self.ports for f in self.snapshot.rows("floating_ips_by_port", port.id))
        return next((floating.floating_ip_address for floating in found), "")


def meta_data(subject: Subject) -> dict[str, Any]:
    """Gives meta_data.json; the seed differs from one time to the next."""
    server = subject.server
    return {
        "uuid": server.id,
        "name": server.name,
        "hostname": subject.hostname,
        "availability_zone": server.availability_zone,
        "project_id": server.project_id,
        "launch_index": 0,
        "meta": server.metadata,
        "public_keys": {},
        "keys": [],
        "devices": [],
        "dedicated_cpus": [],
        "random_seed": b64encode(os.urandom(_SEED_BYTES)).decode(),
    }


def network_data(subject: Subject) -> dict[str, Any]:
    """Gives network_data.json: its NICs, what is configured on each, and name servers."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: dict[str, dict[str, str]] = {}
    for port in subject.ports:
        network = subject.snapshot.get(Network, port.network_id)
        links.append(
            {
                "id": tap_name(port.id),
                "vif_id": port.id,
                "type": "ovs",
                "mtu": network.mtu if network is not None else None,
                "ethernet_mac_address": port.mac_address,
            }
        )
        for subnet, address in _addresses(subject, port):
            networks.append({"id": f"network{len(networks)}"} | _network(port, subnet, address))
            services |= {server: {"type": "dns", "address": server} for server in subnet.dns_nameservers}
    return {"links": links, "networks": networks, "services": list(services.values())}


def _addresses(subject: Subject, port: Port) -> Iterator[tuple[Subnet, str]]:
    for fixed in port.fixed_ips:
        subnet = subject.snapshot.get(Subnet, fixed.subnet_id)
        if subnet is not None:
            yield subnet, fixed.ip_address


def _network(port: Port, subnet: Subnet, address: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"link": tap_name(port.id), "network_id": port.network_id}
    mode = subnet.ipv6_address_mode if subnet.ip_version == 6 else None
    if subnet.enable_dhcp and mode is None:
        # All else comes by DHCP; a second answer to the same question would only contradict it one day.
        return {"type": f"ipv{subnet.ip_version}_dhcp", **shown}
    routes = [(route.destination, route.nexthop) for route in subnet.host_routes]
    if subnet.gateway_ip:
        routes.insert(0, ("::/0" if subnet.ip_version == 6 else "0.0.0.0/0", subnet.gateway_ip))
    return {
        "type": f"ipv{subnet.ip_version}" + (f"_{mode}" if mode and subnet.enable_dhcp else ""),
        **shown,
        "ip_address": address,
        "netmask": str(ip_network(subnet.cidr).netmask),
        "routes": [_route(destination, gateway) for destination, gateway in routes],
        "services": [{"type": "dns", "address": server} for server in subnet.dns_nameservers],
    }


def _route(destination: str, gateway: str) -> dict[str, str]:
    network = ip_network(destination)
    return {"network": str(network.network_address), "netmask": str(network.netmask), "gateway": gateway}


def user_data(subject: Subject) -> bytes | None:
    """Gives what the owner gave for the first boot; None when they gave nothing."""
    given = subject.server.user_data
    return b64decode(given) if given else None
