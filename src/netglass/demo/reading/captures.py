"""Reads what ``tcpdump -n`` prints of ICMP echo and of packets in GRE."""

from __future__ import annotations

import re

import msgspec

_ECHO = re.compile(
    r"(?:(?P<device>\S+) +(?:In|Out|P|B|M) +)?"
    r"IP (?P<source>[\d.]+) > (?P<destination>[\d.]+): ICMP echo (?P<kind>request|reply)"
)
_GRE = re.compile(
    r"IP (?P<source>[\d.]+) > (?P<destination>[\d.]+): GREv0, key=(?P<key>0x[0-9a-f]+),[^:]*: (?P<inner>.*)"
)


class Echo(msgspec.Struct, frozen=True, kw_only=True):
    """An echo request or reply.

    device  that it went by, where the capture was of several (``-i any``); else empty
    """

    kind: str  # request or reply
    source: str
    destination: str
    device: str = ""


class Tunnelled(msgspec.Struct, frozen=True, kw_only=True):
    """A packet in GRE; `inner` is what tcpdump prints of the one inside."""

    source: str
    destination: str
    key: int
    inner: str


def echoes(text: str) -> tuple[Echo, ...]:
    """Gives echo requests and replies in the order seen; those inside of tunnels too."""
    found = (_ECHO.search(line.rpartition("GREv0")[2]) for line in text.splitlines())
    return tuple(
        Echo(kind=e["kind"], source=e["source"], destination=e["destination"], device=e["device"] or "")
        for e in found
        if e
    )


def tunnelled(text: str) -> tuple[Tunnelled, ...]:
    """Gives the packets in GRE in the order seen."""
    found = (_GRE.search(line) for line in text.splitlines())
    return tuple(
        Tunnelled(source=t["source"], destination=t["destination"], key=int(t["key"], 16), inner=t["inner"])
        for t in found
        if t
    )


def carried(text: str, source: str, destination: str, key: int) -> tuple[str, ...]:
    """Gives what went in GRE from one host to another with this key, as tcpdump prints it."""
    return tuple(t.inner for t in tunnelled(text) if (t.source, t.destination, t.key) == (source, destination, key))
