"""HTTP clients of a server that runs in the test's own process, without a socket."""

from __future__ import annotations

import atexit
from contextlib import ExitStack
from functools import cache
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.testclient import TestClient

_OPEN = ExitStack()  # for as long as the process lives, and while its threads still do
atexit.register(_OPEN.close)


class Client(TestClient):
    """A TestClient of which all share one event loop: starting one for each request takes longer than the request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.portal = _portal()


@cache
def _portal() -> BlockingPortal:
    return _OPEN.enter_context(start_blocking_portal())
