"""What a namespace's iptables rules do with the first packet of a conversation.

Rules are read as ``iptables-save`` prints them, which is how ``desired.state.RuleSet`` holds them.  Connection tracking
is taken to know nothing of the conversation yet: the packet is NEW, and what NAT does to it is done afresh.
Source: iptables(8), iptables-extensions(8).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import msgspec

from netglass.desired.state import RuleSet
from netglass.trace.acting import differences
from netglass.trace.matching import NotUnderstoodError
from netglass.trace.packet import ICMP, ICMP6, TCP, UDP, Packet
from netglass.trace.result import Changed, Filter, Nat, Step, Warn

MOST_JUMPS = 32  # depth of chains in one another

_PROTOCOLS = {"icmp": ICMP, "ipv6-icmp": ICMP6, "icmpv6": ICMP6, "tcp": TCP, "udp": UDP, "all": None}
_BARE = ("-m", "--random-fully", "--comment")  # what they name or say decides nothing here


@dataclass(frozen=True)
class Passing:
    """A packet on its way through the chains.

    entered, leaving  devices; empty where it has none
    turned            its destination was translated
    """

    packet: Packet
    entered: str = ""
    leaving: str = ""
    mark: int = 0
    turned: bool = False


class Rule(NamedTuple):
    """One rule: (option, negated, value) of its matches, its target, and the target's options."""

    text: str
    tests: tuple[tuple[str, bool, str], ...]
    target: str
    settings: Mapping[str, str]


class Outcome(NamedTuple):
    """What a table did: the packet after it, whether it may go on, and the steps that say so."""

    passing: Passing
    passes: bool
    steps: list[Step]


def consult(rules: RuleSet | None, chain: str, passing: Passing) -> Outcome:
    """Lets a packet through a built-in chain of a table; without rules, it passes as it is."""
    if rules is None:
        return Outcome(passing, True, [])
    asking = _Consulting(rules, passing)
    try:
        verdict = asking.chain(chain, 0)
    except NotUnderstoodError as error:
        steps: list[Step] = [*asking.steps, Warn(text=f"A rule is not understood: {error}.")]
        return Outcome(asking.passing, False, steps)
    return Outcome(asking.passing, verdict not in ("DROP", "REJECT"), asking.steps)


class _Consulting:
    def __init__(self, rules: RuleSet, passing: Passing) -> None:
        self._rules = rules
        self.passing = passing
        self.steps: list[Step] = []

    def chain(self, name: str, depth: int) -> str:
        """Gives the verdict of a chain; empty: none, go on after the jump."""
        if depth > MOST_JUMPS:
            raise NotUnderstoodError(f"chain {name} comes back to itself")
        for rule in parsed(self._rules.rules).get(name, ()):
            if not all(_fits(test, self.passing) for test in rule.tests) or not rule.target:
                continue  # a rule without a target only counts
            if rule.target == "RETURN":
                return ""
            verdict = self._do(rule) if rule.target in _TARGETS else self.chain(rule.target, depth + 1)
            if verdict:
                return verdict
        return ""

    def _do(self, rule: Rule) -> str:
        named: dict[str, Any] = {
            "matched": f"rule_sets {self._rules.key} {rule.text}",
            "owner": self._rules.owner,
            "intent": self._rules.intent,
        }
        if rule.target == "MARK":
            value, _, mask = rule.settings["--set-xmark"].partition("/")
            bits = int(mask or "0xffffffff", 0)
            self.passing = replace(self.passing, mark=self.passing.mark & ~bits ^ int(value, 0))
            return ""
        if rule.target in ("DNAT", "SNAT", "REDIRECT"):
            before, self.passing = self.passing.packet, _translated(rule, self.passing)
            changed = tuple(Changed(*one) for one in differences(before, self.passing.packet))
            self.steps.append(Nat(changed=changed, **named))
        elif rule.target in ("DROP", "REJECT"):
            self.steps.append(Filter(passes=False, text=f"a rule says {rule.target}", **named))
        return rule.target


