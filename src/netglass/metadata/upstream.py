"""GET requests to one of several servers, on a connection that is kept; each thread has its own.

A server that dies is started anew within seconds; so while an outage is young, a request waits for its end, and no
guest that asks meanwhile goes away without an answer.  An outage that lasts is told at once.

The standard library's client, as for the agent: another would be half of this process.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from netglass.base.errors import NetglassError

_CONNECT_S = 1.0
_ANSWER_S = 3.0
_LARGEST = 8 << 20  # bytes of an answer
_PATIENCE_S = 6.0  # how old an outage may be for a request to wait; haproxy waits longer
_PAUSE_S = 0.1


class NoServer(NetglassError):
    """No server answered; the message says what each had to say."""


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    content_type: str
    body: bytes


class Outage:
    """Since when none of some servers answers; what all threads that ask them know of it together."""

    def __init__(self) -> None:
        self._since: float | None = None

    def ended(self) -> None:
        """Notes that a server answered."""
        self._since = None

    def worth_waiting(self) -> bool:
        """Notes that none answered; says whether one is likely to answer soon."""
        now = time.monotonic()
        since = self._since  # read once: another thread may note the end meanwhile
        if since is None:
            since = self._since = now
        return now - since < _PATIENCE_S


class Upstream:
    """The servers at `urls`, tried in turn, beginning with the one that answered last.

    outage   of the same servers, for whoever asks them
    ca_file  certificate authority of https servers; empty: the system's
    """

    def __init__(self, urls: tuple[str, ...], outage: Outage, ca_file: str = "") -> None:
        self._urls = list(urls)
        self._outage = outage
        self._ca_file = ca_file
        self._kept: HTTPConnection | None = None

    def get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Gives an answer of the first server that gives one; raises NoServer."""
        while True:
            try:
                reply = self._ask_all(path, headers)
            except NoServer:
                if not self._outage.worth_waiting():
                    raise
                time.sleep(_PAUSE_S)
            else:
                self._outage.ended()
                return reply

    def _ask_all(self, path: str, headers: Mapping[str, str]) -> Reply:
        said = []
        for _ in range(len(self._urls)):
            try:
                return self._ask(self._urls[0], path, headers)
            except (OSError, HTTPException) as error:
                said.append(f"{self._urls[0]}: {error or type(error).__name__}")
                self._urls.append(self._urls.pop(0))
        raise NoServer("; ".join(said))

    def _ask(self, url: str, path: str, headers: Mapping[str, str]) -> Reply:
        if self._kept is not None:
            try:
                return self._once(self._kept, url, path, headers)
            except (OSError, HTTPException):
                self._drop()  # closed meanwhile, most likely: that says nothing about the server
        self._kept = self._connection(url)
        try:
            self._kept.connect()
            assert self._kept.sock is not None
            self._kept.sock.settimeout(_ANSWER_S)
            return self._once(self._kept, url, path, headers)
        except (OSError, HTTPException):
            self._drop()
            raise

    def _once(self, connection: HTTPConnection, url: str, path: str, headers: Mapping[str, str]) -> Reply:
        connection.request("GET", urlsplit(url).path + path, headers=dict(headers))
        response = connection.getresponse()
        body = response.read(_LARGEST)
        if not response.isclosed():
            self._drop()
        return Reply(response.status, response.headers.get("Content-Type", "text/plain"), body)

    def _connection(self, url: str) -> HTTPConnection:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._ca_file or None)
            return HTTPSConnection(host, parts.port, timeout=_CONNECT_S, context=context)
        return HTTPConnection(host, parts.port, timeout=_CONNECT_S)

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self._kept = None
