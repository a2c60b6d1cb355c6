"""Lowers the routers that run on this host: a namespace each, with devices, addresses, routes and translation.

    qrouter-<id>   qr-<port>  on br-int with the network's tag, one for each subnet (or port) that the router joins
                   qg-<port>  on the external network's bridge (setting gateway_link: bridge) or on br-int (integration)

The address of a floating IP sits on qg as a /32, so that the router answers ARP for it.  Neighbours are told of every
address as it appears.  IPv6 is routed as it is, without translation; ``compile.advertising`` tells guests of it.

Called by compile.compiler.  Source: DATAPLANE.md, "Routing"; Neutron's l3 agent for sysctls and routes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeVar

import msgspec

from netglass.base.ids import qg_name, qr_name, qrouter_name
from netglass.compile.advertising import Advertised, advertised, advertisements
from netglass.compile.floating import Floating, floating_of
from netglass.compile.flow import flow
from netglass.compile.metadata import router_proxy
from netglass.compile.place import INTEGRATION, Carried, Place, is_word
from netglass.compile.plugging import switch_ids, tagged
from netglass.compile.router_rules import Translation, rule_sets
from netglass.compile.router_scopes import scopes_of
from netglass.desired.state import (
    DEAD_VLAN,
    Address,
    Announcement,
    Diagnostic,
    Link,
    Namespace,
    PortTag,
    Route,
    SwitchPort,
    Sysctl,
    Thing,
)
from netglass.model.resources import FixedIp, Port, Router, Subnet, ref
from netglass.pipeline import tables
from netglass.pipeline.flows import DROP, Match

T = TypeVar("T")

OWNER = "routing"

_INSIDE = "network:router_interface"
_OUTSIDE = "network:router_gateway"
_UNTAGGED = 0  # as a switch port's tag: takes and gives frames without one

# Answer ARP only for addresses of the device asked on, and ask with the best address: a router has many of both.
_SYSCTLS = (
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv4/conf/all/arp_ignore", "1"),
    ("net/ipv4/conf/all/arp_announce", "2"),
    ("net/ipv6/conf/all/forwarding", "1"),
    # The store gave each address out once: a router need not listen for a second whether somebody has it.
    ("net/ipv6/conf/default/accept_dad", "0"),
)


class _Leg(msgspec.Struct, frozen=True):
    """One port of a router, with the addresses that could be read."""

    port: Port
    carried: Carried
    device: str
    addresses: tuple[tuple[str, Subnet], ...]


class _Routing(msgspec.Struct):
    """One router in the making."""

    place: Place
    router: Router
    netns: str
    inside: list[_Leg] = []
    outside: _Leg | None = None
    diagnostics: list[Diagnostic] = []

    @property
    def legs(self) -> list[_Leg]:
        return [*self.inside, *([self.outside] if self.outside is not None else [])]

    def complain(self, code: str, intent: tuple[str, ...], text: str) -> None:
        self.diagnostics.append(Diagnostic(code=code, intent=intent, text=text))


def compile_routing(place: Place) -> Iterator[Thing | Diagnostic]:
    """Gives the routers that this host runs; those that are down by intent are not there."""
    by_device: dict[str, list[Port]] = {}
    for port in place.ports:
        if port.device_owner in (_INSIDE, _OUTSIDE):
            by_device.setdefault(port.device_id, []).append(port)
    for router in place.snapshot.rows("routers_by_host", place.host.id):
        if not is_word(router.id):
            text = f"Router {router.id!r} has an id that no namespace can be named after."
            yield Diagnostic(code="bad-id", intent=(ref(router),), text=text)
        elif router.admin_state_up:
            yield from _route(place, router, by_device.get(router.id, []))


def _route(place: Place, router: Router, ports: list[Port]) -> Iterator[Thing | Diagnostic]:
    routing = _Routing(place, router, qrouter_name(router.id))
    for port in ports:
        _take_leg(routing, port)
    yield from _space(routing)
    for leg in routing.legs:
        yield from _wire(routing, leg)
    yield from _routes(routing)
    yield from _translate(routing)
    if routing.inside:
        yield from router_proxy(place, router.id, routing.netns, ((leg.port, leg.device) for leg in routing.inside))
    found = [one for leg in routing.inside if (one := _advertised(leg)) is not None]
    if found:
        yield from advertisements(place, router, routing.netns, sorted(found, key=lambda one: one.device))
    yield from routing.diagnostics


def _take_leg(routing: _Routing, port: Port) -> None:
    carried = routing.place.carried.get(port.network_id)
    outside = port.device_owner == _OUTSIDE
    if carried is None:
        text = f"Router port {port.id} is bound here, but the host does not carry its network {port.network_id}."
        routing.complain("network-not-carried", (ref(port), ref(routing.router)), text)
        return
    addresses = tuple(found for fixed in port.fixed_ips if (found := _readable(routing, port, fixed)) is not None)
    leg = _Leg(port, carried, (qg_name if outside else qr_name)(port.id), addresses)
    if not outside:
        routing.inside.append(leg)
    elif routing.outside is None:
        routing.outside = leg
    else:
        text = f"Port {port.id} is the second gateway port of router {routing.router.id}; one serves."
        routing.complain("second-gateway-port", (ref(port), ref(routing.router)), text)


def _readable(routing: _Routing, port: Port, fixed: FixedIp) -> tuple[str, Subnet] | None:
    """Gives an address with its prefix length, and its subnet; None when they do not go together."""
    subnet = routing.place.snapshot.get(Subnet, fixed.subnet_id)
    network = _read(ip_network, subnet.cidr if subnet is not None else "")
    address = _read(ip_address, fixed.ip_address)
    if subnet is None or network is None or address is None or address not in network:
        text = f"Port {port.id} has {fixed.ip_address!r}, which is no address of a subnet {fixed.subnet_id} here."
        routing.complain("bad-address", (ref(port), ref(routing.router)), text)
        return None
    return f"{address}/{network.prefixlen}", subnet


def _space(routing: _Routing) -> Iterator[Thing]:
    intent, netns = (ref(routing.router),), routing.netns
    yield Namespace(owner=OWNER, intent=intent, name=netns)
    yield Link(owner=OWNER, intent=intent, netns=netns, name="lo", form="nic")
    for name, value in _SYSCTLS:
        yield Sysctl(owner=OWNER, intent=intent, netns=netns, name=name, value=value)


def _wire(routing: _Routing, leg: _Leg) -> Iterator[Thing]:
    intent, netns, device = _intent(routing, leg), routing.netns, leg.device
    outside = leg is routing.outside
    bridge = leg.carried.bridge if outside and routing.place.settings.gateway_link == "bridge" else INTEGRATION
    ids = switch_ids(leg.port)
    mac, mtu = leg.port.mac_address, leg.carried.network.mtu
    yield SwitchPort(owner=OWNER, intent=intent, bridge=bridge, name=device, type="internal", external_ids=ids)
    yield Link(owner=OWNER, intent=intent, netns=netns, name=device, form="internal", mac=mac, mtu=mtu)
    # No neighbour may give the router an address or a route, but for the way out where nothing else is named.
    heeding = (("accept_ra", "2"), ("autoconf", "0"))  # 2: although it forwards
    heard = heeding if outside and _learns_gateway(leg) else (("accept_ra", "0"),)
    for setting, value in heard if leg.carried.network.carries_ipv6 else ():
        yield Sysctl(owner=OWNER, intent=intent, netns=netns, name=f"net/ipv6/conf/{device}/{setting}", value=value)
    six = _advertised(leg) if not outside else None
    for cidr in (*(cidr for cidr, _ in leg.addresses), *(six.own if six is not None else ())):
        yield Address(owner=OWNER, intent=intent, netns=netns, device=device, cidr=cidr)
        address = cidr.partition("/")[0]
        yield _announced(routing, leg, address, intent)
    if bridge == INTEGRATION:
        yield from tagged(routing.place, leg.port, device, OWNER)
    else:
        yield from _tagged_outside(leg, bridge)


def _learns_gateway(leg: _Leg) -> bool:
    """Says whether a router has IPv6 outside and nobody said who leads on: the provider's router does."""
    outer = [subnet for _, subnet in leg.addresses if subnet.ip_version == 6]
    return bool(outer) and not any(subnet.gateway_ip for subnet in outer)


