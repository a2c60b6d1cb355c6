"""One round: observe, compare, make and change; then take away.

Called by ``agent.loop``, which decides when and for which kinds.  What is wanted and not in place after a round is in
`Rounds.missing`; what cannot be done is in `Retries` with its evidence.  An object that fails never holds up others.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import msgspec

from netglass.agent.appliers.protocol import Applier, Asking, Listening, NotThere, Work
from netglass.agent.healing import Healing
from netglass.agent.remade import sits_on, with_what_sits
from netglass.agent.retries import Retries
from netglass.base.errors import ApplyError
from netglass.desired.diff import KindPlan, Plan, plan
from netglass.desired.order import Step, making, removing
from netglass.desired.state import DEAD_VLAN, KINDS, Guest, HostState, Link, PortTag, Thing

log = logging.getLogger(__name__)

ALL_KINDS = frozenset(kind.kind for kind in KINDS)

_UNREADABLE_S = 1.0  # longest pause before a switch that does not answer is asked again

# What else must be looked at when a kind is: a daemon owes a signal once its files are other ones, the switch may hold
# a device that is no more, and with a namespace all that was in it is gone.
_LOOK_AT_TOO = {
    "files": {"daemons"},
    "links": {"switch_ports"},
    "namespaces": {"links", "switch_ports", "addresses", "routes", "rule_sets", "sysctls", "daemons"},
}

# What else may differ after a kind was changed: a device that was made anew has no addresses, a bridge no flows.
_DISTURBS = {
    "namespaces": {"links", "addresses", "routes", "rule_sets", "sysctls", "daemons"},
    "guests": {"links", "sysctls", "guest_boots"},
    "links": {"addresses", "routes", "sysctls", "daemons"},
    "addresses": {"routes", "announcements"},
    "bridges": {"switch_ports", "port_tags", "flows", "links"},
    "switch_ports": {"links", "port_tags", "flows"},
    "files": {"daemons"},
    # A rule that is another one, or a member that has left, may have let in what must not go on.
    "rule_sets": {"connections"},
    "address_sets": {"connections"},
}

_GUARDS = ("sysctls", "address_sets", "rule_sets", "flows")  # what must be in place before a guest's port may be live
_GUARD = "firewall"  # owner of those

_SIGNS = {"added": "+", "changed": "~", "removed": "-"}


class Outcome(msgspec.Struct):
    """What a round did.

    done    how many objects were added, changed or removed, as (verb, kind)
    look    kinds to look at again, as they were changed or disturbed
    """

    done: Counter[tuple[str, str]]
    look: set[str]

    @property
    def kinds(self) -> set[str]:
        """Gives the kinds of which something was done."""
        return {kind for _, kind in self.done}

    @property
    def text(self) -> str:
        """Gives what was done on one line, as ``flows +2, port_tags ~1, links -3``; empty when nothing was."""
        done = sorted((kind, verb, count) for (verb, kind), count in self.done.items())
        return ", ".join(f"{kind} {_SIGNS[verb]}{count}" for kind, verb, count in done)


class Rounds:
    """Rounds over a host's appliers.

    healing  what was found damaged, and healed
    at_work  set by the caller while what differs is no damage: intent has changed since all was in place
    missing  objects wanted and not in place, by kind and key; of a kind that was never read, all
    known    kinds that were read at least once
    """

    def __init__(
        self, appliers: Sequence[Applier], retries: Retries, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.healing = Healing(clock, _wall)
        self.at_work = True
        self.missing: dict[str, dict[str, Thing]] = {}
        self.known: set[str] = set()
        self._appliers = appliers
        self._by_kind = {kind: applier for applier in appliers for kind in applier.kinds}
        self._retries = retries
        self._clock = clock
        self._plan = Plan(host="")
        self._surplus: dict[str, int] = {}
        self._begun: dict[str, int] = {}  # how many there were when a removal was first interrupted, by kind

    def compare(self, desired: HostState, kinds: Iterable[str]) -> Plan:
        """Observes `kinds`, with those that hang together with them, and gives what differs in them.

        Goes by nothing that was read before.  Kinds that cannot be read are left out, and noted as failing.
        """
        self.doubt()
        return self._compare(desired, kinds)[0]

    def doubt(self) -> None:
        """Has the next look at each kind read the machine, whatever was heard of changes or not."""
        for applier in self._appliers:
            if isinstance(applier, Listening):
                applier.doubt()

    def _compare(self, desired: HostState, kinds: Iterable[str]) -> tuple[Plan, set[str]]:
        observed: dict[str, tuple[Thing, ...]] = {}
        wanted = self._expand(kinds)
        appliers = [applier for applier in self._appliers if not wanted.isdisjoint(applier.kinds)]
        for applier in [one for one in appliers if self._asks(one, desired)]:
            started = self._clock()
            with self._reading(applier):
                observed |= applier.observe(desired)
                log.debug("read %s in %.1f ms", " and ".join(applier.kinds), 1000 * (self._clock() - started))
        part = {kind: desired.things(kind) for kind in observed}
        # The awaited ports decide which tags are awaited, whatever kinds are looked at.
        return plan(_state(desired.host, part), _state(desired.host, observed)), set(observed)

    def look(self, desired: HostState, kinds: Iterable[str]) -> set[str]:
        """Compares, and changes nothing; gives the kinds that could be read."""
        self._plan, read = self._compare(desired, kinds)
        self.known |= read
        self._surplus |= {kind: len(self._plan.of(kind).delete) for kind in read}
        self._settle(read, self._plan)
        now = self._clock()
        relapsing = partial(self._retries.is_relapsing, now=now)
        self.healing.looked(sorted(read), self._plan.of, relapsing, at_work=self.at_work)
        return read

    def make(self, desired: HostState, kinds: Iterable[str]) -> Outcome:
        """Compares, then makes and changes what may be tried now."""
        read = self.look(desired, kinds)
        outcome = Outcome(Counter(), set())
        for step in making(with_what_sits(self._plan, desired)):
            self._apply(step, outcome)
        if "guests" not in read and any(_is_tap(link) for link in self._plan.of("links").awaiting):
            outcome.look.add("guests")  # one that has lost its tap is made anew
        if outcome.done:
            self._retries.hasten(outcome.kinds)
        return outcome

    def remove(self, hurry: Callable[[], bool]) -> Outcome:
        """Takes away what `make` found to be surplus, until `hurry` says to stop; what is left comes again."""
        outcome = Outcome(Counter(), set())
        for kind, things in removing(self._plan):
            doomed = tuple(t for t in things if self._retries.due(kind, t.key, None, self._clock()))
            if not doomed:
                continue
            try:
                errors = self._by_kind[kind].remove(kind, doomed, hurry)
            except Exception as error:
                errors = [_surprise(kind, thing.key, error) for thing in doomed]
            self._note_errors(errors, {thing.key: thing for thing in doomed}, removal=True)
            begun = max(self._begun.pop(kind, 0), len(doomed))
            if len(errors) < len(doomed):
                outcome.look |= {kind, *_DISTURBS.get(kind, ())}
            if hurry():
                self._begun[kind] = begun
                outcome.look |= {left for left, _ in removing(self._plan)}
                break
            if not errors:
                self._retries.applied(kind, doomed[0].key, None, doomed[0].intent, self._clock())
            outcome.done["removed", kind] += begun - len(errors)
        outcome.done = +outcome.done
        if outcome.done:
            self._retries.hasten(outcome.kinds)
        return outcome

    @property
    def surplus(self) -> int:
        """Gives how many objects are ours and not wanted, as each kind was last found."""
        return sum(self._surplus.values())

    # --- observing

    def _expand(self, kinds: Iterable[str]) -> set[str]:
        wanted = set(kinds)
        for kind in tuple(wanted):
            wanted |= _LOOK_AT_TOO.get(kind, set())
        return {kind for one in wanted if one in self._by_kind for kind in self._by_kind[one].kinds}

    def _asks(self, applier: Applier, desired: HostState) -> bool:
        """Has an applier begin to read, if it can; gives whether it can be observed then."""
        with self._reading(applier):
            if isinstance(applier, Asking):
                applier.ask(desired)
            return True
        return False

    @contextmanager
    def _reading(self, applier: Applier) -> Iterator[None]:
        """Notes what goes wrong meanwhile."""
        try:
            yield
        except (ApplyError, OSError) as error:
            self._unreadable(applier, error)
        except Exception as error:
            self._unreadable(applier, _surprise(applier.kinds[0], "all", error))

    def _unreadable(self, applier: Applier, error: ApplyError | OSError) -> None:
        if not isinstance(error, ApplyError):
            error = ApplyError(applier.kinds[0], "all", str(error))
        if self._retries.failed(error, None, (), self._clock(), _UNREADABLE_S):
            log.warning("cannot read %s: %s", " and ".join(applier.kinds), error)

    def _settle(self, kinds: Iterable[str], found: Plan) -> None:
        for kind in kinds:
            part = found.of(kind)
            lacking = (*part.add, *part.awaiting, *(wanted for _, wanted in part.change))
            self.missing[kind] = {thing.key: thing for thing in lacking}
        self._retries.settled(kinds, [(part.kind, thing.key) for part in found.kinds for thing in _differing(part)])

    # --- applying

    def _apply(self, step: Step, outcome: Outcome) -> None:
        now = self._clock()
        held = self._held(step) | self._unmade(step)
        add = tuple(t for t in step.add if t.key not in held and self._retries.due(step.kind, t.key, t, now))
        change = tuple(
            (old, new)
            for old, new in step.change
            if new.key not in held and self._retries.due(step.kind, new.key, new, now)
        )
        work = Work(kind=step.kind, add=add, change=change)
        if not work:
            return
        try:
            errors = self._by_kind[step.kind].apply(work)
        except Exception as error:
            errors = [_surprise(step.kind, thing.key, error) for thing in work.wanted]
        self._note_errors(errors, {thing.key: thing for thing in work.wanted})
        log.debug("applied %d %s in %.1f ms", len(work.wanted), step.kind, 1000 * (self._clock() - now))
        failed = {error.key for error in errors}
        for thing in work.wanted:
            if thing.key in failed:
                continue
            if self._retries.applied(step.kind, thing.key, thing, thing.intent, now):
                self.missing.get(step.kind, {}).pop(thing.key, None)
            else:
                failed.add(thing.key)
        outcome.done["added", step.kind] += sum(thing.key not in failed for thing in add)
        outcome.done["changed", step.kind] += sum(new.key not in failed for _, new in change)
        outcome.done = +outcome.done
        if len(failed) < len(work.wanted):
            outcome.look |= {step.kind, *_DISTURBS.get(step.kind, ())}
            if step.kind in _GUARDS and self.missing.get("port_tags"):
                outcome.look.add("port_tags")  # one may have waited for this

    def _held(self, step: Step) -> set[str]:
        """Gives the ports that may not have their tag yet, since something that guards them is not in place.

        What fails is told where it fails; the port stays on the dead VLAN until then.
        """
        if step.kind != "port_tags":
            return set()
        unknown = any(kind in self._by_kind and kind not in self.known for kind in _GUARDS)
        missing = [t for kind in _GUARDS for t in self.missing.get(kind, {}).values() if t.owner == _GUARD]
        refs = {ref for thing in missing for ref in thing.intent if ref.startswith("port:")}
        everybody = unknown or any(ref.startswith("host:") for thing in missing for ref in thing.intent)
        wanted = (*step.add, *(new for _, new in step.change))
        return {
            tag.key
            for tag in wanted
            if isinstance(tag, PortTag)
            and tag.owner == "plugging"
            and tag.vlan != DEAD_VLAN
            and (everybody or refs & set(tag.intent))
        }

    def _unmade(self, step: Step) -> set[str]:
        """Gives what was in place, and would be set again only as its device is made anew, which it was not.

        To set it all the same would be something done each time, and have the device tried again at once, without end.
        """
        lacking = self.missing.get(step.kind, {})
        sitting = [t for t in (*step.add, *(new for _, new in step.change)) if t.key not in lacking]
        if not sitting:
            return set()
        devices = {(link.netns, link.name) for link in self.missing.get("links", {}).values() if isinstance(link, Link)}
        for guest in self.missing.get("guests", {}).values():
            if isinstance(guest, Guest):
                devices |= {("", nic.tap) for nic in guest.nics}
        return {thing.key for thing in sitting if sits_on(thing, devices)}

    def _note_errors(self, errors: Iterable[ApplyError], things: Mapping[str, Thing], *, removal: bool = False) -> None:
        for error in errors:
            thing = things.get(error.key)
            if isinstance(error, NotThere) and getattr(thing, "awaited", False):
                continue
            intent = thing.intent if thing is not None else ()
            if self._retries.failed(error, None if removal else thing, intent, self._clock()):
                log.warning("cannot %s %s", "remove" if removal else "apply", error)


def _wall() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _surprise(kind: str, key: str, error: Exception) -> ApplyError:
    """Turns what no applier may raise into a failure of its objects: a fault in one kind must not stop the others."""
    log.error("a fault of this program, on %s %s", kind, key, exc_info=error)
    return ApplyError(kind, key, f"a fault of this program: {type(error).__name__}: {error}")


def _is_tap(thing: Thing) -> bool:
    return isinstance(thing, Link) and thing.form == "tap"


def _state(host: str, kinds: Mapping[str, tuple[Thing, ...]]) -> HostState:
    return msgspec.structs.replace(HostState(host=host), **kinds)


def _differing(part: KindPlan) -> Iterable[Thing]:
    yield from part.add
    yield from part.delete
    yield from (wanted for _, wanted in part.change)
