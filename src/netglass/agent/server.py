"""HTTP to the server: registration, the feed's stream, reports and answers (model.protocol).

The standard library's client: a feed is one long response that a thread reads, and everything else is a few small
requests; httpx would add 8 MB to every agent for that.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import get_args
from urllib.parse import quote, urlsplit

import msgspec

from netglass.base.errors import NetglassError
from netglass.model.protocol import (
    ANSWER_BYTES,
    BEAT_S,
    FIRST_PROTOCOL,
    PROTOCOL,
    PROTOCOL_HEADER,
    Answer,
    FeedLine,
    Healed,
    Registration,
    Report,
    skew,
)

SILENCE_S = 4 * BEAT_S
"""Seconds without a line after which a stream counts as dead."""

_TIMEOUT_S = 5.0
_decode = msgspec.json.Decoder(FeedLine).decode
_TYPES = frozenset(line.__struct_config__.tag for line in get_args(FeedLine))


class _Typed(msgspec.Struct):
    """What every line has."""

    type: str


class ServerError(NetglassError):
    """The server could not be reached, or did not do what was asked; the message has its words.

    status  HTTP status; 0 when there was no answer
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """One server as one host's agent talks to it; each thread has its own.

    ca_file  certificate authority of an https server; empty: the system's
    """

    def __init__(self, url: str, host: str, credential: str, ca_file: str = "") -> None:
        self.url = url
        self._parts = urlsplit(url)
        self._base = f"{self._parts.path.rstrip('/')}/netglass/v1/hosts/{quote(host, safe='')}"
        self._headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
        self._ca_file = ca_file
        self._kept: HTTPConnection | None = None

    def register(self, registration: Registration) -> str:
        """Says what the host is; gives the protocol that the server speaks.  Raises ServerError."""
        return self._call("PUT", "", msgspec.json.encode(registration))

    def report(self, report: Report) -> None:
        """Says what the host has become; raises ServerError."""
        self._call("POST", "/report", msgspec.json.encode(report))

    def answer(self, question_id: str, answer: Answer) -> None:
        """Answers a question, with an excuse where the answer is too long; raises ServerError."""
        body = msgspec.json.encode(answer)
        if len(body) > ANSWER_BYTES:
            excuse = Answer(ok=False, error=f"the answer has {len(body)} bytes, and {ANSWER_BYTES} is the most")
            body = msgspec.json.encode(excuse)
        self._call("POST", f"/answers/{quote(question_id, safe='')}", body)

    def healed(self, healed: list[Healed]) -> None:
        """Says what was damaged and is in place again; raises ServerError."""
        self._call("POST", "/healed", msgspec.json.encode(healed))

    def feed(self, since: int | None, store: str) -> Iterator[list[FeedLine]]:
        """Gives the feed's lines, as many at a time as came together, without end.

        since  revision of `store` up to which everything is known; None: nothing is known

        Raises ServerError when the stream breaks, stays silent, or is no feed.
        """
        try:
            connection = self._connect(SILENCE_S)
        except OSError as error:  # no such CA
            raise ServerError(f"feed of {self.url}: {error}") from error
        try:
            query = "" if since is None else f"?since={since}&store={quote(store, safe='')}"
            connection.request("GET", f"{self._base}/feed{query}", headers=self._headers)
            response = connection.getresponse()
            if response.status != 200:
                text = response.read(600).decode(errors="replace")
                raise ServerError(f"GET feed: {response.status} {text}", response.status)
            self._spoken(response)
            rest = b""
            while received := response.read1(1 << 16):
                *whole, rest = (rest + received).split(b"\n")
                yield [line for text in whole if text and (line := _line(text)) is not None]
            raise ServerError("the server ended the feed")
        except (OSError, HTTPException, msgspec.DecodeError) as error:
            raise ServerError(f"feed of {self.url}: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def close(self) -> None:
        """Ends the connection kept for requests."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connect(self, timeout_s: float) -> HTTPConnection:
        host = self._parts.hostname or ""
        if self._parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._ca_file or None)
            return HTTPSConnection(host, self._parts.port, timeout=timeout_s, context=context)
        return HTTPConnection(host, self._parts.port, timeout=timeout_s)

    def _spoken(self, response: HTTPResponse) -> str:
        """Gives the protocol that an answer was given in; raises ServerError for one that is not ours at all."""
        protocol = response.getheader(PROTOCOL_HEADER, FIRST_PROTOCOL)
        if skew(protocol) == "foreign":
            raise ServerError(f"{self.url} speaks protocol {protocol}, this agent {PROTOCOL}: it is not listened to")
        return protocol

    def _call(self, method: str, path: str, body: bytes) -> str:
        reused = self._kept is not None
        try:
            return self._once(method, path, body)
        except (OSError, HTTPException) as error:
            self.close()
            if not reused:
                raise ServerError(f"{method} {self.url}: {error or type(error).__name__}") from error
            # A kept connection that the server closed meanwhile says nothing about the server: once more.
            try:
                return self._once(method, path, body)
            except (OSError, HTTPException) as again:
                self.close()
                raise ServerError(f"{method} {self.url}: {again or type(again).__name__}") from again

    def _once(self, method: str, path: str, body: bytes) -> str:
        if self._kept is None:
            self._kept = self._connect(_TIMEOUT_S)
        self._kept.request(method, self._base + path, body=body, headers=self._headers)
        response = self._kept.getresponse()
        text = response.read()
        if response.status >= 300:
            said = text[:600].decode(errors="replace")
            raise ServerError(f"{method} {self._base}{path}: {response.status} {said}", response.status)
        return self._spoken(response) if method == "PUT" else ""


def _line(text: bytes) -> FeedLine | None:
    """Reads a line of the feed; None for a type of line that only a newer version knows."""
    try:
        line: FeedLine = _decode(text)
        return line
    except msgspec.ValidationError:
        if msgspec.json.decode(text, type=_Typed).type in _TYPES:
            raise
        return None
