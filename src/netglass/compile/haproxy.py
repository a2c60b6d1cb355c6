"""haproxy's configuration as text (haproxy's configuration manual, 2.6); every string in it is checked first.

haproxy separates words by spaces, reads ``#`` as a comment, ``\\`` and quotes as quoting, ``%[`` as an expression and
``$`` as a variable of its environment.  None of what is put here needs any of these, so whatever is not plainly a word
is refused, not escaped.

What a guest sends is trusted with nothing: every header by which the next in the chain tells guests apart is dropped,
however often it came and however it was spelled (haproxy compares names without regard to case, and joins folded lines
before it looks), and then set.  (LP#1865036: a guest that sent its own was believed.)

Called by compile.metadata only.
"""

from __future__ import annotations

import re

import msgspec

_WORD = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_DEVICE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,14}")
_PATH = re.compile(r"(/[0-9A-Za-z][0-9A-Za-z_.-]*)+")
_LONGEST_SOCKET_PATH = 107  # unix(7), sun_path
_OWNERS = ("Network", "Router")

LINK_LOCAL = "fe80::a9fe:a9fe"


class RefusedWord(ValueError):
    """A string that haproxy would not take for what it is; the message says which and what for."""


class Proxy(msgspec.Struct, frozen=True):
    """One namespace's metadata proxy.

    of       Network or Router: what `owner_id` is
    address  where guests find it, over IPv4
    port     at `address`
    devices  those on which guests find it at `LINK_LOCAL`, port 80; may be empty
    user     it runs as this user and its group
    socket   the metadata agent's
    """

    of: str
    owner_id: str
    address: str
    port: int
    devices: tuple[str, ...]
    user: str
    socket: str


def render(proxy: Proxy) -> str:
    """Gives the configuration; raises RefusedWord."""
    owner_id = _matching(_WORD, proxy.owner_id, "an id")
    user = _matching(_WORD, proxy.user, "a user")
    if proxy.of not in _OWNERS:
        raise RefusedWord(f"{proxy.of!r} is none of {', '.join(_OWNERS)}")
    devices = (_matching(_DEVICE, device, "a device") for device in proxy.devices)
    binds = [f"bind {proxy.address}:{proxy.port}", *(f"bind [{LINK_LOCAL}]:80 interface {d}" for d in devices)]
    return _TEXT.format(
        user=user,
        binds="\n    ".join(binds),
        of=proxy.of,
        owner_id=owner_id,
        socket=_socket(proxy.socket),
    )


def _matching(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise RefusedWord(f"{text!r} is no word that haproxy could be given as {what}")
    return text


def _socket(path: str) -> str:
    if len(path) > _LONGEST_SOCKET_PATH:
        raise RefusedWord(
            f"{path!r} is longer than the {_LONGEST_SOCKET_PATH} characters that a socket's path may have"
        )
    return _matching(_PATH, path, "a socket's path")


# A body is waited for here and not by the agent, which many networks share; `maxconn` of the server leaves the agent
# free for the others.  While there is no agent, guests get 503 at once: haproxy does not try a UNIX socket again (seen
# on 2.6), and guests do.
_TEXT = """\
# Written by netglass; changes are undone.
global
    user {user}
    group {user}
    maxconn 256
    nbthread 1
    log stderr format raw daemon notice

defaults
    mode http
    option http-buffer-request
    option http-server-close
    http-reuse never
    timeout connect 500ms
    timeout queue 10s
    timeout server 15s
    timeout client 15s
    timeout http-request 5s
    timeout http-keep-alive 5s

listen metadata
    {binds}
    http-request del-header X-Forwarded-For
    http-request del-header Forwarded
    http-request del-header X-Neutron- -m beg
    http-request del-header X-Instance-ID -m beg
    http-request del-header X-Tenant-ID -m beg
    http-request del-header X-Metadata-Provider -m beg
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Neutron-{of}-ID {owner_id}
    server agent unix@{socket} maxconn 8
"""
