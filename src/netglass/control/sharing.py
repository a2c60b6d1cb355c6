"""Sharing: policies that let other projects use a network, group, address group, subnet pool or address scope.

A policy for everybody (``*``) on a network is the same as its attributes ``shared`` and ``router:external``: the one is
made and dropped with the other.
Source: Neutron's extensions ``rbac-policies`` and ``rbac-security-groups``, ``-address-group``, ``-subnetpool`` and
``-address-scope``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from netglass.base.errors import Bug
from netglass.control import quotas
from netglass.control.decision import Decision
from netglass.control.faults import disallowed, fault, invalid_input
from netglass.control.owners import is_privileged
from netglass.control.visibility import (
    ACCESS_EXTERNAL,
    ACCESS_SHARED,
    EVERYBODY,
    may_update,
    project_for,
    require_delete,
    require_update,
    visible,
)
from netglass.model.resources import (
    AddressGroup,
    AddressScope,
    Network,
    Port,
    Project,
    RbacPolicy,
    Row,
    SecurityGroup,
    SubnetPool,
)

_TYPES: Final[dict[str, tuple[type[Row], str]]] = {
    Network.kind: (Network, "net_id"),
    SecurityGroup.kind: (SecurityGroup, "id"),
    AddressGroup.kind: (AddressGroup, "address_group_id"),
    SubnetPool.kind: (SubnetPool, "subnetpool_id"),
    AddressScope.kind: (AddressScope, "address_scope_id"),
}
_FAULTS: Final = {
    Network.kind: "NetworkNotFound",
    SecurityGroup.kind: "SecurityGroupNotFound",
    AddressGroup.kind: "AddressGroupNotFound",
    SubnetPool.kind: "SubnetPoolNotFound",
    AddressScope.kind: "AddressScopeNotFound",
}
_FLAGS: Final = {ACCESS_SHARED: "shared", ACCESS_EXTERNAL: "external"}
_PROJECT_ID: Final = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def decide_create_policy(d: Decision, wanted: Mapping[str, Any]) -> RbacPolicy:
    """Makes a policy; gives the row.

    wanted  object_type, object_id, action, target_project (a project's id or `EVERYBODY`); may hold project_id

    Raises InvalidInput (type, target, another's object), InvalidActionForType, the object's NotFound,
    PolicyNotAuthorized (everybody, by one who is no administrator), OverQuota, DuplicateRbacPolicy.
    """
    project_id = project_for(d, wanted)
    object_type, target = str(wanted["object_type"]).strip().lower(), wanted.get("target_project")
    if target is None:
        message = "Failed to parse request. Required attribute 'target_tenant' not specified"
        raise fault("HTTPBadRequest", message=message)
    _require_target(d, target, "create")
    row = _find_object(d, object_type, wanted["object_id"])
    if wanted["action"] not in _actions(object_type):
        valid = list(_actions(object_type))
        raise fault("InvalidActionForType", action=wanted["action"], object_type=object_type, valid_actions=valid)
    if not may_update(d.caller, row, d.snapshot):
        raise invalid_input(f"Only admins can manipulate policies on {_plural(object_type)} they do not own")
    quotas.check(d, "rbac_policy", project_id)
    policy = RbacPolicy(
        id=d.fresh.uuid(),
        project_id=project_id,
        object_type=object_type,
        object_id=row.id,
        action=wanted["action"],
        target_project=target,
        created_at=d.now,
        updated_at=d.now,
    )
    _refuse_twice(d, policy)
    d.draft.put(policy)
    _follow(d, policy, there=True)
    return policy


def decide_update_policy(d: Decision, policy: RbacPolicy, changes: Mapping[str, Any]) -> RbacPolicy:
    """Changes whom a policy is for; gives the new row.

    Raises RbacPolicyNotFound or PolicyNotAuthorized, InvalidInput (target), RbacPolicyInUse while the project that
    would lose the object uses it, DuplicateRbacPolicy.
    """
    require_update(d, policy)
    target = changes.get("target_project", policy.target_project)
    if target == policy.target_project:
        return policy
    _require_target(d, target, "update")
    if target != EVERYBODY:
        _refuse_in_use(d, policy)
    changed = replace(policy, target_project=target)
    _refuse_twice(d, changed)
    changed = d.draft.update(policy, d.now, target_project=target)
    _follow(d, policy, there=False)
    _follow(d, changed, there=True)
    return changed


def decide_delete_policy(d: Decision, policy: RbacPolicy) -> None:
    """Deletes a policy.

    Raises RbacPolicyNotFound or PolicyNotAuthorized, RbacPolicyInUse while a project that would lose the object uses
    it.
    """
    require_delete(d, policy)
    _refuse_in_use(d, policy)
    d.draft.drop(policy)
    _follow(d, policy, there=False)


def open_to_all(d: Decision, network: Network, action: str, *, opened: bool) -> None:
    """Makes or drops the policy that says what an attribute of a network says: that it is for everybody."""
    present: list[RbacPolicy] = d.snapshot.rows("rbac_policies_by_grant", (network.id, action, EVERYBODY))
    if not opened:
        for policy in present:
            d.draft.drop(policy)
    elif not present:
        d.draft.put(
            RbacPolicy(
                id=d.fresh.uuid(),
                project_id=network.project_id,
                object_type=Network.kind,
                object_id=network.id,
                action=action,
                target_project=EVERYBODY,
                created_at=d.now,
                updated_at=d.now,
            )
        )


def users_left_out(d: Decision, row: Row, action: str, target: str) -> set[str]:
    """Gives the projects that use an object and could not once a policy for `target` is gone."""
    policies: list[RbacPolicy] = d.snapshot.rows("rbac_policies_by_object", row.id)
    others = {policy.target_project for policy in policies if policy.action == action} - {target}
    if EVERYBODY in others or (isinstance(row, (SubnetPool, AddressScope)) and row.shared):
        return set()
    users = _users(d, row, action) - others - {row.project_id, ""}
    return users if target == EVERYBODY else users & {target}


def _users(d: Decision, row: Row, action: str) -> set[str]:
    snapshot = d.snapshot
    if isinstance(row, SecurityGroup):
        return {port.project_id for port in snapshot.rows("ports_by_security_group", row.id)}
    if isinstance(row, AddressGroup):
        return {rule.project_id for rule in snapshot.rows("security_group_rules_by_address_group", row.id)}
    if isinstance(row, SubnetPool):
        return {subnet.project_id for subnet in snapshot.rows("subnets_by_subnetpool", row.id)}
    if isinstance(row, AddressScope):
        return {pool.project_id for pool in snapshot.rows("subnetpools_by_scope", row.id)}
    if action == ACCESS_EXTERNAL:
        found = ("routers_by_gateway_network", "floating_ips_by_network")
        return {user.project_id for index in found for user in snapshot.rows(index, row.id)}
    ports: list[Port] = snapshot.rows("ports_by_network", row.id)
    users = {port.project_id for port in ports if not is_privileged(port.device_owner)}
    return users | {subnet.project_id for subnet in snapshot.rows("subnets_by_network", row.id)}


def _follow(d: Decision, policy: RbacPolicy, *, there: bool) -> None:
    """Makes a network's attributes say what a policy says or said, and raises its revision number, as Neutron does."""
    if policy.object_type != Network.kind:
        return
    network = d.snapshot.get(Network, policy.object_id)
    if network is None:
        raise Bug(f"policy {policy.id} is about network {policy.object_id}, which is not there")
    flag = {_FLAGS[policy.action]: there} if policy.target_project == EVERYBODY else {}
    d.draft.put(replace(network, revision_number=network.revision_number + 1, updated_at=d.now, **flag))


def _refuse_in_use(d: Decision, policy: RbacPolicy) -> None:
    row = d.snapshot.get(_TYPES[policy.object_type][0], policy.object_id)
    users = users_left_out(d, row, policy.action, policy.target_project) if row is not None else set()
    if users:
        details = f"project_id={', '.join(sorted(users))}"
        raise fault("RbacPolicyInUse", object_id=policy.object_id, details=details)


def _refuse_twice(d: Decision, policy: RbacPolicy) -> None:
    grant = (policy.object_id, policy.action, policy.target_project)
    if d.snapshot.ids("rbac_policies_by_grant", grant):
        raise fault("DuplicateRbacPolicy")


def _find_object(d: Decision, object_type: str, object_id: str) -> Row:
    if object_type not in _TYPES:
        raise invalid_input(f"'{object_type}' is not a valid RBAC object type")
    row_type, word = _TYPES[object_type]
    row = d.snapshot.get(row_type, object_id)
    if row is None or not visible(d.caller, row, d.snapshot):
        raise fault(_FAULTS[object_type], **{word: object_id})
    return row


def _require_target(d: Decision, target: str, verb: str) -> None:
    if target == EVERYBODY:
        if not d.caller.is_admin:
            raise disallowed(f"{verb}_rbac_policy:target_tenant")
    elif not _PROJECT_ID.fullmatch(target) and d.snapshot.get(Project, target) is None:
        raise invalid_input(f"'{target}' is not a valid target project ID; expected a UUID or '*'")


def _actions(object_type: str) -> tuple[str, ...]:
    return (ACCESS_SHARED, ACCESS_EXTERNAL) if object_type == Network.kind else (ACCESS_SHARED,)


def _plural(object_type: str) -> str:
    return "networks" if object_type == Network.kind else "objects"
