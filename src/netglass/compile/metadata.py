"""Lowers the guests' way to their metadata: a proxy in a namespace that they reach, at 169.254.169.254.

An *isolated* subnet is one whose gateway is no router of this cloud.  Its guests reach the proxy in the network's qdhcp
namespace, by a host route that DHCP tells them (``compile.dhcp_files``); all others reach the one in the qrouter
namespace of their gateway, by its REDIRECT from port 80 to `ROUTER_PORT`.

A subnet may become routed while guests run, and they hold to their route until their lease renews, hours later: for
them the proxy in qdhcp stays, told to nobody any more.

Both are found at `LINK_LOCAL` too, by guests with IPv6 alone.  Two that answer for one address on one network would
take each other's connections away as neighbours hear now the one and now the other, so there it is one namespace's:
that of the oldest router on the network, where there is one.

`network_proxy` is called by compile.dhcp, `router_proxy` by compile.routing.
Source: DATAPLANE.md, "Metadata way"; Neutron's metadata driver for paths and addresses, and its DHCP driver for what
isolated means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network

from netglass.compile.haproxy import LINK_LOCAL, Proxy, RefusedWord, render
from netglass.compile.place import Place
from netglass.desired.state import Address, Daemon, Diagnostic, File, Thing
from netglass.model.resources import Network, Port, Subnet
from netglass.model.snapshot import ROUTER_INTERFACES

OWNER = "metadata"
ADDRESS = "169.254.169.254"
ROUTER_PORT = 9697
"""Where the proxy of a router listens; guests' port 80 is redirected there, and nobody reaches it directly."""


def isolated_subnets(place: Place, subnets: Iterable[Subnet], ports: Iterable[Port]) -> list[Subnet]:
    """Gives those of a network's subnets whose guests get their metadata in qdhcp; none where that is turned off.

    ports  all of the network
    """
    gateways = _gateways(ports)
    return [s for s in _served(place, subnets) if (s.id, s.gateway_ip) not in gateways]


def once_isolated_subnets(place: Place, subnets: Iterable[Subnet], ports: Iterable[Port]) -> list[Subnet]:
    """Gives those that have a router now, and a guest that is older than this router's port there.

    ports  all of the network

    Such a guest may have been told the way to qdhcp.  Ages are known to the second; who was made in the same second as
    the router's port asked for a lease after it was there.
    """
    known = list(ports)
    routed = _gateways(known)
    oldest: dict[str, str] = {}
    for port in known:
        if not port.device_owner.startswith("network:"):
            for fixed in port.fixed_ips:
                oldest[fixed.subnet_id] = min(port.created_at, oldest.get(fixed.subnet_id, port.created_at))
    return [
        s
        for s in _served(place, subnets)
        if s.id in oldest and (since := routed.get((s.id, s.gateway_ip))) is not None and oldest[s.id] < since
    ]


def _gateways(ports: Iterable[Port]) -> dict[tuple[str, str | None], str]:
    """Gives when the routers' ports were made, by subnet and address."""
    return {
        (fixed.subnet_id, fixed.ip_address): port.created_at
        for port in ports
        if port.device_owner in ROUTER_INTERFACES
        for fixed in port.fixed_ips
    }


def _served(place: Place, subnets: Iterable[Subnet]) -> Iterator[Subnet]:
    if place.settings.enable_isolated_metadata:
        yield from (subnet for subnet in subnets if not _holds_address(subnet))


def network_proxy(place: Place, port: Port, netns: str, tap: str) -> Iterator[Thing | Diagnostic]:
    """Gives the proxy in the qdhcp namespace of a DHCP port, whose device is `tap`.

    Nothing of it names the port: that metadata is missing must not keep guests from their addresses.
    """
    intent = (f"network:{port.network_id}",)
    devices = (tap,) if _is_found_at(place, port) else ()
    for cidr in (f"{ADDRESS}/32", *(f"{LINK_LOCAL}/64" for _ in devices)):
        yield Address(owner=OWNER, intent=intent, netns=netns, device=tap, cidr=cidr)
    yield from _process(place, netns, intent, ("Network", port.network_id, ADDRESS, 80, devices))


def router_proxy(
    place: Place, router_id: str, netns: str, inside: Iterable[tuple[Port, str]]
) -> Iterator[Thing | Diagnostic]:
    """Gives the proxy in a router's qrouter namespace.

    inside  its ports inside, with their devices

    Guests reach it at `ROUTER_PORT` by the router's own rules, and at the link-local address.
    """
    intent = (f"router:{router_id}",)
    devices = tuple(sorted(device for port, device in inside if _is_found_at(place, port)))
    for device in devices:
        yield Address(owner=OWNER, intent=intent, netns=netns, device=device, cidr=f"{LINK_LOCAL}/64")
    yield from _process(place, netns, intent, ("Router", router_id, "0.0.0.0", ROUTER_PORT, devices))


def _is_found_at(place: Place, port: Port) -> bool:
    """Says whether it is the port at which a network's guests find their metadata link-locally."""
    network = place.snapshot.get(Network, port.network_id)
    if network is not None and not network.carries_ipv6:
        return False
    for index in ("router_ports_by_network", "dhcp_ports_by_network"):
        rows: list[Port] = place.snapshot.rows(index, port.network_id)
        there = [one for one in rows if one.host_id]
        if there:
            return port.id == min(there, key=lambda one: (one.created_at, one.id)).id
    return False


def _process(
    place: Place, netns: str, intent: tuple[str, ...], wanted: tuple[str, str, str, int, tuple[str, ...]]
) -> Iterator[Thing | Diagnostic]:
    of, owner_id, address, port, devices = wanted
    root = place.settings.state_root
    proxy = Proxy(of, owner_id, address, port, devices, place.settings.metadata_proxy_user, f"{root}/metadata_proxy")
    try:
        text = render(proxy)
    except RefusedWord as refused:
        yield Diagnostic(code="refused-text", intent=intent, text=f"No metadata proxy for {intent[0]}: {refused}.")
        return
    path = f"{root}/ns-metadata-proxy/{owner_id}.conf"
    yield File(owner=OWNER, intent=intent, path=path, text=text)
    yield Daemon(
        owner=OWNER,
        intent=intent,
        name=f"haproxy-{owner_id}",
        netns=netns,
        argv=("haproxy", "-db", "-f", path),
        read_at_start=hashlib.sha256(text.encode()).hexdigest(),
    )


def _holds_address(subnet: Subnet) -> bool:
    """Says whether the address could be a guest's own."""
    try:
        return ip_address(ADDRESS) in ip_network(subnet.cidr)
    except ValueError:
        return True  # no network at all: nothing is served on it
