"""Remembers which objects failed, and when each is tried again; pure but for the clock it is given.

The pause doubles with each failure from `FIRST_S` to `LONGEST_S`.  An object that was applied without an error and
yet differs again, three times in a row, counts as failing too: somebody else wants it otherwise, or it cannot be as
it is wanted, and trying without a pause would only burn the machine.  Its evidence is the error between two such
successes, where there was one: a daemon that starts and ends at once is found dead by every second try.

An object that fails again within `RELAPSE_S` of its pause's end, though it was in place meanwhile, goes on with the
pause that it had, and waits it out whatever is done to others of its kind: of two daemons that live for a moment each,
every start of the one would else start the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from netglass.agent.appliers.protocol import NotThere
from netglass.base.errors import ApplyError
from netglass.desired.state import Thing

FIRST_S = 0.1
LONGEST_S = 15.0
HEARD_S = 1.0
QUIET_S = 1.0
RELAPSE_S = 2.0
_FUTILE = 3

Place = tuple[str, str]  # kind, key


class _Trouble(msgspec.Struct):
    wanted: Thing | None  # None: it must go
    evidence: str
    intent: tuple[str, ...]
    pause_s: float
    since: float
    told: bool  # that it fails, with this evidence
    tried: float
    due: float
    relapses: int  # how often it failed again soon after it was in place
    awaited: bool  # what is not there is somebody else's part

    @property
    def remembered_until(self) -> float:
        """Gives when what is in place since counts as well."""
        return self.tried + self.pause_s + RELAPSE_S

    @property
    def is_patient(self) -> bool:
        """Says whether it waits its pause out, whatever is done to others of its kind."""
        return self.relapses > 1


class Retries:
    """Failing objects by kind and key."""

    def __init__(self) -> None:
        self._failing: dict[Place, _Trouble] = {}
        self._past: dict[Place, _Trouble] = {}  # what has failed, and was applied without an error or in place since
        self._applied: dict[Place, tuple[Thing | None, int]] = {}
        self._said: dict[Place, str] = {}  # the last error's evidence, until the object is applied without one

    def due(self, kind: str, key: str, wanted: Thing | None, now: float) -> bool:
        """Says whether an object may be tried now; what is wanted otherwise than when it failed may be at once."""
        trouble = self._failing.get((kind, key))
        return trouble is None or trouble.wanted != wanted or trouble.due <= now

    def failed(
        self, error: ApplyError, wanted: Thing | None, intent: tuple[str, ...], now: float, longest_s: float = LONGEST_S
    ) -> bool:
        """Notes a failure; gives whether it is news: another object, or another evidence.

        What is only not there yet (`NotThere`) is news once that has lasted for `QUIET_S`.
        """
        place = (error.kind, error.key)
        self._said[place] = error.evidence
        fails = self._failing.get(place)
        before = self._lately(place, now) if fails is None else fails
        pause_s = FIRST_S if before is None else min(before.pause_s * 2, longest_s)
        since = now if fails is None else fails.since
        told = before is not None and before.told and before.evidence == error.evidence
        relapses = 0 if before is None else before.relapses + (fails is None)
        awaited = isinstance(error, NotThere)
        news = not told and (not awaited or now - since >= QUIET_S)
        self._failing[place] = _Trouble(
            wanted, error.evidence, intent, pause_s, since, told or news, now, now + pause_s, relapses, awaited
        )
        return news

    def is_relapsing(self, kind: str, key: str, now: float) -> bool:
        """Says whether an object, in place by now or not, has failed again and again of late."""
        trouble = self._failing.get((kind, key)) or self._lately((kind, key), now)
        return trouble is not None and trouble.relapses > 0

    def _lately(self, place: Place, now: float) -> _Trouble | None:
        past = self._past.get(place)
        return past if past is not None and now <= past.remembered_until else None

    def _passes(self, place: Place) -> None:
        trouble = self._failing.pop(place, None)
        if trouble is None or trouble.awaited:
            return
        self._past = {at: past for at, past in self._past.items() if trouble.tried <= past.remembered_until}
        self._past[place] = trouble

    def applied(self, kind: str, key: str, wanted: Thing | None, intent: tuple[str, ...], now: float) -> bool:
        """Notes that an object was applied without an error; gives False when that has been futile for some time."""
        before, count = self._applied.get((kind, key), (wanted, 0))
        count = count + 1 if before == wanted else 1
        self._applied[kind, key] = (wanted, count)
        said = self._said.pop((kind, key), "")
        if count <= _FUTILE:
            self._passes((kind, key))
            return True
        evidence = said or f"was applied {count} times without an error, and differs again each time"
        self.failed(ApplyError(kind, key, evidence), wanted, intent, now)
        del self._said[kind, key]  # no applier said it
        return False

    def settled(self, kinds: Iterable[str], differing: Iterable[Place]) -> None:
        """Forgets everything about objects of `kinds` that no longer differ."""
        among, still = set(kinds), set(differing)
        for place in [place for place in self._failing if place[0] in among and place not in still]:
            self._passes(place)
        for kept in (self._applied, self._said):
            for place in [place for place in kept if place[0] in among and place not in still]:
                del kept[place]

    def hasten(self, kinds: Collection[str]) -> None:
        """Makes everything due, as we changed objects of `kinds`, which may have been the cause.

        What relapses is woken by other kinds than its own only.
        """
        for (kind, _), trouble in self._failing.items():
            if not (trouble.is_patient and {kind}.issuperset(kinds)):
                trouble.due = 0.0

    def heard(self, kinds: Iterable[str], now: float) -> None:
        """Makes objects of `kinds` due soon, as there is news of them from the machine.

        At once, if the last try was `HEARD_S` ago: a try that makes news of its own must not wake itself.
        """
        among = set(kinds)
        for (kind, _), trouble in self._failing.items():
            if kind in among and not trouble.is_patient:
                trouble.due = min(trouble.due, max(now, trouble.tried + HEARD_S))

    def next_due(self) -> float | None:
        """Gives when the next failing object may be tried; None when nothing fails."""
        return min((trouble.due for trouble in self._failing.values()), default=None)

    def due_kinds(self, now: float) -> set[str]:
        """Gives the kinds of failing objects that may be tried now."""
        return {kind for (kind, _), trouble in self._failing.items() if trouble.due <= now}

    def failing(self) -> dict[Place, tuple[str, tuple[str, ...]]]:
        """Gives evidence and intent of what fails, by kind and key."""
        return {place: (trouble.evidence, trouble.intent) for place, trouble in self._failing.items()}
