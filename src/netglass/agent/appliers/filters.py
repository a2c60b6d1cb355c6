"""Keeps our chains of iptables: one call a namespace and family in a round, each table changed at once.

Ours are the chains whose name begins with ``neutron-``, in namespaces that are ours, and the rules of built-in chains
that lead to them.  All else is left alone.  Only rules that differ are touched, so that the others go on counting.

A translation that goes takes the connections with it that it was made for: else a moved floating IP would go on
leading to where it led.  One that comes takes those that went without it: else who has been calling in vain goes on so.

On an error it carries on with the next table.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.state import HostState, RuleSet, Thing
from netglass.host import iptables, namespaces
from netglass.host.iptables import Flows, RuleEvents, RulesUnreadable, Table

_TRUSTED_S = 9.0  # less than the loop's slow look at everything, so that it looks
_PREFIX = "neutron-"
_VERSIONS = (4, 6)

Place = tuple[str, int]
"""A namespace's name, and the address family's version."""

_Part = tuple[RuleSet, list[str], list[Flows]]
"""Rules, the edits that make them so, and the connections that are to be forgotten then."""


class _Read(NamedTuple):
    at: float
    tables: dict[int, dict[str, Table]]  # by version


class Filters:
    """The applier of ``rule_sets``."""

    kinds = ("rule_sets",)

    def __init__(self, marks: NamespaceMarks, clock: Callable[[], float] = time.monotonic) -> None:
        self._marks = marks
        self._clock = clock
        self._news: dict[str, tuple[int, RuleEvents]] = {}  # with the inode of the namespace that it is of
        self._read: dict[str, _Read] = {}
        self._known: set[str] | None = None  # namespaces in which rules of ours are wanted, or were

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives our rules in namespaces that are wanted, or were; on the first round, in all that are ours.

        A namespace is asked only when there is news of its rules, or when it was not asked for `_TRUSTED_S` seconds.
        Raises ApplyError when one cannot be read.
        """
        ours = self._marks.names()
        before = self._known if self._known is not None else ours
        self._known = {rule_set.netns for rule_set in desired.rule_sets} | (before & ours)
        for gone in self._news.keys() - self._known:
            self._forget(gone)
        wanted = {rule_set.key: rule_set for rule_set in desired.rule_sets}
        found: list[RuleSet] = []
        for netns in sorted(self._known):
            for version, tables in self._look(netns).items():
                sets = (_observed(netns, version, name, table, wanted) for name, table in tables.items())
                found += [rule_set for rule_set in sets if rule_set is not None]
        return {"rule_sets": tuple(sorted(found, key=lambda rule_set: rule_set.key))}

    def _look(self, netns: str) -> dict[int, dict[str, Table]]:
        try:
            news = self._listen(netns).drain()
            kept = self._read.get(netns)
            if news or kept is None or self._clock() - kept.at > _TRUSTED_S:
                tables = {version: iptables.save(netns, version) for version in _VERSIONS}
                kept = self._read[netns] = _Read(self._clock(), tables)
        except FileNotFoundError:
            self._forget(netns)
            return {}
        except RulesUnreadable as error:
            self._read.pop(netns, None)
            raise ApplyError("rule_sets", netns, str(error)) from error
        return kept.tables

    def _listen(self, netns: str) -> RuleEvents:
        # A namespace made anew under its name is another one; a socket in the old one would keep that alive.
        identity = namespaces.path(netns).stat().st_ino
        held = self._news.get(netns)
        if held is None or held[0] != identity:
            self._forget(netns)
            held = self._news[netns] = (identity, RuleEvents(netns))
        return held[1]

    def _forget(self, netns: str) -> None:
        self._read.pop(netns, None)
        held = self._news.pop(netns, None)
        if held is not None:
            held[1].close()

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes chains and rules what they should be."""
        pairs: list[tuple[RuleSet | None, RuleSet]] = []
        for old, new in ((None, thing) for thing in work.add):
            assert isinstance(new, RuleSet)
            pairs.append((old, new))
        for seen, wanted in work.change:
            assert isinstance(seen, RuleSet)
            assert isinstance(wanted, RuleSet)
            pairs.append((seen, wanted))
        by_place: dict[Place, list[_Part]] = defaultdict(list)
        for before, after in pairs:
            moved = list(_moved(before.rules, after.rules)) if before is not None else []
            by_place[after.netns, after.ip_version].append((after, list(edits(before, after)), moved))
        return [error for place, parts in by_place.items() for error in self._restore(place, parts)]

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Takes our chains, and what leads to them, away."""
        errors: list[ApplyError] = []
        for thing in things:
            assert isinstance(thing, RuleSet)
            bare = RuleSet(
                owner=thing.owner,
                intent=thing.intent,
                netns=thing.netns,
                ip_version=thing.ip_version,
                table=thing.table,
                chains=(),
                rules=(),
            )
            part = (thing, list(edits(thing, bare)), list(_moved(thing.rules, ())))
            errors += self._restore((thing.netns, thing.ip_version), [part], gone_is_done=True)
            if hurry():
                break
        return errors

    def watch(self) -> list[int]:
        """Gives what news of rules comes by."""
        return [news.fileno() for _, news in self._news.values()]

    def _restore(self, place: Place, parts: Sequence[_Part], *, gone_is_done: bool = False) -> list[ApplyError]:
        """Does all tables' edits in one call; when it is refused, each table's alone."""
        netns, version = place
        try:
            output = iptables.restore(netns, version, [line for _, lines, _ in parts for line in lines])
        except FileNotFoundError as error:
            return [] if gone_is_done else [ApplyError("rule_sets", part[0].key, str(error)) for part in parts]
        if not output.ok:
            if len(parts) == 1:
                return [ApplyError("rule_sets", parts[0][0].key, output.evidence)]
            return [error for part in parts for error in self._restore(place, [part], gone_is_done=gone_is_done)]
        flows = [found for _, _, moved in parts for found in moved]
        failed = iptables.forget_flows(netns, flows)
        return [ApplyError("rule_sets", parts[0][0].key, output.evidence) for output in failed]


