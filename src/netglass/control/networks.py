"""Networks: making, changing and deleting them.

Source: Networking API v2.0, networks; Neutron's ML2 plugin for what the API document leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netglass.base.errors import Bug
from netglass.control import quotas
from netglass.control.availability import require_zones
from netglass.control.binding import release_tag, vif_type
from netglass.control.decision import Decision
from netglass.control.dhcp import schedule_dhcp
from netglass.control.faults import fault, invalid_input
from netglass.control.floating_ips import drop_unused
from netglass.control.owners import AUTO_DELETED
from netglass.control.security_groups import ensure_default_group
from netglass.control.segments import check_vlan, choose_segment, largest_mtu
from netglass.control.sharing import open_to_all, users_left_out
from netglass.control.tags import ordered_tags
from netglass.control.visibility import (
    ACCESS_EXTERNAL,
    ACCESS_SHARED,
    EVERYBODY,
    project_for,
    require_delete,
    require_update,
)
from netglass.model.resources import IPV6_MIN_MTU, Network, Port

IPV4_MIN_MTU = 68
"""Bytes; RFC 791."""

_PLAIN = frozenset({"name", "description", "admin_state_up", "shared", "port_security_enabled", "external"})
_PROVIDER = ("network_type", "physical_network")
_CHANGEABLE = _PLAIN | {"mtu", "tags", "segmentation_id", *_PROVIDER}


def decide_create_network(d: Decision, wanted: Mapping[str, Any]) -> Network:
    """Makes a network and chooses its segment; gives the row.

    wanted  by field name of Network; what is absent gets its default.  An mtu of 0 is "the largest there is"

    Raises OverQuota, AvailabilityZoneNotFound, InvalidInput (mtu, segment) and what `choose_segment` raises.
    """
    project_id = project_for(d, wanted)
    quotas.check(d, "network", project_id)
    segment = choose_segment(d, wanted)
    ensure_default_group(d, project_id)
    network = d.draft.put(
        Network(
            id=d.fresh.uuid(),
            project_id=project_id,
            name=wanted.get("name") or "",
            description=wanted.get("description") or "",
            tags=ordered_tags("network", wanted.get("tags") or ()),
            admin_state_up=wanted.get("admin_state_up", True),
            shared=wanted.get("shared", False),
            mtu=_checked_mtu(d, wanted.get("mtu") or 0, segment.network_type),
            network_type=segment.network_type,
            physical_network=segment.physical_network,
            segmentation_id=segment.number,
            port_security_enabled=wanted.get("port_security_enabled", True),
            external=wanted.get("external", False),
            availability_zone_hints=require_zones(d, wanted.get("availability_zone_hints") or ()),
            created_at=d.now,
            updated_at=d.now,
        )
    )
    for action in (ACCESS_SHARED, ACCESS_EXTERNAL):
        open_to_all(d, network, action, opened=network.shared if action == ACCESS_SHARED else network.external)
    return network


def decide_update_network(d: Decision, network: Network, changes: Mapping[str, Any]) -> Network:
    """Changes a network; gives the new row.

    Raises NetworkNotFound or PolicyNotAuthorized (another's network), InvalidInput (provider attributes that are
    fixed, mtu), VlanIdInUse, InvalidSharedSetting, ExternalNetworkInUse, NetworkMTUSubnetConflict.
    """
    require_update(d, network)
    _refuse_unknown(changes)
    values = {name: value for name, value in changes.items() if name in _PLAIN}
    values |= _provider_changes(d, network, changes)
    if network.shared and changes.get("shared") is False:
        _refuse_unsharing(d, network)
    if network.external and changes.get("external") is False:
        _refuse_closing(d, network)
    if "mtu" in changes:
        values["mtu"] = _changed_mtu(d, network, changes["mtu"] or 0)
    if "tags" in changes:
        values["tags"] = ordered_tags("network", changes["tags"])
    network = d.draft.update(network, d.now, **values)
    for flag, action in (("shared", ACCESS_SHARED), ("external", ACCESS_EXTERNAL)):
        if flag in changes:
            open_to_all(d, network, action, opened=changes[flag])
    if "admin_state_up" in changes:
        schedule_dhcp(d, network.id)
    return network


def decide_delete_network(d: Decision, network: Network) -> None:
    """Deletes a network with its subnets and DHCP ports; its segment, tags and addresses are free again.

    With an external network go the floating IPs of it that are for nobody, as in Neutron.

    Raises NetworkNotFound or PolicyNotAuthorized (another's network), NetworkInUse while other ports are on it.
    """
    require_delete(d, network)
    drop_unused(d, network.id)
    ports: list[Port] = d.snapshot.rows("ports_by_network", network.id)
    staying = [p.id for p in ports if p.device_owner not in AUTO_DELETED]
    if staying:
        # Neutron names them all; a network may have thousands.
        named = ",".join(staying[:20]) + (f" and {len(staying) - 20} more" if len(staying) > 20 else "")
        raise fault(
            "NetworkInUse",
            net_id=network.id,
            reason=f"There are one or more ports still in use on the network, id for these ports is: {named}",
        )
    for port in ports:
        d.draft.drop(port)
        release_tag(d, port.host_id, network.id)
    for index in ("subnets_by_network", "rbac_policies_by_object"):
        for row in d.snapshot.rows(index, network.id):
            d.draft.drop(row)
    d.draft.drop(network)


def _refuse_unknown(changes: Mapping[str, Any]) -> None:
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise Bug(f"attributes of a network that nobody may change reached the decision: {sorted(unknown)}")


def _checked_mtu(d: Decision, mtu: int, network_type: str) -> int:
    largest = largest_mtu(d, network_type)
    if mtu > largest:
        raise invalid_input(f"Requested MTU is too big, maximum is {largest}")
    # Linux refuses a smaller one on the devices that would carry it.
    if 0 < mtu < IPV4_MIN_MTU:
        raise invalid_input(f"Requested MTU is too small, minimum is {IPV4_MIN_MTU}")
    return mtu or largest


def _changed_mtu(d: Decision, network: Network, mtu: int) -> int:
    for subnet in d.snapshot.rows("subnets_by_network", network.id):
        refuse_small_mtu(network.id, mtu or largest_mtu(d, network.network_type), subnet.ip_version)
    return _checked_mtu(d, mtu, network.network_type)


def refuse_small_mtu(network_id: str, mtu: int, ip_version: int) -> None:
    """Raises NetworkMTUSubnetConflict when a network's MTU is below what a subnet of that IP version needs."""
    least = IPV6_MIN_MTU if ip_version == 6 else IPV4_MIN_MTU
    if mtu < least:
        raise fault("NetworkMTUSubnetConflict", net_id=network_id, mtu=least)


def _provider_changes(d: Decision, network: Network, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the new segmentation id, when that is all that changes of the segment, and may change."""
    for name in _PROVIDER:
        if changes.get(name) and changes[name] != getattr(network, name):
            raise invalid_input(
                "Plugin does not support updating the following provider network attributes: "
                "provider:network_type, provider:physical_network"
            )
    number = changes.get("segmentation_id")
    if number is None or number == network.segmentation_id:
        return {}
    if network.network_type != "vlan":
        raise invalid_input("Only VLAN type networks can be updated.")
    if any(vif_type(d.snapshot, p) == "ovs" for p in d.snapshot.rows("ports_by_network", network.id)):
        raise invalid_input(
            "Provider network attribute provider:segmentation_id cannot be updated if any port in the network has not"
            " the following binding:vif_type: unbound, binding_failed"
        )
    check_vlan(d, network.physical_network, number)
    return {"segmentation_id": number}


def _refuse_unsharing(d: Decision, network: Network) -> None:
    """Raises InvalidSharedSetting while a project has ports or subnets on the network that no other policy covers."""
    if users_left_out(d, network, ACCESS_SHARED, EVERYBODY):
        raise fault("InvalidSharedSetting", network=network.name or network.id)


def _refuse_closing(d: Decision, network: Network) -> None:
    """Raises ExternalNetworkInUse while routers go out through the network, or floating IPs are of it."""
    inside = d.snapshot.ids("routers_by_gateway_network", network.id)
    if inside or d.snapshot.ids("floating_ips_by_network", network.id):
        raise fault("ExternalNetworkInUse", net_id=network.id)
