"""Keeps our chains of iptables: one call a namespace and family in a round, each table changed at once.

Ours are the chains whose name begins with ``neutron-``, in namespaces that are ours, and the rules of built-in chains
that lead to them; in the host's own namespace the name must go on with ``openvswi-``.  All else is left alone.  Only
rules that differ are touched, so that the others go on counting.

A translation that goes takes the connections with it that it was made for: else a moved floating IP would go on
leading to where it led.  One that comes takes those that went without it: else who has been calling in vain goes on so.

What was read is kept for the next agent, for which it counts if the rules are the same (decision 0022).

A namespace whose rules cannot be read, or are not read in time, is taken for as it last was, touched no more for a
while, and holds up no other.

On an error it carries on with the next table.  A part (`RuleSet.part`) that is refused is taken away, and the others
are brought about: that port is closed.  Of one that others lead to the rules are taken away, and its chains stay as
long as it is wanted: the ports that share it are closed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple

from netglass.agent.appliers.kept_rules import KeptRules
from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.protocol import Work
from netglass.agent.appliers.rule_edits import as_wanted, bare, edits, emptied, observed
from netglass.agent.appliers.translations import moved
from netglass.base.errors import ApplyError
from netglass.base.ids import GROUPS_PART
from netglass.desired.state import HostState, RuleSet, Thing
from netglass.host import iptables, namespaces
from netglass.host.iptables import RulesUnreadable, Saved, Tables
from netglass.host.nf_tables import RuleEvents
from netglass.host.run import TOOK_TOO_LONG

_LEFT_ALONE_S = 30.0  # a namespace that could not be read: each try may take as long as a program is waited for
_HOME = ""
_OF_GROUPS = 1  # rank of a part that others lead to
_VERSIONS = (4, 6)
_HOME_VERSIONS = (*_VERSIONS, iptables.FRAMES)  # guests' bridges are at home

Place = tuple[str, int]
"""A namespace's name, and the address family's version."""


class _Hidden(NamedTuple):
    """What could not be read."""

    at: float
    rule_sets: tuple[RuleSet, ...]  # as they last were; empty when that is not known
    evidence: str


class Filters:
    """The applier of ``rule_sets``.

    kept  directory in which what was read is kept for the next agent; emptied by a reboot
    """

    kinds = ("rule_sets",)

    def __init__(
        self,
        marks: NamespaceMarks,
        kept: Path = Path("/run/netglass/rules"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._marks = marks
        self._kept = KeptRules(kept)
        self._clock = clock
        self._news: dict[str, tuple[int, RuleEvents]] = {}  # with the inode of the namespace that it is of
        self._read: dict[str, tuple[RuleSet, ...]] = {}  # ours, by namespace
        self._fresh: set[str] = set()  # namespaces whose rules are as they were read, as far as was heard
        self._hidden: dict[str, _Hidden] = {}
        self._known: set[str] | None = None  # namespaces in which rules of ours are wanted, or were
        self._asked: dict[str, Future[Saved]] | None = None

    def doubt(self) -> None:
        """Has the next look ask every namespace."""
        self._fresh.clear()

    def ask(self, desired: HostState) -> None:
        """Asks the namespaces of which what was read is not to be trusted."""
        ours = {*self._marks.names(), _HOME}
        before = self._known if self._known is not None else ours
        self._known = {rule_set.netns for rule_set in desired.rule_sets} | (before & ours)
        for gone in self._news.keys() - self._known:
            self._forget(gone)
        self._kept.keep_only(self._known)
        self._asked = iptables.save_all(self._stale())

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives our rules in namespaces that are wanted, or were; on the first round, in all that are ours.

        A namespace is asked only when there is news of its rules, we changed them, or there is doubt.
        """
        if self._asked is None:
            self.ask(desired)
        assert self._asked is not None
        assert self._known is not None
        asked, self._asked = self._asked, None
        wanted = {rule_set.key: rule_set for rule_set in desired.rule_sets}
        found: list[RuleSet] = []
        for netns in sorted(self._known):
            found += (as_wanted(one, wanted) for one in self._look(netns, asked.get(netns)))
        if not any(rule_set.netns == _HOME for rule_set in (*found, *desired.rule_sets)):
            self._known.discard(_HOME)
            self._forget(_HOME)
        return {"rule_sets": tuple(sorted(found, key=lambda rule_set: rule_set.key))}

    def _stale(self) -> dict[str, tuple[int, ...]]:
        """Gives the namespaces of which what was read is not to be trusted, with what is to be read of each."""
        found: dict[str, tuple[int, ...]] = {}
        for netns in sorted(self._known or ()):
            try:
                news = self._listen(netns).drain()
            except FileNotFoundError:
                self._forget(netns)
                continue
            hidden = self._hidden.get(netns)
            if hidden is not None and self._clock() - hidden.at < _LEFT_ALONE_S:
                continue
            if news or netns not in self._fresh:
                found[netns] = _VERSIONS if netns else _HOME_VERSIONS
        return found

    def _look(self, netns: str, asked: Future[Saved] | None) -> tuple[RuleSet, ...]:
        """Gives what a namespace has: what it was asked for, or what is known of it."""
        hidden = self._hidden.get(netns)
        last = hidden.rule_sets if hidden is not None else self._read.get(netns, ())
        if asked is None:
            return last
        try:
            saved = asked.result()
            found = self._read[netns] = _seen(netns, saved.tables())
        except FileNotFoundError:
            self._forget(netns)
            return ()
        except RulesUnreadable as error:
            self._leave(netns)
            self._hidden[netns] = _Hidden(self._clock(), last, str(error))
            return last
        self._fresh.add(netns)
        self._hidden.pop(netns, None)
        if netns:  # the host's own are many, change with each port, and are one namespace's only
            self._kept.keep(netns, saved)
        return found

    def _listen(self, netns: str) -> RuleEvents:
        # A namespace made anew under its name is another one; a socket in the old one would keep that alive.
        identity = namespaces.identity(netns)
        held = self._news.get(netns)
        if held is None or held[0] != identity:
            self._forget(netns)
            held = self._news[netns] = (identity, RuleEvents(netns))
            self._recall(netns, held[1])
        return held[1]

    def _recall(self, netns: str, news: RuleEvents) -> None:
        """Goes by what an agent before this one read, when the rules are the same."""
        kept = self._kept.load(netns)
        if kept is not None and kept.edition == news.edition and iptables.built_on_nf_tables():
            self._read[netns] = _seen(netns, kept.tables())
            self._fresh.add(netns)

    def _leave(self, netns: str) -> None:
        """Has what was read of a namespace count no more."""
        self._read.pop(netns, None)
        self._fresh.discard(netns)

    def _forget(self, netns: str) -> None:
        self._leave(netns)
        self._hidden.pop(netns, None)
        held = self._news.pop(netns, None)
        if held is not None:
            held[1].close()

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes chains and rules what they should be."""
        parts: list[_Part] = []
        for old, new in (*((None, thing) for thing in work.add), *work.change):
            assert old is None or isinstance(old, RuleSet)
            assert isinstance(new, RuleSet)
            parts.append(_Part(old, new))
        parts.sort(key=_rank)
        return self._restore_all(parts, lambda: False)

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Takes our chains, and what leads to them, away."""
        parts = []
        for thing in things:
            assert isinstance(thing, RuleSet)
            parts.append(_Part(thing, bare(thing)))
        parts.sort(key=_rank, reverse=True)
        return self._restore_all(parts, hurry, gone_is_done=True)

    def watch(self) -> list[int]:
        """Gives what news of rules comes by."""
        return [news.fileno() for _, news in self._news.values()]

    def _restore_all(
        self, parts: Sequence[_Part], hurry: Callable[[], bool], *, gone_is_done: bool = False
    ) -> list[ApplyError]:
        by_place: dict[Place, list[_Part]] = defaultdict(list)
        for part in parts:
            by_place[part.after.netns, part.after.ip_version].append(part)
        errors: list[ApplyError] = []
        for place, group in by_place.items():
            errors += self._restore(place, group, gone_is_done=gone_is_done)
            if hurry():
                break
        return errors

    def _restore(self, place: Place, parts: Sequence[_Part], *, gone_is_done: bool = False) -> list[ApplyError]:
        """Does all edits in one call; when it is refused, in halves, so that a bad one is found."""
        netns, version = place
        if hidden := self._hidden.get(netns):
            return [ApplyError("rule_sets", part.after.key, hidden.evidence) for part in parts]
        self._leave(netns)
        try:
            output = iptables.restore(netns, version, _lines(parts))
        except FileNotFoundError as error:
            return [] if gone_is_done else [ApplyError("rule_sets", part.after.key, str(error)) for part in parts]
        if output.status == TOOK_TOO_LONG:
            return [ApplyError("rule_sets", part.after.key, output.evidence) for part in parts]
        if not output.ok:
            if len(parts) > 1:
                halves = (parts[: len(parts) // 2], parts[len(parts) // 2 :])
                return [e for half in halves for e in self._restore(place, half, gone_is_done=gone_is_done)]
            return [ApplyError("rule_sets", parts[0].after.key, output.evidence), *self._close(place, parts[0])]
        flows = [found for part in parts if part.before for found in moved(part.before.rules, part.after.rules)]
        failed = iptables.forget_flows(netns, flows)
        return [ApplyError("rule_sets", parts[0].after.key, output.evidence) for output in failed]

    def _close(self, place: Place, part: _Part) -> list[ApplyError]:
        """Takes away what is there of a part that cannot be as it should be."""
        if part.before is None or not part.after.part or not part.after.rules:
            return []
        netns, version = place
        left = emptied(part.before) if _rank(part) == _OF_GROUPS else bare(part.before)
        output = iptables.restore(netns, version, _lines([_Part(part.before, left)]))
        return [] if output.ok else [ApplyError("rule_sets", part.after.key, output.evidence)]


def _seen(netns: str, read: Tables) -> tuple[RuleSet, ...]:
    """Gives what of a namespace's tables is ours."""
    return tuple(
        one
        for version, tables in read.items()
        for name, table in tables.items()
        for one in observed(netns, version, name, table)
    )


class _Part(NamedTuple):
    """A rule set as it is, None when there is nothing of it, and as it should be."""

    before: RuleSet | None
    after: RuleSet


def _rank(part: _Part) -> int:
    """Gives the place of a part among others: what all hang on, then what ports share, then ports'."""
    name = part.after.part
    return (_OF_GROUPS if name.startswith(GROUPS_PART) else _OF_GROUPS + 1) if name else 0


def _lines(parts: Sequence[_Part]) -> list[str]:
    """Gives the input of iptables-restore for all parts: one transaction a table, whatever tables are there."""
    by_table: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        by_table[part.after.table] += edits(part.before, part.after)
    return [line for table, lines in by_table.items() for line in (f"*{table}", *lines, "COMMIT")]
