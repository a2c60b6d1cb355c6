"""The rules that new security groups begin with."""

from __future__ import annotations

from collections.abc import Iterable

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Resource, View
from netglass.api.networking.resources.common import DESCRIPTION, ID
from netglass.api.networking.resources.rule_match import MATCH
from netglass.control.default_rules import (
    decide_create_default_rule,
    decide_delete_default_rule,
    default_rule,
    default_rules,
)
from netglass.model.caller import Caller
from netglass.model.resources import DefaultRule


def _rows(view: View, caller: Caller) -> Iterable[DefaultRule]:
    return default_rules(view.snapshot)


DEFAULT_SECURITY_GROUP_RULE = Resource(
    name="default_security_group_rule",
    collection="default_security_group_rules",
    path="default-security-group-rules",
    about="A rule that new security groups begin with; PARENT as remote group stands for the group itself.",
    missing="DefaultSecurityGroupRuleNotFound",
    find=lambda view, row_id: default_rule(view.snapshot, row_id),
    rows=_rows,
    create=decide_create_default_rule,
    delete=decide_delete_default_rule,
    taggable=False,
    attributes=(
        ID,
        Attribute(
            name="tenant_id",
            field="project_id",
            kind=kinds.text(),
            about="Taken for old clients' sake; the rules belong to no project.",
            post=True,
            filter=False,
            visible=False,
        ),
        *MATCH,
        Attribute(
            name="used_in_default_sg",
            kind=kinds.BOOLEAN,
            about="Whether projects' default groups begin with it.",
            post=True,
            default=False,
        ),
        Attribute(
            name="used_in_non_default_sg",
            kind=kinds.BOOLEAN,
            about="Whether all other groups begin with it.",
            post=True,
            default=True,
        ),
        DESCRIPTION,
    ),
)
