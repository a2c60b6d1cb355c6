"""GET requests to one of several servers, on a connection that is kept; each thread has its own.

The standard library's client, as for the agent: another would be half of this process.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from netglass.base.errors import NetglassError

_CONNECT_S = 1.0
_ANSWER_S = 3.0
_LARGEST = 8 << 20  # bytes of an answer


class NoServer(NetglassError):
    """No server answered; the message says what each had to say."""


class Reply(NamedTuple):
    """What a server answered."""

    status: int
    content_type: str
    body: bytes


class Upstream:
    """The servers at `urls`, tried in turn, beginning with the one that answered last."""

    def __init__(self, urls: tuple[str, ...]) -> None:
        self._urls = list(urls)
        self._kept: HTTPConnection | None = None

    def get(self, path: str, headers: Mapping[str, str]) -> Reply:
        """Gives an answer of the first server that gives one; raises NoServer."""
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
        self._kept = _connection(url)
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

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self._kept = None


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return HTTPSConnection(host, parts.port, timeout=_CONNECT_S, context=ssl.create_default_context())
    return HTTPConnection(host, parts.port, timeout=_CONNECT_S)
