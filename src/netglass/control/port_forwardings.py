"""Port forwardings: ports of a floating IP, single ones or ranges, translated to ports of a project's ports.

A floating IP is either for one port as a whole, or has forwardings; all of these are done by the one router that the
first of them chose, and the floating IP is the router's until the last one goes.
Source: Networking API v2.0, extension ``floating-ip-port-forwarding`` with descriptions and ranges; the faults and
their words are those of Neutron's port forwarding plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from netglass.base.errors import Bug
from netglass.control import quotas
from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.floating_ips import ipv4_addresses, refuse_foreign_port, rest_anew
from netglass.control.router_subnets import router_between
from netglass.control.visibility import find_port, require_update
from netglass.model.resources import FixedIp, FloatingIp, Port, PortForwarding

_ENDS = ("external", "internal")
_CHANGEABLE = frozenset(
    {
        "description",
        "protocol",
        "internal_port_id",
        "internal_ip_address",
        *(f"{end}_port" for end in _ENDS),
        *(f"{end}_port_range" for end in _ENDS),
    }
)


def decide_create_forwarding(d: Decision, wanted: Mapping[str, Any]) -> PortForwarding:
    """Forwards ports of a floating IP; gives the row.  It belongs to the floating IP's project.

    wanted  floating_ip_id, protocol, internal_port_id; external_port or external_port_range, and the same for
            internal, a range as (first, last); perhaps internal_ip_address (absent: the port's first IPv4 one) and
            description

    Raises FloatingIPNotFound or PolicyNotAuthorized (another's), PortNotFound, OverQuota, BadRequest (ports that
    collide or do not pair, an address that the port has not, no way from there to the external network, or one by
    another router), FloatingIPPortAlreadyAssociated, PortHasBindingFloatingIP.
    """
    floating = d.snapshot.get(FloatingIp, wanted["floating_ip_id"])
    if floating is None:
        raise fault("FloatingIPNotFound", floatingip_id=wanted["floating_ip_id"])
    require_update(d, floating)
    quotas.check(d, "port_forwarding", floating.project_id)
    external, internal = _ports(wanted, "external"), _ports(wanted, "internal")
    if external is None or internal is None:
        raise _bad("An external and an internal port, or a range of each, must be specified")
    port = _port_for(d, floating, wanted["internal_port_id"])
    fixed = _fixed(d, port, wanted.get("internal_ip_address") or "")
    forwarding = PortForwarding(
        id=d.fresh.uuid(),
        project_id=floating.project_id,
        description=wanted.get("description") or "",
        floating_ip_id=floating.id,
        protocol=wanted["protocol"],
        external_port=external[0],
        external_port_last=external[1],
        internal_port_id=port.id,
        internal_ip_address=fixed.ip_address,
        internal_port=internal[0],
        internal_port_last=internal[1],
        created_at=d.now,
        updated_at=d.now,
    )
    _refuse_collision(d, forwarding)
    _refuse_bound(d, port, fixed)
    if floating.port_id:
        raise fault(
            "FloatingIPPortAlreadyAssociated",
            floating_ip_address=floating.floating_ip_address,
            fip_id=floating.id,
            port_id=port.id,
            fixed_ip=fixed.ip_address,
            net_id=floating.floating_network_id,
        )
    _give_router(d, floating, port, fixed)
    return d.draft.put(forwarding)


def decide_update_forwarding(d: Decision, forwarding: PortForwarding, changes: Mapping[str, Any]) -> PortForwarding:
    """Changes a port forwarding; gives the new row.

    changes  as `decide_create_forwarding`; a new internal port without an address gets its first IPv4 one

    Raises PortForwardingNotFound or PolicyNotAuthorized (another's), and as `decide_create_forwarding`.
    """
    require_update(d, forwarding)
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise Bug(f"attributes of a port forwarding that nobody may change reached the decision: {sorted(unknown)}")
    values: dict[str, Any] = {name: changes[name] for name in ("description", "protocol") if name in changes}
    for end in _ENDS:
        if (ports := _ports(changes, end)) is not None:
            values[f"{end}_port"], values[f"{end}_port_last"] = ports
    values |= _target_changes(d, forwarding, changes)
    _refuse_collision(d, msgspec.structs.replace(forwarding, **values))
    return d.draft.update(forwarding, d.now, **values)


def decide_delete_forwarding(d: Decision, forwarding: PortForwarding) -> None:
    """Deletes a port forwarding; with the last one its floating IP is no router's any more.

    Raises PortForwardingNotFound or PolicyNotAuthorized (another's).
    """
    require_update(d, forwarding)
    _drop(d, forwarding)


def leave_forwardings(d: Decision, port_id: str, kept: tuple[FixedIp, ...] = ()) -> None:
    """Drops the forwardings to a port that goes, or loses addresses, as Neutron does.

    kept  addresses that the port still has
    """
    addresses = {fixed.ip_address for fixed in kept}
    for forwarding in d.snapshot.rows("port_forwardings_by_port", port_id):
        if forwarding.internal_ip_address not in addresses:
            _drop(d, forwarding)


def _drop(d: Decision, forwarding: PortForwarding) -> None:
    d.draft.drop(forwarding)
    floating = d.snapshot.get(FloatingIp, forwarding.floating_ip_id)
    if floating is not None and not d.snapshot.ids("port_forwardings_by_floating_ip", floating.id):
        rest_anew(d, floating)
        d.draft.update(floating, d.now, router_id="")


def _ports(wanted: Mapping[str, Any], end: str) -> tuple[int, int] | None:
    """Gives the first and last port of one end, None when none is named; raises BadRequest for two that differ."""
    single, several = wanted.get(f"{end}_port"), wanted.get(f"{end}_port_range")
    if single is not None and several is not None and several != (single, single):
        raise _bad(f"{end}_port {single} and {end}_port_range {_text(several)} contradict each other")
    return (single, single) if single is not None else several


def _target_changes(d: Decision, forwarding: PortForwarding, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the port and the address that it is for, when the changes name one of them."""
    port_id, address = changes.get("internal_port_id"), changes.get("internal_ip_address")
    if not port_id and not address:
        return {}
    floating = d.snapshot.get(FloatingIp, forwarding.floating_ip_id)
    if floating is None:
        raise Bug(f"port forwarding {forwarding.id} is of floating IP {forwarding.floating_ip_id}, which is not there")
    port = _port_for(d, floating, port_id or forwarding.internal_port_id)
    same = port.id == forwarding.internal_port_id
    fixed = _fixed(d, port, address or (forwarding.internal_ip_address if same else ""))
    if port_id:
        _refuse_bound(d, port, fixed)
    _give_router(d, floating, port, fixed)
    return {"internal_port_id": port.id, "internal_ip_address": fixed.ip_address}


def _port_for(d: Decision, floating: FloatingIp, port_id: str) -> Port:
    port = find_port(d, port_id)
    refuse_foreign_port(d, floating, port)
    return port


def _fixed(d: Decision, port: Port, wanted: str) -> FixedIp:
    """Gives the port's address that is meant: the one wanted, else its first IPv4 one."""
    found = ipv4_addresses(d, port)
    if not found:
        raise _bad(f"Requested internal port {port.id} must allocate an IPv4 address at least.")
    if not wanted:
        return found[0]
    named = next((fixed for fixed in found if fixed.ip_address == wanted), None)
    if named is None:
        held = ", ".join(fixed.ip_address for fixed in found)
        raise _bad(
            f"Requested internal IP address {wanted} is not suitable for internal neutron port {port.id}, as its"
            f" fixed_ips are {held}"
        )
    return named


def _refuse_collision(d: Decision, new: PortForwarding) -> None:
    """Raises BadRequest for ports that do not pair, or that another forwarding has outside or inside."""
    outer, inner = (new.external_port, new.external_port_last), (new.internal_port, new.internal_port_last)
    if inner[1] - inner[0] not in (0, outer[1] - outer[0]):
        raise _bad(
            "Invalid ranges of internal and/or external ports. The relation between internal and external ports must be"
            " N-N or 1-N"
        )
    one: PortForwarding
    for one in d.snapshot.rows("port_forwardings_by_port", new.internal_port_id):
        if one.internal_ip_address == new.internal_ip_address:
            _refuse_meeting(new, one, inner, "internal")
    for one in d.snapshot.rows("port_forwardings_by_floating_ip", new.floating_ip_id):
        _refuse_meeting(new, one, outer, "external")


def _refuse_meeting(new: PortForwarding, other: PortForwarding, ports: tuple[int, int], end: str) -> None:
    if other.id == new.id or other.protocol != new.protocol:
        return
    there: tuple[int, int] = (getattr(other, f"{end}_port"), getattr(other, f"{end}_port_last"))
    if there[0] <= ports[1] and ports[0] <= there[1]:
        raise _bad(
            f"There is a port collision with the {end}_port_range. The following ranges collide: {_text(there)} and"
            f" {_text(ports)}"
        )


def _refuse_bound(d: Decision, port: Port, fixed: FixedIp) -> None:
    for floating in d.snapshot.rows("floating_ips_by_port", port.id):
        raise fault(
            "PortHasBindingFloatingIP",
            floating_ip_address=floating.floating_ip_address,
            fip_id=floating.id,
            port_id=port.id,
            fixed_ip=fixed.ip_address,
        )


def _give_router(d: Decision, floating: FloatingIp, port: Port, fixed: FixedIp) -> None:
    """Makes the floating IP the router's that reaches the port; raises BadRequest for none, or another than it has."""
    router_id = router_between(d.snapshot, floating.floating_network_id, fixed.subnet_id)
    if router_id is None:
        raise _bad(
            f"External network {floating.floating_network_id} is not reachable from subnet {fixed.subnet_id}. Cannot"
            f" set Port forwarding for port {port.id} with Floating IP {floating.id}"
        )
    if floating.router_id and floating.router_id != router_id:
        raise _bad(
            f"The Floating IP {floating.id} had been set on router {floating.router_id}, the internal Neutron port"
            f" {port.id} can not reach it"
        )
    if not floating.router_id:
        rest_anew(d, floating)
        d.draft.update(floating, d.now, router_id=router_id)


def _text(ports: tuple[int, int]) -> str:
    return f"{ports[0]}:{ports[1]}"


def _bad(message: str) -> Exception:
    return fault("BadRequest", resource="port_forwarding", msg=message)
