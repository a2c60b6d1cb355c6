"""The rules that new security groups begin with: four that every cloud has, and what administrators make of them.

The four are constants and need no row, so that a cloud of any age has them; one that is deleted leaves a row that
says so.
Source: Neutron's extension ``security-groups-default-rules``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from msgspec.structs import replace

from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.rule_values import rule_values
from netglass.model.resources import AddressGroup, DefaultRule, SecurityGroup
from netglass.model.rules import EGRESS, INGRESS, IPV4, IPV6, rule_key
from netglass.model.snapshot import Snapshot

PARENT: Final = "PARENT"
"""As remote group: the group that the rule becomes part of."""

_IDS: Final = UUID("9b9ad9c6-3d0d-5b55-8a2e-6c0c4b1f7a10")


def _built_in(direction: str, ethertype: str) -> DefaultRule:
    """Gives one of the four: everything out; in, what comes from members of the project's default group."""
    inside = direction == INGRESS
    return DefaultRule(
        id=str(uuid5(_IDS, f"{direction}/{ethertype}")),
        direction=direction,
        ethertype=ethertype,
        remote_group_id=PARENT if inside else "",
        used_in_default_sg=True,
        used_in_non_default_sg=not inside,
        description=f"Legacy default SG rule for {direction} traffic",  # Neutron's words
    )


_BUILT_IN: Final = {
    rule.id: rule for rule in (_built_in(way, family) for way in (EGRESS, INGRESS) for family in (IPV4, IPV6))
}


def default_rules(snapshot: Snapshot) -> list[DefaultRule]:
    """Gives the rules that new groups begin with, ascending by id; there are as many as administrators made."""
    found = _BUILT_IN | {rule.id: rule for rule in snapshot.all(DefaultRule)}
    return [found[rule_id] for rule_id in sorted(found) if not found[rule_id].withdrawn]


def default_rule(snapshot: Snapshot, rule_id: str) -> DefaultRule | None:
    """Gives one of `default_rules` by its id, or None."""
    found = snapshot.get(DefaultRule, rule_id) or _BUILT_IN.get(rule_id)
    return None if found is None or found.withdrawn else found


def has_remote(snapshot: Snapshot, rule: DefaultRule) -> bool:
    """Says whether a rule's remote side is there; without it, a rule would let everybody in."""
    group, addresses = rule.remote_group_id, rule.remote_address_group_id
    known = group in ("", PARENT) or snapshot.get(SecurityGroup, group) is not None
    return known and (not addresses or snapshot.get(AddressGroup, addresses) is not None)


def decide_create_default_rule(d: Decision, wanted: Mapping[str, Any]) -> DefaultRule:
    """Makes a rule that groups made from now on begin with; gives the row.

    wanted  as `rule_values`; remote_group_id may be `PARENT`; may hold used_in_default_sg, used_in_non_default_sg

    Raises what `rule_values` raises, DefaultSecurityGroupRuleExists.
    """
    rule = DefaultRule(
        id=d.fresh.uuid(),
        used_in_default_sg=wanted.get("used_in_default_sg", False),
        used_in_non_default_sg=wanted.get("used_in_non_default_sg", True),
        created_at=d.now,
        updated_at=d.now,
        **rule_values(wanted),
    )
    for other in default_rules(d.snapshot):
        shared = (rule.used_in_default_sg and other.used_in_default_sg) or (
            rule.used_in_non_default_sg and other.used_in_non_default_sg
        )
        if shared and rule_key(other) == rule_key(rule):
            raise fault("DefaultSecurityGroupRuleExists", rule_id=other.id)
    return d.draft.put(rule)


def decide_delete_default_rule(d: Decision, rule: DefaultRule) -> None:
    """Withdraws a rule; groups that began with it keep it."""
    if rule.id in _BUILT_IN:
        d.draft.put(replace(rule, withdrawn=True, updated_at=d.now))
    else:
        d.draft.drop(rule)
