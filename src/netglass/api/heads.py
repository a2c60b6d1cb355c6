"""HTTP/1.1 as uvicorn speaks it with httptools, with a bound on what a request's head may weigh.

httptools keeps a header until it has all of it, and uvicorn keeps all headers: without a bound, a stranger with no
token could fill the server's memory with one request that never gets to its body.  Bodies are bounded by ``edge``.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 64 * 1024
"""Largest request line and headers, in bytes; counted as they arrive, so one receive buffer more may be let through."""


class BoundedHeads(HttpToolsProtocol):
    """Answers 400 and closes the connection once a head grows past `HEAD_LIMIT`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._head_ended = False
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Takes what came; it counts when it was of one unfinished head from beginning to end."""
        began_in_head, self._head_ended = self._in_head, False
        super().data_received(data)
        if self._head_ended or not began_in_head:
            return  # some of it was a body, however much of the next head came behind that
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response(f"The request's line and headers are larger than {HEAD_LIMIT} bytes.")

    def on_headers_complete(self) -> None:
        """Ends a head."""
        self._in_head = False
        self._head_ended = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Ends a request: what follows is another's head."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()
