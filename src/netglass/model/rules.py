"""The words of security group rules: protocols by name and number, which of them have ports, when two rules are one.

Source: the Networking API's names of protocols (neutron-lib, ``IP_PROTOCOL_MAP``); IANA's protocol numbers.
"""

from __future__ import annotations

from typing import Final

from netglass.model.resources import DefaultRule, SecurityGroupRule

INGRESS: Final = "ingress"
EGRESS: Final = "egress"
IPV4: Final = "IPv4"
IPV6: Final = "IPv6"

ANYBODY: Final = ("", "0.0.0.0/0", "::/0")
"""Prefixes that say nothing of the remote side."""

PROTOCOL_NUMBERS: Final = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
"""Every protocol that a rule may name; others are given by number."""

ICMP: Final = 1
ICMPV6: Final = 58

PORT_PROTOCOLS: Final = ("dccp", "sctp", "tcp", "udp", "udplite")
"""Protocols whose rules may name ports."""

PORT_NUMBERS: Final = frozenset(PROTOCOL_NUMBERS[name] for name in PORT_PROTOCOLS)

IPV6_NUMBERS: Final = frozenset({41, 43, 44, 58, 59, 60})
"""Protocols that mean something in IPv6 only."""


def protocol_number(protocol: str) -> int | None:
    """Gives the number of a rule's protocol; None for any protocol, and for text that is none."""
    found = PROTOCOL_NUMBERS.get(protocol)
    if found is not None:
        return found
    is_number = len(protocol) <= len("255") and protocol.isascii() and protocol.isdigit()
    return int(protocol) if is_number and int(protocol) <= 255 else None


def rule_key(rule: SecurityGroupRule | DefaultRule) -> tuple[object, ...]:
    """Gives what makes a rule the one it is within its group: two with equal keys let through the same packets.

    Source: Neutron's comparison of rules, in which a prefix counts as it was spelled.
    """
    number = protocol_number(rule.protocol)
    if rule.ethertype == IPV6 and number == ICMP:
        number = ICMPV6
    prefix = "" if rule.remote_ip_prefix in ANYBODY else rule.spelled_prefix or rule.remote_ip_prefix
    remote = (prefix, rule.remote_group_id, rule.remote_address_group_id)
    return (rule.direction, rule.ethertype, number, rule.port_range_min, rule.port_range_max, *remote)
