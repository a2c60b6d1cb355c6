"""Asking a host something now: its guest's console, its plan, what differs from it.

A question goes out on the host's feed stream and its answer comes back as a request of the agent; nothing is kept.
Where there are several servers, host and answer may be at any of them: the question travels through the database.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from netglass.base.errors import NotFound, Unavailable
from netglass.model.protocol import Answer, Question
from netglass.store.questions import SharedQuestions

_FORGOTTEN_S = 60


class Questions:
    """The questions that wait for an answer here; lives on the server's event loop.

    shared  those of all servers; None where there is one server only
    """

    def __init__(self, shared: SharedQuestions | None = None) -> None:
        self._shared = shared
        self._send: Callable[[str, Question], bool] = lambda _host, _question: False
        self._is_alive: Callable[[str], bool] = lambda _host: False
        self._waiting: dict[tuple[str, str], asyncio.Future[Answer]] = {}

    def carry_by(self, send: Callable[[str, Question], bool], is_alive: Callable[[str], bool] | None = None) -> None:
        """Sets how a question reaches a host.

        send      says whether the host is connected here
        is_alive  says whether it was heard of lately, by whichever server
        """
        self._send = send
        self._is_alive = is_alive or self._is_alive

    def start(self) -> None:
        """Begins to take part in what other servers ask; called on the event loop."""
        if self._shared is None:
            return
        loop = asyncio.get_running_loop()

        def asked(host: str, question: Question) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._send, host, question)

        def answered(host: str, question_id: str, answer: Answer) -> None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._take, host, question_id, answer)

        self._shared.tell(asked, answered)

    async def ask(self, host: str, ask: str, arguments: dict[str, str], timeout_s: float = 5.0) -> Answer:
        """Asks a host and waits for its answer, which may say that the host could not tell (`ok` is False).

        ask        console, diff, signs
        arguments  such as {"server_id": …}

        Raises Unavailable when the host's agent is not connected, or does not answer in `timeout_s` seconds.
        """
        question = Question(id=secrets.token_hex(16), ask=ask, arguments=arguments)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[host, question.id] = future
        try:
            if self._shared is not None:  # written first: the answer may come by another server
                await asyncio.wrap_future(self._shared.ask(host, question, _time()))
            if not self._send(host, question) and (self._shared is None or not self._is_alive(host)):
                raise Unavailable(f"The agent on host {host} is not connected.", fault="HostUnavailable")
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            message = f"The agent on host {host} did not answer {ask!r} within {timeout_s:g} seconds."
            raise Unavailable(message, fault="HostUnavailable") from None
        finally:
            del self._waiting[host, question.id]
            self._forget(question.id)

    async def answer(self, host: str, question_id: str, answer: Answer) -> None:
        """Takes a host's answer; raises NotFound when that host was not asked, or nobody waits any more."""
        if self._take(host, question_id, answer):
            return
        if self._shared is not None and await asyncio.wrap_future(self._shared.answer(host, question_id, answer)):
            return
        raise NotFound(f"Nobody waits for an answer of host {host} to question {question_id}.")

    def forget_old(self) -> None:
        """Deletes what servers that ended have left; may take a moment.  Raises Unavailable."""
        if self._shared is not None:
            self._shared.forget_older(_time(-_FORGOTTEN_S))

    def _take(self, host: str, question_id: str, answer: Answer) -> bool:
        future = self._waiting.get((host, question_id))
        if future is None:
            return False
        if not future.done():
            future.set_result(answer)
        return True

    def _forget(self, question_id: str) -> None:
        if self._shared is not None:
            with suppress(Unavailable):  # the database is lost; what is old is deleted later
                self._shared.forget(question_id)


def _time(later_s: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=later_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
