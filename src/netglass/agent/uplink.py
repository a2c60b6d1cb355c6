"""The agent's conversation with the servers, in threads of its own, so that a slow server never holds up wiring.

One thread registers the host and follows the feed into a `Replica`; another sends reports and answers.  Both try
again for ever, and take the next server when one fails: often until the host is registered, since then nothing works
without a server, and often again in the first seconds after it is lost; then more slowly, up to `_SLOWEST_S`.
While the loop is at work for long, what it said last is said again: a busy host is not an away one.
A third keeps intent on disk (``agent.kept``), a second after the news of it: a host that dies within that second, and
boots while no server can be reached, is made by what was wanted before.  What was kept before is intent again when no
server has told anything newer `_PATIENCE_S` after the start; until then it only spares the server from telling all.
Questions about others are answered beside all of these, and beside the loop, each in a thread of its own.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path

import msgspec

from netglass.agent.config import Config, newest_credential
from netglass.agent.kept import Kept
from netglass.agent.replica import Replica
from netglass.agent.server import Server, ServerError
from netglass.model.protocol import PROTOCOL, Answer, Healed, Listed, Question, Registration, Report, skew
from netglass.model.snapshot import Snapshot

log = logging.getLogger(__name__)

_FASTEST_S = 0.1
_EAGER, _EAGER_S = 12, 0.3
_SLOWEST_S = 5.0
_PATIENCE_S = 3.0
_KEEP_EACH_S = 1.0
_KEPT = "intent.jsonl"
_MOST_HEALED = 10_000
_HEALED_AT_ONCE = 500
_AGAIN_S = 6.0  # longer than the loop's own heartbeat
_BUSY_S = 120.0  # whoever says nothing for longer hangs, and others should stand in


class News(msgspec.Struct, frozen=True):
    """What came since it was last taken.

    snapshot   intent as it is now; None when it is the one that was taken before, or none has been listed yet
    revision   up to which the newest snapshot holds everything
    unread     rows that are not understood, and why; as long as there are any, no newer snapshot comes
    """

    snapshot: Snapshot | None
    revision: int
    questions: tuple[Question, ...]
    unread: tuple[str, ...] = ()


class Uplink:
    """Registration, feed, reports and answers.

    wake    called from the threads when there is news to take
    beside  answers to questions that the loop need not see, by what is asked; called from threads
    """

    def __init__(
        self,
        config: Config,
        registration: Registration,
        wake: Callable[[], None],
        beside: Mapping[str, Callable[[Question], Answer]],
    ) -> None:
        self._config = config
        self._registration = registration
        self._wake = wake
        self._beside = beside
        self._newest: Snapshot | None = None
        self._current = threading.Event()  # a server has told how things are
        self._kept = Kept(Path(config.state_directory) / _KEPT, config.host)
        self._unkept = threading.Event()  # intent is newer than what is kept
        self._replica = Replica()  # the feed thread's own
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._revision = 0
        self._store = ""
        self._questions: list[Question] = []
        self._unread: tuple[str, ...] = ()
        self._skew = ""
        self._to_send = threading.Condition()
        self._report: Report | None = None
        self._last: Report | None = None
        self._said_at = 0.0
        self._answers: deque[tuple[str, Answer]] = deque()
        self._healed: deque[Healed] = deque(maxlen=_MOST_HEALED)
        self._registered = threading.Event()
        self._closed = threading.Event()

    def start(self) -> None:
        """Starts the threads; they end with the process."""
        self._restore()
        threading.Thread(target=self._follow, name="feed", daemon=True).start()
        threading.Thread(target=self._send, name="reports", daemon=True).start()
        threading.Thread(target=self._keep, name="kept", daemon=True).start()

    def close(self) -> None:
        """Lets the threads end as soon as they are not waiting for a server."""
        self._closed.set()
        self._unkept.set()
        self._registered.set()
        with self._to_send:
            self._to_send.notify()

    @property
    def waiting(self) -> bool:
        """Says whether there is a snapshot or a question to take."""
        with self._lock:
            return self._snapshot is not None or bool(self._questions)

    def take(self) -> News:
        """Gives what came since the last call."""
        with self._lock:
            news = News(self._snapshot, self._revision, tuple(self._questions), self._unread)
            self._snapshot = None
            self._questions = []
        return news

    def report(self, report: Report) -> None:
        """Sends a report soon; one that is not sent yet is replaced by it."""
        with self._to_send:
            self._report = self._last = report
            self._said_at = time.monotonic()
            self._to_send.notify()

    def answer(self, question_id: str, answer: Answer) -> None:
        """Sends an answer soon; lost when no server can be reached, as nobody waits for it any more."""
        with self._to_send:
            self._answers.append((question_id, answer))
            self._to_send.notify()

    def healed(self, healed: Iterable[Healed]) -> None:
        """Tells of what was healed, as soon as a server takes it; of very many, only of the last `_MOST_HEALED`."""
        with self._to_send:
            self._healed.extend(healed)
            self._to_send.notify()

    # --- the feed's thread

    def _follow(self) -> None:
        attempt = 0
        while not self._closed.is_set():
            server = self._server(attempt)
            before = self._revision
            try:
                self._compare(server, server.register(self._registration))
                self._registered.set()
                log.info("registered host %s with %s", self._config.host, server.url)
                self._watch(server)
            except Exception as error:  # whatever it was: an agent that no longer listens would be dead and look alive
                attempt = 0 if self._revision > before else attempt + 1
                _tell(error, attempt)
            finally:
                server.close()
            self._closed.wait(_pause(attempt if self._registered.is_set() else min(attempt, _EAGER)))

    def _watch(self, server: Server) -> None:
        self._replica.reconnected()
        since = None if self._replica.snapshot is None else self._replica.revision
        for lines in server.feed(since, self._replica.store):
            if self._closed.is_set():
                return
            changed = listed = False
            questions: list[Question] = []
            for line in lines:
                if isinstance(line, Question) and line.ask in self._beside:
                    threading.Thread(target=self._answer_beside, args=(line,), name=line.ask, daemon=True).start()
                elif isinstance(line, Question):
                    questions.append(line)
                else:
                    changed |= self._replica.take(line)
                    listed |= isinstance(line, Listed)
            unread = self._replica.unread
            news = bool(questions) or unread != self._unread
            changed |= listed and not self._current.is_set()
            with self._lock:
                if changed:
                    self._snapshot = self._newest = self._replica.snapshot
                self._revision, self._store = self._replica.revision, self._replica.store
                self._questions += questions
                self._unread = unread
            if changed:
                self._current.set()
                self._unkept.set()
            if changed or news:
                self._wake()

    def _answer_beside(self, question: Question) -> None:
        self.answer(question.id, self._beside[question.ask](question))

    def _compare(self, server: Server, protocol: str) -> None:
        """Says so when a server is of another version than the one before it."""
        before, self._skew = self._skew, skew(protocol)
        if self._skew and self._skew != before:
            words = "%s speaks protocol %s, %s than this agent's %s; going on with what is understood of it"
            log.warning(words, server.url, protocol, self._skew, PROTOCOL)

    def _server(self, attempt: int) -> Server:
        url = self._config.server[attempt % len(self._config.server)]
        return Server(url, self._config.host, newest_credential(self._config), self._config.ca_file)

    # --- the thread that keeps

    def _restore(self) -> None:
        kept = self._kept.load()
        if kept is not None:
            self._newest, self._revision, self._store = kept
            self._replica.restore(*kept)

    def _keep(self) -> None:
        if self._newest is not None and not self._current.wait(_PATIENCE_S):
            with self._lock:
                if not self._current.is_set():
                    log.warning("no server answers; going by what was kept of revision %d", self._revision)
                    self._snapshot = self._newest
            self._wake()
        while self._unkept.wait() and not self._closed.wait(_KEEP_EACH_S):  # not while what is new is being made
            self._unkept.clear()
            with self._lock:
                snapshot, revision, store = self._newest, self._revision, self._store
            try:
                if snapshot is not None:
                    self._kept.save(snapshot, revision, store)
            except OSError as error:
                log.warning("intent cannot be kept for a start without a server: %s", error)

    # --- the reports' thread

    def _send(self) -> None:
        attempt = 0
        server = self._server(attempt)
        while not self._closed.is_set():
            report, answers = self._next()
            try:
                for question_id, answer in answers:
                    self._send_answer(server, question_id, answer)
                if report is not None:
                    server.report(report)
                self._send_healed(server)
                attempt = 0
            except Exception as error:  # as above
                attempt += 1
                _tell(error, attempt)
                server.close()
                server = self._server(attempt)
                with self._to_send:
                    self._report = self._report or report
                self._closed.wait(_pause(attempt))

    def _send_healed(self, server: Server) -> None:
        while told := self._untold():
            server.healed(told)
            with self._to_send:
                for one in told:
                    if self._healed and self._healed[0] is one:  # else it gave way to newer ones meanwhile
                        self._healed.popleft()

    def _untold(self) -> list[Healed]:
        with self._to_send:
            return list(islice(self._healed, _HEALED_AT_ONCE))

    def _send_answer(self, server: Server, question_id: str, answer: Answer) -> None:
        try:
            server.answer(question_id, answer)
        except ServerError as error:
            log.info("answer to question %s was not taken: %s", question_id, error)

    def _next(self) -> tuple[Report | None, list[tuple[str, Answer]]]:
        self._registered.wait()
        with self._to_send:
            news = self._to_send.wait_for(self._has_to_send, _AGAIN_S)
            report, answers = self._report if news else self._again(), list(self._answers)
            self._report = None
            self._answers.clear()
        return report, answers

    def _has_to_send(self) -> bool:
        return self._report is not None or bool(self._answers or self._healed) or self._closed.is_set()

    def _again(self) -> Report | None:
        """Gives what was said last, without what is news of rows; None where nothing was, or not for too long."""
        if self._last is None or time.monotonic() - self._said_at > _BUSY_S:
            return None
        return msgspec.structs.replace(self._last, ports_realised=(), ports_lost=(), guests=())


def _tell(error: Exception, attempt: int) -> None:
    """Logs a failure; what was told need not be told for ever."""
    level = logging.WARNING if attempt <= 1 else logging.DEBUG
    log.log(level, "%s; trying again", error, exc_info=not isinstance(error, ServerError))


def _pause(attempt: int) -> float:
    """Gives how long to wait after a number of failures: little for the first `_EAGER`, as a server that starts is soon
    there, then more; never two agents in step.
    """
    patient = min(max(0, attempt - _EAGER), 20)
    seconds = min(_FASTEST_S * 2**attempt, _EAGER_S) if not patient else min(_EAGER_S * 1.5**patient, _SLOWEST_S)
    return seconds * random.uniform(0.8, 1.2)
