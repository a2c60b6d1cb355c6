"""Rules of security groups: making and deleting them; they are never changed.

Source: Networking API v2.0, ``security-group`` and ``security-groups-remote-address-group``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netglass.control import quotas
from netglass.control.address_groups import find_address_group
from netglass.control.decision import Decision
from netglass.control.faults import disallowed, fault
from netglass.control.rule_values import rule_values
from netglass.control.security_groups import ensure_default_group, find_group, touch_group
from netglass.control.visibility import may_update, project_for, require_delete
from netglass.model.resources import SecurityGroupRule
from netglass.model.rules import rule_key


def require_one_group(bulk: Sequence[Mapping[str, Any]]) -> None:
    """Refuses rules that are made together but not for one group and one project.

    bulk  each as `decide_create_rule`

    Raises SecurityGroupNotSingleGroupRules, SecurityGroupRulesNotSingleProject.
    """
    first = bulk[0]
    for rule in bulk:
        if rule["security_group_id"] != first["security_group_id"]:
            raise fault("SecurityGroupNotSingleGroupRules")
        if rule["project_id"] != first["project_id"]:
            raise fault("SecurityGroupRulesNotSingleProject")


def decide_create_rule(d: Decision, wanted: Mapping[str, Any]) -> SecurityGroupRule:
    """Makes a rule of a group; gives the row.

    wanted  security_group_id, and what `rule_values` takes; may hold project_id

    Raises what `rule_values` raises, SecurityGroupNotFound (its own group or the remote one), PolicyNotAuthorized
    (another's group), AddressGroupNotFound, OverQuota, SecurityGroupRuleExists, DuplicateSecurityGroupRuleInPost.
    """
    project_id = project_for(d, wanted)
    values = rule_values(wanted)
    group = find_group(d, wanted["security_group_id"])
    if not may_update(d.caller, group, d.snapshot):
        raise disallowed("create_security_group_rule")
    ensure_default_group(d, project_id)
    if values["remote_group_id"]:
        find_group(d, values["remote_group_id"])
    if values["remote_address_group_id"]:
        find_address_group(d, values["remote_address_group_id"])
    quotas.check(d, "security_group_rule", project_id)
    rule = SecurityGroupRule(
        id=d.fresh.uuid(),
        project_id=project_id,
        security_group_id=group.id,
        created_at=d.now,
        updated_at=d.now,
        **values,
    )
    _refuse_duplicate(d, rule)
    touch_group(d, group.id)
    return d.draft.put(rule)


def decide_delete_rule(d: Decision, rule: SecurityGroupRule) -> None:
    """Deletes a rule; raises SecurityGroupRuleNotFound or PolicyNotAuthorized (another's group)."""
    require_delete(d, rule)
    d.draft.drop(rule)
    touch_group(d, rule.security_group_id)


def _refuse_duplicate(d: Decision, rule: SecurityGroupRule) -> None:
    for same in d.snapshot.ids("security_group_rules_by_key", (rule.security_group_id, rule_key(rule))):
        if d.draft.before.get(SecurityGroupRule, same) is None:
            raise fault("DuplicateSecurityGroupRuleInPost")
        raise fault("SecurityGroupRuleExists", rule_id=same)
