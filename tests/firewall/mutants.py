"""Faults on purpose: what each driver would render if it forgot something, for the table of cases to find out.

A mutant changes the desired state of a host on its way from the compiler to the switch and the kernel, so that real
frames meet it.  It names the scenes in which it should show first; all the others are played when it does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from netglass.desired.state import DEAD_VLAN, AddressSet, Flow, HostState, PortTag, RuleSet

Change = Callable[[HostState], HostState]
Rules = Callable[[RuleSet, str], Iterable[str]]

_SEEN = "-j MARK --set-xmark 0x1000000/0x1000000"


@dataclass(frozen=True)
class Mutant:
    """What is wrong, as a change of a host's desired state; `scenes` are words of the names of those that show it."""

    name: str
    change: Change
    scenes: tuple[str, ...]


def mutants_of(driver: str) -> tuple[Mutant, ...]:
    """Gives the mutants of a driver."""
    return (*_COMMON, *(_CHAINS if driver == "iptables_hybrid" else _TABLES))


def arm(station: Any, driver: str, name: str) -> None:
    """Lets a station be what a mutant makes of it from now on; with an empty name, what the compiler says."""
    found = {mutant.name: mutant.change for mutant in mutants_of(driver)}
    station.alter = found[name] if name else lambda state: state


# --- ways to change a state


def _with_flows(state: HostState, flows: Iterable[Flow]) -> HostState:
    by_key = {flow.key: flow for flow in flows}
    return msgspec.structs.replace(state, flows=tuple(by_key[key] for key in sorted(by_key)))


def _each_flow(change: Callable[[Flow], Flow | None]) -> Change:
    def changed(state: HostState) -> HostState:
        return _with_flows(state, (new for flow in state.flows if (new := change(flow)) is not None))

    return changed


def _without_flow(table: int, *words: str) -> Change:
    """Leaves out the flows of a table of br-int whose match has all these words."""
    return _each_flow(lambda flow: None if _is(flow, table, *words) else flow)


def _is(flow: Flow, table: int, *words: str) -> bool:
    parts = flow.match.split(",")
    return (flow.bridge, flow.table) == ("br-int", table) and all(word in parts for word in words)


def _without_match(table: int, *names: str) -> Change:
    """Leaves out matches by their names from the flows of a table of br-int."""

    def change(flow: Flow) -> Flow:
        if (flow.bridge, flow.table) != ("br-int", table):
            return flow
        kept = [part for part in flow.match.split(",") if part.partition("=")[0] not in names]
        return msgspec.structs.replace(flow, match=",".join(kept))

    return _each_flow(change)


def _goes_on(table: int, onwards: int, *words: str) -> Change:
    """Lets pass what flows of a table drop."""

    def change(flow: Flow) -> Flow:
        dropping = _is(flow, table, *words) and flow.actions == "resubmit(,93)"
        return msgspec.structs.replace(flow, actions=f"resubmit(,{onwards})") if dropping else flow

    return _each_flow(change)


def _each_rule(change: Rules) -> Change:
    def changed(state: HostState) -> HostState:
        sets = []
        for one in state.rule_sets:
            rules = tuple(new for rule in one.rules for new in change(one, rule))
            sets.append(msgspec.structs.replace(one, rules=rules))
        return msgspec.structs.replace(state, rule_sets=tuple(sets))

    return changed


def _without_rule(*words: str, of: str = "-o-base") -> Change:
    """Leaves out the rules that have all these words, in chains whose names end so."""

    def change(_: RuleSet, rule: str) -> Iterator[str]:
        if not (rule.split()[1].endswith(of) and all(word in rule for word in words)):
            yield rule

    return _each_rule(change)


def _reworded(pattern: str, to: str | Callable[[re.Match[str]], str], where: str = "") -> Change:
    """Rewrites rules of the ports' own parts; `where` is a word that they must have."""
    found = re.compile(pattern)

    def change(one: RuleSet, rule: str) -> Iterator[str]:
        yield found.sub(to, rule) if one.part and where in rule else rule

    return _each_rule(change)


def _both(*changes: Change) -> Change:
    def changed(state: HostState) -> HostState:
        for change in changes:
            state = change(state)
        return state

    return changed


# --- what is wrong, whatever the driver


def _live(state: HostState) -> HostState:
    """Gives the dead ports of guests the tag that the others have, and no flow that drops."""
    tags = {tag.vlan for tag in state.port_tags if tag.vlan != DEAD_VLAN}
    dead = {tag.port for tag in state.port_tags if tag.vlan == DEAD_VLAN}
    alive = tuple(_alive(tag, min(tags)) for tag in state.port_tags)
    flows = (f for f in state.flows if not (f.table == 0 and f.actions == "drop" and f.port in dead))
    return _with_flows(msgspec.structs.replace(state, port_tags=alive), flows)


def _alive(tag: PortTag, vlan: int) -> PortTag:
    return msgspec.structs.replace(tag, vlan=vlan) if tag.vlan == DEAD_VLAN else tag


