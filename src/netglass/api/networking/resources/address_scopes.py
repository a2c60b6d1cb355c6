"""Address scopes: where addresses are unique, and so routed rather than translated."""

from __future__ import annotations

from collections.abc import Iterable

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Resource, View
from netglass.api.networking.resources.common import ID, NAME, OWNER, WRITES, by
from netglass.control.address_scopes import (
    decide_create_address_scope,
    decide_delete_address_scope,
    decide_update_address_scope,
)
from netglass.control.visibility import granted_ids, is_shared
from netglass.model.caller import Caller
from netglass.model.resources import AddressScope


def _rows(view: View, caller: Caller) -> Iterable[AddressScope]:
    """Gives the caller's own, and those that are shared with the caller's project."""
    if caller.is_admin:
        return view.snapshot.all(AddressScope)
    ids = {
        *view.snapshot.ids("address_scopes_by_project", caller.project_id),
        *view.snapshot.ids("address_scopes_shared", True),
        *granted_ids(view.snapshot, caller.project_id, AddressScope.kind),
    }
    found = (view.snapshot.get(AddressScope, scope_id) for scope_id in ids)
    return [scope for scope in found if scope is not None]


ADDRESS_SCOPE = Resource(
    name="address_scope",
    collection="address_scopes",
    path="address-scopes",
    about="Where addresses are unique: between its subnets they are routed, and never translated.",
    missing="AddressScopeNotFound",
    find=lambda view, row_id: view.snapshot.get(AddressScope, row_id),
    rows=_rows,
    indexes={"project_id": by("address_scopes_by_project"), "tenant_id": by("address_scopes_by_project")},
    create=decide_create_address_scope,
    update=decide_update_address_scope,
    delete=decide_delete_address_scope,
    taggable=False,
    attributes=(
        ID,
        NAME,
        *OWNER,
        Attribute(
            name="ip_version",
            kind=kinds.one_of(4, 6),
            about="Address family.",
            post=True,
            required=True,
            sort=True,
        ),
        Attribute(
            name="shared",
            kind=kinds.BOOLEAN,
            about="Whether every project may put subnet pools into it; once it is, it stays so.",
            show=lambda scope, view: is_shared(view.snapshot, scope, view.caller.project_id),
            post=True,
            put=True,
            default=False,
            guards=WRITES,
            sort=True,
        ),
    ),
)
