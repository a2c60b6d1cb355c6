"""The lines of the files that a network's dnsmasq reads, out of the network's rows.

What dnsmasq could misread is left out with a Diagnostic, value by value, and the rest is served.
Called by compile.dhcp only; the text of each line is ``compile.dnsmasq``'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import NamedTuple, TypeVar

import msgspec

from netglass.base.ids import qdhcp_name
from netglass.compile import dnsmasq
from netglass.compile.dnsmasq import Home, RefusedText
from netglass.compile.metadata import ADDRESS, isolated_subnets, once_isolated_subnets
from netglass.compile.place import DHCP_OWNER, Carried, Place
from netglass.desired.state import Diagnostic, Lease
from netglass.model.resources import DhcpOption, Port, Subnet, ref

_METADATA = f"{ADDRESS}/32"
_CLIENT_ID = "client-id"  # no option to send, but one to be known by

T = TypeVar("T")


class DhcpServer(msgspec.Struct, dict=True):
    """One network's DHCP server in the making.

    subnets  those with DHCP on which the server's port has an address, the oldest first
    """

    place: Place
    carried: Carried
    port: Port
    subnets: list[Subnet]
    home: Home
    diagnostics: list[Diagnostic] = []

    @property
    def intent(self) -> tuple[str, ...]:
        """Gives the references of what the server is there for."""
        return (ref(self.carried.network), ref(self.port))

    @property
    def netns(self) -> str:
        """Gives the name of its namespace."""
        return qdhcp_name(self.carried.network.id)

    @cached_property
    def ports(self) -> list[Port]:
        """Gives all ports of the network, ascending by id."""
        found: list[Port] = self.place.snapshot.rows("ports_by_network", self.carried.network.id)
        return found

    @cached_property
    def isolated(self) -> frozenset[str]:
        """Gives the ids of the subnets whose guests are told to get their metadata from here."""
        return frozenset(s.id for s in isolated_subnets(self.place, self.subnets, self.ports))

    @property
    def serves_metadata(self) -> bool:
        """Says whether guests come here for their metadata: who is told to, and who once was."""
        return bool(self.isolated or once_isolated_subnets(self.place, self.subnets, self.ports))

    def attempt(self, row: str, render: Callable[..., T], *arguments: object) -> T | None:
        """Gives what `render` gives; None, and a Diagnostic about the row, when dnsmasq could misread it."""
        try:
            return render(*arguments)
        except RefusedText as refused:
            text = f"Left out of the DHCP service of network {self.carried.network.id}: {refused}."
            self.diagnostics.append(Diagnostic(code="refused-text", intent=(row,), text=text))
            return None

    def checked(self, row: str, check: Callable[[str], str], values: Iterable[str]) -> list[str]:
        """Gives those of a row's values that `check` lets through, in their order."""
        return [good for value in values if (good := self.attempt(row, check, value)) is not None]


class Hosts(NamedTuple):
    """The host file.

    lines   in the order of ports
    served  references of the ports that are served with what is in it
    leases  what dnsmasq may give by it, ascending by address
    """

    lines: list[str]
    served: set[str]
    leases: list[Lease]


def hosts_of(server: DhcpServer) -> Hosts:
    """Gives the host file: a line for each address of the network's ports that comes from DHCP."""
    found = Hosts([], set(), [])
    own = {fixed.subnet_id: fixed.ip_address for fixed in server.port.fixed_ips}
    subnets = {subnet.id: subnet for subnet in server.subnets}
    for port in server.ports:
        wanted = [(subnets[f.subnet_id], f.ip_address) for f in port.fixed_ips if f.subnet_id in subnets]
        if not wanted or port.device_owner == DHCP_OWNER:
            continue
        lines = [_host_line(server, port, subnet, address) for subnet, address in wanted]
        if None not in lines:
            found.served.add(ref(port))
        for line, (subnet, address) in zip(lines, wanted, strict=True):
            if line:
                found.lines.append(line)
                found.leases.append(Lease(mac=port.mac_address, address=address, server=own[subnet.id]))
    found.leases.sort(key=lambda lease: (lease.address, lease.mac))
    return found


