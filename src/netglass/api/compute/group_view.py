"""How security groups look in Compute: the form that clients knew before Networking had groups.

Only rules that let something in are part of it.
Source: Compute API v2.1, ``os-security-groups``.
"""

from __future__ import annotations

from typing import Any

from netglass.model.resources import SecurityGroup, SecurityGroupRule
from netglass.model.rules import INGRESS, IPV4
from netglass.model.snapshot import Snapshot

_NO_PORTS = (-1, -1)
_ALL_PORTS = (1, 65535)


def whole_group(group: SecurityGroup, snapshot: Snapshot) -> dict[str, Any]:
    """Gives a group with its rules."""
    rules: list[SecurityGroupRule] = snapshot.rows("security_group_rules_by_group", group.id)
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "tenant_id": group.project_id,
        "rules": [_rule(rule, snapshot) for rule in rules if rule.direction == INGRESS],
    }


def _rule(rule: SecurityGroupRule, snapshot: Snapshot) -> dict[str, Any]:
    ports = (rule.port_range_min, rule.port_range_max)
    if rule.protocol and ports == (None, None):
        ports = _ALL_PORTS if rule.protocol in ("tcp", "udp") else _NO_PORTS
    remote = snapshot.get(SecurityGroup, rule.remote_group_id) if rule.remote_group_id else None
    anybody = "0.0.0.0/0" if rule.ethertype == IPV4 else "::/0"
    return {
        "id": rule.id,
        "parent_group_id": rule.security_group_id,
        "ip_protocol": rule.protocol or None,
        "from_port": ports[0],
        "to_port": ports[1],
        "group": {"name": remote.name, "tenant_id": remote.project_id} if remote is not None else {},
        "ip_range": {} if rule.remote_group_id else {"cidr": rule.remote_ip_prefix or anybody},
    }
