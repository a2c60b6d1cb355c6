"""What a caller may ask of a port beyond owning it: rules that need to know whose the network is.

Source: Neutron's default policies for ports (conf/policies/port.py); SECURITY.md, CVE-2014-0056, 2015-5240,
2018-14635 and 2026-50266.  Rules that need the caller's roles alone (who may name a host) are the edge's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from netglass.control.addresses import held_answers
from netglass.control.decision import Decision
from netglass.control.faults import disallowed, fault, invalid_input
from netglass.control.owners import ROUTER_INTERFACES, SERVED, is_privileged
from netglass.control.visibility import is_external, is_shared, owns
from netglass.model.resources import FloatingIp, Network, Port, Router, Row, Server

_LONGEST_PROFILE = 4095  # bytes of JSON


def require_rights_to_create(d: Decision, network: Network, wanted: Mapping[str, Any]) -> None:
    """Raises PolicyNotAuthorized for what only an admin or the network's owner may give on a network of others.

    On an external network that is not shared: any port at all.  Else: a MAC, an address (not: a subnet), an owner that
    the network's own services have, port security other than the network's, and address pairs.
    """
    if d.caller.is_admin or owns(d.caller, network):
        return
    if is_external(d.snapshot, network) and not is_shared(d.snapshot, network, d.caller.project_id):
        raise disallowed("create_port")
    if is_privileged(wanted.get("device_owner") or ""):
        raise disallowed("create_port:device_owner")
    if wanted.get("mac_address"):
        raise disallowed("create_port:mac_address")
    if any("ip_address" in wish for wish in _wishes(wanted)):
        raise disallowed("create_port:fixed_ips:ip_address")
    if wanted.get("port_security_enabled", network.port_security_enabled) != network.port_security_enabled:
        raise disallowed("create_port:port_security_enabled")
    if wanted.get("allowed_address_pairs"):
        raise disallowed("create_port:allowed_address_pairs")


def require_rights_to_update(d: Decision, network: Network | None, port: Port, changes: Mapping[str, Any]) -> None:
    """Raises PolicyNotAuthorized for changes that only an admin or the network's owner may make.

    As `require_rights_to_create`, and any change of addresses.  A value that the port has already is no change.
    """
    if d.caller.is_admin or (network is not None and owns(d.caller, network)):
        return
    device_owner = changes.get("device_owner", port.device_owner) or ""
    if device_owner != port.device_owner and is_privileged(device_owner):
        raise disallowed("update_port:device_owner")
    if (changes.get("mac_address") or port.mac_address) != port.mac_address:
        raise disallowed("update_port:mac_address")
    if "fixed_ips" in changes and not _same_addresses(port, changes["fixed_ips"] or ()):
        raise disallowed("update_port:fixed_ips")
    if changes.get("port_security_enabled", port.port_security_enabled) != port.port_security_enabled:
        raise disallowed("update_port:port_security_enabled")
    if changes.get("allowed_address_pairs"):
        raise disallowed("update_port:allowed_address_pairs")


def _wishes(wanted: Mapping[str, Any]) -> Iterable[Mapping[str, str]]:
    return wanted.get("fixed_ips") or ()


def _same_addresses(port: Port, wishes: Sequence[Mapping[str, str]]) -> bool:
    """Says whether a port keeps all that it has: each wish is for one of its addresses, or for a subnet of one."""
    return len(held_answers(port.fixed_ips, wishes)) == len(wishes) == len(port.fixed_ips)


def refuse_foreign_device(d: Decision, device_owner: str, device_id: str) -> None:
    """Raises DeviceIDNotOwnedByTenant when a port would claim to belong to somebody else's object.

    A router's interface is made by the router's own calls, which look after what it must not overlap; stricter than
    Neutron, only an admin may make a port into one.  Any other port must not name a server of another project.
    """
    if not device_id or d.caller.is_admin:
        return
    server: Row | None = d.snapshot.get(Server, device_id)
    if device_owner in ROUTER_INTERFACES or (server is not None and not owns(d.caller, server)):
        raise fault("DeviceIDNotOwnedByTenant", device_id=device_id)


def refuse_to_bend_service(d: Decision, port: Port, changes: Mapping[str, Any]) -> None:
    """Raises BadRequest for a change that would take a router's or a floating IP's port away from it.

    A port that names none that there is may be freed.
    """
    if port.device_owner not in SERVED:
        return
    if d.snapshot.get(Router, port.device_id) is None and d.snapshot.get(FloatingIp, port.device_id) is None:
        return
    for name in ("device_id", "device_owner", "host_id", "mac_address"):
        if name in changes and (changes[name] or "") != getattr(port, name):
            raise _bent(port, name)
    if "fixed_ips" in changes and not _same_addresses(port, changes["fixed_ips"] or ()):
        raise _bent(port, "fixed_ips")


def _bent(port: Port, name: str) -> Exception:
    reason = f"{name} of a port with device owner {port.device_owner} changes with {port.device_id} only"
    return fault("BadRequest", resource="port", msg=reason)


def checked_profile(given: Mapping[str, Any] | None) -> dict[str, object]:
    """Gives ``binding:profile`` as it is, None as empty; raises InvalidInput when its JSON is too long."""
    profile = dict(given or {})
    if len(msgspec.json.encode(profile)) > _LONGEST_PROFILE:
        raise invalid_input("binding:profile value too large")
    return profile


def refuse_too_many_addresses(d: Decision, fixed_ips: Any) -> None:
    """Raises InvalidInput when more addresses are asked for than a port may have."""
    if fixed_ips is not None and len(fixed_ips) > d.settings.max_fixed_ips_per_port:
        raise invalid_input("Exceeded maximum amount of fixed ips per port")
