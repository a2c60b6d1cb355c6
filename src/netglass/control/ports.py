"""Ports: making, changing and deleting them.

Creating a port is what a cloud does most, so it is one row put on the draft, whatever is asked: MAC, addresses and
host are chosen before.
Source: Networking API v2.0, ports; Neutron's ML2 plugin for what the API document leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from netglass.base.errors import Bug
from netglass.control import port_rules, quotas
from netglass.control.addresses import Claimant, pick_addresses, repick_addresses
from netglass.control.binding import hold_tag, release_tag, vif_type
from netglass.control.decision import Decision
from netglass.control.dhcp import schedule_dhcp
from netglass.control.dhcp_options import merged_options, options_of
from netglass.control.faults import fault
from netglass.control.floating_ips import leave_port
from netglass.control.macs import checked_mac, pick_mac
from netglass.control.owners import DHCP, SERVED
from netglass.control.port_forwardings import leave_forwardings
from netglass.control.port_security import protection_of_changed, protection_of_new
from netglass.control.status import raise_statuses, status_of
from netglass.control.tags import ordered_tags
from netglass.control.visibility import find_network, project_for, require_delete, require_update
from netglass.model.resources import Network, Port

__all__ = ["decide_create_port", "decide_delete_port", "decide_update_port", "raise_statuses", "status_of"]

_PLAIN = frozenset({"name", "description", "admin_state_up"})
_CHANGEABLE = _PLAIN | {
    "port_security_enabled",
    "security_group_ids",
    "allowed_address_pairs",
    "tags",
    "device_id",
    "device_owner",
    "mac_address",
    "fixed_ips",
    "extra_dhcp_opts",
    "host_id",
    "vnic_type",
    "profile",
}


def decide_create_port(d: Decision, wanted: Mapping[str, Any]) -> Port:
    """Makes a port, and binds it when a host is named; gives the row.

    wanted  by field name of Port; network_id must be there.  fixed_ips absent: see `pick_addresses`; each wish is a
            mapping with subnet_id, ip_address or both.  mac_address absent: made.  extra_dhcp_opts and
            allowed_address_pairs: mappings.  security_group_ids absent: the project's default group

    Raises NetworkNotFound, PolicyNotAuthorized (for what only the network's owner may ask), OverQuota,
    DeviceIDNotOwnedByTenant, MacAddressInUse, HTTPBadRequest, InvalidInput and what `pick_addresses` and
    `protection_of_new` raise.
    """
    network = find_network(d, wanted["network_id"])
    project_id = project_for(d, wanted)
    port_rules.require_rights_to_create(d, network, wanted)
    quotas.check(d, "port", project_id)
    device_owner, device_id = wanted.get("device_owner") or "", wanted.get("device_id") or ""
    port_rules.refuse_foreign_device(d, device_owner, device_id)
    fixed_ips = wanted.get("fixed_ips")
    port_rules.refuse_too_many_addresses(d, fixed_ips)
    mac_address = pick_mac(d, network.id, wanted.get("mac_address"))
    protection = protection_of_new(d, network, project_id, {**wanted, "mac_address": mac_address})
    port = d.draft.put(
        Port(
            id=d.fresh.uuid(),
            project_id=project_id,
            name=wanted.get("name") or "",
            description=wanted.get("description") or "",
            tags=ordered_tags("port", wanted["tags"]) if wanted.get("tags") else (),
            network_id=network.id,
            mac_address=mac_address,
            admin_state_up=wanted.get("admin_state_up", True),
            device_id=device_id,
            device_owner=device_owner,
            fixed_ips=pick_addresses(d, Claimant(network.id, mac_address, device_owner), fixed_ips),
            extra_dhcp_opts=options_of(wanted.get("extra_dhcp_opts") or ()),
            **protection.fields(),
            host_id=wanted.get("host_id") or "",
            vnic_type=wanted.get("vnic_type") or "normal",
            profile=port_rules.checked_profile(wanted.get("profile")),
            created_at=d.now,
            updated_at=d.now,
        )
    )
    hold_tag(d, port)
    return port


def decide_update_port(d: Decision, port: Port, changes: Mapping[str, Any]) -> Port:
    """Changes a port, binding, moving or unbinding it when its host changes; gives the new row.

    changes  as `decide_create_port`; fixed_ips replace those held, but a wish that a held address answers keeps it,
             and addresses out of the MAC stay.  extra_dhcp_opts: those named change, None as value takes one away

    Raises PortNotFound or PolicyNotAuthorized (another's port, or a right of the network's owner), PortBound (MAC of
    a bound port), PortInUse (vnic type of a bound port), and what `decide_create_port` and `protection_of_changed`
    raise.
    """
    require_update(d, port)
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise Bug(f"attributes of a port that nobody may change reached the decision: {sorted(unknown)}")
    port_rules.require_rights_to_update(d, d.snapshot.get(Network, port.network_id), port, changes)
    port_rules.refuse_to_bend_service(d, port, changes)
    values = {name: changes[name] for name in _PLAIN & changes.keys()}
    values |= _device_changes(d, port, changes)
    values |= _address_changes(d, port, changes, values["device_owner"])
    values |= _binding_changes(d, port, changes)
    values |= protection_of_changed(d, port, changes).fields()
    if "extra_dhcp_opts" in changes:
        values["extra_dhcp_opts"] = merged_options(port.extra_dhcp_opts, changes["extra_dhcp_opts"] or ())
    if "tags" in changes:
        values["tags"] = ordered_tags("port", changes["tags"])
    return _put_changed(d, port, values)


def decide_delete_port(d: Decision, port: Port) -> None:
    """Deletes a port; its addresses and MAC are free, and its host's tag too when it was the last there.

    Floating IPs that were for it are for nobody then, and what was forwarded to it is not any more.  A DHCP server's
    port is made anew at once, as long as its network needs one.

    Raises PortNotFound or PolicyNotAuthorized (another's port), ServicePortInUse for a port that a router or a
    floating IP has.
    """
    require_delete(d, port)
    if port.device_owner in SERVED and port.device_id:
        raise fault("ServicePortInUse", port_id=port.id, reason=f"has device owner {port.device_owner}")
    leave_port(d, port.id)
    leave_forwardings(d, port.id)
    d.draft.drop(port)
    release_tag(d, port.host_id, port.network_id)
    if port.device_owner == DHCP:
        schedule_dhcp(d, port.network_id)


def _device_changes(d: Decision, port: Port, changes: Mapping[str, Any]) -> dict[str, str]:
    device_owner = (changes["device_owner"] or "") if "device_owner" in changes else port.device_owner
    device_id = (changes["device_id"] or "") if "device_id" in changes else port.device_id
    if device_owner != port.device_owner or device_id != port.device_id:
        port_rules.refuse_foreign_device(d, device_owner, device_id)
    return {"device_owner": device_owner, "device_id": device_id}


def _address_changes(d: Decision, port: Port, changes: Mapping[str, Any], device_owner: str) -> dict[str, Any]:
    """Gives the new MAC and addresses; nothing when neither was asked for."""
    values: dict[str, Any] = {}
    mac_address = port.mac_address
    if changes.get("mac_address") and checked_mac(changes["mac_address"]) != port.mac_address:
        bound_as = vif_type(d.snapshot, port)
        if bound_as == "ovs":
            raise fault(
                "PortBound",
                port_id=port.id,
                vif_type=bound_as,
                old_mac=port.mac_address,
                new_mac=changes["mac_address"],
            )
        mac_address = values["mac_address"] = pick_mac(d, port.network_id, changes["mac_address"])
    if "fixed_ips" in changes or values:
        wanted = (changes["fixed_ips"] or ()) if "fixed_ips" in changes else None
        port_rules.refuse_too_many_addresses(d, wanted)
        claimant = Claimant(port.network_id, mac_address, device_owner)
        values["fixed_ips"] = repick_addresses(d, claimant, port.fixed_ips, wanted)
    return values


def _binding_changes(d: Decision, port: Port, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the new host, vnic type and profile; a port on a new host starts over."""
    values: dict[str, Any] = {}
    if "host_id" in changes and (changes["host_id"] or "") != port.host_id:
        values = {"host_id": changes["host_id"] or "", "realised_on": (), "status": "DOWN"}
    if "vnic_type" in changes and changes["vnic_type"] != port.vnic_type:
        if vif_type(d.snapshot, port) != "unbound":
            raise fault("PortInUse", port_id=port.id, net_id=port.network_id, device_id=port.device_id)
        values["vnic_type"] = changes["vnic_type"]
    if "profile" in changes:
        values["profile"] = port_rules.checked_profile(changes["profile"])
    return values


def _put_changed(d: Decision, port: Port, values: Mapping[str, Any]) -> Port:
    """Puts the changed row and makes tags, status and DHCP follow; the revision number rises once."""
    changed = d.draft.update(port, d.now, **values)
    if changed.host_id != port.host_id:
        release_tag(d, port.host_id, port.network_id)
        hold_tag(d, changed)
    if changed.fixed_ips != port.fixed_ips:
        leave_port(d, port.id, changed.fixed_ips)
        leave_forwardings(d, port.id, changed.fixed_ips)
    if changed.admin_state_up != port.admin_state_up:
        changed = _with_status(d, changed)
    if DHCP in (port.device_owner, changed.device_owner):
        schedule_dhcp(d, port.network_id)
        # Scheduling may have given the server back what the caller took from it.
        changed = d.snapshot.get(Port, port.id) or changed
    return changed


def _with_status(d: Decision, port: Port) -> Port:
    status = status_of(d.snapshot, port)
    return port if status == port.status else d.draft.put(msgspec.structs.replace(port, status=status))
