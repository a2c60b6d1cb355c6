"""Address groups: named sets of addresses that rules may refer to.

Source: Networking API v2.0, ``address-group``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from netglass.control.decision import Decision
from netglass.control.default_rules import default_rules
from netglass.control.faults import fault
from netglass.control.visibility import project_for, require_delete, require_update, visible
from netglass.model.resources import AddressGroup


def find_address_group(d: Decision, group_id: str) -> AddressGroup:
    """Gives an address group that the caller sees; raises AddressGroupNotFound."""
    group = d.snapshot.get(AddressGroup, group_id)
    if group is None or not visible(d.caller, group, d.snapshot):
        raise fault("AddressGroupNotFound", address_group_id=group_id)
    return group


def decide_create_address_group(d: Decision, wanted: Mapping[str, Any]) -> AddressGroup:
    """Makes an address group; gives the row.

    wanted  may hold name, description, project_id, and addresses: CIDRs, in which bits of a host are dropped
    """
    return d.draft.put(
        AddressGroup(
            id=d.fresh.uuid(),
            project_id=project_for(d, wanted),
            name=wanted.get("name") or "",
            description=wanted.get("description") or "",
            addresses=_canonical(wanted.get("addresses") or ()),
            created_at=d.now,
            updated_at=d.now,
        )
    )


def decide_update_address_group(d: Decision, group: AddressGroup, changes: Mapping[str, Any]) -> AddressGroup:
    """Changes name or description; raises AddressGroupNotFound or PolicyNotAuthorized (another's group)."""
    require_update(d, group)
    return d.draft.update(group, d.now, **changes)


def decide_delete_address_group(d: Decision, group: AddressGroup) -> None:
    """Deletes an address group.

    Raises AddressGroupNotFound or PolicyNotAuthorized (another's group), AddressGroupInUse while a rule names it.
    """
    require_delete(d, group)
    used = bool(d.snapshot.ids("security_group_rules_by_address_group", group.id))
    if used or any(rule.remote_address_group_id == group.id for rule in default_rules(d.snapshot)):
        raise fault("AddressGroupInUse", address_group_id=group.id)
    for policy in d.snapshot.rows("rbac_policies_by_object", group.id):
        d.draft.drop(policy)
    d.draft.drop(group)


def decide_add_addresses(d: Decision, group: AddressGroup, addresses: Iterable[str]) -> AddressGroup:
    """Adds CIDRs to a group; gives the new row.

    Raises AddressGroupNotFound or PolicyNotAuthorized (another's group), AddressesAlreadyExist when it has one of them.
    """
    require_update(d, group)
    wanted = _canonical(addresses)
    if present := sorted({*wanted} & {*group.addresses}):
        raise fault("AddressesAlreadyExist", addresses=present, address_group_id=group.id)
    return d.draft.update(group, d.now, addresses=tuple(sorted({*wanted, *group.addresses})))


def decide_remove_addresses(d: Decision, group: AddressGroup, addresses: Iterable[str]) -> AddressGroup:
    """Takes CIDRs out of a group; gives the new row.

    Raises AddressGroupNotFound or PolicyNotAuthorized (another's group), AddressesNotFound when it lacks one of them.
    """
    require_update(d, group)
    wanted = _canonical(addresses)
    if absent := sorted({*wanted} - {*group.addresses}):
        raise fault("AddressesNotFound", addresses=absent, address_group_id=group.id)
    return d.draft.update(group, d.now, addresses=tuple(sorted({*group.addresses} - {*wanted})))


def _canonical(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({str(ip_network(address, strict=False)) for address in addresses}))
