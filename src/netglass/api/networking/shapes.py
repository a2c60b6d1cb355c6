"""Kinds of attributes that are lists of small objects: addresses, pools, routes, DHCP options.

What they give: pools and routes as the frozen values of ``model.resources``; fixed addresses and DHCP options as
tuples of dicts, since either may be named in part (a subnet alone, an option to be taken away).
Source: Networking API v2.0; wording of reasons is that of Neutron's validators.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from netglass.api.networking.kinds import (
    ADDRESS,
    BOOLEAN,
    Kind,
    Wrong,
    address_text,
    integer,
    one_of,
    parse_address,
    parse_cidr,
    parse_list,
    parse_uuid,
    quoted,
    text,
)
from netglass.model.resources import AddressRange, HostRoute

_OPTION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OPTION_VALUE = text(one_line=True)
_IP_VERSION = one_of(4, 6)


def _object(value: Any, required: frozenset[str], optional: frozenset[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not required <= value.keys() or not value.keys() <= required | optional:
        raise Wrong(f"Invalid data format for {what}: {quoted(value)}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    """Reads a list where null does not stand for an empty one: no addresses is not the same as no wish."""
    if not isinstance(value, list):
        raise Wrong(f"Invalid data format for {what}: {quoted(value)}")
    return value


def _twice(items: Iterable[Any]) -> Any:
    """Gives the first item that occurs a second time, or None."""
    seen: set[Any] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


def _parse_fixed_ips(value: Any) -> tuple[dict[str, str], ...]:
    found: list[dict[str, str]] = []
    for item in _list(value, "fixed IP"):
        entry = _object(item, frozenset(), frozenset({"subnet_id", "ip_address"}), "fixed IP")
        # Clients send null for the half that they leave open.
        read: dict[str, str] = {}
        if entry.get("subnet_id") is not None:
            read["subnet_id"] = parse_uuid(entry["subnet_id"])
        if entry.get("ip_address") is not None:
            read["ip_address"] = parse_address(entry["ip_address"])
        found.append(read)
    again = _twice(entry["ip_address"] for entry in found if "ip_address" in entry)
    if again is not None:
        raise Wrong(f"Duplicate IP address '{again}'")
    return tuple(found)


FIXED_IPS = Kind(
    _parse_fixed_ips,
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"subnet_id": {"type": "string", "format": "uuid"}, "ip_address": ADDRESS.schema},
        },
    },
)


def _parse_pools(value: Any) -> tuple[AddressRange, ...]:
    found = []
    for item in _list(value, "IP pool"):
        entry = _object(item, frozenset({"start", "end"}), frozenset(), "IP pool")
        found.append(AddressRange(parse_address(entry["start"]), parse_address(entry["end"])))
    return tuple(found)


POOLS = Kind(
    _parse_pools,
    {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"start": ADDRESS.schema, "end": ADDRESS.schema},
            "required": ["start", "end"],
        },
    },
)


def _parse_routes(value: Any) -> tuple[HostRoute, ...]:
    found = []
    for item in parse_list(value):
        entry = _object(item, frozenset({"destination", "nexthop"}), frozenset(), "hostroute")
        found.append(HostRoute(parse_cidr(entry["destination"]), parse_address(entry["nexthop"])))
    again = _twice(found)
    if again is not None:
        raise Wrong(f"Duplicate hostroute '{again.destination} via {again.nexthop}'")
    return tuple(found)


ROUTES = Kind(
    _parse_routes,
    {
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "properties": {"destination": {"type": "string"}, "nexthop": ADDRESS.schema},
            "required": ["destination", "nexthop"],
        },
    },
)


def _parse_nameservers(value: Any) -> tuple[str, ...]:
    found = []
    for item in parse_list(value):
        try:
            found.append(parse_address(item))
        except Wrong as error:
            raise Wrong(f"{quoted(item)} is not a valid nameserver. {error}") from None
    again = _twice(found)
    if again is not None:
        raise Wrong(f"Duplicate nameserver '{again}'")
    return tuple(found)


NAMESERVERS = Kind(_parse_nameservers, {"type": ["array", "null"], "items": ADDRESS.schema})


def _parse_dhcp_options(value: Any) -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    for item in parse_list(value):
        entry = _object(item, frozenset({"opt_name"}), frozenset({"opt_value", "ip_version"}), "extra DHCP option")
        name, value_text = entry["opt_name"], entry.get("opt_value")
        if not isinstance(name, str) or not _OPTION_NAME.fullmatch(name):
            raise Wrong(f"{quoted(name)} is not a name or number of a DHCP option")
        read = None if value_text is None else _OPTION_VALUE.parse(value_text)
        if read is not None and not read.strip():
            raise Wrong(f"{quoted(read)} Blank strings are not permitted")
        version = entry.get("ip_version")
        found.append(
            {"opt_name": name, "opt_value": read, "ip_version": 4 if version is None else _IP_VERSION.parse(version)}
        )
    again = _twice([(entry["opt_name"], entry["ip_version"]) for entry in found])
    if again is not None:
        raise Wrong(f"Duplicate DHCP option '{again[0]}'")
    return tuple(found)


DHCP_OPTIONS = Kind(
    _parse_dhcp_options,
    {
        "type": ["array", "null"],
        "items": {
            "type": "object",
            "properties": {
                "opt_name": {"type": "string", "maxLength": 64},
                "opt_value": {"type": ["string", "null"], "maxLength": 255},
                "ip_version": {"type": "integer", "enum": [4, 6]},
            },
            "required": ["opt_name"],
        },
    },
)

MTU = integer(0, 65535)


def _parse_gateway(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    optional = frozenset({"network_id", "enable_snat", "external_fixed_ips"})
    entry = _object(value, frozenset(), optional, "external gateway")
    if not entry:
        return {}
    if entry.get("network_id") is None:
        raise Wrong("Validation of dictionary's keys failed. network_id must be specified")
    read: dict[str, Any] = {"network_id": parse_uuid(entry["network_id"])}
    if entry.get("enable_snat") is not None:
        read["enable_snat"] = BOOLEAN.parse(entry["enable_snat"])
    if entry.get("external_fixed_ips") is not None:
        read["external_fixed_ips"] = _parse_fixed_ips(entry["external_fixed_ips"])
    return read


GATEWAY = Kind(
    _parse_gateway,
    {
        "type": ["object", "null"],
        "properties": {
            "network_id": {"type": "string", "format": "uuid"},
            "enable_snat": BOOLEAN.schema,
            "external_fixed_ips": FIXED_IPS.schema,
        },
        "required": ["network_id"],
    },
)


def read_fixed_ip_filter(texts: Iterable[str]) -> dict[str, set[str]]:
    """Reads a filter's texts, each ``ip_address=…``, ``subnet_id=…`` or ``ip_address_substr=…``, into sets by key.

    Raises Wrong for any other key.
    """
    wanted: dict[str, set[str]] = {"ip_address": set(), "subnet_id": set(), "ip_address_substr": set()}
    for given in texts:
        key, equals, value = given.partition("=")
        if not equals or key not in wanted:
            raise Wrong(f"{quoted(given)} is not one of ip_address=, subnet_id= and ip_address_substr=")
        wanted[key].add(address_text(value) if key == "ip_address" else value)
    return wanted


def fixed_ip_filter(texts: list[str]) -> Callable[[Any], bool]:
    """Gives the test of a port that a filter's texts stand for; raises as `read_fixed_ip_filter`.

    A port passes when one of its addresses has one of the addresses and one of the subnets that were named, and when
    one of them holds one of the substrings.
    """
    wanted = read_fixed_ip_filter(texts)
    addresses, subnets, parts = wanted["ip_address"], wanted["subnet_id"], wanted["ip_address_substr"]

    def passes(port: Any) -> bool:
        held = port.fixed_ips
        if (addresses or subnets) and not any(
            (not addresses or f.ip_address in addresses) and (not subnets or f.subnet_id in subnets) for f in held
        ):
            return False
        return not parts or any(part in f.ip_address for part in parts for f in held)

    return passes
