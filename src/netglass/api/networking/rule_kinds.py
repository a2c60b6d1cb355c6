"""Kinds of the values in security groups and their rules, and of addresses beside a port's own.

What a rule may say is checked as a whole by ``control.rule_values``, with Neutron's own faults; here it only has to be
a plain value.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from netglass.api.networking.kinds import (
    ADDRESS,
    LARGEST_INTEGER,
    MAC,
    TEXT_LIMIT,
    Kind,
    Wrong,
    integer,
    parse_address,
    parse_list,
    parse_text,
    parse_uuid,
    quoted,
)
from netglass.control.faults import fault

_MOST_GROUPS = 100
MOST_ADDRESSES = 1000


def _parse_plain(value: Any) -> str | int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INTEGER):
        return value
    return parse_text(value)


PROTOCOL = Kind(_parse_plain, {"type": ["string", "integer", "null"], "examples": ["tcp", 17]})
PORT = Kind(_parse_plain, {"type": ["integer", "null"], "minimum": 0, "maximum": 65535}, integer(0).from_text)
ETHERTYPE = Kind(_parse_plain, {"type": "string", "enum": ["IPv4", "IPv6"]})
PREFIX = Kind(_parse_plain, {"type": ["string", "null"], "examples": ["192.0.2.0/24"]})


def _parse_reference(value: Any) -> str | None:
    # Neutron takes any text for the id of a group, and then finds none: 404, never 400.
    return None if value is None else parse_text(value, TEXT_LIMIT)


REFERENCE = Kind(_parse_reference, {"type": ["string", "null"], "format": "uuid"})


def _parse_ids(value: Any) -> tuple[str, ...]:
    found = tuple(parse_uuid(item) for item in parse_list(value))
    if len(found) > _MOST_GROUPS:
        raise Wrong(f"{len(found)} items are more than the {_MOST_GROUPS} that are allowed")
    if twice := sorted({item for item in found if found.count(item) > 1}):
        raise Wrong(f"Duplicate items in the list: {quoted(', '.join(twice))}")
    return found


GROUP_IDS = Kind(_parse_ids, {"type": ["array", "null"], "items": {"type": "string", "format": "uuid"}})


def parse_block(value: Any) -> str:
    """Reads an IP prefix, whose bits of a host are dropped; an address alone is refused."""
    if not isinstance(value, str) or "/" not in value or "%" in value:
        raise Wrong(f"{quoted(value)} is not a valid IP subnet")
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise Wrong(f"{quoted(value)} is not a valid IP subnet") from None


def parse_blocks(value: Any) -> tuple[str, ...]:
    """Reads a list of IP prefixes; null stands for an empty one."""
    items = parse_list(value)
    if len(items) > MOST_ADDRESSES:
        raise Wrong(f"{len(items)} items are more than the {MOST_ADDRESSES} that one request may name")
    return tuple(parse_block(item) for item in items)


BLOCKS = Kind(parse_blocks, {"type": ["array", "null"], "maxItems": MOST_ADDRESSES, "items": {"type": "string"}})


def _parse_pair(item: Any) -> dict[str, str]:
    if not isinstance(item, dict):
        raise Wrong(f"{quoted(item)} is not a dictionary")
    if "ip_address" not in item:
        raise fault("AllowedAddressPairsMissingIP")
    unknown = sorted(str(name) for name in item.keys() - {"ip_address", "mac_address"})
    if unknown:
        raise Wrong(f"Unrecognized attribute(s) {quoted(', '.join(unknown))}")
    given = item["ip_address"]
    block = isinstance(given, str) and "/" in given
    address = parse_block(given) if block else parse_address(given)
    if ip_network(address).is_multicast:
        raise Wrong(f"{quoted(given)} is multicast, and nobody sends from there")
    pair = {"ip_address": address}
    if "mac_address" in item:
        pair["mac_address"] = MAC.parse(item["mac_address"])
    return pair


def _parse_pairs(value: Any) -> tuple[dict[str, str], ...]:
    if value is not None and not isinstance(value, list):
        raise Wrong("Allowed address pairs must be a list")
    items = parse_list(value)
    if len(items) > LARGEST_PAIRS:
        raise fault("AllowedAddressPairExhausted", quota=LARGEST_PAIRS)
    return tuple(_parse_pair(item) for item in items)


LARGEST_PAIRS = 1000
"""Most pairs that are read at all; how many a port may have is the operator's setting."""

ADDRESS_PAIRS = Kind(
    _parse_pairs,
    {
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "properties": {"ip_address": ADDRESS.schema, "mac_address": MAC.schema},
            "required": ["ip_address"],
        },
    },
)
