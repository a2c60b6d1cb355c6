"""What no two rows may hold at the same time; the store keeps it unique, whoever decides.

A decision looks at the snapshot and never makes a clash; claims are what a second server's decision, taken at the same
time, comes to grief on.
Source: ARCHITECTURE.md, "Uniqueness is the database's job".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netglass.model.resources import (
    DEFAULT_GROUP,
    FloatingIp,
    LocalVlan,
    Network,
    Port,
    PortForwarding,
    Project,
    RbacPolicy,
    Row,
    SecurityGroup,
    Subnet,
    SubnetPool,
    User,
)

Claims = tuple[tuple[str, str], ...]
"""(scope, key) pairs."""


def _of_port(port: Port) -> Claims:
    taken = [("address", f"{f.subnet_id}/{f.ip_address}") for f in port.fixed_ips]
    return (("mac", f"{port.network_id}/{port.mac_address}"), *taken)


def _of_network(network: Network) -> Claims:
    if network.network_type == "flat":
        return (("flat", network.physical_network),)
    return (("segment", f"{network.network_type}/{network.physical_network}/{network.segmentation_id}"),)


def _of_subnet(subnet: Subnet) -> Claims:
    # That blocks of different lengths do not overlap is the decision's matter.
    return (("subnetpool", f"{subnet.subnetpool_id}/{subnet.cidr}"),) if subnet.subnetpool_id else ()


def _of_floating_ip(floating: FloatingIp) -> Claims:
    held = f"{floating.port_id}/{floating.fixed_ip_address}/{floating.floating_network_id}"
    return (("floating", held),) if floating.port_id else ()


def _of_forwarding(row: PortForwarding) -> Claims:
    # Of a range its first port alone: that ranges do not overlap is the decision's matter.
    return (("forwarding", f"{row.floating_ip_id}/{row.protocol}/{row.external_port}"),)


_CLAIMS: dict[type[Row], Callable[[Any], Claims]] = {
    Port: _of_port,
    Network: _of_network,
    Subnet: _of_subnet,
    SubnetPool: lambda pool: (("default_subnetpool", str(pool.ip_version)),) if pool.is_default else (),
    FloatingIp: _of_floating_ip,
    PortForwarding: _of_forwarding,
    SecurityGroup: lambda group: (("default_group", group.project_id),) if group.name == DEFAULT_GROUP else (),
    RbacPolicy: lambda policy: (("rbac", f"{policy.object_id}/{policy.action}/{policy.target_project}"),),
    LocalVlan: lambda vlan: (("local_vlan", f"{vlan.host}/{vlan.vlan}"),),
    Project: lambda project: (("project_name", project.name),),
    User: lambda user: (("user_name", user.name),),
}


def claims(row: Row) -> Claims:
    """Gives what no other row may hold at the same time."""
    found = _CLAIMS.get(type(row))
    return found(row) if found is not None else ()
