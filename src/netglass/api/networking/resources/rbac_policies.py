"""Sharing policies: what lets another project use a network, security group or address group."""

from __future__ import annotations

from collections.abc import Iterable

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Resource, View
from netglass.api.networking.resources.common import ID, OWNER, WRITES, by
from netglass.control.sharing import decide_create_policy, decide_delete_policy, decide_update_policy
from netglass.model.caller import Caller
from netglass.model.resources import RbacPolicy


def _rows(view: View, caller: Caller) -> Iterable[RbacPolicy]:
    if caller.is_admin:
        return view.snapshot.all(RbacPolicy)
    found: list[RbacPolicy] = view.snapshot.rows("rbac_policies_by_project", caller.project_id)
    return found


RBAC_POLICY = Resource(
    name="rbac_policy",
    collection="rbac_policies",
    path="rbac-policies",
    about="What lets another project, or all of them, use an object as if it were shared.",
    missing="RbacPolicyNotFound",
    find=lambda view, row_id: view.snapshot.get(RbacPolicy, row_id),
    rows=_rows,
    indexes={
        "object_id": by("rbac_policies_by_object"),
        "project_id": by("rbac_policies_by_project"),
        "tenant_id": by("rbac_policies_by_project"),
    },
    create=decide_create_policy,
    update=decide_update_policy,
    delete=decide_delete_policy,
    taggable=False,
    attributes=(
        ID,
        *OWNER,
        Attribute(
            name="object_type",
            kind=kinds.text(),
            about="network, security_group, address_group, subnetpool or address_scope.",
            post=True,
            required=True,
            sort=True,
        ),
        Attribute(name="object_id", kind=kinds.UUID, about="What is shared.", post=True, required=True, sort=True),
        Attribute(
            name="action",
            kind=kinds.text(),
            about="access_as_shared; of networks also access_as_external.",
            post=True,
            required=True,
            sort=True,
        ),
        Attribute(
            name="target_tenant",
            field="target_project",
            kind=kinds.text(),
            about="Project that it is shared with; * is all of them, for administrators to say.",
            post=True,
            put=True,
            guards=WRITES,
            sort=True,
        ),
        Attribute(
            name="target_project",
            kind=kinds.text(),
            about="The new name of target_tenant, to write and to filter by.",
            post=True,
            put=True,
            guards=WRITES,
            visible=False,
        ),
    ),
)
