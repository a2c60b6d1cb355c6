"""Address scopes: where addresses are unique.  Subnet pools are put into them; routers do not translate inside of one.

Source: Networking API v2.0, extension ``address-scope``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.visibility import project_for, require_delete, require_update, visible
from netglass.model.resources import AddressScope, Subnet
from netglass.model.snapshot import Snapshot


def find_address_scope(d: Decision, scope_id: str) -> AddressScope:
    """Gives an address scope that the caller sees; raises AddressScopeNotFound."""
    scope = d.snapshot.get(AddressScope, scope_id)
    if scope is None or not visible(d.caller, scope, d.snapshot):
        raise fault("AddressScopeNotFound", address_scope_id=scope_id)
    return scope


def decide_create_address_scope(d: Decision, wanted: Mapping[str, Any]) -> AddressScope:
    """Makes an address scope; gives the row.

    wanted  ip_version must be there; name, shared, project_id
    """
    return d.draft.put(
        AddressScope(
            id=d.fresh.uuid(),
            project_id=project_for(d, wanted),
            name=wanted.get("name") or "",
            ip_version=wanted["ip_version"],
            shared=wanted.get("shared", False),
            created_at=d.now,
            updated_at=d.now,
        )
    )


def decide_update_address_scope(d: Decision, scope: AddressScope, changes: Mapping[str, Any]) -> AddressScope:
    """Changes name or shared; gives the new row.

    Raises AddressScopeNotFound or PolicyNotAuthorized (another's scope), AddressScopeUpdateError when a shared one
    would be shared no more.
    """
    require_update(d, scope)
    if scope.shared and changes.get("shared") is False:
        raise fault(
            "AddressScopeUpdateError", address_scope_id=scope.id, reason="Shared address scope can't be unshared"
        )
    return d.draft.update(scope, d.now, **changes)


def decide_delete_address_scope(d: Decision, scope: AddressScope) -> None:
    """Deletes an address scope.

    Raises AddressScopeNotFound or PolicyNotAuthorized (another's scope), AddressScopeInUse while pools are in it.
    """
    require_delete(d, scope)
    if d.snapshot.ids("subnetpools_by_scope", scope.id):
        raise fault("AddressScopeInUse", address_scope_id=scope.id)
    for policy in d.snapshot.rows("rbac_policies_by_object", scope.id):
        d.draft.drop(policy)
    d.draft.drop(scope)


def scope_of_network(snapshot: Snapshot, network_id: str, ip_version: int) -> str:
    """Gives the address scope that a network's subnets of a family are in; empty for none."""
    subnets: list[Subnet] = snapshot.rows("subnets_by_network", network_id)
    return next((s.address_scope_id for s in subnets if s.ip_version == ip_version and s.address_scope_id), "")
