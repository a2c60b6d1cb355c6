"""What a security group rule lets through: the same attributes for rules of groups and those that groups begin with."""

from __future__ import annotations

from netglass.api.networking import kinds, rule_kinds
from netglass.api.networking.declare import Attribute
from netglass.model.resources import DefaultRule, SecurityGroupRule


def prefix_of(rule: SecurityGroupRule | DefaultRule) -> str | None:
    """Gives a rule's remote prefix as it was spelled; None: there is none."""
    return rule.spelled_prefix or rule.remote_ip_prefix or None


MATCH: tuple[Attribute, ...] = (
    Attribute(
        name="direction",
        kind=kinds.one_of("ingress", "egress"),
        about="ingress: to the port; egress: from it.",
        post=True,
        required=True,
        sort=True,
    ),
    Attribute(
        name="ethertype",
        kind=rule_kinds.ETHERTYPE,
        about="IPv4 or IPv6.",
        post=True,
        default="IPv4",
        sort=True,
    ),
    Attribute(
        name="protocol",
        kind=rule_kinds.PROTOCOL,
        about="Name or number of the IP protocol; null: any.",
        show=lambda rule, view: rule.protocol or None,
        post=True,
        sort=True,
    ),
    Attribute(
        name="port_range_min",
        kind=rule_kinds.PORT,
        about="First port at the receiver; with ICMP, the type. Null: all.",
        post=True,
        sort=True,
    ),
    Attribute(
        name="port_range_max",
        kind=rule_kinds.PORT,
        about="Last port at the receiver; with ICMP, the code. Null: all.",
        post=True,
        sort=True,
    ),
    Attribute(
        name="remote_ip_prefix",
        kind=rule_kinds.PREFIX,
        about="Addresses of the other side, as they were given; null: not limited by this.",
        show=lambda rule, view: prefix_of(rule),
        post=True,
        sort=True,
    ),
    Attribute(
        name="remote_group_id",
        kind=rule_kinds.REFERENCE,
        about="Security group whose members the other side must be of; null: not limited by this.",
        show=lambda rule, view: rule.remote_group_id or None,
        post=True,
        sort=True,
    ),
    Attribute(
        name="remote_address_group_id",
        kind=rule_kinds.REFERENCE,
        about="Address group that the other side must be in; null: not limited by this.",
        show=lambda rule, view: rule.remote_address_group_id or None,
        post=True,
        sort=True,
    ),
)
