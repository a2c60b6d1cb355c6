"""Lowers a network's DHCP server on this host: a namespace with a port of the network in it, dnsmasq and its files.

The metadata proxy of an isolated network lives in the same namespace; ``compile.metadata`` says how.

A DHCP port (owner ``network:dhcp``) that is bound here says that this host serves the network, for all of its subnets
with DHCP on which that port has an address.  The files hold a line for each port of the network, so that a port added
or removed is a changed file and a SIGHUP.

Called by compile.compiler.  Source: DATAPLANE.md, "DHCP"; Neutron's DHCP agent for what guests are told.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from netglass.base.ids import tap_name
from netglass.compile import dnsmasq
from netglass.compile.dhcp_files import DhcpServer, hosts_of, mac_tags, name_lines, option_lines
from netglass.compile.dnsmasq import Home
from netglass.compile.metadata import network_proxy
from netglass.compile.place import DHCP_OWNER, INTEGRATION, Carried, Place
from netglass.compile.plugging import switch_ids, tagged
from netglass.desired.state import (
    Address,
    Daemon,
    Diagnostic,
    File,
    Link,
    Namespace,
    Route,
    SwitchPort,
    Sysctl,
    Thing,
)
from netglass.model.resources import Port, ref

OWNER = "dhcp"

_LEAST_LEASE_S = 120  # seconds; dnsmasq(8), dhcp-range


def compile_dhcp(place: Place) -> Iterator[Thing | Diagnostic]:
    """Gives the DHCP servers that this host runs."""
    served: set[str] = set()
    for port in place.ports:
        if port.device_owner != DHCP_OWNER:
            continue
        carried = place.carried.get(port.network_id)
        if carried is None:
            text = f"DHCP port {port.id} is bound here, but the host does not carry its network {port.network_id}."
            yield Diagnostic(code="network-not-carried", intent=(ref(port),), text=text)
        elif port.network_id in served:
            text = f"Port {port.id} is the second DHCP port of network {port.network_id} here; one serves."
            yield Diagnostic(code="second-dhcp-port", intent=(ref(port),), text=text)
        else:
            served.add(port.network_id)
            yield from _serve(place, carried, port)


def _serve(place: Place, carried: Carried, port: Port) -> Iterator[Thing | Diagnostic]:
    held = {fixed.subnet_id for fixed in port.fixed_ips}
    subnets = [subnet for subnet in place.subnets(port.network_id) if subnet.enable_dhcp and subnet.id in held]
    if not subnets:
        return
    home = Home(f"{place.settings.state_root}/dhcp/{port.network_id}", tap_name(port.id), "")
    server = DhcpServer(place, carried, port, subnets, home)
    domain = server.attempt(ref(place.host), dnsmasq.plain, place.settings.dns_domain)
    server.home = Home(home.directory, home.device, domain or "")
    yield from _wire(server)
    yield from _reach(server)
    yield from _process(server)
    if server.serves_metadata:
        yield from network_proxy(place, port, server.netns, home.device)
    yield from server.diagnostics


def _wire(server: DhcpServer) -> Iterator[Thing]:
    """Gives the namespace and the network's port in it."""
    intent, netns, tap, mac = server.intent, server.netns, server.home.device, server.port.mac_address
    mtu = server.carried.network.mtu
    ids = switch_ids(server.port)
    yield Namespace(owner=OWNER, intent=intent, name=netns)
    yield Link(owner=OWNER, intent=intent, netns=netns, name="lo", form="nic")
    yield SwitchPort(owner=OWNER, intent=intent, bridge=INTEGRATION, name=tap, type="internal", external_ids=ids)
    yield Link(owner=OWNER, intent=intent, netns=netns, name=tap, form="internal", mac=mac, mtu=mtu)
    yield from tagged(server.place, server.port, tap, OWNER)
    # Subnets of a network reach each other through routers only, and no guest may give the server a route.
    yield Sysctl(owner=OWNER, intent=intent, netns=netns, name="net/ipv4/ip_forward", value="0")
    if server.carried.network.carries_ipv6:
        yield Sysctl(owner=OWNER, intent=intent, netns=netns, name=f"net/ipv6/conf/{tap}/accept_ra", value="0")
    # The store gave each address out once: the first DHCPv6 request need not wait while the server asks around.
    yield Sysctl(owner=OWNER, intent=intent, netns=netns, name="net/ipv6/conf/default/accept_dad", value="0")


def _reach(server: DhcpServer) -> Iterator[Thing]:
    """Gives the server's addresses, and a default route for each family: by the oldest subnet that has a gateway."""
    intent, netns, tap = server.intent, server.netns, server.home.device
    addresses = {fixed.subnet_id: fixed.ip_address for fixed in server.port.fixed_ips}
    routed: set[int] = set()
    for subnet in server.subnets:
        network = server.attempt(ref(subnet), dnsmasq.cidr_text, subnet.cidr)
        address = server.attempt(ref(server.port), dnsmasq.address_text, addresses[subnet.id])
        if network is None or address is None:
            continue
        cidr = f"{address}/{network.partition('/')[2]}"
        yield Address(owner=OWNER, intent=intent, netns=netns, device=tap, cidr=cidr)
        gateway = server.attempt(ref(subnet), dnsmasq.address_text, subnet.gateway_ip) if subnet.gateway_ip else None
        if gateway is None or subnet.ip_version in routed:
            continue
        routed.add(subnet.ip_version)
        because = (*intent, ref(subnet))
        hop = ip_address(gateway)
        if hop not in dnsmasq.network_of(subnet.cidr) and not hop.is_link_local:
            on_link = f"{hop}/{hop.max_prefixlen}"
            yield Route(owner=OWNER, intent=because, netns=netns, destination=on_link, device=tap)
        everywhere = "0.0.0.0/0" if subnet.ip_version == 4 else "::/0"
        yield Route(owner=OWNER, intent=because, netns=netns, destination=everywhere, via=gateway, device=tap)


def _process(server: DhcpServer) -> Iterator[Thing]:
    """Gives dnsmasq and its files."""
    network = server.carried.network
    hosts = hosts_of(server)
    # A port is served once its line is there and dnsmasq runs.
    intent = (ref(network), *sorted({ref(server.port), *hosts.served}))
    paths = []
    for name, lines in (("host", hosts.lines), ("addn_hosts", name_lines(server)), ("opts", option_lines(server))):
        paths.append(f"{server.home.directory}/{name}")
        text = "".join(f"{line}\n" for line in lines)
        because = intent if name == "host" else server.intent
        yield File(owner=OWNER, intent=because, path=paths[-1], text=text)
    lease_s = max(server.place.settings.dhcp_lease_s, _LEAST_LEASE_S)
    found = [(subnet, server.attempt(ref(subnet), dnsmasq.range_text, subnet, lease_s)) for subnet in server.subnets]
    ranges = [text for _, text in found if text]
    size = sum(dnsmasq.network_of(subnet.cidr).num_addresses for subnet, text in found if text)
    yield Daemon(
        owner=OWNER,
        intent=intent,
        name=f"dnsmasq-{network.id}",
        netns=server.netns,
        argv=dnsmasq.command_line(server.home, ranges, mac_tags(server), size, network.mtu),
        reload_files=tuple(paths),
        leases=tuple(hosts.leases),
    )
