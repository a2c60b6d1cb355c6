"""A cloud to trace in: a network host and two hypervisors, as the VLAN lab has them, and what a test puts there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from netglass.model.resources import (
    FixedIp,
    FloatingIp,
    Host,
    HostSettings,
    Image,
    LocalVlan,
    Network,
    Port,
    Router,
    Row,
    Server,
    Subnet,
)
from netglass.model.snapshot import Snapshot

SETTINGS = HostSettings(bridge_mappings={"default": "br-eth2"}, bridge_nics={"br-eth2": "eth2"})
HOSTS = ("control", "compute1", "compute2")


def uuid(kind: int, number: int) -> str:
    """Gives the id of the n-th object of a kind; the first eleven characters differ, as random ones do."""
    return str(UUID(int=(kind * 1000 + number) << 96 | 0x4000_8000_0000_0000_0000 | number))


class TraceCloud:
    """Rows by id, and a snapshot of them."""

    def __init__(self, settings: HostSettings = SETTINGS) -> None:
        self.rows: dict[str, Row] = {"light": Image(id="light", name="light")}
        self._numbers = 0
        for number, host in enumerate(HOSTS):
            given = (
                msgspec.structs.replace(settings, local_ip=f"192.0.2.{1 + number}")
                if settings.tunnel_types
                else settings
            )
            self.rows[host] = Host(id=host, settings=given)

    def put(self, *rows: Row) -> None:
        for row in rows:
            self.rows[row.id] = row

    def change(self, row_id: str, **values: Any) -> None:
        self.rows[row_id] = msgspec.structs.replace(self.rows[row_id], **values)

    def network(self, name: str, cidr: str = "10.0.0.0/24", dhcp_on: str = "", **values: Any) -> str:
        """Makes a network with a subnet, and its DHCP server; the next segment that is free."""
        number = self._next()
        network_id = uuid(1, number)
        given: dict[str, Any] = {"physical_network": "default", "segmentation_id": 1000 + number} | values
        subnet = Subnet(
            id=uuid(2, number),
            network_id=network_id,
            cidr=cidr,
            ip_version=6 if ":" in cidr else 4,
            gateway_ip=given.pop("gateway_ip", None),
        )
        self.put(Network(id=network_id, name=name, project_id="demo", **given), subnet)
        if dhcp_on:
            self.port(f"dhcp of {name}", network_id, dhcp_on, "10.0.0.2", device_owner="network:dhcp")
        return network_id

    def port(self, name: str, network_id: str, host: str, address: str, **values: Any) -> str:
        """Makes a port, and the host's tag for its network."""
        number = self._next()
        subnet = self._subnet(network_id)
        given: dict[str, Any] = {"device_owner": "compute:nova", "status": "ACTIVE", "project_id": "demo"} | values
        port = Port(
            id=uuid(3, number),
            name=name,
            network_id=network_id,
            mac_address=f"fa:16:3e:00:00:{number:02x}",
            fixed_ips=(FixedIp(subnet, address),),
            host_id=host,
            **given,
        )
        self.put(port)
        tags = [r for r in self.rows.values() if isinstance(r, LocalVlan) and r.host == host]
        if host and not any(tag.network_id == network_id for tag in tags):
            self.put(LocalVlan(id=f"{host}/{network_id}", host=host, network_id=network_id, vlan=1 + len(tags)))
        return port.id

    def guest(self, name: str, network_id: str, host: str, address: str, **values: Any) -> str:
        """Makes a server with one port; gives the port's id."""
        server_id = uuid(4, self._next())
        port_id = self.port("", network_id, host, address, device_id=server_id, **values)
        self.put(
            Server(
                id=server_id,
                name=name,
                project_id="demo",
                flavor_id="nano",
                image_id="light",
                host=host,
                port_ids=(port_id,),
                vm_state="active",
            )
        )
        return port_id

    def router(self, name: str, host: str, inside: dict[str, str], outside: tuple[str, str] | None = None) -> str:
        """Makes a router on a host.

        inside   address of its interface by network id
        outside  external network and the gateway's address there
        """
        router_id = uuid(6, self._next())
        gateway = outside[0] if outside else ""
        self.put(Router(id=router_id, name=name, project_id="demo", host_id=host, gateway_network_id=gateway))
        legs = [(network, address, "router_interface") for network, address in inside.items()]
        legs += [(*outside, "router_gateway")] if outside else []
        for network_id, address, owner in legs:
            self.port("", network_id, host, address, device_owner=f"network:{owner}", device_id=router_id)
            if owner == "router_interface":
                self.change(self._subnet(network_id), gateway_ip=address)
        return router_id

    def floating(self, address: str, router_id: str, name: str) -> None:
        """Makes a floating IP for a guest."""
        router, port = self.rows[router_id], self.rows[self.port_of(name)]
        assert isinstance(router, Router)
        assert isinstance(port, Port)
        own = self.port("", router.gateway_network_id, "", address, device_owner="network:floatingip")
        self.put(
            FloatingIp(
                id=uuid(7, self._next()),
                project_id="demo",
                floating_network_id=router.gateway_network_id,
                floating_ip_address=address,
                floating_port_id=own,
                port_id=port.id,
                fixed_ip_address=port.fixed_ips[0].ip_address,
                router_id=router_id,
            )
        )

    def _subnet(self, network_id: str) -> str:
        return next(r.id for r in self.rows.values() if isinstance(r, Subnet) and r.network_id == network_id)

    def server_of(self, name: str) -> str:
        return next(row.id for row in self.rows.values() if isinstance(row, Server) and row.name == name)

    def port_of(self, name: str) -> str:
        server_id = self.server_of(name)
        return next(row.id for row in self.rows.values() if isinstance(row, Port) and row.device_id == server_id)

    def network_of(self, name: str) -> str:
        port = self.rows[self.port_of(name)]
        assert isinstance(port, Port)
        return port.network_id

    def name_of(self, ref: str) -> str:
        """Gives a short name for a reference."""
        kind, _, row_id = ref.partition(":")
        row = self.rows.get(row_id)
        if isinstance(row, LocalVlan):
            network = self.rows[row.network_id]
            return f"tag of {getattr(network, 'name', '')} on {row.host}"
        if isinstance(row, Port) and row.fixed_ips:
            return f"port {row.fixed_ips[0].ip_address}"
        return f"{kind} {getattr(row, 'name', '') or row_id}"

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot.of(self.rows.values(), revision=7)

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers
