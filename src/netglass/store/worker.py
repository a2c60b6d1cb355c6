"""A thread that does one thing after the other, and hands back what became of each."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from netglass.base.errors import Unavailable

T = TypeVar("T")

_END_S = 10.0


class Worker:
    """Runs what it is given in the order in which it was given; `submit` may be called from any thread."""

    def __init__(self, name: str) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()  # orders `close` after every job that was let in
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Queues a job.  Raises Unavailable once the worker is closed."""
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise Unavailable("The server is shutting down; ask again later.", fault="ServiceUnavailable")
            self._work.put((work, future))
        return future

    def close(self) -> bool:
        """Finishes what was given before, unless that takes too long; gives whether it was open."""
        with self._closing:
            if self._closed:
                return False
            self._closed = True
            self._work.put(None)
        self._thread.join(_END_S)
        return True

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            work, future = job
            if not future.set_running_or_notify_cancel():
                continue  # whoever asked has gone before it was begun
            try:
                result = work()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