def _advertised(leg: _Leg) -> Advertised | None:
    """Gives an inner device as it is to be advertised; None without IPv6."""
    return advertised(leg.port, leg.device, [subnet for _, subnet in leg.addresses], leg.carried.network.mtu)


def _tagged_outside(leg: _Leg, bridge: str) -> Iterator[Thing]:
    """Gives the tag on a provider bridge, where a network is known by its segment and not by the host's own tag."""
    network = leg.carried.network
    intent = tuple(sorted((*leg.carried.intent, ref(leg.port))))
    segment = network.segmentation_id if network.network_type != "flat" else None
    wired = leg.port.admin_state_up and network.admin_state_up
    live = _UNTAGGED if segment is None else segment
    yield PortTag(owner=OWNER, intent=intent, port=leg.device, vlan=live if wired else DEAD_VLAN)
    if not wired:
        yield flow(OWNER, intent, (bridge, tables.NOT_WIRED), Match(in_port=leg.device), DROP)


def _routes(routing: _Routing) -> Iterator[Route]:
    """Gives the routes that the router's owner named, then those of its gateway to where none of them leads."""
    named = list(_extra_routes(routing))
    yield from named
    taken = {route.destination for route in named}
    yield from (route for route in _default_routes(routing) if route.destination not in taken)


