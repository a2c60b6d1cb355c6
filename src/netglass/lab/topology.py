"""A lab as its file describes it: segments, hosts and what the cloud on them is set to.

Pure but for reading the file.  Every error says where in the file it is and what would be right.
"""

from __future__ import annotations

import re
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
)
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from netglass.base.errors import NetglassError
from netglass.model.resources import TUNNEL_TYPES

BUILTIN = Path(__file__).parent / "builtin"
DEFAULT = "vlan"

# With "ngl-" before it, a lab's name must fit a device's name (IFNAMSIZ).
_LAB_NAME = re.compile(r"[a-z][a-z0-9-]{0,10}")
_HOST_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_NIC_NAME = re.compile(r"[a-z][a-z0-9.-]{0,14}")
_ROLES = ("hypervisor", "network")
_SERVICES = ("http", "dns")
_FIRST_ADDRESS = 11
UPLINK_NIC = "eth0"
DELEGATED_PREFIX = 56
"""Length of what a provider routes to one customer (RIPE-690)."""


class LabError(NetglassError):
    """The lab cannot do what it was asked to; the message says why and what to do.

    usage  the caller can put it right: what was named is not there, or cannot be
    """

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A network between hosts: a switch in the lab's fabric.

    cidr   IPv4 block of which each host on it gets an address; empty for none
    cidr6  IPv6 block beside it, in which hosts have the digits of their IPv4 address's host part; empty for none
    trunk  it carries VLANs, and so the same MAC address may be in several of them: the switch does not learn
    mtu    bytes
    """

    cidr: str = ""
    cidr6: str = ""
    trunk: bool = False
    mtu: int = 1500


class HostSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One host.

    server           the API runs here; on several hosts where they share a database
    roles            of its agent: hypervisor, network; empty for a host without an agent
    nics             NIC -> segment
    addresses        segment -> address, in place of the one that it would get by its place in the file
    bridges          bridge -> NIC on it; the NIC's address is then the bridge's
    tunnel_nic       NIC on whose address its tunnels begin; empty for none
    tunnel_address   with prefix length, where its tunnels begin in place of the NIC's own address, such as an IPv6 one
    tunnel_types     gre, vxlan, geneve
    l2_population    br-tun is told where every address is; else it learns
    bridge_mappings  physical network -> provider bridge
    default_route    address of the router that leads on from a host of the outside world
    forwards         it passes packets on, as a router
    serves           what it serves to the world: http, dns
    provider_link    between br-int and provider bridges: veth or patch
    gateway_link     where routers' outer ports sit: bridge (the external network's own) or integration (br-int)
    firewall_driver  iptables_hybrid (a qbr before each guest) or openvswitch
    datapath_type    system, netdev, or empty for what the machine can do
    """

    server: bool = False
    roles: tuple[str, ...] = ()
    availability_zone: str = "nova"
    nics: dict[str, str] = {}
    addresses: dict[str, str] = {}
    bridges: dict[str, str] = {}
    bridge_mappings: dict[str, str] = {}
    tunnel_nic: str = ""
    tunnel_address: str = ""
    tunnel_types: tuple[str, ...] = ()
    l2_population: bool = False
    default_route: str = ""
    forwards: bool = False
    serves: tuple[str, ...] = ()
    provider_link: str = "veth"
    gateway_link: str = "bridge"
    firewall_driver: str = "iptables_hybrid"
    datapath_type: str = ""

    @property
    def is_outside(self) -> bool:
        """Says whether the host is no part of the cloud: neither server nor agent runs there."""
        return not self.server and not self.roles


class ExternalSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The external network ``public``, which the lab makes through the API when it comes up.

    physical_network  that carries it, without a tag
    segment           it is on; its cidr is the subnet's, and where it has a cidr6 there is an IPv6 subnet too
    gateway           address of the router to the world
    first, last       addresses that routers and floating IPs get
    first6, last6     IPv6 addresses that routers get
    delegated         IPv6 block whose n-th /56 the router to the world routes to the n-th of these, as providers do
                      for their customers; empty for none
    """

    physical_network: str
    segment: str
    gateway: str
    first: str
    last: str
    first6: str = ""
    last6: str = ""
    delegated: str = ""

    @property
    def delegations(self) -> dict[str, str]:
        """Gives the IPv6 prefixes that are routed, and to which outer address each."""
        if not self.delegated:
            return {}
        first, count = IPv6Address(self.first6), int(IPv6Address(self.last6)) - int(IPv6Address(self.first6)) + 1
        prefixes = IPv6Network(self.delegated).subnets(new_prefix=DELEGATED_PREFIX)
        return {str(prefix): str(first + number) for prefix, number in zip(prefixes, range(count), strict=False)}


class CloudSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the API is set to.

    tenant_network_types     types that projects' networks get, tried in this order
    vlan_ranges              physical network -> first and last VLAN that projects get
    vlan_networks            physical networks besides, on which an administrator alone makes VLANs
    tunnel_ranges            tunnel type -> first and last tunnel id that projects get
    overlay_ip_version       of the tunnels' addresses: 4 or 6; the MTU follows from it
    dhcp_agents_per_network  DHCP servers that a network gets, as far as there are network hosts
    public                   the external network; absent: none is made
    database                 URL of a PostgreSQL, reached by its socket on the machine; empty: a file of the server's
    """

    tenant_network_types: tuple[str, ...] = ("vlan",)
    vlan_ranges: dict[str, tuple[int, int]] = {}
    vlan_networks: tuple[str, ...] = ()
    tunnel_ranges: dict[str, tuple[int, int]] = {}
    overlay_ip_version: Literal[4, 6] = 4
    dhcp_agents_per_network: int = 1
    public: ExternalSpec | None = None
    database: str = ""


