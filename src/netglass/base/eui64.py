"""Addresses that are made out of MACs: modified EUI-64 interface identifiers (RFC 4291, appendix A)."""

from __future__ import annotations

import re
from ipaddress import IPv6Address

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LINK_LOCAL = 0xFE80 << 112
_UNIVERSAL = 1 << 57


def interface_id(mac: str) -> int:
    """Gives the lower 64 bits of the addresses that a host with this MAC makes; raises ValueError for no MAC."""
    if not _MAC.fullmatch(mac):
        raise ValueError(f"{mac!r} is no MAC address")
    bits = int(mac.replace(":", ""), 16)
    return ((bits >> 24 << 40) | (0xFFFE << 24) | (bits & 0xFFFFFF)) ^ _UNIVERSAL


def link_local(mac: str) -> str:
    """Gives the link-local address of a device with this MAC, as the kernel makes it; raises ValueError for no MAC."""
    return str(IPv6Address(_LINK_LOCAL | interface_id(mac)))


def mac_of(address: IPv6Address) -> str:
    """Gives the MAC that an address was made of; empty when it was not."""
    half = address.packed[8:]
    if half[3:5] != b"\xff\xfe":
        return ""
    return bytes((half[0] ^ 0x02, *half[1:3], *half[5:])).hex(":")
