"""Which security group rule each rendered rule and flow of a host stands for: the way back from what a driver made.

Called by ``trace``, which names the rule that lets a packet pass, or the groups none of whose rules does.  The desired
state itself does not carry it: a rule of a group of 1,000 ports would be said 1,000 times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from netglass.base.ids import groups_chain_name
from netglass.compile.firewall.clauses import Clauses
from netglass.compile.firewall.guards import Firewall, Guard, firewall_of
from netglass.compile.firewall.numbers import numbers
from netglass.compile.firewall.sayings import sayings_of
from netglass.compile.place import Place, place_of
from netglass.desired.permits import Permit
from netglass.model.resources import SecurityGroup, SecurityGroupRule, ref
from netglass.model.rules import EGRESS, INGRESS
from netglass.model.snapshot import Snapshot


class Reason(NamedTuple):
    """What stands behind something of the firewall: words for people, and references, ascending.

    among  where several rules are said together: what each lets pass, with its own reason
    """

    text: str
    intent: tuple[str, ...]
    among: tuple[tuple[Permit, Reason], ...] = ()


def reasons_of(snapshot: Snapshot, host: str) -> Mapping[str, Reason]:
    """Gives the reasons of a host by what they are the reasons of.

    ipv4 -A <chain> …    a rule of iptables, as ``iptables-save`` prints it
    <part>               guarded ports on their Linux bridges, by the `RuleSet.part` that they share: their groups
    <match> conj=<n>     a clause of a conjunction, which says the kind of packet
    reg5=<number>        a guarded port on br-int: its groups

    Cost: as compiling the host's firewall.
    """
    place = place_of(snapshot, host)
    if place is None or not place.filtering:
        return {}
    firewall = firewall_of(place)
    found = _of_tables(place, firewall) if place.native else _of_chains(place, firewall)
    return dict(found)


def _of_chains(place: Place, firewall: Firewall) -> Iterator[tuple[str, Reason]]:
    for guard in {guard.held: guard for guard in firewall.guards}.values():
        part = firewall.parts[guard.held]
        yield part, _groups(place, guard)
        for saying in sayings_of(part, guard):
            chain = groups_chain_name(part, to_guest=saying.to_guest)
            direction = INGRESS if saying.to_guest else EGRESS
            among = tuple((one, _rule(place, _because(guard, direction, one))) for one in saying.joint.permits)
            text = f"ipv{saying.joint.ip_version} -A {chain} {saying.text}"
            if len(among) == 1:
                yield text, among[0][1]
                continue
            intent = tuple(sorted({ref for _, reason in among for ref in reason.intent}))
            yield text, Reason(f"one of {len(among)} rules", intent, among)


def _because(guard: Guard, direction: str, permit: Permit) -> tuple[str, ...]:
    """Gives the references of what a guard's permit is made of: in the first of its groups that has it."""
    return next(g.because[direction, permit] for g in guard.groups if (direction, permit) in g.because)


def _of_tables(place: Place, firewall: Firewall) -> Iterator[tuple[str, Reason]]:
    keys = numbers(ref(guard.port) for guard in firewall.guards)
    for guard in firewall.guards:
        yield f"reg5={keys[ref(guard.port)]:#x}", _groups(place, guard)
    for match, number, because in Clauses(firewall, keys).kinds():
        yield f"{match} conj={number}", _rule(place, because)


def _groups(place: Place, guard: Guard) -> Reason:
    rows = [place.snapshot.get(SecurityGroup, group.id) for group in guard.groups]
    named = sorted(row.name for row in rows if row is not None)
    if not named:
        return Reason("no rule, as the port has no security group,", guard.intent)
    return Reason(f"no rule of {'security group' if len(named) == 1 else 'its groups'} {_list(named)}", guard.intent)


def _rule(place: Place, because: tuple[str, ...]) -> Reason:
    ids = (one.partition(":")[2] for one in because if one.startswith(f"{SecurityGroupRule.kind}:"))
    row = next((row for rule_id in ids if (row := place.snapshot.get(SecurityGroupRule, rule_id)) is not None), None)
    if row is None:
        return Reason("a rule", because)
    group = place.snapshot.get(SecurityGroup, row.security_group_id)
    return Reason(f"rule {row.id} ({_told(row)}) of security group {group.name if group else '?'}", because)


def _told(rule: SecurityGroupRule) -> str:
    words = [rule.direction, rule.ethertype, rule.protocol or "any"]
    if rule.port_range_min is not None or rule.port_range_max is not None:
        ends = dict.fromkeys(str(one) for one in (rule.port_range_min, rule.port_range_max) if one is not None)
        words.append("..".join(ends))
    if rule.remote_ip_prefix:
        words.append(f"remote {rule.remote_ip_prefix}")
    elif rule.remote_group_id:
        words.append("remote group")
    elif rule.remote_address_group_id:
        words.append("remote address group")
    return " ".join(words)


def _list(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
