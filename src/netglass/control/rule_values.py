"""What a security group rule may say: protocols, ports, ICMP types, prefixes, and how they fit one another.

Shared by rules of groups and by the rules that new groups begin with; looks at no intent.
Source: the Networking API's ``security-group`` extension; order, wording and leniency of the checks are Neutron's.
SECURITY.md: CVE-2019-9735 (ports with a protocol that has none), CVE-2014-0187 (prefixes that are none).
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_interface
from typing import Any, Final

from netglass.control.faults import fault
from netglass.model.rules import (
    ICMP,
    ICMPV6,
    IPV4,
    IPV6,
    IPV6_NUMBERS,
    PORT_NUMBERS,
    PORT_PROTOCOLS,
    PROTOCOL_NUMBERS,
    protocol_number,
)

_ANY: Final = (None, "", "any")
_ETHERTYPES: Final = (IPV4, IPV6)
_REMOTES: Final = ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")
_LAST_PORT: Final = 65535
_LONGEST_SHOWN: Final = 64  # characters of a value that a fault repeats


def rule_values(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the fields of a rule out of what a request says, in their canonical form.

    wanted  direction; may hold ethertype, protocol (name or number), port_range_min, port_range_max (numbers or their
            text), remote_ip_prefix, remote_group_id, remote_address_group_id, description

    Raises the faults of ``security_faults`` that begin with ``SecurityGroup``, and InvalidCIDR.
    """
    ethertype = _ethertype(wanted.get("ethertype"))
    protocol = _protocol(wanted.get("protocol"), ethertype)
    low, high = _port(wanted.get("port_range_min")), _port(wanted.get("port_range_max"))
    if (low, high) == (1, _LAST_PORT):
        low = high = None  # all ports: firewalls are better off without a range
    _check_ports(protocol, low, high)
    prefix, spelled = _prefix(wanted.get("remote_ip_prefix"), ethertype)
    if ethertype == IPV4 and protocol_number(protocol) in IPV6_NUMBERS:
        raise fault("SecurityGroupEthertypeConflictWithProtocol", ethertype=ethertype, protocol=protocol)
    if sum(bool(wanted.get(name)) for name in _REMOTES) > 1:
        raise fault("SecurityGroupMultipleRemoteEntites")
    return {
        "direction": wanted["direction"],
        "ethertype": ethertype,
        "protocol": protocol,
        "port_range_min": low,
        "port_range_max": high,
        "remote_ip_prefix": prefix,
        "spelled_prefix": spelled,
        "remote_group_id": wanted.get("remote_group_id") or "",
        "remote_address_group_id": wanted.get("remote_address_group_id") or "",
        "description": wanted.get("description") or "",
    }


def _ethertype(given: Any) -> str:
    if given is None:
        return IPV4
    for ethertype in _ETHERTYPES:
        if isinstance(given, str) and given.lower() == ethertype.lower():
            return ethertype
    raise fault("SecurityGroupRuleInvalidEtherType", ethertype=_shown(given), values=list(_ETHERTYPES))


def _protocol(given: Any, ethertype: str) -> str:
    """Gives a protocol as rules keep it: a name in lower case or a number; in IPv6, ICMP is IPv6's own."""
    if given in _ANY:
        return ""
    text = str(given).lower() if isinstance(given, (str, int)) and not isinstance(given, bool) else ""
    if protocol_number(text) is None or len(text) > _LONGEST_SHOWN:
        values = ["any", *PROTOCOL_NUMBERS]
        raise fault("SecurityGroupRuleInvalidProtocol", protocol=_shown(given), values=values)
    text = str(int(text)) if text.isdigit() else text
    if ethertype == IPV6:
        return {"icmp": "ipv6-icmp", "icmpv6": "ipv6-icmp", str(ICMP): str(ICMPV6)}.get(text, text)
    return text


def _port(given: Any) -> int | None:
    if given is None:
        return None
    text = str(given) if isinstance(given, (str, int)) and not isinstance(given, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LAST_PORT)) and int(text) <= _LAST_PORT):
        raise fault("SecurityGroupInvalidPortValue", port=_shown(given))
    return int(text)


def _check_ports(protocol: str, low: int | None, high: int | None) -> None:
    if low is None and high is None:
        return
    if not protocol:
        raise fault("SecurityGroupProtocolRequiredWithPorts")
    number = protocol_number(protocol)
    if number in PORT_NUMBERS:
        if low == 0 or high == 0:
            raise fault("SecurityGroupInvalidPortValue", port=0)
        if low is None or high is None or low > high:
            raise fault("SecurityGroupInvalidPortRange")
    elif number in (ICMP, ICMPV6):
        _check_icmp(low, high)
    else:
        names = ", ".join(name.upper() for name in PORT_PROTOCOLS)
        raise fault("SecurityGroupInvalidProtocolForPort", protocol=number, valid_port_protocols=names)


def _check_icmp(kind: int | None, code: int | None) -> None:
    for value, field, attribute in ((kind, "type", "port_range_min"), (code, "code", "port_range_max")):
        if value is not None and value > 255:
            raise fault("SecurityGroupInvalidIcmpValue", field=field, attr=attribute, value=value)
    if kind is None:
        raise fault("SecurityGroupMissingIcmpType", value=code)


def _prefix(given: Any, ethertype: str) -> tuple[str, str]:
    """Gives a prefix without bits of a host, and as it was spelled where it had some; an address is a prefix too."""
    if not given:
        return "", ""
    try:
        if not isinstance(given, str) or "%" in given:
            raise ValueError
        found = ip_interface(given)
    except ValueError:
        raise fault("InvalidCIDR", input=_shown(given)) from None
    if ethertype != f"IPv{found.version}":
        raise fault("SecurityGroupRuleParameterConflict", ethertype=ethertype, cidr=given)
    canonical = str(found.network)
    return canonical, found.with_prefixlen if found.with_prefixlen != canonical else ""


def _shown(given: Any) -> str:
    shown = str(given)
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}…"
