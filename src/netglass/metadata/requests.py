"""Requests of metadata proxies, read off a socket: the head, as strictly as a go-between must, and no body.

Only what haproxy itself says of the sender is believed, and only when it says it once: where a header stands twice,
somebody else may have written the other one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage, parse_headers
from ipaddress import ip_address
from typing import BinaryIO

_LINE = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,4096}) HTTP/1\.[01]\r?\n")
# Nothing that anybody on the way could read as something else: no escapes, no dots that climb.
_PATH = re.compile(r"(/[0-9A-Za-z_-][0-9A-Za-z._-]*|/)*")
_LONGEST_LINE = 8192


class BadRequest(Exception):
    """The request cannot be answered; the message says why, and `status` what the sender is told.

    It is for the log: a guest learns no more than the status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class GuestRequest:
    """What a guest asks for, and where it came in.

    path     below the metadata API's root, with a slash before it
    address  the guest's, in its canonical spelling
    place    network_id or router_id, and its value
    """

    path: str
    head_only: bool
    address: str
    place: tuple[str, str]


def read_request(stream: BinaryIO) -> GuestRequest | None:
    """Reads a request's head; None when the other end closes before it begins.

    Raises BadRequest, OSError.
    """
    line = stream.readline(_LONGEST_LINE)
    if not line:
        return None
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadRequest(400, "no request line of HTTP/1")
    method, target = (part.decode() for part in match.groups())
    try:
        headers = parse_headers(stream)
    except HTTPException as error:
        raise BadRequest(400, f"headers: {error}") from error
    if method not in ("GET", "HEAD"):
        raise BadRequest(405, f"method {method}")
    path = target.partition("?")[0]
    if not path.startswith("/") or not _PATH.fullmatch(path):
        raise BadRequest(404, "a path that no document has")
    return GuestRequest(path, method == "HEAD", _address(headers), _place(headers))


def _address(headers: HTTPMessage) -> str:
    given = headers.get_all("X-Forwarded-For") or []
    if len(given) == 1:
        try:
            return str(ip_address(given[0].strip().partition("%")[0]))
        except ValueError:
            pass
    raise BadRequest(404, f"X-Forwarded-For says {given}; one address is wanted")


def _place(headers: HTTPMessage) -> tuple[str, str]:
    named = {"network_id": "X-Neutron-Network-ID", "router_id": "X-Neutron-Router-ID"}
    given = [(name, value.strip()) for name, header in named.items() for value in headers.get_all(header) or []]
    if len(given) != 1 or not given[0][1]:
        raise BadRequest(404, f"it came in at {given}; one network or router is wanted")
    return given[0]
