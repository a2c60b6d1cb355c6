"""Answers one guest's request: finds out who asks, signs for them, and hands on what the metadata API says.

Nothing of a guest's request but its path goes any further.  One request a connection: whatever a guest sent after its
head, a body or what it wants to pass off as a second request, is thrown away unread.
"""

from __future__ import annotations

import logging
import socket
from http import HTTPStatus
from urllib.parse import urlencode

import msgspec

from netglass.metadata.config import Config, newest_credential
from netglass.metadata.requests import BadRequest, GuestRequest, read_request
from netglass.metadata.upstream import NoServer, Outage, Reply, Upstream
from netglass.model.protocol import Instance, instance_signature

log = logging.getLogger("netglass.metadata")

_HEAD_S = 5.0
_REST_S = 0.2
_REST_BYTES = 1 << 20
_ANSWERS_OF_GUESTS = (200, 404)  # all else is between the agent and the server


class Answering:
    """What answers one request at a time: its connections to the servers.

    outages  of the servers that know who asks, and of those that know what to answer
    """

    def __init__(self, config: Config, outages: tuple[Outage, Outage]) -> None:
        self._config = config
        self._who = Upstream(config.servers, outages[0], config.ca_file)
        self._what = Upstream(config.metadata, outages[1], config.ca_file)

    def serve(self, connection: socket.socket) -> None:
        """Answers what comes over a connection, and closes it."""
        with connection:
            connection.settimeout(_HEAD_S)
            head_only = False
            try:
                with connection.makefile("rb") as stream:
                    request = read_request(stream)
                if request is None:
                    return
                head_only = request.head_only
                reply = self._answer(request)
            except BadRequest as bad:
                log.info("refused with %d: %s", bad.status, bad)
                reply = _plain(bad.status)
            except NoServer as error:
                log.warning("no server answers: %s", error)
                reply = _plain(503)
            except OSError:
                return
            _send(connection, reply, head_only)

    def _answer(self, request: GuestRequest) -> Reply:
        instance = self._find(request)
        reply = self._what.get(
            request.path,
            {
                "X-Instance-ID": instance.id,
                "X-Tenant-ID": instance.project_id,
                "X-Instance-ID-Signature": instance_signature(self._config.secret, instance.id),
                "X-Forwarded-For": request.address,
            },
        )
        if reply.status in _ANSWERS_OF_GUESTS:
            return reply
        log.warning("the metadata API answers %d for instance %s, %s", reply.status, instance.id, request.path)
        return _plain(503 if reply.status == 503 else 500)

    def _find(self, request: GuestRequest) -> Instance:
        query = urlencode({request.place[0]: request.place[1], "address": request.address})
        path = f"/netglass/v1/hosts/{self._config.host}/instance?{query}"
        reply = self._who.get(path, {"Authorization": f"Bearer {newest_credential(self._config)}"})
        if reply.status == HTTPStatus.OK:
            return msgspec.json.decode(reply.body, type=Instance)
        said = reply.body[:300].decode(errors="replace")
        if reply.status in (400, 404):
            raise BadRequest(404, said)
        log.warning("the server answers %d when asked who has %s: %s", reply.status, request.address, said)
        raise BadRequest(503 if reply.status == 503 else 500, "the server did not tell who asks")


def _plain(status: int) -> Reply:
    return Reply(status, "text/plain", f"{status} {HTTPStatus(status).phrase}\n".encode())


def _send(connection: socket.socket, reply: Reply, head_only: bool) -> None:
    head = (
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\n"
        f"Content-Type: {reply.content_type}\r\nContent-Length: {len(reply.body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    try:
        connection.sendall(head.encode() + (b"" if head_only else reply.body))
        connection.shutdown(socket.SHUT_WR)
        # A socket closed with something unread on it could take the answer along.
        connection.settimeout(_REST_S)
        left = _REST_BYTES
        while left > 0 and (rest := connection.recv(1 << 16)):
            left -= len(rest)
    except OSError:
        return
