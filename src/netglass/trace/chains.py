"""What the chains of an iptables table do with a packet.

Built-in chains accept what reaches their end: desired states say nothing of other policies.
Source: iptables(8), iptables-extensions(8).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from netglass.desired.state import RuleSet
from netglass.trace.acting import differences
from netglass.trace.fields import NotUnderstoodError
from netglass.trace.fitting import Passing, fits
from netglass.trace.packet import PROHIBITED, UNREACHABLE_HOST, UNREACHABLE_NET, UNREACHABLE_PORT
from netglass.trace.result import Changed, Filter, Nat, Step, Warn
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


class Outcome(NamedTuple):
    """What a table did.

    passes   it may go on
    steps    that say so
    refusal  ICMP's type and code that its sender is told; None: nothing
    """

    passing: Passing
    passes: bool
    steps: list[Step]
    refusal: tuple[int, int] | None = None


def consult(rules: RuleSet | None, chain: str, passing: Passing, own: str = "") -> Outcome:
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
    return Outcome(asking.passing, verdict not in (DROP, REJECT), asking.steps, asking.refusal)


class _Consulting:
    def __init__(self, rules: RuleSet, passing: Passing, own: str) -> None:
        self._rules = rules
        self._own = own
        self.passing = passing
        self.steps: list[Step] = []
        self.refusal: tuple[int, int] | None = None

    def chain(self, name: str, depth: int) -> str:
        """Gives the verdict of a chain; empty: none, go on after the jump."""
        if depth > MOST_JUMPS:
            raise NotUnderstoodError(f"chain {name} comes back to itself")
        for rule in parsed(self._rules.rules).get(name, ()):
            if not all(fits(test, self.passing) for test in rule.tests) or not rule.target:
                continue  # a rule without a target only counts
            if rule.target == "RETURN":
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
        known = rule.target in self._rules.chains or rule.target in parsed(self._rules.rules)
        if not known:
            raise NotUnderstoodError(rule.text)
        return self.chain(rule.target, depth + 1)

    def _judge(self, rule: Rule) -> str:
        if rule.target == REJECT:
            self.refusal = _REFUSALS.get(rule.settings.get("--reject-with", ""), UNREACHABLE_PORT)
        if rule.target != ACCEPT:
            self.steps.append(Filter(passes=False, text=f"a rule says {rule.target}", **self._named(rule)))
        return rule.target

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
        matched = f"rule_sets {self._rules.key} {rule.text}"
        return {"matched": matched, "owner": self._rules.owner, "intent": self._rules.intent}


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