def edits(before: RuleSet | None, after: RuleSet) -> Iterator[str]:
    """Gives the lines for iptables-restore that turn one set of rules into another, counting on what is there."""
    there = set(before.chains) if before is not None else set()
    old, new = _by_chain(before.rules if before is not None else ()), _by_chain(after.rules)
    yield f"*{after.table}"
    # Naming a chain that is there would empty it.
    yield from (f":{chain} - [0:0]" for chain in after.chains if chain not in there)
    for chain in sorted(old.keys() | new.keys()):
        have, want = old.get(chain, []), new.get(chain, [])
        if chain.startswith(_PREFIX):
            yield from _chain_edits(chain, have, want)
        elif have != want:
            # Others have rules here too, so that places say nothing.
            yield from (f"-D {chain} {rule}" for rule in have)
            yield from (f"-A {chain} {rule}" for rule in want)
    yield from (f"-X {chain}" for chain in sorted(there - set(after.chains)))
    yield "COMMIT"


def _chain_edits(chain: str, have: list[str], want: list[str]) -> Iterator[str]:
    # From the end, so that the numbers of what comes before stay true.
    for verb, i1, i2, j1, j2 in reversed(SequenceMatcher(None, have, want, autojunk=False).get_opcodes()):
        if verb == "equal":
            continue
        yield from (f"-D {chain} {number}" for number in range(i2, i1, -1))
        if i2 == len(have):
            yield from (f"-A {chain} {rule}" for rule in want[j1:j2])
        else:
            yield from (f"-I {chain} {i1 + 1} {rule}" for rule in reversed(want[j1:j2]))


def _moved(before: Sequence[str], after: Sequence[str]) -> Iterator[Flows]:
    """Gives the connections of translations that go, and those that went on without ones that come."""
    for rules, others, read in ((before, set(after), flows_of), (after, set(before), flows_without)):
        for rule in rules:
            flows = read(rule) if rule not in others else None
            if flows is not None:
                yield flows


def _by_chain(rules: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for rule in rules:
        _, chain, rest = rule.split(" ", 2)
        found[chain].append(rest)
    return found


def flows_of(rule: str) -> Flows | None:
    """Gives the connections that a translating rule has made; None for other rules."""
    value = _settings(rule)
    if "--to-destination" in value and "-d" in value:
        to, _, port = value["--to-destination"].partition(":")
        single = ("--reply-port-src", port) if port.isdigit() else ()
        return _inward(value, ("--reply-src", to, *single))
    if "--to-source" in value:
        source = ("--orig-src", value["-s"].partition("/")[0]) if "-s" in value else ()
        return Flows((*source, "--reply-dst", value["--to-source"]))
    return None


def flows_without(rule: str) -> Flows | None:
    """Gives the connections that the rule of a floating address would have translated, had it been there before."""
    value = _settings(rule)
    if "--to-destination" not in value or "-d" not in value:
        return None
    return _inward(value, ("--reply-src", value["-d"].partition("/")[0]))


def _inward(value: Mapping[str, str], reply: tuple[str, ...]) -> Flows:
    first, _, last = value.get("--dport", "").partition(":")
    protocol = ("-p", value["-p"]) if "-p" in value else ()
    words = (*protocol, "--orig-dst", value["-d"].partition("/")[0], *reply)
    return Flows(words, (int(first), int(last or first)) if first else None)


def _settings(rule: str) -> dict[str, str]:
    words = rule.split()
    return {word: words[place + 1] for place, word in enumerate(words[:-1])}


def _observed(netns: str, version: int, name: str, table: Table, wanted: Mapping[str, RuleSet]) -> RuleSet | None:
    """Gives what of a table is ours; None when nothing is."""
    chains = tuple(sorted(chain for chain in table.chains if chain.startswith(_PREFIX)))
    rules = [rule for rule in table.rules if _ours(rule)]
    if not chains and not rules:
        return None
    rules.sort(key=lambda rule: rule.split(" ", 2)[1])  # stable: within a chain the order stays
    seen = RuleSet(owner="", intent=(), netns=netns, ip_version=version, table=name, chains=chains, rules=tuple(rules))
    same = wanted.get(seen.key)
    return same if same is not None and (same.chains, same.rules) == (seen.chains, seen.rules) else seen


def _ours(rule: str) -> bool:
    words = rule.split()
    return words[1].startswith(_PREFIX) or (words[-2] in ("-j", "-g") and words[-1].startswith(_PREFIX))
