"""Security groups and their rules: what ports may send and receive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netglass.api.networking import kinds, rule_kinds
from netglass.api.networking.declare import Attribute, Parent, Resource, View
from netglass.api.networking.render import renderer
from netglass.api.networking.resources.common import DESCRIPTION, ID, NAME, OWNER, STAMPS, TAGS, by
from netglass.api.networking.resources.rule_match import MATCH
from netglass.control.security_group_rules import decide_create_rule, decide_delete_rule, require_one_group
from netglass.control.security_groups import decide_create_group, decide_delete_group, decide_update_group
from netglass.control.visibility import granted_ids, is_shared
from netglass.model.caller import Caller
from netglass.model.resources import DEFAULT_GROUP, SecurityGroup, SecurityGroupRule


def _rules(group: SecurityGroup, view: View) -> list[dict[str, Any]]:
    render = renderer(SECURITY_GROUP_RULE, view.caller, view.snapshot)
    return [render(rule, view) for rule in view.snapshot.rows("security_group_rules_by_group", group.id)]


def _rows(view: View, caller: Caller) -> Iterable[SecurityGroup]:
    """Gives the caller's own, and those that are shared with the caller's project."""
    if caller.is_admin:
        return view.snapshot.all(SecurityGroup)
    ids = {
        *view.snapshot.ids("security_groups_by_project", caller.project_id),
        *granted_ids(view.snapshot, caller.project_id, "security_group"),
    }
    found = (view.snapshot.get(SecurityGroup, group_id) for group_id in ids)
    return [group for group in found if group is not None]


def _is_of_default(rule: SecurityGroupRule, view: View) -> bool:
    group = view.snapshot.get(SecurityGroup, rule.security_group_id)
    return group is not None and group.name == DEFAULT_GROUP


def _rule_rows(view: View, caller: Caller) -> Iterable[SecurityGroupRule]:
    """Gives the caller's own, and those of the caller's groups."""
    if caller.is_admin:
        return view.snapshot.all(SecurityGroupRule)
    ids = set(view.snapshot.ids("security_group_rules_by_project", caller.project_id))
    for group_id in view.snapshot.ids("security_groups_by_project", caller.project_id):
        ids.update(view.snapshot.ids("security_group_rules_by_group", group_id))
    found = (view.snapshot.get(SecurityGroupRule, rule_id) for rule_id in ids)
    return [rule for rule in found if rule is not None]


SECURITY_GROUP = Resource(
    name="security_group",
    collection="security_groups",
    path="security-groups",
    about="What the ports that have it may send and receive: the sum of its rules.",
    missing="SecurityGroupNotFound",
    find=lambda view, row_id: view.snapshot.get(SecurityGroup, row_id),
    rows=_rows,
    indexes={"project_id": by("security_groups_by_project"), "tenant_id": by("security_groups_by_project")},
    create=decide_create_group,
    update=decide_update_group,
    delete=decide_delete_group,
    attributes=(
        ID,
        NAME,
        *OWNER,
        Attribute(
            name="stateful",
            kind=kinds.BOOLEAN,
            about="Whether answers to what was let through are let through too.",
            post=True,
            put=True,
            default=True,
            sort=True,
        ),
        Attribute(
            name="shared",
            kind=kinds.BOOLEAN,
            about="Whether it is shared with the caller's project, or with all.",
            show=lambda group, view: is_shared(view.snapshot, group, view.caller.project_id),
        ),
        Attribute(
            name="security_group_rules",
            kind=kinds.mapping(),
            about="Its rules.",
            show=_rules,
            filter=False,
        ),
        DESCRIPTION,
        *STAMPS,
        TAGS,
    ),
)

SECURITY_GROUP_RULE = Resource(
    name="security_group_rule",
    collection="security_group_rules",
    path="security-group-rules",
    about="One kind of packet that a security group lets through; never changed, only made and deleted.",
    missing="SecurityGroupRuleNotFound",
    parent=Parent("security_group_id", SECURITY_GROUP),
    find=lambda view, row_id: view.snapshot.get(SecurityGroupRule, row_id),
    rows=_rule_rows,
    indexes={
        "security_group_id": by("security_group_rules_by_group"),
        "remote_group_id": by("security_group_rules_by_remote_group", empty=False),
        "remote_address_group_id": by("security_group_rules_by_address_group", empty=False),
        "project_id": by("security_group_rules_by_project"),
        "tenant_id": by("security_group_rules_by_project"),
    },
    create=decide_create_rule,
    together=require_one_group,
    delete=decide_delete_rule,
    taggable=False,
    attributes=(
        ID,
        *OWNER,
        Attribute(
            name="security_group_id",
            kind=kinds.text(),
            about="Group that it is a rule of.",
            post=True,
            required=True,
            sort=True,
        ),
        *MATCH,
        Attribute(
            name="normalized_cidr",
            kind=rule_kinds.PREFIX,
            about="remote_ip_prefix without bits of a host.",
            show=lambda rule, view: rule.remote_ip_prefix or None,
            sort=True,
        ),
        Attribute(
            name="belongs_to_default_sg",
            kind=kinds.BOOLEAN,
            about="Whether its group is its project's default group.",
            show=_is_of_default,
        ),
        DESCRIPTION,
        *STAMPS,
    ),
)
