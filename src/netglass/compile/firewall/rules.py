"""Rows of security group rules as permits.

A rule only ever lets through, so that one which cannot be read, or which no driver can say, is left out and told.
Protocol 0 is any protocol, as the Networking API has it ("any or 0").
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network
from typing import NamedTuple

from netglass.base.ids import address_set_name
from netglass.desired.permits import Permit
from netglass.model.resources import AddressGroup, SecurityGroup, SecurityGroupRule, ref
from netglass.model.rules import EGRESS, ICMP, ICMPV6, INGRESS, IPV4, IPV6, PORT_NUMBERS, protocol_number

ANY_ICMP_TYPE = 255
"""What iptables takes as every type of ICMP, so that it cannot be said; no packet has it (RFC 2780)."""


class Remote(NamedTuple):
    """A row whose addresses are a remote side: a security group or an address group."""

    row_type: type[SecurityGroup] | type[AddressGroup]
    id: str


class UnusableRule(ValueError):
    """A rule that lets nothing through; the text says why."""


def remote_of(rule: SecurityGroupRule) -> Remote | None:
    """Gives the row whose addresses a rule's remote side is; None when it is a prefix or anybody."""
    if rule.remote_group_id:
        return Remote(SecurityGroup, rule.remote_group_id)
    return Remote(AddressGroup, rule.remote_address_group_id) if rule.remote_address_group_id else None


@lru_cache(maxsize=65536)
def permit_of(rule: SecurityGroupRule) -> Permit:
    """Gives what a rule lets through; raises UnusableRule."""
    if rule.direction not in (INGRESS, EGRESS) or rule.ethertype not in (IPV4, IPV6):
        raise UnusableRule(f"has direction {rule.direction!r} and ethertype {rule.ethertype!r}")
    version = 4 if rule.ethertype == IPV4 else 6
    protocol = _protocol(rule, version)
    low, high = _range(rule, protocol)
    named = [one for one in (rule.remote_ip_prefix, rule.remote_group_id, rule.remote_address_group_id) if one]
    if len(named) > 1:
        raise UnusableRule("names more than one remote side")
    remote = remote_of(rule)
    return Permit(
        ip_version=version,
        protocol=protocol,
        low=low,
        high=high,
        remote=_prefix(rule.remote_ip_prefix, version),
        remote_set=address_set_name(remote.id, version) if remote is not None else "",
    )


def refs_of(rule: SecurityGroupRule) -> tuple[str, ...]:
    """Gives the references of what a rule is made of, ascending."""
    remote = remote_of(rule)
    others = {f"{remote.row_type.kind}:{remote.id}"} if remote is not None else set()
    return tuple(sorted({ref(rule), f"{SecurityGroup.kind}:{rule.security_group_id}"} | others))


def _protocol(rule: SecurityGroupRule, version: int) -> int | None:
    number = protocol_number(rule.protocol) if rule.protocol else 0
    if number is None:
        raise UnusableRule(f"has protocol {rule.protocol!r}, which is none")
    if number == ICMP and version == 6:
        return ICMPV6
    if number == ICMPV6 and version == 4:
        raise UnusableRule("has a protocol of IPv6 and ethertype IPv4")
    return number or None


def _range(rule: SecurityGroupRule, protocol: int | None) -> tuple[int | None, int | None]:
    low, high = rule.port_range_min, rule.port_range_max
    if low is None and high is None:
        return None, None
    if protocol in (ICMP, ICMPV6):
        if low is None or not 0 <= low <= 255 or (high is not None and not 0 <= high <= 255):
            raise UnusableRule(f"has ICMP type {low} and code {high}")
        if protocol == ICMP and low == ANY_ICMP_TYPE:
            raise UnusableRule(f"has ICMP type {low}, which iptables takes for every type")
        return low, high
    if protocol not in PORT_NUMBERS:
        raise UnusableRule(f"has ports {low}..{high}, and protocol {rule.protocol!r} has none")
    if low is None or high is None or not 0 <= low <= high <= 65535:
        raise UnusableRule(f"has ports {low}..{high}")
    return (None, None) if (low, high) == (0, 65535) else (low, high)


def _prefix(text: str, version: int) -> str:
    if not text:
        return ""
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise UnusableRule(f"has remote prefix {text!r}, which is none") from None
    if found.version != version:
        raise UnusableRule(f"has remote prefix {text} and is of IPv{version}")
    return str(found) if found.prefixlen else ""
