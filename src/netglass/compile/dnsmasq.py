"""dnsmasq's command line and files as text (dnsmasq(8)); every string that reaches dnsmasq goes through `plain`.

dnsmasq's formats have no quoting that could be relied on: a line break ends an option and starts the next
(CVE-2021-40085), a comma ends a field, a quote or backslash changes how the rest is read, ``#`` starts a comment,
brackets mark IPv6 addresses, and ``%`` a device in them.  So what holds one of these is refused, not escaped.

Called by compile.dhcp only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

import msgspec

from netglass.model.resources import DhcpOption, Subnet

MOST_LEASES = 1 << 24  # what dnsmasq's tables are asked to hold at most

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_OPTION = re.compile(r"[0-9A-Za-z][0-9A-Za-z+-]{0,40}")
_HARMLESS = frozenset(map(chr, range(0x21, 0x7F))) - frozenset("\"'\\#`[],%")
_REMEMBERED = 1 << 16  # addresses and lines about them: reading one costs ten times as much as anything else here
_STATEFUL, _STATELESS = "dhcpv6-stateful", "dhcpv6-stateless"
_SHORTEST_PREFIX_6 = 64


class RefusedText(ValueError):
    """A string that dnsmasq would not take for what it is; the message says which and why."""


class Home(msgspec.Struct, frozen=True):
    """Where a network's dnsmasq keeps its files, and what it listens on.

    directory  absolute, without a slash at the end
    domain     of the names that it gives; empty: none
    """

    directory: str
    device: str
    domain: str


def plain(text: str, allowed: str = "") -> str:
    """Gives `text` if it is printable ASCII that dnsmasq gives no meaning to; raises RefusedText.

    allowed  what is part of this value's own format all the same, such as a list's commas
    """
    for character in set(text) - _HARMLESS:
        if character not in allowed:
            raise RefusedText(f"{text!r} holds {character!r}, which means something to dnsmasq")
    return text


@lru_cache(maxsize=_REMEMBERED)
def address_text(text: str) -> str:
    """Gives an address in its canonical spelling; raises RefusedText."""
    try:
        return plain(str(ip_address(text)))
    except ValueError:
        raise RefusedText(f"{text!r} is no address") from None


@lru_cache(maxsize=_REMEMBERED)
def network_of(cidr: str) -> IPv4Network | IPv6Network:
    """Reads a network address with its prefix length; raises RefusedText."""
    try:
        return ip_network(cidr)
    except ValueError:
        raise RefusedText(f"{cidr!r} is no network address") from None


def cidr_text(text: str) -> str:
    """Gives a network address with its prefix length in canonical spelling; raises RefusedText."""
    return plain(str(network_of(text)))


def host_name(address: str) -> str:
    """Gives the name that DHCP and DNS have for an address, such as host-10-0-0-3."""
    return "host-" + address.replace(".", "-").replace(":", "-")


@lru_cache(maxsize=_REMEMBERED)
def host_line(mac: str, address: str, domain: str, client_id: str = "") -> str:
    """Gives a line of the host file: who has this MAC gets this address and name.

    client_id  also who sends this DHCP client id; empty: the MAC alone decides

    No ``set:`` here: dnsmasq 2.90 frees a packet's tags with those of the line when it reads the file again, and
    crashes on the SIGHUP after the first lease (seen on Debian 12).  `mac_tag` does the same on the command line.
    """
    address = address_text(address)
    shown = f"[{address}]" if ":" in address else address
    return ",".join([_mac(mac), *([f"id:{plain(client_id)}"] if client_id else []), _name(address, domain), shown])


def mac_tag(mac: str, tag: str) -> str:
    """Gives the value of a ``--dhcp-mac``: who has this MAC gets the options of this tag."""
    return f"set:{plain(tag)},{_mac(mac)}"


@lru_cache(maxsize=_REMEMBERED)
def name_line(address: str, domain: str) -> str:
    """Gives a line of the file of additional hosts, as in /etc/hosts."""
    address = address_text(address)
    return f"{address}\t{_name(address, domain)} {host_name(address)}"


def option_line(tag: str, option: DhcpOption) -> str:
    """Gives a port's own DHCP option as a line of the options file; its value may be a list."""
    if not _OPTION.fullmatch(option.opt_name):
        raise RefusedText(f"{option.opt_name!r} is no name of a DHCP option")
    family = "option6" if option.ip_version == 6 else "option"
    numbered = option.opt_name.isdecimal() and option.ip_version == 4
    name = option.opt_name if numbered else f"{family}:{option.opt_name}"
    return ",".join(
        [f"tag:{plain(tag)}", name, *([plain(option.opt_value, allowed=", []%")] if option.opt_value else [])]
    )


def subnet_tag(subnet: Subnet) -> str:
    """Gives the tag that a subnet's leases carry."""
    return f"subnet-{plain(subnet.id)}"