class Topology(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole lab.

    management  the segment over which hosts speak with the API
    """

    name: str
    segments: dict[str, Segment]
    management: str
    hosts: dict[str, HostSpec]
    cloud: CloudSpec = CloudSpec()

    @property
    def server_host(self) -> str:
        """Gives the first host that runs the API; the machine reaches this one."""
        return self.server_hosts[0]

    @property
    def server_hosts(self) -> list[str]:
        """Gives the hosts that run the API."""
        return [name for name, host in self.hosts.items() if host.server]

    def address(self, host: str, segment: str) -> IPv4Interface | None:
        """Gives a host's address on a segment, with its prefix length; None where the segment has none."""
        block = self.segments[segment].cidr
        if not block:
            return None
        network = IPv4Network(block)
        chosen = self.hosts[host].addresses.get(segment)
        address = chosen or network.network_address + _FIRST_ADDRESS + list(self.hosts).index(host)
        return IPv4Interface(f"{address}/{network.prefixlen}")

    def address6(self, host: str, segment: str) -> IPv6Interface | None:
        """Gives a host's IPv6 address on a segment: 192.0.2.20 is 2001:db8::20; None where the segment has no IPv6."""
        address, block = self.address(host, segment), self.segments[segment].cidr6
        if not block or address is None:
            return None
        network = IPv6Network(block)
        digits = int(address.ip) - int(address.network.network_address)
        return IPv6Interface((int(network.network_address) + int(str(digits), 16), network.prefixlen))

    def is_at(self, host: str, segment: str, address: str) -> bool:
        """Says whether a host has an IPv4 address on a segment."""
        found = self.address(host, segment) if segment in self.hosts[host].nics.values() else None
        return found is not None and str(found.ip) == address

    def bridge_addresses(self, host: str) -> dict[str, list[str]]:
        """Gives the addresses, with prefix length, that a host has on its bridges.

        None on the bridge to the external network: nobody outside shall reach the host itself.
        """
        spec = self.hosts[host]
        outside = self.cloud.public.segment if self.cloud.public is not None else ""
        found: dict[str, list[str]] = {}
        for bridge, nic in spec.bridges.items():
            address = self.address(host, spec.nics[nic]) if spec.nics[nic] != outside else None
            own = spec.tunnel_address if nic == spec.tunnel_nic else ""
            addresses = [*([str(address)] if address is not None else []), *([own] if own else [])]
            if addresses:
                found[bridge] = addresses
        return found

    def tunnel_address(self, host: str) -> str:
        """Gives the address at which a host's tunnels begin; empty for none."""
        spec = self.hosts[host]
        if spec.tunnel_address:
            return spec.tunnel_address.partition("/")[0]
        address = self.address(host, spec.nics[spec.tunnel_nic]) if spec.tunnel_nic else None
        return str(address.ip) if address is not None else ""

    def management_address(self, host: str) -> str:
        """Gives the address under which other hosts reach a host; empty for one of the outside world."""
        if self.management not in self.hosts[host].nics.values():
            return ""
        address = self.address(host, self.management)
        assert address is not None  # _check says so
        return str(address.ip)


def schema() -> dict[str, Any]:
    """Gives the JSON Schema of lab files."""
    return msgspec.json.schema(Topology)


def builtin_names() -> list[str]:
    """Gives the labs that come with Netglass."""
    return sorted(path.stem for path in BUILTIN.glob("*.yaml"))


def find_topology(wanted: str) -> Topology:
    """Reads the lab that `wanted` names: a file, or one that comes with Netglass.

    Raises LabError.
    """
    path = BUILTIN / f"{wanted}.yaml" if wanted in builtin_names() else Path(wanted)
    try:
        text = path.read_text()
    except OSError as error:
        known = ", ".join(builtin_names())
        message = f"{wanted!r} is neither a lab that comes with Netglass ({known}) nor a file: {error.strerror}."
        raise LabError(message, usage=True) from error
    return parse_topology(text, str(path))


def parse_topology(text: str, source: str) -> Topology:
    """Reads a lab out of YAML; `source` is named in errors.  Raises LabError."""
    try:
        topology = msgspec.convert(yaml.safe_load(text), Topology)
    except yaml.YAMLError as error:
        raise LabError(f"{source}: no YAML: {error}", usage=True) from error
    except msgspec.ValidationError as error:
        raise LabError(f"{source}: {error}.", usage=True) from error
    faults = _faults(topology)
    if faults:
        raise LabError("\n".join(f"{source}: {fault}" for fault in faults), usage=True)
    return topology


def _faults(topology: Topology) -> list[str]:
    found: list[str] = []
    if not _LAB_NAME.fullmatch(topology.name):
        found.append(f"name: {topology.name!r} is no lab name; a letter, then letters, digits and '-', 11 at most.")
    for name, segment in topology.segments.items():
        found += _segment_faults(name, segment)
    if topology.management not in topology.segments:
        found.append(f"management: there is no segment {topology.management!r}.")
    elif not topology.segments[topology.management].cidr:
        found.append(f"management: segment {topology.management!r} needs a cidr; hosts speak over it.")
    servers = [name for name, host in topology.hosts.items() if host.server]
    if not servers:
        found.append("hosts: one host must have 'server: true'; 0 have.")
    if len(servers) > 1 and not topology.cloud.database:
        found.append(
            f"hosts: {', '.join(servers)} have 'server: true'; several need a database of all, cloud.database."
        )
    for name, host in topology.hosts.items():
        found += [f"hosts.{name}: {fault}" for fault in _host_faults(name, host, topology)]
    found += _cloud_faults(topology.cloud, topology.segments)
    return found or _address_faults(topology)


def _public_faults(public: ExternalSpec, segments: dict[str, Segment]) -> list[str]:
    segment = segments.get(public.segment)
    if segment is None or not segment.cidr:
        return [f"cloud.public.segment: there is no segment {public.segment!r} with a cidr."]
    found = []
    for name in ("gateway", "first", "last"):
        try:
            if IPv4Address(getattr(public, name)) not in IPv4Network(segment.cidr):
                found.append(f"cloud.public.{name}: {getattr(public, name)} is not in {segment.cidr}.")
        except ValueError as error:
            found.append(f"cloud.public.{name}: {error}.")
    return found + _public_faults_6(public, segment.cidr6)


def _public_faults_6(public: ExternalSpec, cidr6: str) -> list[str]:
    names = ("first6", "last6") if cidr6 or public.delegated else ()
    found = []
    for name in names:
        try:
            if not cidr6 or IPv6Address(getattr(public, name)) not in IPv6Network(cidr6):
                found.append(f"cloud.public.{name}: {getattr(public, name)} is not in {cidr6 or 'no cidr6'}.")
        except ValueError as error:
            found.append(f"cloud.public.{name}: {error}.")
    try:
        if public.delegated and IPv6Network(public.delegated).prefixlen > DELEGATED_PREFIX:
            found.append(f"cloud.public.delegated: {public.delegated} holds no /{DELEGATED_PREFIX}.")
    except ValueError as error:
        found.append(f"cloud.public.delegated: {error}.")
    return found


def _cloud_faults(cloud: CloudSpec, segments: dict[str, Segment]) -> list[str]:
    found = []
    for physical, (first, last) in cloud.vlan_ranges.items():
        if not 1 <= first <= last <= 4094:
            found.append(f"cloud.vlan_ranges.{physical}: {first} to {last} is no range within 1 to 4094.")
    for kind, (first, last) in cloud.tunnel_ranges.items():
        if kind not in TUNNEL_TYPES:
            found.append(f"cloud.tunnel_ranges.{kind}: is none of {', '.join(TUNNEL_TYPES)}.")
        elif not 1 <= first <= last < 1 << 24:
            found.append(f"cloud.tunnel_ranges.{kind}: {first} to {last} is no range within 1 to {(1 << 24) - 1}.")
    if cloud.dhcp_agents_per_network < 1:
        found.append(f"cloud.dhcp_agents_per_network: {cloud.dhcp_agents_per_network} is less than 1.")
    if cloud.public is not None:
        found += _public_faults(cloud.public, segments)
    if cloud.database and not cloud.database.startswith("postgresql://"):
        found.append(f"cloud.database: {cloud.database!r} is no URL that begins with postgresql://.")
    known = ("vlan", *TUNNEL_TYPES)
    wrong = [kind for kind in cloud.tenant_network_types if kind not in known]
    return found + [f"cloud.tenant_network_types: {kind!r} is none of {', '.join(known)}." for kind in wrong]


def _segment_faults(name: str, segment: Segment) -> list[str]:
    found = []
    if not _NIC_NAME.fullmatch(name) or len(name) > 12:
        found.append(f"segments.{name}: a segment's name is 12 lower-case letters, digits and '-' at most.")
    if segment.cidr:
        try:
            if IPv4Network(segment.cidr).prefixlen > 24:
                found.append(f"segments.{name}.cidr: {segment.cidr} is too small; a /24 or larger is wanted.")
        except ValueError as error:
            found.append(f"segments.{name}.cidr: {error}.")
    if segment.cidr6:
        try:
            if IPv6Network(segment.cidr6).prefixlen > 64 or not segment.cidr:
                found.append(f"segments.{name}.cidr6: {segment.cidr6} must be a /64 or larger, beside a cidr.")
        except ValueError as error:
            found.append(f"segments.{name}.cidr6: {error}.")
    if not 576 <= segment.mtu <= 65535:
        found.append(f"segments.{name}.mtu: {segment.mtu} is not within 576 to 65535 bytes.")
    return found


def _host_faults(name: str, host: HostSpec, topology: Topology) -> list[str]:
    found = []
    if not _HOST_NAME.fullmatch(name):
        found.append("a host's name is lower-case letters, digits and '-', beginning with a letter.")
    found += [f"roles: {role!r} is none of {', '.join(_ROLES)}." for role in host.roles if role not in _ROLES]
    for nic, segment in host.nics.items():
        if segment not in topology.segments:
            found.append(f"nics.{nic}: there is no segment {segment!r}.")
        if not _NIC_NAME.fullmatch(nic) or nic in ("lo", UPLINK_NIC):
            found.append(f"nics.{nic}: no NIC can be called so ({UPLINK_NIC} is the way to the machine).")
    found += [f"serves: {what!r} is none of {', '.join(_SERVICES)}." for what in host.serves if what not in _SERVICES]
    if topology.management not in host.nics.values() and not host.is_outside:
        found.append(f"nics: none is on the management segment {topology.management!r}.")
    for bridge, nic in host.bridges.items():
        if nic not in host.nics:
            found.append(f"bridges.{bridge}: the host has no NIC {nic!r}.")
    for physical, bridge in host.bridge_mappings.items():
        if bridge not in host.bridges:
            found.append(f"bridge_mappings.{physical}: the host has no bridge {bridge!r}.")
    found += _tunnel_faults(host, topology)
    allowed = {
        "provider_link": ("veth", "patch"),
        "gateway_link": ("bridge", "integration"),
        "firewall_driver": ("iptables_hybrid", "openvswitch"),
        "datapath_type": ("", "system", "netdev"),
    }
    for field, values in allowed.items():
        if getattr(host, field) not in values:
            found.append(f"{field}: {getattr(host, field)!r} is none of {', '.join(filter(None, values))}.")
    return found


def _tunnel_faults(host: HostSpec, topology: Topology) -> list[str]:
    known = ", ".join(TUNNEL_TYPES)
    found = [f"tunnel_types: {kind!r} is none of {known}." for kind in host.tunnel_types if kind not in TUNNEL_TYPES]
    if bool(host.tunnel_types) != bool(host.tunnel_nic):
        found.append("tunnel_types, tunnel_nic: tunnels need both.")
    if host.tunnel_nic:
        segment = topology.segments.get(host.nics.get(host.tunnel_nic, ""))
        if segment is None:
            found.append(f"tunnel_nic: the host has no NIC {host.tunnel_nic!r}.")
        elif not segment.cidr and not host.tunnel_address:
            found.append(f"tunnel_nic: the segment of {host.tunnel_nic!r} needs a cidr; tunnels have addresses.")
    if host.tunnel_address:
        try:
            ip_interface(host.tunnel_address)
            if "/" not in host.tunnel_address:
                found.append(f"tunnel_address: {host.tunnel_address} lacks its prefix length.")
        except ValueError as error:
            found.append(f"tunnel_address: {error}.")
        if host.tunnel_nic not in host.bridges.values():
            found.append("tunnel_address: is set on a bridge, and tunnel_nic is on none.")
    return found


def _address_faults(topology: Topology) -> list[str]:
    found = []
    holder: dict[tuple[str, str], str] = {}
    for name, host in topology.hosts.items():
        for segment in sorted(set(host.nics.values())):
            try:
                address = topology.address(name, segment)
            except ValueError as error:
                found.append(f"hosts.{name}.addresses.{segment}: {error}.")
                continue
            if address is None:
                continue
            if address.ip not in IPv4Network(topology.segments[segment].cidr):
                found.append(f"hosts.{name}: {address.ip} is not in {segment}'s {topology.segments[segment].cidr}.")
            other = holder.setdefault((segment, str(address.ip)), name)
            if other != name:
                found.append(f"hosts.{name}: {other} has {address.ip} on {segment} already.")
    return found


def renamed(topology: Topology, name: str) -> Topology:
    """Gives the same lab under another name.  Raises LabError when that cannot be a lab's name."""
    there = msgspec.structs.replace(topology, name=name)
    faults = _faults(there)
    if faults:
        raise LabError("\n".join(faults), usage=True)
    return there
