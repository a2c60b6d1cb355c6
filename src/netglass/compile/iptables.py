"""iptables rules as ``iptables-save`` prints them, so that what is there and what is wanted can be compared as text.

Only what the compiler needs, and every value that goes into a rule is read first: an address that is none never
reaches a host.
Source: iptables(8), iptables-extensions(8); the order of matches is iptables-save's (tried on 1.8.9, nf_tables).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address


def host_prefix(address: str) -> str:
    """Gives an IPv4 address as the match of that host alone; raises ValueError for other text."""
    return f"{IPv4Address(address)}/32"


def dnat(address: str, to: str, match: str = "") -> str:
    """Gives the rule that turns packets for one address to another."""
    return _rule(f"-d {host_prefix(address)}", match, f"-j DNAT --to-destination {IPv4Address(to)}")


def dnat_ports(of: tuple[str, str, tuple[int, int]], to: str, ports: tuple[int, int]) -> str:
    """Gives the rule that turns packets for ports of one address to ports of another.

    of     protocol, address, first and last port
    ports  as many, each for the one at its place (iptables >= 1.8.1, Linux >= 4.18), or a single one for all
    """
    protocol, address, (first, last) = of
    there = str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}/{first}"
    here = str(first) if first == last else f"{first}:{last}"
    match = f"-d {host_prefix(address)} -p {protocol} -m {protocol} --dport {here}"
    return _rule(match, f"-j DNAT --to-destination {IPv4Address(to)}:{there}")


def snat(to: str, match: str) -> str:
    """Gives the rule that has packets come from an address; ports are chosen at random (RFC 6056)."""
    return _rule(match, f"-j SNAT --to-source {IPv4Address(to)} --random-fully")


def arrange(rules: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Gives rules by chain as one sequence: chains by name, the rules of each in their own order."""
    return tuple(f"-A {chain} {rule}" for chain in sorted(rules) for rule in rules[chain])


def _rule(*parts: str) -> str:
    return " ".join(part for part in parts if part)
