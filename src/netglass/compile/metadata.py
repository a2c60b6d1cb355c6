"""Lowers the guests' way to their metadata: a proxy in a namespace that they reach, at 169.254.169.254.

An *isolated* subnet is one whose gateway is no router of this cloud.  Its guests reach the proxy in the network's qdhcp
namespace, by a host route that DHCP tells them (``compile.dhcp_files``); all others reach the one in the qrouter
namespace of their gateway, by its REDIRECT from port 80 to `ROUTER_PORT`.

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
from netglass.model.resources import Port, Subnet

OWNER = "metadata"
ADDRESS = "169.254.169.254"
ROUTER_PORT = 9697
"""Where the proxy of a router listens; guests' port 80 is redirected there, and nobody reaches it directly."""

_ROUTER_INTERFACES = ("network:router_interface", "network:ha_router_replicated_interface")  # and _distributed


def isolated_subnets(place: Place, subnets: Iterable[Subnet], ports: Iterable[Port]) -> list[Subnet]:
    """Gives those of a network's subnets whose guests get their metadata in qdhcp; none where that is turned off.

    ports  all of the network
    """
    if not place.settings.enable_isolated_metadata:
        return []
    routed = {
        (fixed.subnet_id, fixed.ip_address)
        for port in ports
        if port.device_owner.startswith(_ROUTER_INTERFACES)
        for fixed in port.fixed_ips
    }
    return [s for s in subnets if (s.id, s.gateway_ip) not in routed and not _holds_address(s)]


def network_proxy(place: Place, network_id: str, netns: str, tap: str) -> Iterator[Thing | Diagnostic]:
    """Gives the proxy in a network's qdhcp namespace, whose device on the network is `tap`.

    Nothing of it names a port: that metadata is missing must not keep guests from their addresses.
    """
    intent = (f"network:{network_id}",)
    for cidr in (f"{ADDRESS}/32", f"{LINK_LOCAL}/64"):
        yield Address(owner=OWNER, intent=intent, netns=netns, device=tap, cidr=cidr)
    yield from _process(place, netns, intent, ("Network", network_id, ADDRESS, 80, (tap,)))


def router_proxy(place: Place, router_id: str, netns: str, devices: Iterable[str]) -> Iterator[Thing | Diagnostic]:
    """Gives the proxy in a router's qrouter namespace; `devices` are its interfaces inside, ascending.

    Guests reach it at `ROUTER_PORT` by the router's own rules, and at its link-local address.  Every namespace of the
    network has that one, without duplicate address detection: each guest is answered by whichever it finds first.
    """
    intent = (f"router:{router_id}",)
    inside = tuple(devices)
    for device in inside:
        yield Address(owner=OWNER, intent=intent, netns=netns, device=device, cidr=f"{LINK_LOCAL}/64")
    yield from _process(place, netns, intent, ("Router", router_id, "0.0.0.0", ROUTER_PORT, inside))


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