def _host_line(server: DhcpServer, port: Port, subnet: Subnet, address: str) -> str | None:
    """Gives a port's line on a subnet: empty where it makes its address itself, None where it was refused."""
    if not dnsmasq.gives_addresses(subnet):
        return ""
    known_by = "" if subnet.ip_version == 6 else _client_id(port)
    return server.attempt(ref(port), dnsmasq.host_line, port.mac_address, address, server.home.domain, known_by)


def mac_tags(server: DhcpServer) -> list[str]:
    """Gives the tags of ports that have DHCP options of their own."""
    ports = (port for port in server.ports if sent_options(port))
    found = (server.attempt(ref(port), dnsmasq.mac_tag, port.mac_address, _tag(port)) for port in ports)
    return [tag for tag in found if tag is not None]


def name_lines(server: DhcpServer) -> list[str]:
    """Gives the lines of the file of additional hosts: a name for each address of the network's ports."""
    held = {subnet.id for subnet in server.subnets}
    found = (
        server.attempt(ref(port), dnsmasq.name_line, fixed.ip_address, server.home.domain)
        for port in server.ports
        for fixed in port.fixed_ips
        if fixed.subnet_id in held
    )
    return [line for line in found if line is not None]


def option_lines(server: DhcpServer) -> list[str]:
    """Gives the lines of the options file: those of each subnet, then those of each port."""
    lines: list[str] = []
    for subnet in server.subnets:
        names = server.checked(ref(subnet), dnsmasq.address_text, subnet.dns_nameservers)
        nameservers = names or _servers_on(server, subnet)
        routes = _routes(server, subnet) if subnet.ip_version == 4 else []
        render, domain = dnsmasq.subnet_options, server.home.domain
        lines += server.attempt(ref(subnet), render, subnet, nameservers, routes, domain) or []
    for port in server.ports:
        for option in sent_options(port):
            line = server.attempt(ref(port), dnsmasq.option_line, _tag(port), option)
            lines += [line] if line is not None else []
    return lines


def _routes(server: DhcpServer, subnet: Subnet) -> list[tuple[str, str]]:
    """Gives the routes of a subnet's guests: its own, its metadata, and the network's other subnets, on the wire."""
    found: list[tuple[str, str]] = []
    for route in subnet.host_routes:
        destination = server.attempt(ref(subnet), dnsmasq.cidr_text, route.destination)
        hop = server.attempt(ref(subnet), dnsmasq.address_text, route.nexthop)
        if destination is not None and hop is not None:
            found.append((destination, hop))
    if subnet.id in server.isolated and all(destination != _METADATA for destination, _ in found):
        own = (fixed.ip_address for fixed in server.port.fixed_ips if fixed.subnet_id == subnet.id)
        found += [(_METADATA, hop) for hop in server.checked(ref(server.port), dnsmasq.address_text, own)]
    siblings = server.place.subnets(server.carried.network.id)
    others = [s.cidr for s in siblings if s.ip_version == 4 and s.cidr != subnet.cidr]
    return found + [(cidr, "0.0.0.0") for cidr in server.checked(ref(subnet), dnsmasq.cidr_text, others)]


def _servers_on(server: DhcpServer, subnet: Subnet) -> list[str]:
    """Gives the addresses of all DHCP servers of the network on a subnet: they answer its names."""
    ports: list[Port] = server.place.snapshot.rows("dhcp_ports_by_network", server.carried.network.id)
    found = [f.ip_address for port in ports for f in port.fixed_ips if f.subnet_id == subnet.id]
    return server.checked(ref(subnet), dnsmasq.address_text, found)


def _tag(port: Port) -> str:
    return f"port-{port.id}"


def _client_id(port: Port) -> str:
    return next((option.opt_value for option in port.extra_dhcp_opts if option.opt_name == _CLIENT_ID), "")


def sent_options(port: Port) -> list[DhcpOption]:
    """Gives a port's own options that go to the guest."""
    return [option for option in port.extra_dhcp_opts if option.opt_name != _CLIENT_ID]