_COMMON = (
    Mutant("table 25 does not ask for the MAC", _without_match(25, "dl_src"), ("forged senders",)),
    Mutant("table 24 lets any ARP pass", _goes_on(24, 25, "arp"), ("forged senders",)),
    Mutant("table 24 does not ask for ARP's MAC", _without_match(24, "arp_sha"), ("forged senders",)),
    Mutant("table 24 lets any neighbour advertisement pass", _goes_on(24, 25, "icmp6"), ("forged senders",)),
    Mutant("table 24 lets tagged frames pass", _without_flow(24, "vlan_tci=0x1000/0x1000"), ("forged senders",)),
)


# --- what is wrong with chains


def _widened(found: re.Match[str]) -> str:
    low, high = int(found[1]), int(found[2] or found[1])
    return f"--dport {low}:{high + 1}" if high < 65535 else found[0]


def _swapped(one: RuleSet, rule: str) -> Iterator[str]:
    """Leaves the permits of both directions out; `_swap` puts them into each other's chain."""
    if not (one.part and rule.endswith("-j RETURN") and rule.split()[1][len("neutron-openvswi-")] == "g"):
        yield rule


def _swap(state: HostState) -> HostState:
    sets = []
    for one in state.rule_sets:
        permits = [rule for rule in one.rules if rule not in set(_swapped(one, rule))]
        rules: list[str] = []
        for rule in one.rules:
            if rule in permits:
                continue
            chain = rule.split()[1]
            if rule.endswith("-sg-fallback") and one.part:
                other = chain.replace(*(("wi-gi", "wi-go") if "wi-gi" in chain else ("wi-go", "wi-gi")))
                rules += [p.replace(other, chain, 1) for p in permits if p.split()[1] == other]
            rules.append(rule)
        sets.append(msgspec.structs.replace(one, rules=tuple(rules)))
    return msgspec.structs.replace(state, rule_sets=tuple(sets))


def _unfiltered(one: RuleSet, rule: str) -> Iterator[str]:
    chain = rule.split()[1]
    of_groups = bool(one.part) and chain.startswith("neutron-openvswi-g")
    if one.table != "filter" or one.ip_version != 6 or not of_groups:
        yield rule
    elif rule == f"-A {chain} -j neutron-openvswi-sg-fallback":
        yield f"-A {chain} {_SEEN}"


def _forgetful(state: HostState) -> HostState:
    """Leaves the first member out of each set."""
    sets = tuple(_shorter(one) for one in state.address_sets)
    return msgspec.structs.replace(state, address_sets=sets)


def _shorter(one: AddressSet) -> AddressSet:
    return msgspec.structs.replace(one, members=one.members[1:])


_CHAINS = (
    Mutant("addresses are not tied to MACs", _reworded(r" -m mac --mac-source \S+", ""), ("security on, pairs",)),
    Mutant("MACs are not tied to addresses", _reworded(r" -s \S+(?= -m mac)", ""), ("security on, no pairs",)),
    Mutant("sources are not looked at", _reworded(r"-j neutron-openvswi-s\S+$", _SEEN), ("security on, no pairs",)),
    Mutant("a guest may be a router", _without_rule("--icmpv6-type 134", "DROP"), ("security on, no pairs",)),
    Mutant("a guest may serve DHCP", _without_rule("--sport 67", "DROP"), ("security on, no pairs",)),
    Mutant("a guest may serve DHCPv6", _without_rule("--sport 547", "DROP"), ("security on, no pairs",)),
    Mutant(
        "any kind of frame reaches a guest", _without_rule("-j DROP", of="-i-kinds"), ("security off", "security on")
    ),
    Mutant("ranges of ports are one too wide", _reworded(r"--dport (\d+)(?::(\d+))?", _widened), ("v4: tcp 80",)),
    Mutant("of many ports, a rule says one", _reworded(r"--dports (\d+)\S*", r"--dports \1"), ("v4: many ports",)),
    Mutant("ingress and egress are swapped", _swap, ("v4: tcp 80",)),
    Mutant("IPv6 is not filtered", _each_rule(_unfiltered), ("v6: nothing",)),
    Mutant("nobody remembers connections, to a guest", _without_rule("ESTABLISHED", of="-i-base"), ("answers v4",)),
    Mutant("nobody remembers connections, from a guest", _without_rule("ESTABLISHED", of="-o-base"), ("answers v4",)),
    Mutant(
        "who accepted a connection does not matter",
        _each_rule(lambda _, rule: [re.sub(r" -m connmark --mark \S+", "", rule)]),
        ("answers v4",),
    ),
    Mutant("remote groups are anybody", _reworded(r" -m set --match-set \S+ (src|dst)", ""), ("a group of others",)),
    Mutant(
        "remote groups are looked for at the wrong end",
        _reworded(r"(--match-set \S+) (src|dst)", lambda m: f"{m[1]} {'dst' if m[2] == 'src' else 'src'}"),
        ("from its own group", "group of everybody"),
    ),
    Mutant("a set lacks a member", _forgetful, ("group of everybody",)),
    Mutant("the code of ICMP does not matter", _reworded(r"(-type \d+)/\d+", r"\1"), ("code 1",)),
    Mutant("remote prefixes are anybody", _reworded(r" -[sd] \S+(?= -[pj])", "", "-j RETURN"), ("from elsewhere",)),
    Mutant(
        "groups without state have some", _reworded(r"CT --notrack", "CT --zone 5", "qbr"), ("answers v4, untracked",)
    ),
    Mutant(
        "a dead port is alive",
        _both(_live, _without_rule("-j DROP", of="-POSTROUTING")),
        ("dead",),
    ),
)


