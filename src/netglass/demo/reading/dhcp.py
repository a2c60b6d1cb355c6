"""Reads dnsmasq's command line and host file, and ``tcpdump`` of a DHCP exchange."""

from __future__ import annotations

import re

import msgspec

_FRAME = re.compile(
    r"IP (?P<source>[\d.]+)\.(?:67|68|bootps|bootpc) > \S+: BOOTP/DHCP, "
    r"(?:(?P<request>Request) from (?P<mac>[0-9a-f:]{17})|(?P<reply>Reply))"
)


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One DHCP frame as ``tcpdump -n`` prints it."""

    source: str  # IPv4 address
    kind: str  # Request or Reply
    mac: str = ""  # the client's; tcpdump prints it for requests only


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """A line of ``--dhcp-hostsfile``."""

    mac: str
    name: str
    address: str


def frames(text: str) -> tuple[Frame, ...]:
    """Gives the DHCP frames in the order seen."""
    found = (_FRAME.search(line) for line in text.splitlines())
    return tuple(Frame(source=f["source"], kind=f["request"] or f["reply"], mac=f["mac"] or "") for f in found if f)


def reservations(text: str) -> dict[str, Reservation]:
    """Gives the IPv4 lines of a host file by MAC address."""
    found: dict[str, Reservation] = {}
    for line in text.splitlines():
        words = line.split(",")
        if len(words) >= 3 and words[0].count(":") == 5:
            found[words[0]] = Reservation(mac=words[0], name=words[1], address=words[2])
    return found


def options(command: str) -> dict[str, str]:
    """Gives the long options of one command line; one without a value has an empty one."""
    pairs = (word[2:].partition("=") for word in command.split() if word.startswith("--"))
    return {name: value for name, _, value in pairs}


def serving(text: str, device: str) -> str:
    """Gives the line of ``ps`` in which a dnsmasq serves `device`; empty when there is none."""
    lines = (line for line in text.splitlines() if "dnsmasq" in line)
    return next((line for line in lines if options(line).get("interface") == device), "")


def duration(text: str) -> float:
    """Gives the seconds between the first DHCP frame and the last; 0 when there are fewer than two.

    tcpdump prints the time of day; an exchange over midnight is still short.
    """
    stamps = re.findall(r"^(\d\d):(\d\d):(\d\d\.\d+) IP .*BOOTP/DHCP", text, re.MULTILINE)
    if len(stamps) < 2:
        return 0.0
    seconds = [int(h) * 3600 + int(m) * 60 + float(s) for h, m, s in (stamps[0], stamps[-1])]
    return round((seconds[1] - seconds[0]) % 86400, 6)
