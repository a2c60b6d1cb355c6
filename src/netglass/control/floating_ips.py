"""Floating IPs: external addresses that projects hold, and give to their ports one at a time.

Source: Networking API v2.0, floatingips; the faults and their words are those of Neutron's l3 plugin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from netglass.base.errors import Bug
from netglass.control import quotas
from netglass.control.addresses import Picks, candidate_subnets, lowest_free
from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.owners import FLOATING
from netglass.control.router_subnets import router_between
from netglass.control.service_ports import Service, drop_port, make_port
from netglass.control.tags import ordered_tags
from netglass.control.visibility import (
    find_network,
    find_port,
    is_external,
    project_for,
    require_delete,
    require_update,
)
from netglass.model.resources import FixedIp, FloatingIp, Network, Port, Router, Subnet
from netglass.model.snapshot import Snapshot

_CHANGEABLE = frozenset({"description", "tags", "port_id", "fixed_ip_address"})


class _Target(NamedTuple):
    """What a floating IP is translated to, and by which router; all empty for nothing."""

    port_id: str = ""
    fixed_ip_address: str = ""
    router_id: str = ""


def decide_create_floating_ip(d: Decision, wanted: Mapping[str, Any]) -> FloatingIp:
    """Takes an external address for a project, and translates it to a port if one is named; gives the row.

    wanted  floating_network_id must be there; floating_ip_address and subnet_id narrow the choice of the address;
            port_id, fixed_ip_address, description, tags

    Raises NetworkNotFound, BadRequest (no external network, no such address of the port), OverQuota,
    ExternalIpAddressExhausted, ExternalGatewayForFloatingIPNotFound, FloatingIPPortAlreadyAssociated, and what
    `pick_addresses` raises.
    """
    project_id = project_for(d, wanted)
    network = find_network(d, wanted["floating_network_id"])
    if not is_external(d.snapshot, network):
        raise _bad(f"Network {network.id} is not a valid external network")
    quotas.check(d, "floatingip", project_id)
    floating_id = d.fresh.uuid()
    port = make_port(d, network, Service(FLOATING, floating_id), [_wish(d, network, wanted)])
    floating = FloatingIp(
        id=floating_id,
        project_id=project_id,
        description=wanted.get("description") or "",
        tags=ordered_tags("floatingip", wanted.get("tags") or ()),
        floating_network_id=network.id,
        floating_ip_address=port.fixed_ips[0].ip_address,
        floating_port_id=port.id,
        created_at=d.now,
        updated_at=d.now,
    )
    target = _target(d, floating, wanted.get("port_id") or "", wanted.get("fixed_ip_address") or "")
    return d.draft.put(_aimed(floating, target))


def decide_update_floating_ip(d: Decision, floating: FloatingIp, changes: Mapping[str, Any]) -> FloatingIp:
    """Changes a floating IP: its words, or the port that it is for (None takes it from its port); gives the new row.

    Raises FloatingIPNotFound or PolicyNotAuthorized (another's), FipInUseByPortForwarding (a port for one with
    forwardings), and as `decide_create_floating_ip`.
    """
    require_update(d, floating)
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise Bug(f"attributes of a floating IP that nobody may change reached the decision: {sorted(unknown)}")
    values: dict[str, Any] = {}
    if "description" in changes:
        values["description"] = changes["description"]
    if "tags" in changes:
        values["tags"] = ordered_tags("floatingip", changes["tags"])
    if "port_id" in changes or "fixed_ip_address" in changes:
        port_id = (changes["port_id"] or "") if "port_id" in changes else floating.port_id
        if port_id or floating.port_id or changes.get("fixed_ip_address"):
            target = _target(d, floating, port_id, changes.get("fixed_ip_address") or "")
            values |= target._asdict()
            _aim_anew(d, floating, target)
    return d.draft.update(floating, d.now, **values)


def decide_delete_floating_ip(d: Decision, floating: FloatingIp) -> None:
    """Gives a floating IP's address back.

    Raises FloatingIPNotFound or PolicyNotAuthorized (another's), FipInUseByPortForwarding while ports are forwarded.
    """
    require_delete(d, floating)
    if d.snapshot.ids("port_forwardings_by_floating_ip", floating.id):
        raise fault("FipInUseByPortForwarding", id=floating.id)
    _drop(d, floating)


def drop_unused(d: Decision, network_id: str) -> None:
    """Gives back a network's floating IPs that are for nobody, whosever they are."""
    floating: FloatingIp
    for floating in d.snapshot.rows("floating_ips_by_network", network_id):
        if not floating.port_id and not floating.router_id:
            _drop(d, floating)


def _drop(d: Decision, floating: FloatingIp) -> None:
    port = d.snapshot.get(Port, floating.floating_port_id)
    if port is not None:
        drop_port(d, port)
    d.draft.drop(floating)


def leave_port(d: Decision, port_id: str, kept: tuple[FixedIp, ...] = ()) -> None:
    """Takes floating IPs from a port that goes, or loses addresses.

    kept  addresses that the port still has
    """
    addresses = {fixed.ip_address for fixed in kept}
    for floating in d.snapshot.rows("floating_ips_by_port", port_id):
        if floating.fixed_ip_address not in addresses:
            _aim_anew(d, floating, _Target())
            d.draft.update(floating, d.now, **_Target()._asdict())


def status_of_floating_ip(snapshot: Snapshot, floating: FloatingIp) -> str:
    """Gives ACTIVE once the host of its router has said that it translates, DOWN before and without a port."""
    router = snapshot.get(Router, floating.router_id) if floating.router_id else None
    port = snapshot.get(Port, floating.floating_port_id)
    active = router is not None and port is not None and router.host_id in port.realised_on
    return "ACTIVE" if active else "DOWN"


def _aimed(floating: FloatingIp, target: _Target) -> FloatingIp:
    return msgspec.structs.replace(floating, **target._asdict())


def _aim_anew(d: Decision, floating: FloatingIp, target: _Target) -> None:
    if target != (floating.port_id, floating.fixed_ip_address, floating.router_id):
        rest_anew(d, floating)


def rest_anew(d: Decision, floating: FloatingIp) -> None:
    """Forgets that hosts had the translation in place, as it becomes another one."""
    port = d.snapshot.get(Port, floating.floating_port_id)
    if port is not None:
        d.draft.update(port, d.now, realised_on=())


def _wish(d: Decision, network: Network, wanted: Mapping[str, Any]) -> dict[str, str]:
    """Gives the wish for the one IPv4 address of a new floating IP."""
    wish = {"ip_address": wanted.get("floating_ip_address"), "subnet_id": wanted.get("subnet_id")}
    named = {key: value for key, value in wish.items() if value}
    if named:
        return named
    subnets = [s for s in candidate_subnets(d.snapshot, network.id, FLOATING) if s.ip_version == 4]
    if not subnets:
        raise _bad(f"Network {network.id} does not contain any IPv4 subnet")
    found = lowest_free(Picks(d.snapshot), subnets)
    if found is None:
        raise fault("ExternalIpAddressExhausted", net_id=network.id)
    return {"ip_address": found.ip_address}


def _target(d: Decision, floating: FloatingIp, port_id: str, fixed_ip_address: str) -> _Target:
    if not port_id:
        if fixed_ip_address:
            raise _bad("fixed_ip_address cannot be specified without a port_id")
        return _Target()
    if d.snapshot.ids("port_forwardings_by_floating_ip", floating.id):
        raise fault("FipInUseByPortForwarding", id=floating.id)
    port = find_port(d, port_id)
    refuse_foreign_port(d, floating, port)
    fixed = _fixed(d, port, fixed_ip_address)
    _refuse_second(d, floating, port, fixed)
    router_id = _router(d, floating.floating_network_id, port, fixed)
    return _Target(port.id, fixed.ip_address, router_id)


def refuse_foreign_port(d: Decision, floating: FloatingIp, port: Port) -> None:
    """Raises BadRequest when a floating IP would be for another project's port, unless an administrator says so."""
    if port.project_id != floating.project_id and not d.caller.is_admin:
        raise _bad(
            f"Port {port.id} is associated with a different tenant than Floating IP {floating.id} and therefore cannot"
            " be bound."
        )


def ipv4_addresses(d: Decision, port: Port) -> list[FixedIp]:
    """Gives a port's IPv4 addresses, in the port's own order."""
    subnets = [(fixed, d.snapshot.get(Subnet, fixed.subnet_id)) for fixed in port.fixed_ips]
    return [fixed for fixed, subnet in subnets if subnet is not None and subnet.ip_version == 4]


def _fixed(d: Decision, port: Port, wanted: str) -> FixedIp:
    """Gives the port's address that is meant: the one wanted, else its only IPv4 address."""
    found = ipv4_addresses(d, port)
    if wanted:
        named = [fixed for fixed in port.fixed_ips if fixed.ip_address == wanted]
        if not named:
            raise _bad(f"Port {port.id} does not have fixed ip {wanted}")
        if named[0] not in found:
            raise _bad(f"Cannot process floating IP association with {wanted}: it is not an IPv4 address")
        return named[0]
    if not found:
        raise _bad(f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses")
    if len(found) > 1:
        raise _bad(
            f"Port {port.id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a"
            " floating IP"
        )
    return found[0]


def _refuse_second(d: Decision, floating: FloatingIp, port: Port, fixed: FixedIp) -> None:
    for other in d.snapshot.rows("floating_ips_by_port", port.id):
        same = (fixed.ip_address, floating.floating_network_id)
        if other.id != floating.id and (other.fixed_ip_address, other.floating_network_id) == same:
            raise fault(
                "FloatingIPPortAlreadyAssociated",
                floating_ip_address=floating.floating_ip_address,
                fip_id=floating.id,
                port_id=port.id,
                fixed_ip=fixed.ip_address,
                net_id=floating.floating_network_id,
            )


def _router(d: Decision, external_network_id: str, port: Port, fixed: FixedIp) -> str:
    found = router_between(d.snapshot, external_network_id, fixed.subnet_id)
    if found is None:
        raise fault(
            "ExternalGatewayForFloatingIPNotFound",
            external_network_id=external_network_id,
            subnet_id=fixed.subnet_id,
            port_id=port.id,
        )
    return found


def _bad(message: str) -> Exception:
    return fault("BadRequest", resource="floatingip", msg=message)
