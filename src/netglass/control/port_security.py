"""What filters a port's frames: port security, security groups, allowed address pairs, and how they fit together.

Ports of the cloud's own services (``network:``) are trusted: no port security, no groups.
Source: Networking API extensions ``port-security``, ``security-group`` and ``allowed-address-pairs``; Neutron's ML2
plugin for their order.  SECURITY.md: CVE-2014-3555 (a limit of pairs), CVE-2015-5240 (who is trusted).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.owners import is_trusted
from netglass.control.security_groups import ensure_default_group
from netglass.control.visibility import is_shared
from netglass.model.resources import AddressPair, Network, Port, SecurityGroup


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """Those fields of a port that say how its frames are filtered."""

    port_security_enabled: bool
    security_group_ids: tuple[str, ...]  # ascending
    allowed_address_pairs: tuple[AddressPair, ...]

    def fields(self) -> dict[str, Any]:
        """Gives them by name, for the port's row."""
        return msgspec.structs.asdict(self)


def protection_of_new(d: Decision, network: Network, project_id: str, wanted: Mapping[str, Any]) -> Protection:
    """Gives the protection of a new port; without a word on groups, its project's default group.

    wanted  may hold port_security_enabled, security_group_ids, allowed_address_pairs, device_owner, mac_address

    Raises SecurityGroupNotFound, SecurityGroupConflict (stateful and stateless ones together),
    PortSecurityAndIPRequiredForSecurityGroups, AddressPairAndPortSecurityRequired, AllowedAddressPairExhausted,
    DuplicateAddressPairInRequest.
    """
    trusted = is_trusted(wanted.get("device_owner") or "")
    enabled = not trusted and wanted.get("port_security_enabled", network.port_security_enabled)
    pairs = _pairs(d, wanted.get("allowed_address_pairs") or (), wanted.get("mac_address") or "")
    group_ids = wanted.get("security_group_ids")
    if not enabled:
        if pairs:
            raise fault("AddressPairAndPortSecurityRequired")
        if group_ids:
            raise fault("PortSecurityAndIPRequiredForSecurityGroups")
        group_ids = ()
    elif group_ids is None:
        default = ensure_default_group(d, project_id)
        group_ids = (default.id,) if default is not None else ()
    groups = _usable_groups(d, project_id, group_ids)
    return Protection(port_security_enabled=enabled, security_group_ids=groups, allowed_address_pairs=pairs)


def protection_of_changed(d: Decision, port: Port, changes: Mapping[str, Any]) -> Protection:
    """Gives the protection of a port that changes; what is not asked for stays.

    changes  as `protection_of_new`, whose faults it raises
    Raises PortSecurityPortHasSecurityGroup when port security is switched off and the groups stay.
    """
    ensure_default_group(d, port.project_id)
    enabled = changes.get("port_security_enabled", port.port_security_enabled)
    group_ids, pairs = port.security_group_ids, port.allowed_address_pairs
    if "allowed_address_pairs" in changes:
        mac_address = changes.get("mac_address") or port.mac_address
        pairs = _pairs(d, changes["allowed_address_pairs"] or (), mac_address)
    if "security_group_ids" in changes:
        group_ids = _usable_groups(d, port.project_id, changes["security_group_ids"] or ())
    if not enabled:
        if pairs:
            raise fault("AddressPairAndPortSecurityRequired")
        if group_ids:
            asked = "security_group_ids" in changes
            name = "PortSecurityAndIPRequiredForSecurityGroups" if asked else "PortSecurityPortHasSecurityGroup"
            raise fault(name)
    return Protection(port_security_enabled=enabled, security_group_ids=group_ids, allowed_address_pairs=pairs)


def _usable_groups(d: Decision, project_id: str, group_ids: Iterable[str]) -> tuple[str, ...]:
    """Gives group ids ascending, each once, after checking that a port of the project may have them all."""
    wanted = sorted(set(group_ids))
    found = {group_id: d.snapshot.get(SecurityGroup, group_id) for group_id in wanted}
    groups = [group for group in found.values() if group is not None and _may_use(d, project_id, group)]
    if missing := [group_id for group_id in wanted if group_id not in {group.id for group in groups}]:
        raise fault("SecurityGroupNotFound", id=", ".join(missing))
    if len({group.stateful for group in groups}) > 1:
        reason = "Cannot apply both stateful and stateless security groups on the same port at the same time"
        raise fault("SecurityGroupConflict", reason=reason)
    return tuple(wanted)


def _may_use(d: Decision, project_id: str, group: SecurityGroup) -> bool:
    own = d.caller.is_admin or not project_id or group.project_id == project_id
    return own or is_shared(d.snapshot, group, project_id)


def _pairs(d: Decision, wanted: Iterable[Mapping[str, str]], mac_address: str) -> tuple[AddressPair, ...]:
    """Gives address pairs in the caller's order.

    mac_address  the port's own, which a pair without one has; empty while it is not chosen yet
    """
    pairs = tuple(AddressPair(pair["ip_address"], pair.get("mac_address") or "") for pair in wanted)
    if len(pairs) > d.settings.max_allowed_address_pairs:
        raise fault("AllowedAddressPairExhausted", quota=d.settings.max_allowed_address_pairs)
    seen: set[tuple[str, str]] = set()
    for pair in pairs:
        mac = pair.mac_address or mac_address
        if (pair.ip_address, mac) in seen:
            raise fault("DuplicateAddressPairInRequest", mac_address=mac, ip_address=pair.ip_address)
        seen.add((pair.ip_address, mac))
    return pairs
