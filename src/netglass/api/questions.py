"""Asking a host something now: its guest's console, its plan, what differs from it.

A question goes out on the host's feed stream and its answer comes back as a request of the agent; nothing is kept.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable

from netglass.base.errors import NotFound, Unavailable
from netglass.model.protocol import Answer, Question


class Questions:
    """The questions that wait for an answer; lives on the server's event loop."""

    def __init__(self) -> None:
        self._send: Callable[[str, Question], bool] = lambda _host, _question: False
        self._waiting: dict[tuple[str, str], asyncio.Future[Answer]] = {}

    def carry_by(self, send: Callable[[str, Question], bool]) -> None:
        """Sets how a question reaches a host; `send` says whether the host is connected."""
        self._send = send

    async def ask(self, host: str, ask: str, arguments: dict[str, str], timeout_s: float = 5.0) -> Answer:
        """Asks a host and waits for its answer, which may say that the host could not tell (`ok` is False).

        ask        console, plan, diff
        arguments  such as {"server_id": …}

        Raises Unavailable when the host's agent is not connected, or does not answer in `timeout_s` seconds.
        """
        question = Question(id=secrets.token_hex(16), ask=ask, arguments=arguments)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[host, question.id] = future
        try:
            if not self._send(host, question):
                raise Unavailable(f"The agent on host {host} is not connected.", fault="HostUnavailable")
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            message = f"The agent on host {host} did not answer {ask!r} within {timeout_s:g} seconds."
            raise Unavailable(message, fault="HostUnavailable") from None
        finally:
            del self._waiting[host, question.id]

    def answer(self, host: str, question_id: str, answer: Answer) -> None:
        """Takes a host's answer; raises NotFound when that host was not asked, or nobody waits any more."""
        future = self._waiting.get((host, question_id))
        if future is None:
            raise NotFound(f"Nobody waits for an answer of host {host} to question {question_id}.")
        if not future.done():
            future.set_result(answer)
