"""Lowers a router's advertisements to radvd and its configuration (radvd.conf(5), 2.19).

One radvd in each qrouter namespace with IPv6 subnets inside.  It tells guests the router's link-local address as their
gateway, the network's MTU, and how they get their addresses, subnet by subnet (``ipv6_ra_mode``):

    slaac             they make them out of the prefix; name servers are told here (RDNSS, RFC 8106)
    dhcpv6-stateless  they make them, and ask DHCPv6 for all else (O flag)
    dhcpv6-stateful   DHCPv6 gives them (M flag); the prefix is on the wire all the same
    unset             nothing is said of the subnet, as in Neutron

The address that an advertisement comes from is named, since inner devices have the link-local metadata address too,
which moves from router to router, and must be nobody's gateway.

Called by compile.routing only.  Source: Neutron's ra.py for names of files, intervals and what each mode means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv6Address, IPv6Network

import msgspec

from netglass.base.eui64 import link_local
from netglass.compile.place import Place
from netglass.desired.state import Daemon, Diagnostic, File, Thing
from netglass.model.resources import IPV6_MIN_MTU, Port, Router, Subnet, ref

OWNER = "advertising"

_SLAAC, _STATELESS, _STATEFUL = "slaac", "dhcpv6-stateless", "dhcpv6-stateful"
_LEAST_S, _MOST_S = 30, 100  # between unsolicited advertisements; Neutron's own
_MOST_SERVERS = 10
_PREFIX = 64  # of link-local addresses


class Advertised(msgspec.Struct, frozen=True):
    """One inner device of a router.

    own      its link-local addresses, with prefix length; guests are to take the first for their gateway
    subnets  IPv6 subnets on which the device has an address, the oldest first; not empty
    mtu      bytes
    """

    port: Port
    device: str
    own: tuple[str, ...]
    subnets: Sequence[Subnet]
    mtu: int


def advertised(port: Port, device: str, subnets: Iterable[Subnet], mtu: int) -> Advertised | None:
    """Gives a router's inner device as it is to be advertised; None without IPv6, or with a MAC that is none.

    The gateway of a subnet is the link-local address that it names, else the one that the kernel makes of the MAC.
    """
    six = {subnet.id: subnet for subnet in subnets if subnet.ip_version == 6}
    oldest = sorted(six.values(), key=lambda subnet: (subnet.created_at, subnet.id))
    try:
        made = link_local(port.mac_address)
    except ValueError:
        return None
    named = [one for subnet in oldest if (one := _address(subnet.gateway_ip or "")) and IPv6Address(one).is_link_local]
    own = tuple(f"{address}/{_PREFIX}" for address in dict.fromkeys([*named, made]))
    return Advertised(port, device, own, oldest, mtu) if oldest else None


def advertisements(
    place: Place, router: Router, netns: str, devices: Sequence[Advertised]
) -> Iterator[Thing | Diagnostic]:
    """Gives what advertises a router inside; `devices` is not empty, ascending by name.

    Speaking before its devices have their tags, radvd would be heard by nobody, and by guests who wait for a router
    only with its next advertisement, up to 16 seconds later (RFC 4861, section 6.2.4).
    """
    intent = tuple(sorted({ref(router), *(ref(one.port) for one in devices)}))
    yield from _refused(devices)
    directory = f"{place.settings.state_root}/ra"
    path = f"{directory}/{router.id}.radvd.conf"
    yield File(owner=OWNER, intent=intent, path=path, text="".join(_interface(one) for one in devices))
    user = place.settings.radvd_user
    yield Daemon(
        owner=OWNER,
        intent=intent,
        name=f"radvd-{router.id}",
        netns=netns,
        argv=(
            *("radvd", "--nodaemon", "--config", path, "--pidfile", f"{directory}/{router.id}.pid.radvd"),
            *("--logmethod", "stderr", "--username", user),
        ),
        reload_files=(path,),
        unasked=True,
    )


def _interface(one: Advertised) -> str:
    modes = {subnet.ipv6_ra_mode for subnet in one.subnets}
    servers = _servers(one.subnets)
    settings = [
        "AdvSendAdvert on;",
        f"MinRtrAdvInterval {_LEAST_S};",
        f"MaxRtrAdvInterval {_MOST_S};",
        f"AdvRASrcAddress {{ {one.own[0].partition('/')[0]}; }};",
        *([f"AdvLinkMTU {one.mtu};"] if one.mtu >= IPV6_MIN_MTU else []),
        *(["AdvManagedFlag on;"] if _STATEFUL in modes else []),
        *(["AdvOtherConfigFlag on;"] if _STATELESS in modes else []),
        # Two intervals, the most that radvd takes without a warning; its default lets one lost packet matter.
        *([f"RDNSS {' '.join(servers)} {{ AdvRDNSSLifetime {2 * _MOST_S}; }};"] if servers else []),
    ]
    prefixes = [_prefix(subnet) for subnet in one.subnets if subnet.ipv6_ra_mode]
    lines = "".join(f"    {setting}\n" for setting in settings)
    return f"interface {one.device}\n{{\n{lines}{''.join(prefixes)}}};\n"


def _prefix(subnet: Subnet) -> str:
    autonomous = "on" if subnet.ipv6_ra_mode in (_SLAAC, _STATELESS) else "off"
    network = IPv6Network(subnet.cidr)
    return f"    prefix {network}\n    {{\n        AdvOnLink on;\n        AdvAutonomous {autonomous};\n    }};\n"


def _servers(subnets: Sequence[Subnet]) -> list[str]:
    """Gives the name servers of those subnets whose guests ask no DHCP server, each once."""
    found = (_address(text) for subnet in subnets for text in _told(subnet))
    return list(dict.fromkeys(address for address in found if address))[:_MOST_SERVERS]


def _told(subnet: Subnet) -> Sequence[str]:
    return subnet.dns_nameservers if subnet.ipv6_ra_mode == _SLAAC else ()


def _refused(devices: Sequence[Advertised]) -> Iterator[Diagnostic]:
    subnets = {subnet.id: subnet for one in devices for subnet in one.subnets}
    for subnet in subnets.values():
        for server in _told(subnet):
            if not _address(server):
                text = f"Left out of what routers tell of subnet {subnet.id}: {server!r} is no IPv6 address."
                yield Diagnostic(code="refused-text", intent=(ref(subnet),), text=text)


def _address(text: str) -> str:
    """Gives an IPv6 address in canonical spelling; empty for anything else."""
    try:
        address = IPv6Address(text)
    except ValueError:
        return ""
    return "" if address.scope_id else str(address)