# --- what is wrong with tables


def _wide(flow: Flow) -> Flow:
    """Makes a lone port two of them."""

    def two(found: re.Match[str]) -> str:
        return f"{found[1]}={int(found[2]) & ~1:#x}/0xfffe"

    if flow.table not in (72, 82) or "conjunction" not in flow.actions:
        return flow
    return msgspec.structs.replace(flow, match=re.sub(r"(tp_dst)=(\d+)(?=,|$)", two, flow.match))


def _crossed(flow: Flow) -> Flow:
    if flow.priority != 70 or flow.bridge != "br-int":
        return flow
    return msgspec.structs.replace(flow, table={72: 82, 82: 72}.get(flow.table, flow.table))


def _anybody(flow: Flow) -> Flow | None:
    if "conjunction" not in flow.actions:
        return flow
    parts = re.findall(r"conjunction\((\d+),(\d)/(\d)\)", flow.actions)
    said = [f"conjunction({number},{clause}/2)" for number, clause, _ in parts if clause != "3"]
    return msgspec.structs.replace(flow, actions=",".join(said)) if said else None


def _one_less(state: HostState) -> HostState:
    """Leaves out what says of the lowest address that it is a member of a set."""
    members = [flow for flow in state.flows if re.fullmatch(r"(conjunction\(\d+,3/3\),?)+", flow.actions)]
    least = min((re.findall(r"(?:src|dst)=([^,]+)", flow.match)[-1] for flow in members), default="")
    return _with_flows(state, (flow for flow in state.flows if flow not in members or f"={least}" not in flow.match))


def _stateful(flow: Flow) -> Flow:
    actions = re.sub(r"set_field:0x5->reg7", "set_field:0x1->reg7", flow.actions)
    actions = actions.replace("set_field:0x6->reg7", "set_field:0x2->reg7")
    if (flow.bridge, flow.table) == ("br-int", 71) and flow.actions == "resubmit(,72)":
        actions = "ct(table=72,zone=NXM_NX_REG6[0..15])"
    return msgspec.structs.replace(flow, actions=actions)


_ADDRESSES = ("nw_src", "ipv6_src")
_TABLES = (
    Mutant("addresses are not tied to MACs", _without_match(71, "dl_src"), ("security on, pairs",)),
    Mutant("MACs are not tied to addresses", _without_match(71, *_ADDRESSES), ("security on, no pairs",)),
    Mutant(
        "a guest may be a router",
        _without_flow(71, "icmp6", "icmp_type=134"),
        ("security on, no state", "security on, no pairs"),
    ),
    Mutant(
        "a guest may serve DHCP",
        _without_flow(71, "udp", "tp_src=67"),
        ("security on, no state", "security on, no pairs"),
    ),
    Mutant(
        "a guest may serve DHCPv6",
        _without_flow(71, "udp6", "tp_src=547"),
        ("security on, no state", "security on, no pairs"),
    ),
    Mutant("ranges of ports are one too wide", _each_flow(_wide), ("v4: tcp 80",)),
    Mutant("ingress and egress are swapped", _each_flow(_crossed), ("v4: tcp 80",)),
    Mutant("IPv6 is forgotten", _without_flow(81, "ipv6"), ("v6: everything",)),
    Mutant(
        "answers are judged by one side only",
        _each_flow(lambda f: None if f.table in (72, 82) and "+rpl" in f.match else f),
        ("answers v4",),
    ),
    Mutant("nobody notes connections", _without_flow(73, "ip", "ct_state=+new-inv+trk"), ("answers v4",)),
    Mutant("remote groups are anybody", _each_flow(_anybody), ("a group of others",)),
    Mutant("a set lacks a member", _one_less, ("group of everybody",)),
    Mutant("the code of ICMP does not matter", _without_match(82, "ct_tp_dst"), ("code 1",)),
    Mutant(
        "remote prefixes are anybody",
        _both(_without_match(82, "ct_nw_src", "ct_ipv6_src"), _without_match(72, "ct_nw_dst", "ct_ipv6_dst")),
        ("from elsewhere",),
    ),
    Mutant("groups without state have some", _each_flow(_stateful), ("answers v4, untracked",)),
    Mutant(
        "what is for all of a network is switched",
        _without_flow(60, "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00"),
        ("forged senders",),
    ),
    Mutant("a dead port is alive", _live, ("dead",)),
)
