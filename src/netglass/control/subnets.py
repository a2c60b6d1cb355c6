"""Subnets: making, changing and deleting them.

A subnet lies in one network and shares its fate.  Its CIDR never changes.  Whatever happens to a subnet, DHCP of its
network is scheduled anew in the same decision.
Source: Networking API v2.0, subnets; Neutron for what the API document leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from netglass.base.errors import Bug
from netglass.control import quotas, subnet_rules
from netglass.control.decision import Decision
from netglass.control.dhcp import schedule_dhcp
from netglass.control.faults import disallowed, fault, invalid_input
from netglass.control.networks import refuse_small_mtu
from netglass.control.owners import AUTO_DELETED, ROUTER_INTERFACES, ROUTERS
from netglass.control.pools import checked_pools, default_pools, refuse_gateway_in
from netglass.control.spaces import eui64, is_auto, space, text_of
from netglass.control.subnet_allocation import allocate_cidr
from netglass.control.tags import ordered_tags
from netglass.control.visibility import find_network, owns_network, project_for, require_delete, require_update
from netglass.model.resources import AddressRange, FixedIp, HostRoute, Network, Port, Subnet

_CHANGEABLE = frozenset(
    {
        "name",
        "description",
        "tags",
        "gateway_ip",
        "allocation_pools",
        "dns_nameservers",
        "host_routes",
        "enable_dhcp",
        "service_types",
    }
)
_NEW = "new subnet"


def decide_create_subnet(d: Decision, wanted: Mapping[str, Any]) -> Subnet:
    """Makes a subnet; gives the row.

    wanted  by field name of Subnet.  network_id and ip_version must be there, and cidr or what `allocate_cidr` takes
            for it; an absent gateway_ip is the first address, one of None is none; absent allocation_pools are all
            addresses but the gateway

    Ports that are on the network already get their address when the subnet gives addresses out of MACs.

    Raises NetworkNotFound, PolicyNotAuthorized (another's network, though shared), OverQuota, InvalidInput,
    HTTPBadRequest, NetworkMTUSubnetConflict, what `allocate_cidr` raises, and the faults of pools, name servers and
    routes.
    """
    network = find_network(d, wanted["network_id"])
    if not owns_network(d.caller, network.id, d.snapshot):
        raise disallowed("create_subnet")
    project_id = project_for(d, wanted)
    quotas.check(d, "subnet", project_id)
    subnet = _checked_subnet(d, network, project_id, wanted)
    _refuse_overlap(d, subnet)
    d.draft.put(subnet)
    if is_auto(subnet):
        _add_auto_addresses(d, subnet)
    schedule_dhcp(d, network.id)
    return subnet


def decide_update_subnet(d: Decision, subnet: Subnet, changes: Mapping[str, Any]) -> Subnet:
    """Changes a subnet; gives the new row.

    New pools replace the old ones; addresses that ports have outside of them stay theirs, as in Neutron.

    Raises SubnetNotFound or PolicyNotAuthorized (another's subnet), InvalidInput, GatewayIpInUse (a router has the old
    gateway address), and the faults of pools, name servers and routes.
    """
    require_update(d, subnet)
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise Bug(f"attributes of a subnet that nobody may change reached the decision: {sorted(unknown)}")
    values = {name: value for name, value in changes.items() if name in ("name", "description")}
    values |= _dhcp_change(subnet, changes)
    values |= _addressing_changes(d, subnet, changes)
    values |= _guest_changes(d, subnet, changes)
    updated = d.draft.update(subnet, d.now, **values)
    if updated.enable_dhcp != subnet.enable_dhcp:
        schedule_dhcp(d, subnet.network_id)
    return updated


def decide_delete_subnet(d: Decision, subnet: Subnet) -> None:
    """Deletes a subnet; DHCP ports lose their address on it, or go when it was the last.

    Raises SubnetNotFound or PolicyNotAuthorized (another's subnet), SubnetInUse while a port of a user or router has
    an address from it; addresses out of MACs are taken away from users' ports instead.
    """
    require_delete(d, subnet)
    automatic = is_auto(subnet)
    ports: list[Port] = d.snapshot.rows("ports_by_subnet", subnet.id)
    for port in ports:
        keeps = port.device_owner in ROUTER_INTERFACES if automatic else port.device_owner not in AUTO_DELETED
        if keeps:
            raise fault(
                "SubnetInUse", subnet_id=subnet.id, detail=f"Port {port.id} ({port.device_owner or 'no owner'})."
            )
    for port in ports:
        rest = tuple(f for f in port.fixed_ips if f.subnet_id != subnet.id)
        d.draft.update(port, d.now, fixed_ips=rest)
    d.draft.drop(subnet)
    schedule_dhcp(d, subnet.network_id)


def _checked_subnet(d: Decision, network: Network, project_id: str, wanted: Mapping[str, Any]) -> Subnet:
    """Builds the row of a new subnet out of wishes that agree with one another."""
    version = wanted["ip_version"]
    if wanted.get("cidr"):
        subnet_rules.parsed_cidr(wanted["cidr"], version)
    allocated = allocate_cidr(d, network, project_id, wanted)
    cidr = subnet_rules.parsed_cidr(allocated.cidr, version)
    enable_dhcp = wanted.get("enable_dhcp", True)
    if enable_dhcp:
        subnet_rules.refuse_dhcp_on(cidr)
    refuse_small_mtu(network.id, network.mtu, version)
    if "gateway_ip" in wanted:
        gateway_ip = subnet_rules.checked_gateway(cidr, wanted["gateway_ip"])
    else:
        gateway_ip = subnet_rules.default_gateway(cidr, of_pool=allocated.chosen)
    subnet = Subnet(
        id=d.fresh.uuid(),
        project_id=project_id,
        name=wanted.get("name") or "",
        description=wanted.get("description") or "",
        tags=ordered_tags("subnet", wanted.get("tags") or ()),
        network_id=network.id,
        ip_version=version,
        cidr=str(cidr),
        gateway_ip=gateway_ip,
        enable_dhcp=enable_dhcp,
        allocation_pools=_pools(str(cidr), gateway_ip, wanted.get("allocation_pools")),
        dns_nameservers=subnet_rules.checked_nameservers(
            d.settings, _NEW, version, wanted.get("dns_nameservers") or ()
        ),
        host_routes=subnet_rules.checked_routes(d.settings, _NEW, version, _routes(wanted.get("host_routes"))),
        ipv6_ra_mode=wanted.get("ipv6_ra_mode"),
        ipv6_address_mode=wanted.get("ipv6_address_mode"),
        service_types=subnet_rules.checked_service_types(wanted.get("service_types") or ()),
        subnetpool_id=allocated.pool.id if allocated.pool is not None else "",
        address_scope_id=allocated.pool.address_scope_id if allocated.pool is not None else "",
        created_at=d.now,
        updated_at=d.now,
    )
    subnet_rules.refuse_ipv6_modes(subnet, cidr.prefixlen)
    return subnet


def _pools(cidr: str, gateway_ip: str | None, given: Any) -> tuple[AddressRange, ...]:
    if given is None:
        return default_pools(cidr, gateway_ip)
    pools = checked_pools(cidr, msgspec.convert(given, tuple[AddressRange, ...]))
    refuse_gateway_in(pools, gateway_ip)
    return pools


def _routes(given: Any) -> tuple[HostRoute, ...]:
    return msgspec.convert(given or (), tuple[HostRoute, ...])


def _refuse_overlap(d: Decision, subnet: Subnet) -> None:
    new = space(subnet.cidr)
    for other in d.snapshot.rows("subnets_by_network", subnet.network_id):
        there = space(other.cidr)
        if there.version == new.version and there.first <= new.last and new.first <= there.last:
            # Not which one: it may belong to somebody else.
            raise invalid_input(
                f"Requested subnet with cidr: {subnet.cidr} for network: {subnet.network_id} overlaps with another"
                " subnet"
            )


def _add_auto_addresses(d: Decision, subnet: Subnet) -> None:
    """Gives every port of the network, routers' excepted, its address on a new auto-address subnet."""
    for port in d.snapshot.rows("ports_by_network", subnet.network_id):
        if port.device_owner in ROUTERS:
            continue
        if subnet.service_types and port.device_owner not in subnet.service_types:
            continue
        fixed = FixedIp(subnet.id, text_of(6, eui64(subnet, port.mac_address)))
        d.draft.update(port, d.now, fixed_ips=(*port.fixed_ips, fixed))


def _dhcp_change(subnet: Subnet, changes: Mapping[str, Any]) -> dict[str, Any]:
    enable_dhcp = changes.get("enable_dhcp", subnet.enable_dhcp)
    if enable_dhcp and not subnet.enable_dhcp:
        subnet_rules.refuse_dhcp_on(subnet_rules.parsed_cidr(subnet.cidr, subnet.ip_version))
    if not enable_dhcp and "enable_dhcp" in changes and (subnet.ipv6_ra_mode or subnet.ipv6_address_mode):
        raise invalid_input("Cannot disable enable_dhcp with ipv6 attributes set")
    return {"enable_dhcp": enable_dhcp}


def _addressing_changes(d: Decision, subnet: Subnet, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the new gateway and pools, which must fit each other whichever of them changes."""
    gateway_ip, pools = subnet.gateway_ip, subnet.allocation_pools
    if "gateway_ip" in changes:
        cidr = subnet_rules.parsed_cidr(subnet.cidr, subnet.ip_version)
        gateway_ip = subnet_rules.checked_gateway(cidr, changes["gateway_ip"])
        if gateway_ip != subnet.gateway_ip:
            _refuse_gateway_in_use(d, subnet)
    if changes.get("allocation_pools") is not None:
        pools = checked_pools(subnet.cidr, msgspec.convert(changes["allocation_pools"], tuple[AddressRange, ...]))
    if gateway_ip != subnet.gateway_ip or pools != subnet.allocation_pools:
        refuse_gateway_in(pools, gateway_ip)
    return {"gateway_ip": gateway_ip, "allocation_pools": pools}


def _refuse_gateway_in_use(d: Decision, subnet: Subnet) -> None:
    for port in d.snapshot.rows("ports_by_address", (subnet.id, subnet.gateway_ip)):
        if port.device_owner in ROUTER_INTERFACES:
            raise fault("GatewayIpInUse", ip_address=subnet.gateway_ip, port_id=port.id)


def _guest_changes(d: Decision, subnet: Subnet, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what guests are told, and for whom the subnet is."""
    values: dict[str, Any] = {}
    if "dns_nameservers" in changes:
        values["dns_nameservers"] = subnet_rules.checked_nameservers(
            d.settings, subnet.id, subnet.ip_version, changes["dns_nameservers"] or ()
        )
    if "host_routes" in changes:
        values["host_routes"] = subnet_rules.checked_routes(
            d.settings, subnet.id, subnet.ip_version, _routes(changes["host_routes"])
        )
    if "service_types" in changes:
        values["service_types"] = subnet_rules.checked_service_types(changes["service_types"] or ())
    if "tags" in changes:
        values["tags"] = ordered_tags("subnet", changes["tags"])
    return values