def subnet_options(
    subnet: Subnet, nameservers: Sequence[str], routes: Sequence[tuple[str, str]], domain: str
) -> list[str]:
    """Gives a subnet's lines of the options file.

    nameservers  addresses, in the order of preference; 0.0.0.0 alone says that guests get none, as in Neutron
    routes       (CIDR, next hop; 0.0.0.0: on the wire), for IPv4 only, without the default route
    """
    tag = f"tag:{subnet_tag(subnet)}"
    if subnet.ip_version == 6:
        shown = [f"[{address_text(server)}]" for server in nameservers if ":" in server]
        lines = [",".join([tag, "option6:dns-server", *shown])] if shown else []
        return [*lines, f"{tag},option6:domain-search,{plain(domain)}"] if domain else lines
    shown = [address_text(server) for server in nameservers if ":" not in server and nameservers != ["0.0.0.0"]]
    lines = [",".join([tag, "option:dns-server", *shown])]
    gateway = address_text(subnet.gateway_ip) if subnet.gateway_ip else ""
    if routes:
        # A client that takes these routes ignores the router (RFC 3442).
        whole = [*routes, ("0.0.0.0/0", gateway)] if gateway else routes
        flat = ",".join(f"{cidr_text(destination)},{address_text(nexthop)}" for destination, nexthop in whole)
        # 249 is what Microsoft's clients ask for in place of 121.
        lines += [f"{tag},option:classless-static-route,{flat}", f"{tag},249,{flat}"]
    # With nothing after it, dnsmasq does not name itself as the router.
    lines.append(f"{tag},option:router,{gateway}" if gateway else f"{tag},option:router")
    return lines


def command_line(home: Home, ranges: Sequence[str], tags: Sequence[str], leases: int, mtu: int) -> tuple[str, ...]:
    """Gives dnsmasq's argv.

    ranges  as `range_text` gives them, none empty
    tags    as `mac_tag` gives them
    leases  how many addresses the ranges hold
    mtu     the network's, in bytes, told to guests whether they ask for it or not

    Leases live in memory only; `--dhcp-authoritative` lets a renewal through that a restarted dnsmasq knows nothing of.
    It has no upstream servers and so answers for the names of this network alone, on its one device.
    """
    return (
        "dnsmasq",
        "--keep-in-foreground",
        "--no-hosts",
        "--no-resolv",
        "--bind-dynamic",
        f"--interface={plain(home.device)}",
        "--except-interface=lo",
        f"--pid-file={home.directory}/pid",
        f"--dhcp-hostsfile={home.directory}/host",
        f"--addn-hosts={home.directory}/addn_hosts",
        f"--dhcp-optsfile={home.directory}/opts",
        f"--dhcp-leasefile={home.directory}/leases",
        "--leasefile-ro",
        "--dhcp-authoritative",
        *(f"--dhcp-range={text}" for text in ranges),
        *(f"--dhcp-mac={text}" for text in tags),
        f"--dhcp-lease-max={min(leases, MOST_LEASES)}",
        f"--dhcp-option-force=option:mtu,{mtu}",
        "--conf-file=",
        *([f"--domain={plain(home.domain)}"] if home.domain else []),
        "--log-facility=-",
    )


def range_text(subnet: Subnet, lease_s: int) -> str:
    """Gives the value of a ``--dhcp-range``; empty where guests get no addresses or options from DHCP (slaac).

    Raises RefusedText for a subnet that dnsmasq would not start with.
    """
    network = network_of(subnet.cidr)
    start = f"set:{subnet_tag(subnet)},{network.network_address},static"
    if network.version == 4:
        return f"{start},{network.netmask},{lease_s}s"
    unset = not subnet.ipv6_address_mode and not subnet.ipv6_ra_mode
    if not unset and subnet.ipv6_address_mode not in (_STATEFUL, _STATELESS):
        return ""
    if network.prefixlen < _SHORTEST_PREFIX_6:
        raise RefusedText(f"{subnet.cidr!r} is too wide: dnsmasq takes IPv6 prefixes of 64 bits and more")
    return f"{start},{network.prefixlen},{lease_s}s"


def gives_addresses(subnet: Subnet) -> bool:
    """Says whether guests get their addresses on a subnet from DHCP, and do not make them themselves."""
    unset = not subnet.ipv6_address_mode and not subnet.ipv6_ra_mode
    return subnet.ip_version == 4 or unset or subnet.ipv6_address_mode == _STATEFUL


def _mac(mac: str) -> str:
    if not _MAC.fullmatch(mac):
        raise RefusedText(f"{mac!r} is no MAC address")
    return mac


def _name(address: str, domain: str) -> str:
    return f"{host_name(address)}.{plain(domain)}" if domain else host_name(address)
