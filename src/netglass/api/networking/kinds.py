"""Kinds of attribute values: how JSON is read, what a filter's text stands for, and the JSON schema of it.

A kind never looks at other attributes or at intent: contradictions between attributes are for ``control`` to find.
Source: the wording of reasons is that of Neutron's validators, since clients and test suites match on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

TEXT_LIMIT = 255
"""Longest name, description, device id and tag, in characters."""

LARGEST_INTEGER = 2**31 - 1

_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}", re.IGNORECASE)
_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})


class Wrong(ValueError):
    """A value that its kind does not take; the text is the reason, without a full stop."""


def quoted(value: Any) -> str:
    """Gives a value between quotes, as reasons show it; what is long is cut, for it came from outside."""
    shown = str(value)
    return f"'{shown}'" if len(shown) <= TEXT_LIMIT else f"'{shown[:TEXT_LIMIT]}…'"


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    parse      a decoded JSON value to Netglass's own value; raises Wrong
    schema     JSON Schema of the value on the wire (OpenAPI 3.1)
    from_text  a filter's text to what the shown value must equal; raises Wrong
    """

    parse: Callable[[Any], Any]
    schema: Mapping[str, Any]
    from_text: Callable[[str], Any] = field(default=str)


def text(limit: int = TEXT_LIMIT, *, blank: bool = True, one_line: bool = False) -> Kind:
    """Gives the kind of a string.

    blank     whether it may be empty or all blanks
    one_line  refuses every control character: for text that reaches a host's files
    """

    def parse(value: Any) -> str:
        found = parse_text(value, limit)
        if not blank and not found.strip():
            raise Wrong(f"{quoted(found)} Blank strings are not permitted")
        if one_line and any(ord(c) < 32 or ord(c) == 127 for c in found):
            raise Wrong(f"{quoted(repr(found))} contains control characters")
        return found

    return Kind(parse, {"type": "string", "maxLength": limit, **({} if blank else {"minLength": 1})})


def parse_text(value: Any, limit: int = TEXT_LIMIT) -> str:
    """Reads a string of at most `limit` characters; a NUL is refused, as PostgreSQL cannot keep it."""
    if not isinstance(value, str):
        raise Wrong(f"{quoted(value)} is not a valid string")
    if len(value) > limit:
        raise Wrong(f"{quoted(value)} exceeds maximum length of {limit}")
    if "\0" in value:
        raise Wrong("a string must not contain the NUL character")
    return value


def _parse_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    # Neutron takes 0, 1 and their spellings too; Ansible and Heat send strings.
    if isinstance(value, (int, str)):
        spelled = str(value).lower()
        if spelled in _TRUE:
            return True
        if spelled in _FALSE:
            return False
    raise Wrong(f"{quoted(value)} cannot be converted to boolean")


BOOLEAN = Kind(_parse_boolean, {"type": "boolean"}, _parse_boolean)


def integer(least: int, most: int = LARGEST_INTEGER) -> Kind:
    """Gives the kind of a whole number in an inclusive range; its decimal text is taken too, as Neutron does."""

    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise Wrong(f"{quoted(value)} is not an integer")
        try:
            # int() also takes blanks and underscores, and text of any length; none of them is a number here.
            found = int(value) if isinstance(value, int) or re.fullmatch(r"-?[0-9]{1,19}", value) else None
        except ValueError:
            found = None
        if found is None:
            raise Wrong(f"{quoted(value)} is not an integer")
        if found < least:
            raise Wrong(f"'{found}' is too small - must be at least '{least}'")
        if found > most:
            raise Wrong(f"'{found}' is too large - must be no larger than '{most}'")
        return found

    return Kind(parse, {"type": "integer", "minimum": least, "maximum": most}, _integer_or_text)


def _integer_or_text(value: str) -> int | str:
    """Reads a filter's number; other text stays text and then equals no number."""
    return int(value) if re.fullmatch(r"-?[0-9]{1,19}", value) else value


def one_of(*allowed: str | int) -> Kind:
    """Gives the kind of a closed set of strings or of numbers."""
    numbers = all(isinstance(a, int) for a in allowed)

    def parse(value: Any) -> Any:
        found = _integer_or_text(value) if numbers and isinstance(value, str) else value
        if isinstance(found, bool) or found not in allowed:
            raise Wrong(f"{quoted(value)} is not in {list(allowed)}")
        return found

    schema = {"type": "integer" if numbers else "string", "enum": list(allowed)}
    return Kind(parse, schema, _integer_or_text if numbers else str)


