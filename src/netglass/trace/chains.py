"""What the chains of an iptables table do with a packet.

Built-in chains accept what reaches their end: desired states say nothing of other policies.
Source: iptables(8), iptables-extensions(8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from netglass.compile.firewall.reasons import Reason
from netglass.desired.state import RuleSet
from netglass.trace.acting import differences
from netglass.trace.fields import NotUnderstoodError
from netglass.trace.fitting import Passing, fits, says
from netglass.trace.packet import PROHIBITED, UNREACHABLE_HOST, UNREACHABLE_NET, UNREACHABLE_PORT
from netglass.trace.result import Changed, Drop, Filter, Nat, Step, Warn
from netglass.trace.ruling import Rule, parsed
from netglass.trace.tracking import UNTRACKED, Found, target, translated, turn

MOST_JUMPS = 32  # depth of chains in one another

ACCEPT, DROP, REJECT = "ACCEPT", "DROP", "REJECT"
_REFUSALS = {
    "icmp-net-unreachable": UNREACHABLE_NET,
    "icmp-host-unreachable": UNREACHABLE_HOST,
    "icmp-admin-prohibited": PROHIBITED,
    "icmp6-adm-prohibited": PROHIBITED,
}


_FIREWALL = "firewall"  # the owner of what filters guests
_IN_PORTS_CHAIN = 3  # chains that a packet is in at the least when a port's own chain has led it to the fallback
_FALLBACK, _SOURCES, _TO_GUEST = "-sg-fallback", "neutron-openvswi-s", "neutron-openvswi-gi"


class Outcome(NamedTuple):
    """What a table did.

    passes   it may go on
    steps    that say so
    refusal  ICMP's type and code that its sender is told; None: nothing
    ends     why it does not go on, where more is known than that
    """

    passing: Passing
    passes: bool
    steps: list[Step]
    refusal: tuple[int, int] | None = None
    ends: Drop | None = None


@dataclass(frozen=True)
class Chains:
    """All chains of one table in one namespace, whatever parts they are kept in.

    parts    by the text of each rule, the part that has it
    reasons  gives what stands behind rules of the firewall
    """

    rules: tuple[str, ...]
    names: frozenset[str]
    parts: Mapping[str, RuleSet]
    reasons: Callable[[], Mapping[str, Reason]]

    @staticmethod
    def of(parts: Iterable[RuleSet], reasons: Callable[[], Mapping[str, Reason]] = dict) -> Chains:
        """Puts the parts of a table together; the part that all hang on comes last."""
        ordered = sorted(parts, key=lambda part: not part.part)
        by_rule = {rule: part for part in reversed(ordered) for rule in part.rules}
        names = frozenset(chain for part in ordered for chain in part.chains)
        return Chains(tuple(rule for part in ordered for rule in part.rules), names, by_rule, reasons)


def consult(rules: Chains | None, chain: str, passing: Passing, own: str = "") -> Outcome:
    """Lets a packet through a built-in chain of a table; without rules, it passes as it is.

    own  address that stands for the namespace itself, where a rule redirects to it
    """
    if rules is None:
        return Outcome(passing, True, [])
    asking = _Consulting(rules, passing, own)
    try:
        verdict = asking.chain(chain, 0)
    except NotUnderstoodError as error:
        steps: list[Step] = [*asking.steps, Warn(text=f"A rule is not understood: {error}.")]
        return Outcome(asking.passing, False, steps)
    return Outcome(asking.passing, verdict not in (DROP, REJECT), asking.steps, asking.refusal, asking.ends)


class _Consulting:
    def __init__(self, rules: Chains, passing: Passing, own: str) -> None:
        self._rules = rules
        self._own = own
        self._within: list[str] = []
        self.passing = passing
        self.steps: list[Step] = []
        self.refusal: tuple[int, int] | None = None
        self.ends: Drop | None = None

    def chain(self, name: str, depth: int) -> str:
        """Gives the verdict of a chain; empty: none, go on after the jump."""
        if depth > MOST_JUMPS:
            raise NotUnderstoodError(f"chain {name} comes back to itself")
        self._within.append(name)
        try:
            return self._through(name, depth)
        finally:
            self._within.pop()

    def _through(self, name: str, depth: int) -> str:
        for rule in parsed(self._rules.rules).get(name, ()):
            if not all(fits(test, self.passing) for test in rule.tests) or not rule.target:
                continue  # a rule without a target only counts
            if rule.target == "RETURN":
                self._note(rule)
                return ""
            verdict = self._verdict(rule, depth)
            if verdict or rule.goes:
                return verdict
        return ""

    def _verdict(self, rule: Rule, depth: int) -> str:
        if rule.target in (ACCEPT, DROP, REJECT):
            return self._judge(rule)
        if rule.target in _TRANSLATIONS:
            return self._translate(rule)
        if rule.target in _MARKS:
            self.passing = _MARKS[rule.target](rule, self.passing)
            return ""
        if rule.target in _NOTHING:
            return ""
        known = rule.target in self._rules.names or rule.target in parsed(self._rules.rules)
        if not known:
            raise NotUnderstoodError(rule.text)
        return self.chain(rule.target, depth + 1)

    def _judge(self, rule: Rule) -> str:
        if rule.target == REJECT:
            self.refusal = _REFUSALS.get(rule.settings.get("--reject-with", ""), UNREACHABLE_PORT)
        if rule.target != ACCEPT:
            self.ends = self._ended(rule)
            if self.ends is None:
                self.steps.append(Filter(passes=False, text=f"a rule says {rule.target}", **self._named(rule)))
        elif any(test.option == "--ctstate" for test in rule.tests) and self._part(rule).owner == _FIREWALL:
            text = "lets it pass, as its connection was accepted"
            self.steps.append(Filter(passes=True, text=text, **self._named(rule)))
        return rule.target

    def _note(self, rule: Rule) -> None:
        """Names the security group rule by which a packet passes."""
        part = self._part(rule)
        if part.owner != _FIREWALL:
            return
        reason = self._rules.reasons().get(f"ipv{part.ip_version} {rule.text}")
        if reason is not None:
            to_guest = self._within[-1].startswith(_TO_GUEST)
            told = (one for permit, one in reason.among if says(permit, self.passing.packet, to_guest=to_guest))
            reason = next(told, reason)
            named = self._named(rule) | {"intent": reason.intent}
            self.steps.append(Filter(passes=True, text=f"lets it pass by {reason.text}", **named))

    def _ended(self, rule: Rule) -> Drop | None:
        """Gives in which chain of a guest's port a packet ends, where that says why."""
        chain = self._within[-1]
        named = self._named(rule)
        if chain.startswith(_SOURCES) and not chain.endswith(_FALLBACK):
            return Drop(code="forged", text="its source is none of the port's own addresses and MACs", **named)
        if not chain.endswith(_FALLBACK) or len(self._within) < _IN_PORTS_CHAIN:
            return None
        port, groups = self._within[-3:-1]
        part, owner = self._rules.parts.get(f"-A {groups} -j {chain}"), self._rules.parts.get(f"-A {port} -g {groups}")
        reason = self._rules.reasons().get(part.part) if part is not None else None
        if owner is None or reason is None:
            return None
        text = f"{reason.text} lets it {'in' if groups.startswith(_TO_GUEST) else 'out'}"
        return Drop(code="security-group", text=text, **(named | {"intent": owner.intent}))

    def _part(self, rule: Rule) -> RuleSet:
        return self._rules.parts[rule.text]

    def _translate(self, rule: Rule) -> str:
        connection = self.passing.found.connection
        if connection is None:
            return ACCEPT  # what is not tracked is not translated
        side = "src" if rule.target in ("SNAT", "MASQUERADE") else "dst"
        to = _TRANSLATIONS[rule.target](rule, self._own)
        turn(connection, side, *to)
        before = self.passing.packet
        self.passing = replace(self.passing, packet=translated(before, self.passing.found, side))
        changed = tuple(Changed(*one) for one in differences(before, self.passing.packet))
        self.steps.append(Nat(changed=changed, **self._named(rule)))
        return ACCEPT

    def _named(self, rule: Rule) -> dict[str, Any]:
        part = self._part(rule)
        matched = f"rule_sets {part.key} {rule.text}"
        return {"matched": matched, "owner": part.owner, "intent": part.intent}


