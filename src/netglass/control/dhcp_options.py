"""Extra DHCP options of a port (`extra_dhcp_opts`): which may be given, and which text they may hold.

What passes here ends in dnsmasq's options file, where a line break would start an option of its own
(CVE-2021-40085).  So names come from a list of dnsmasq's own, or are numbers, and text is printable ASCII without
what dnsmasq's file format gives a meaning to.
Source: ``dnsmasq --help dhcp`` and ``--help dhcp6`` (2.90); neutron-lib's extra_dhcp_opt for names that may be blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from netglass.control.faults import bad_value
from netglass.model.resources import DhcpOption

_BLANK: Final = frozenset({"router", "classless-static-route"})
"""An empty value of these tells a guest to have no router, or no routes; of others it is no value at all."""

_LONGEST_VALUE = 255
_REFUSED = frozenset("\"'\\#`")  # quoting, escaping and comments in dnsmasq's files

_NAMES_4 = """
netmask time-offset router dns-server log-server lpr-server boot-file-size domain-name swap-server root-path
extension-path ip-forward-enable non-local-source-routing policy-filter max-datagram-reassembly default-ttl mtu
all-subnets-local router-discovery router-solicitation static-route trailer-encapsulation arp-timeout
ethernet-encap tcp-ttl tcp-keepalive nis-domain nis-server ntp-server netbios-ns netbios-dd netbios-nodetype
netbios-scope x-windows-fs x-windows-dm T1 T2 vendor-class nis+-domain nis+-server tftp-server bootfile-name
mobile-ip-home smtp-server pop3-server nntp-server irc-server user-class rapid-commit client-arch
client-interface-id client-machine-id posix-timezone tzdb-timezone ipv6-only domain-search sip-server
classless-static-route vendor-id-encap tftp-server-address server-ip-address client-id
"""
_NAMES_6 = """
sip-server-domain sip-server dns-server domain-search nis-server nis+-server nis-domain nis+-domain sntp-server
information-refresh-time posix-timezone tzdb-timezone ntp-server bootfile-url bootfile-param
"""
_NAMES = {4: frozenset(_NAMES_4.split()), 6: frozenset(_NAMES_6.split())}
_MOST = {4: 254, 6: 65535}  # in DHCPv4, 0 is padding and 255 the end (RFC 2132)


def options_of(wanted: Iterable[Mapping[str, Any]]) -> tuple[DhcpOption, ...]:
    """Gives a new port's options in their order; one without a value is left out.  Raises HTTPBadRequest."""
    return merged_options((), wanted)


def merged_options(held: Iterable[DhcpOption], wanted: Iterable[Mapping[str, Any]]) -> tuple[DhcpOption, ...]:
    """Gives a port's options after an update: those named change, or go when their value is None; others stay.

    wanted  each with opt_name, opt_value (None: take it away) and ip_version (absent: 4)

    Raises HTTPBadRequest for an unknown name, a number out of range, and text that could not be written down.
    """
    options = {(option.opt_name, option.ip_version): option for option in held}
    for wish in wanted:
        name, version = str(wish["opt_name"]), int(wish.get("ip_version") or 4)
        _refuse_name(name, version)
        value = wish.get("opt_value")
        if value is None:
            options.pop((name, version), None)
        elif value or name in _BLANK:
            _refuse_value(name, value)
            options[(name, version)] = DhcpOption(name, value, version)
    return tuple(options.values())


def _refuse_name(name: str, version: int) -> None:
    if name in _NAMES[version]:
        return
    most = _MOST[version]
    if not (name.isascii() and name.isdecimal() and len(name) <= 5 and 1 <= int(name) <= most):
        raise bad_value(
            "extra_dhcp_opts",
            f"{name!r} is not a DHCPv{version} option: give the name that dnsmasq has for it, or a number 1..{most}",
        )


def _refuse_value(name: str, value: str) -> None:
    if len(value) > _LONGEST_VALUE:
        raise bad_value("extra_dhcp_opts", f"the value of {name} exceeds maximum length of {_LONGEST_VALUE}")
    for character in value:
        if not " " <= character <= "~" or character in _REFUSED:
            raise bad_value("extra_dhcp_opts", f"the value of {name} contains {character!r}, which is not allowed")