def _default_routes(routing: _Routing) -> Iterator[Route]:
    """Gives a default route for each family, and routes to what else lies on the external network."""
    leg = routing.outside
    if leg is None:
        return
    intent, netns, device = _intent(routing, leg), routing.netns, leg.device
    held = {subnet.id for _, subnet in leg.addresses}
    routed: set[int] = set()
    for _, subnet in leg.addresses:
        gateway = _read(ip_address, subnet.gateway_ip or "")
        if gateway is not None and gateway.version not in routed:
            routed.add(gateway.version)
            everywhere = "0.0.0.0/0" if gateway.version == 4 else "::/0"
            because = (*intent, ref(subnet))
            via = str(gateway)
            yield Route(owner=OWNER, intent=because, netns=netns, destination=everywhere, via=via, device=device)
    inside = [ip_network(cidr, strict=False) for one in routing.inside for cidr, _ in one.addresses]
    for subnet in routing.place.subnets(leg.port.network_id):
        network = _read(ip_network, subnet.cidr)
        if subnet.id not in held and network is not None:
            because = (*intent, ref(subnet))
            if any(network.overlaps(one) for one in inside):
                # It came after the router's own networks, which it must not take from them.
                text = f"External subnet {subnet.id} ({subnet.cidr}) overlaps a network of router {routing.router.id}."
                routing.complain("overlapping-external-subnet", because, text)
                continue
            yield Route(owner=OWNER, intent=because, netns=netns, destination=str(network), device=device)


def _extra_routes(routing: _Routing) -> Iterator[Route]:
    intent = (ref(routing.router),)
    connected = {ip_network(cidr, strict=False) for leg in routing.legs for cidr, _ in leg.addresses}
    for route in routing.router.routes:
        hop, destination = _read(ip_address, route.nexthop), _read(ip_network, route.destination)
        device = _towards(routing, hop) if hop is not None else ""
        if hop is None or destination is None or hop.version != destination.version or not device:
            text = f"Router {routing.router.id} has no way to {route.nexthop!r}, the next hop to {route.destination!r}."
            routing.complain("unreachable-nexthop", intent, text)
            continue
        if destination in connected:
            # It would take the place of the kernel's own, time and again.
            text = f"Router {routing.router.id} is on {destination} itself: its route by {route.nexthop} is left out."
            routing.complain("connected-destination", intent, text)
            continue
        yield Route(
            owner=OWNER, intent=intent, netns=routing.netns, destination=str(destination), via=str(hop), device=device
        )


def _towards(routing: _Routing, hop: IPv4Address | IPv6Address) -> str:
    """Gives the device on one of whose subnets an address lies; empty when there is none."""
    cidrs = ((leg.device, ip_network(cidr, strict=False)) for leg in routing.legs for cidr, _ in leg.addresses)
    return next((device for device, network in cidrs if hop in network), "")


def _read(reader: Callable[[str], T], text: str) -> T | None:
    try:
        return reader(text)
    except ValueError:
        return None


def _translate(routing: _Routing) -> Iterator[Thing]:
    """Gives the rules of the router, and the addresses of its floating IPs."""
    leg = routing.outside
    floating = floating_of(routing.place, routing.router) if leg is not None else Floating()
    routing.diagnostics += floating.diagnostics
    intent = {ref(routing.router), *floating.intent}
    source = ""
    if leg is not None:
        intent.add(ref(leg.port))
        own = [cidr.partition("/")[0] for cidr, subnet in leg.addresses if subnet.ip_version == 4]
        source = own[0] if own else ""
        for address, because in floating.addresses.items():
            yield from _external_address(routing, leg, address, because)
    outer = leg.device if leg is not None else ""
    scopes = {version: found for version in (4, 6) if (found := scopes_of(_scopes(routing, version), outer))}
    translation = Translation(
        device=outer,
        source=source,
        hides=routing.router.enable_snat,
        floating=tuple(floating.pairs),
        forwarded=tuple(floating.forwarded),
        scopes=scopes,
    )
    yield from rule_sets(OWNER, tuple(sorted(intent)), routing.netns, translation)


def _scopes(routing: _Routing, version: int) -> dict[str, str]:
    """Gives the address scope of each device with addresses of an IP version; empty for none."""
    found: dict[str, str] = {}
    for leg in routing.legs:
        scopes = [subnet.address_scope_id for _, subnet in leg.addresses if subnet.ip_version == version]
        if scopes:
            found[leg.device] = max(scopes)  # one, or none, by intent
    return found


def _announced(routing: _Routing, leg: _Leg, address: str, intent: tuple[str, ...]) -> Announcement:
    turn = routing.router.announced
    return Announcement(owner=OWNER, intent=intent, netns=routing.netns, device=leg.device, address=address, turn=turn)


def _external_address(routing: _Routing, leg: _Leg, address: str, intent: tuple[str, ...]) -> Iterator[Thing]:
    netns, device = routing.netns, leg.device
    yield Address(owner=OWNER, intent=intent, netns=netns, device=device, cidr=f"{address}/32")
    yield _announced(routing, leg, address, intent)


def _intent(routing: _Routing, leg: _Leg) -> tuple[str, ...]:
    return (ref(leg.port), ref(routing.router))
