"""Reads ``ip``, ``brctl`` and ``ethtool``."""

from __future__ import annotations

import re

import msgspec

_HEAD = re.compile(r"^(\d+): ([^:@\s]+)(?:@(\S+))?: <([^>]*)> mtu (\d+)")
_MAC = re.compile(r"^\s+link/\S+ ([0-9a-f:]{17})")
_INET = re.compile(r"^\s+inet6? (\S+) .*scope (\S+)")


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A network device as ``ip addr`` or ``ip link`` prints it."""

    index: int
    name: str
    up: bool
    mtu: int  # bytes
    mac: str = ""
    addresses: tuple[str, ...] = ()  # with prefix length, all scopes but link


def namespaces(text: str) -> tuple[str, ...]:
    """Gives the names in ``ip netns list``, without their numbers."""
    return tuple(line.split()[0] for line in text.splitlines() if line.strip())


def devices(text: str) -> dict[str, Device]:
    """Gives the devices of ``ip addr`` or ``ip link`` by name."""
    found: dict[str, Device] = {}
    name = ""
    for line in text.splitlines():
        if head := _HEAD.match(line):
            name = head[2]
            up = "UP" in head[4].split(",")
            found[name] = Device(index=int(head[1]), name=name, up=up, mtu=int(head[5]))
        elif name and (mac := _MAC.match(line)):
            found[name] = msgspec.structs.replace(found[name], mac=mac[1])
        elif name and (inet := _INET.match(line)) and inet[2] != "link":
            found[name] = msgspec.structs.replace(found[name], addresses=(*found[name].addresses, inet[1]))
    return found


def peer_index(text: str) -> int | None:
    """Gives the peer's interface number from ``ethtool -S``; None when the device is no veth end."""
    found = re.search(r"^\s*peer_ifindex: (\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def bridge_ports(text: str) -> dict[str, tuple[str, ...]]:
    """Gives each Linux bridge's ports from ``brctl show``, which prints further ports on lines of their own."""
    found: dict[str, tuple[str, ...]] = {}
    name = ""
    for line in text.splitlines()[1:]:
        words = line.split()
        if not words:
            continue
        if not line[0].isspace():
            name, words = words[0], words[3:]
            found[name] = ()
        found[name] = (*found.get(name, ()), *words)
    return found


def pings(text: str) -> tuple[int, int]:
    """Gives how many echo requests were sent and how many answers came; (0, 0) when ping did not get that far.

    Reads both iputils' and busybox's words.
    """
    found = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def assigned(text: str) -> tuple[str, ...]:
    """Gives the addresses in ``ip addr``, without prefix length, of all devices but the loopback."""
    found = (device for name, device in devices(text).items() if name != "lo")
    return tuple(address.partition("/")[0] for device in found for address in device.addresses)