def nullable(kind: Kind) -> Kind:
    """Gives the kind that also takes null."""

    def parse(value: Any) -> Any:
        return None if value is None else kind.parse(value)

    known = dict(kind.schema)
    if "type" in known:
        known["type"] = [known["type"], "null"]
    if "enum" in known:
        known["enum"] = [*known["enum"], None]
    return Kind(parse, known, kind.from_text)


def parse_uuid(value: Any) -> str:
    """Reads a UUID (RFC 9562) and gives its canonical spelling."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Wrong(f"{quoted(value)} is not a valid UUID")
    bare = value.replace("-", "").lower()
    return f"{bare[:8]}-{bare[8:12]}-{bare[12:16]}-{bare[16:20]}-{bare[20:]}"


UUID = Kind(parse_uuid, {"type": "string", "format": "uuid"})


def parse_address(value: Any) -> str:
    """Reads an IP address and gives its canonical spelling; zones (RFC 4007) and leading zeros are refused."""
    if isinstance(value, str) and "%" not in value:
        try:
            return str(ip_address(value))
        except ValueError:
            pass
    raise Wrong(f"{quoted(value)} is not a valid IP address")


def address_text(value: str) -> str:
    """Gives a filter's address in its canonical spelling; text that is no address stays as it is."""
    try:
        return parse_address(value)
    except Wrong:
        return value


ADDRESS = Kind(parse_address, {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}, address_text)


def parse_cidr(value: Any) -> str:
    """Reads an IP prefix with no host bits and gives its canonical spelling."""
    if not isinstance(value, str) or "/" not in value or "%" in value:
        raise Wrong(f"{quoted(value)} is not a valid IP subnet")
    try:
        found = ip_network(value, strict=False)
        address = ip_address(value.split("/")[0])
    except ValueError:
        raise Wrong(f"{quoted(value)} is not a valid IP subnet") from None
    if address != found.network_address or not value.split("/")[1].isdigit():
        raise Wrong(f"{quoted(value)} isn't a recognized IP subnet cidr, '{found}' is recommended")
    return str(found)


def _cidr_text(value: str) -> str:
    try:
        return parse_cidr(value)
    except Wrong:
        return value


CIDR = Kind(parse_cidr, {"type": "string", "examples": ["192.0.2.0/24"]}, _cidr_text)


def _parse_mac(value: Any) -> str:
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        raise Wrong(f"{quoted(value)} is not a valid MAC address")
    found = value.lower().replace("-", ":")
    # An odd first byte is a group address, and all zeros nobody's (IEEE 802).
    if int(found[:2], 16) & 1 or found == "00:00:00:00:00:00":
        raise Wrong(f"{quoted(value)} is not a valid MAC address")
    return found


MAC = Kind(_parse_mac, {"type": "string", "examples": ["fa:16:3e:00:00:01"]}, lambda t: t.lower().replace("-", ":"))


def mapping() -> Kind:
    """Gives the kind of a free JSON object; null stands for an empty one."""

    def parse(value: Any) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise Wrong(f"{quoted(value)} is not a dictionary")
        return value

    return Kind(parse, {"type": ["object", "null"]})


def parse_list(value: Any) -> list[Any]:
    """Reads a list; null stands for an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Wrong(f"{quoted(value)} is not a list")
    return value


def unique_texts(limit: int = TEXT_LIMIT, most: int = 50) -> Kind:
    """Gives the kind of a list of distinct strings, at most `most` of them; gives a tuple in the order given."""

    def parse(value: Any) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise Wrong(f"{quoted(value)} is not a list")
        if len(value) > most:
            raise Wrong(f"{len(value)} items are more than the {most} that are allowed")
        found = tuple(parse_text(item, limit) for item in value)
        if twice := sorted({item for item in found if found.count(item) > 1}):
            raise Wrong(f"Duplicate items in the list: {quoted(', '.join(twice))}")
        return found

    schema = {"type": "array", "uniqueItems": True, "maxItems": most, "items": {"type": "string", "maxLength": limit}}
    return Kind(parse, schema)