_TARGETS = ("ACCEPT", "DROP", "REJECT", "MARK", "DNAT", "SNAT", "REDIRECT")


def _translated(rule: Rule, passing: Passing) -> Passing:
    packet = passing.packet
    if rule.target == "SNAT":
        address, port = _target(rule.settings["--to-source"])
        return replace(passing, packet=_with(packet, "ip_src", address, "port_src", port))
    if rule.target == "DNAT":
        address, port = _target(rule.settings["--to-destination"])
        return replace(passing, packet=_with(packet, "ip_dst", address, "port_dst", port), turned=True)
    # To the namespace itself, by its loopback address: whose port matters, whose address does not.
    changed = _with(packet, "ip_dst", "127.0.0.1", "port_dst", rule.settings.get("--to-ports", ""))
    return replace(passing, packet=changed, turned=True)


def _with(packet: Packet, field: str, address: str, port_field: str, port: str) -> Packet:
    changes: dict[str, str | int] = {field: address}
    if port:
        changes[port_field] = _port_in(port, getattr(packet, port_field))
    return msgspec.structs.replace(packet, **changes)


def _port_in(text: str, present: int | None) -> int:
    """Gives the port that a translation gives: of a range the one at the present port's place, or the first."""
    ports, _, base = text.partition("/")
    first = int(ports.partition("-")[0])
    return first + present - int(base) if base and present is not None else first


def _target(text: str) -> tuple[str, str]:
    address, _, port = text.partition(":")
    return address, port


@lru_cache(maxsize=4096)
def parsed(rules: tuple[str, ...]) -> Mapping[str, tuple[Rule, ...]]:
    """Gives rules by chain, in their order; raises NotUnderstoodError for words that are no rule's."""
    found: dict[str, list[Rule]] = {}
    for text in rules:
        words = shlex.split(text)
        found.setdefault(words[1], []).append(_rule(text, words[2:]))
    return {chain: tuple(those) for chain, those in found.items()}


def _rule(text: str, words: list[str]) -> Rule:
    tests: list[tuple[str, bool, str]] = []
    settings: dict[str, str] = {}
    target, negated, place = "", False, 0
    while place < len(words):
        word = words[place]
        following = words[place + 1] if place + 1 < len(words) else ""
        if word == "!":
            negated, place = True, place + 1
            continue
        if word == "--random-fully":
            place += 1
            continue
        if word == "-j":
            target = following
        elif target:
            settings[word] = following
        elif word not in _BARE:
            tests.append((word, negated, following))
        negated, place = False, place + 2
    return Rule(text, tuple(tests), target, settings)


def _fits(test: tuple[str, bool, str], passing: Passing) -> bool:
    option, negated, value = test
    return _holds(option, value, passing) is not negated


def _holds(option: str, value: str, passing: Passing) -> bool:
    packet = passing.packet
    match option:
        case "-s" | "-d":
            return ip_address(packet.ip_src if option == "-s" else packet.ip_dst) in ip_network(value)
        case "-i" | "-o":
            return _is_device(value, passing.entered if option == "-i" else passing.leaving)
        case "-p":
            number = _PROTOCOLS.get(value, int(value) if value.isdigit() else -1)
            return number is None or packet.ip_proto == number
        case "--dport" | "--sport":
            return _in_range(value, packet.port_dst if option == "--dport" else packet.port_src)
        case "--ctstate":
            return bool({"NEW", *(["DNAT"] if passing.turned else [])} & set(value.split(",")))
        case "--mark":
            wanted, _, mask = value.partition("/")
            return passing.mark & int(mask or "0xffffffff", 0) == int(wanted, 0)
        case "--icmp-type" | "--icmpv6-type":
            return packet.icmp_type == int(value.partition("/")[0])
    raise NotUnderstoodError(f"{option} {value}")


def _is_device(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


def _in_range(text: str, number: int | None) -> bool:
    first, _, last = text.partition(":")
    return number is not None and int(first or 0) <= number <= int(last or first or 65535)
