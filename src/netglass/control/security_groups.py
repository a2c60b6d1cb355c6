"""Security groups: making, changing and deleting them, and the default group that each project has.

A project's default group is made together with the project, and before its first network, port or group where it is
missing; nothing that only reads makes one (CVE-2022-3277; decision 0010).
Source: Networking API v2.0, ``security-group`` and ``stateful-security-group``; Neutron where that leaves it open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from netglass.control import quotas
from netglass.control.decision import Decision
from netglass.control.default_rules import PARENT, default_rules, has_remote
from netglass.control.faults import fault
from netglass.control.tags import ordered_tags
from netglass.control.visibility import project_for, require_delete, require_update, visible
from netglass.model.resources import DEFAULT_GROUP, DefaultRule, SecurityGroup, SecurityGroupRule
from netglass.model.snapshot import Snapshot

_DEFAULT_DESCRIPTION = "Default security group"


def default_group(snapshot: Snapshot, project_id: str) -> SecurityGroup | None:
    """Gives a project's default group, or None where it has none."""
    found: list[SecurityGroup] = snapshot.rows("default_groups", project_id)
    return found[0] if found else None


def ensure_default_group(d: Decision, project_id: str) -> SecurityGroup | None:
    """Gives a project's default group, made now where it is missing; None for what belongs to no project.

    No quota counts: nobody asked for it.
    """
    if not project_id:
        return None
    found = default_group(d.snapshot, project_id)
    return found or _make(d, project_id, {"name": DEFAULT_GROUP, "description": _DEFAULT_DESCRIPTION})


def find_group(d: Decision, group_id: str) -> SecurityGroup:
    """Gives a group that the caller sees; raises SecurityGroupNotFound."""
    group = d.snapshot.get(SecurityGroup, group_id)
    if group is None or not visible(d.caller, group, d.snapshot):
        raise fault("SecurityGroupNotFound", id=group_id)
    return group


def decide_create_group(d: Decision, wanted: Mapping[str, Any]) -> SecurityGroup:
    """Makes a group with the rules that new groups begin with; gives the row.

    wanted  may hold name, description, stateful, tags, project_id

    Raises SecurityGroupDefaultAlreadyExists for the name ``default``, OverQuota.
    """
    project_id = project_for(d, wanted)
    _refuse_default_name(wanted)
    quotas.check(d, "security_group", project_id)
    rules = sum(rule.used_in_non_default_sg for rule in default_rules(d.snapshot))
    quotas.check(d, "security_group_rule", project_id, rules)
    ensure_default_group(d, project_id)
    return _make(d, project_id, wanted)


def decide_update_group(d: Decision, group: SecurityGroup, changes: Mapping[str, Any]) -> SecurityGroup:
    """Changes a group; gives the new row.

    changes  may hold name, description, stateful

    Raises SecurityGroupNotFound or PolicyNotAuthorized (another's group), SecurityGroupCannotUpdateDefault (its name),
    SecurityGroupDefaultAlreadyExists, SecurityGroupInUse (stateful changes while ports have it).
    """
    require_update(d, group)
    _refuse_default_name(changes)  # first, as in Neutron: also of the default group itself
    if group.name == DEFAULT_GROUP and "name" in changes:
        raise fault("SecurityGroupCannotUpdateDefault")
    if changes.get("stateful", group.stateful) != group.stateful and _is_used(d, group):
        raise fault("SecurityGroupInUse", id=group.id)
    return d.draft.update(group, d.now, **changes)


def decide_delete_group(d: Decision, group: SecurityGroup) -> None:
    """Deletes a group with its rules, and those of other groups that name it as their remote side.

    Raises SecurityGroupNotFound or PolicyNotAuthorized (another's group), SecurityGroupInUse while a port has it,
    SecurityGroupCannotRemoveDefault (only an administrator may; it is made anew when it is next needed).
    """
    require_delete(d, group)
    if _is_used(d, group):
        raise fault("SecurityGroupInUse", id=group.id)
    if group.name == DEFAULT_GROUP and not d.caller.is_admin:
        raise fault("SecurityGroupCannotRemoveDefault")
    drop_group(d, group)


def drop_group(d: Decision, group: SecurityGroup) -> None:
    """Drops a group that no port has, and every row that is nothing without it."""
    for rule in d.snapshot.rows("security_group_rules_by_group", group.id):
        d.draft.drop(rule)
    naming: list[SecurityGroupRule] = d.snapshot.rows("security_group_rules_by_remote_group", group.id)
    for rule in naming:
        d.draft.drop(rule)
        touch_group(d, rule.security_group_id)
    for policy in d.snapshot.rows("rbac_policies_by_object", group.id):
        d.draft.drop(policy)
    d.draft.drop(group)


def touch_group(d: Decision, group_id: str) -> None:
    """Raises a group's revision number, once for each decision: its rules changed."""
    group, before = d.snapshot.get(SecurityGroup, group_id), d.draft.before.get(SecurityGroup, group_id)
    if group is not None and before is not None and group.revision_number == before.revision_number:
        d.draft.put(replace(group, revision_number=group.revision_number + 1, updated_at=d.now))


def _make(d: Decision, project_id: str, wanted: Mapping[str, Any]) -> SecurityGroup:
    group = d.draft.put(
        SecurityGroup(
            id=d.fresh.uuid(),
            project_id=project_id,
            name=wanted.get("name") or "",
            description=wanted.get("description") or "",
            tags=ordered_tags("security_group", wanted.get("tags") or ()),
            stateful=wanted.get("stateful", True),
            created_at=d.now,
            updated_at=d.now,
        )
    )
    for template in default_rules(d.snapshot):
        wants = template.used_in_default_sg if group.name == DEFAULT_GROUP else template.used_in_non_default_sg
        if wants and has_remote(d.snapshot, template):
            _put_rule(d, group, template)
    return group


def _put_rule(d: Decision, group: SecurityGroup, template: DefaultRule) -> None:
    d.draft.put(
        SecurityGroupRule(
            id=d.fresh.uuid(),
            project_id=group.project_id,
            security_group_id=group.id,
            direction=template.direction,
            ethertype=template.ethertype,
            protocol=template.protocol,
            port_range_min=template.port_range_min,
            port_range_max=template.port_range_max,
            remote_ip_prefix=template.remote_ip_prefix,
            spelled_prefix=template.spelled_prefix,
            remote_group_id=group.id if template.remote_group_id == PARENT else template.remote_group_id,
            remote_address_group_id=template.remote_address_group_id,
            created_at=d.now,
            updated_at=d.now,
        )
    )


def _refuse_default_name(values: Mapping[str, Any]) -> None:
    if (values.get("name") or "").lower() == DEFAULT_GROUP:
        raise fault("SecurityGroupDefaultAlreadyExists")


def _is_used(d: Decision, group: SecurityGroup) -> bool:
    return bool(d.snapshot.ids("ports_by_security_group", group.id))