def _to(option: str) -> Callable[[Rule, str], tuple[str, str]]:
    def read(rule: Rule, _: str) -> tuple[str, str]:
        try:
            return target(rule.settings[option])
        except (KeyError, ValueError):
            raise NotUnderstoodError(rule.text) from None

    return read


_TRANSLATIONS: Mapping[str, Callable[[Rule, str], tuple[str, str]]] = {
    "SNAT": _to("--to-source"),
    "DNAT": _to("--to-destination"),
    "MASQUERADE": lambda rule, own: (own, rule.settings.get("--to-ports", "")),
    "REDIRECT": lambda rule, own: (own, rule.settings.get("--to-ports", "")),
}
_NOTHING = ("LOG", "NFLOG", "CHECKSUM", "TCPMSS", "CLASSIFY", "TRACE")  # they decide nothing of where a packet goes


def _mark(rule: Rule, passing: Passing) -> Passing:
    return replace(passing, mark=_marked(rule, passing.mark))


def _marked(rule: Rule, held: int) -> int:
    for option in ("--set-xmark", "--set-mark"):
        if option in rule.settings:
            value, _, mask = rule.settings[option].partition("/")
            bits = int(mask or "0xffffffff", 0)
            kept = held & ~bits
            return kept ^ int(value, 0) if option == "--set-xmark" else kept | int(value, 0)
    raise NotUnderstoodError(rule.text)


def _connection_mark(rule: Rule, passing: Passing) -> Passing:
    connection = passing.found.connection
    if connection is None:
        return passing
    if "--save-mark" in rule.settings:
        connection.mark = passing.mark
    elif "--restore-mark" in rule.settings:
        return replace(passing, mark=connection.mark)
    else:
        connection.mark = _marked(rule, connection.mark)
    return passing


def _tracking(rule: Rule, passing: Passing) -> Passing:
    if "--notrack" in rule.settings:
        return replace(passing, found=Found(UNTRACKED))
    if "--zone" not in rule.settings:
        raise NotUnderstoodError(rule.text)
    return replace(passing, zone=int(rule.settings["--zone"], 0))


_MARKS: Mapping[str, Callable[[Rule, Passing], Passing]] = {
    "MARK": _mark,
    "CONNMARK": _connection_mark,
    "CT": _tracking,
    "NOTRACK": lambda _, passing: replace(passing, found=Found(UNTRACKED)),
}
