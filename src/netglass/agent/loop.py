"""The loop: whenever intent or machine has changed, compile, compare and apply, then report.

Level-triggered: an event only says where to look, never what to do.  What a round changed is looked at once more
after the report, which finds whatever the change itself disturbed.  Behind the events stands a slow look at
everything, so seldom that it costs less than `_SWEEP_SHARE` of a core.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from netglass.agent.answers import Answers
from netglass.agent.plugged import Plugged
from netglass.agent.reports import Reports
from netglass.agent.retries import Retries
from netglass.agent.rounds import ALL_KINDS, Outcome, Rounds
from netglass.agent.senses import TICK_S, Senses
from netglass.agent.uplink import News, Uplink
from netglass.desired.state import HostState
from netglass.model.resources import Host
from netglass.model.snapshot import Snapshot

log = logging.getLogger(__name__)

Compile = Callable[[Snapshot, str], HostState]

_SWEEP_S = 10.0
_SWEEP_SHARE = 0.0025
_HEARTBEAT_S = 5.0
_IN_ROWS = frozenset({"links", "addresses", "routes", "sysctls"})
_ROW_S = 0.02
_REMOVING_S = 0.15  # taking away gives way to news after this long


class Parts(NamedTuple):
    """What a loop is put together from."""

    senses: Senses
    uplink: Uplink
    rounds: Rounds
    retries: Retries
    reports: Reports
    answers: Answers
    plugged: Plugged


class Loop:
    """The agent of one host, from the first list of intent to the end of the process.

    compile_host  gives the host's desired state out of intent
    """

    def __init__(self, host: str, compile_host: Compile, parts: Parts) -> None:
        self._host = host
        self._compile = compile_host
        self._senses = parts.senses
        self._uplink = parts.uplink
        self._rounds = parts.rounds
        self._retries = parts.retries
        self._reports = parts.reports
        self._answers = parts.answers
        self._plugged = parts.plugged
        self._intended: HostState | None = None  # as compiled: ports of others under the names that are expected
        self._desired: HostState | None = None  # under those that they were given
        self._paused = False
        self._unread: tuple[str, ...] = ()
        self._dirty: set[str] = set()
        self._told: set[str] = set()  # those of the dirty kinds of which intent wants something else
        self._put_off = False
        self._sweep_at = 0.0
        self._beat_at = 0.0
        self._first = True
        self._stopping = False

    def stop(self) -> None:
        """Lets `run` return after the round at hand; may be called from a signal's Python function."""
        self._stopping = True
        self._senses.ring()

    def run(self) -> None:
        """Runs until `stop`; what was made stays as it is."""
        while not self._stopping:
            self._hear()
            told = self._take(self._uplink.take())
            if self._desired is None:
                # Not listed yet, or not understood: nothing may be torn down, and nothing is known to be wanted.
                self._report(beat=time.monotonic() >= self._beat_at)
                continue
            now = time.monotonic()
            self._dirty |= self._retries.due_kinds(now)
            swept = now >= self._sweep_at
            if swept:
                self._dirty = set(ALL_KINDS)
                self._rounds.doubt()
            if self._dirty:
                self._round(self._desired)
            elif told:
                self._report()  # another snapshot, under which this host stays as it is
            if not self._dirty and self._rounds.known >= ALL_KINDS:
                self._rounds.at_work = False
            if swept:
                took = time.monotonic() - now
                self._sweep_at = time.monotonic() + max(_SWEEP_S, took / _SWEEP_SHARE)
            if time.monotonic() >= self._beat_at:
                self._report(beat=True)

    def _hear(self) -> None:
        """Waits for news; news of netlink alone is collected for a moment, as it comes in long rows."""
        heard = self._senses.wait(self._patience())
        if heard and heard <= _IN_ROWS and not self._dirty and not self._uplink.waiting:
            end = time.monotonic() + _ROW_S
            while heard <= _IN_ROWS and (left := end - time.monotonic()) > 0 and not self._uplink.waiting:
                heard |= self._senses.wait(left)
        self._retries.heard(heard, time.monotonic())
        self._dirty |= heard
        if "switch_ports" in heard and self._intended is not None:
            self._want(self._intended)

    def _patience(self) -> float:
        """Gives how long nothing needs to be done, in seconds, at most a tick."""
        if self._dirty:
            return 0.0
        if self._desired is None:
            return TICK_S
        due = self._retries.next_due()
        ends = [self._sweep_at, self._beat_at, *([] if due is None else [due])]
        return max(0.0, min(TICK_S, min(ends) - time.monotonic()))

    def _take(self, news: News) -> bool:
        """Takes over what came from the server; gives whether intent is another one now."""
        if news.snapshot is not None:
            before = self._intended
            if before is None:
                self._uplink.report(self._reports.bare())
            self._pause(news.snapshot)
            self._intended = self._compile(news.snapshot, self._host)
            self._want(self._intended)
            self._reports.intent(news.snapshot, self._intended)
            known = () if before is None else before.diagnostics
            for diagnostic in self._intended.diagnostics:
                if diagnostic not in known:
                    log.warning("%s: %s", diagnostic.code, diagnostic.text)
        self._reports.revision(news.revision)
        reread = self._read(news.unread)
        for question in news.questions:
            self._uplink.answer(question.id, self._answers.answer(question, self._desired))
            if question.ask == "diff":
                self._dirty = set(ALL_KINDS)  # looking took in news that the appliers were watching for
        return news.snapshot is not None or reread

    def _read(self, unread: tuple[str, ...]) -> bool:
        """Takes over what is not understood; gives whether that is something else than before."""
        before, self._unread = self._unread, unread
        if unread == before:
            return False
        self._reports.unread(unread)
        for row in unread:
            if row not in before:
                log.warning("not understood: %s; keeping to revision %d", row, self._reports.at)
        if not unread:
            log.info("all that is wanted is understood again")
        return True

    def _want(self, intended: HostState) -> None:
        """Wants what was compiled, with the ports of others by the names that they have now."""
        before, self._desired = self._desired, self._plugged.named(intended)
        changed = _changed_kinds(before, self._desired)
        self._dirty |= changed
        self._told |= changed
        self._rounds.at_work |= bool(changed)

    def _pause(self, snapshot: Snapshot) -> None:
        row = snapshot.get(Host, self._host)
        paused = row is not None and row.paused
        if paused != self._paused:
            log.info("paused: nothing is changed on this host" if paused else "no longer paused")
            self._dirty = set(ALL_KINDS)
        self._paused = paused

    def _round(self, desired: HostState) -> None:
        started = time.monotonic()
        kinds = self._due_now()
        if self._paused:
            self._rounds.look(desired, kinds)
            self._dirty |= self._senses.listen(namespace.name for namespace in desired.namespaces)
            self._report()
            return
        made = self._rounds.make(desired, kinds)
        self._report()
        removed = self._remove()
        self._dirty |= made.look | removed.look
        self._dirty |= self._senses.listen(namespace.name for namespace in desired.namespaces)
        self._tell(made, removed, time.monotonic() - started)
        self._report()

    def _due_now(self) -> set[str]:
        """Takes the kinds of this round out of the dirty ones: all, but that news of intent goes first, once.

        What the round before changed is looked at again after what is new was made, and not before.
        """
        told, self._told = self._told, set()
        self._put_off = bool(told) and told < self._dirty and not self._put_off
        kinds = told if self._put_off else self._dirty
        self._dirty = self._dirty - kinds
        return kinds

    def _remove(self) -> Outcome:
        end = time.monotonic() + _REMOVING_S
        return self._rounds.remove(lambda: self._uplink.waiting or time.monotonic() > end)

    def _report(self, *, beat: bool = False) -> None:
        report = self._reports.due(self._rounds, beat=beat)
        if report is not None:
            self._uplink.report(report)
            self._beat_at = time.monotonic() + _HEARTBEAT_S

    def _tell(self, made: Outcome, removed: Outcome, seconds: float) -> None:
        healed = self._rounds.healing.take()
        for one in healed:
            log.info("healed %s %s after %.3f s: %s", one.kind, one.title, one.seconds, one.was)
        self._uplink.healed(healed)
        done = ", ".join(text for text in (made.text, removed.text) if text)
        revision = self._reports.at
        if done:
            log.info("revision=%d changed: %s in %.0f ms", revision, done, seconds * 1000)
        elif self._first and self._rounds.known >= ALL_KINDS:
            log.info("revision=%d nothing to do, found in %.0f ms", revision, seconds * 1000)
        if self._rounds.known >= ALL_KINDS:
            self._first = False


def _changed_kinds(before: HostState | None, after: HostState) -> set[str]:
    if before is None:
        return set(ALL_KINDS)
    if before is after:
        return set()
    return {kind for kind in ALL_KINDS if before.things(kind) != after.things(kind)}
