"""What a guest does with a frame, and how it sends: as far as intent tells, since nobody looks into guests."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import msgspec

from netglass.trace.fabric import Machine, Station
from netglass.trace.making import ANYBODY, DHCP_CLIENT, DHCP_SERVER, multicast_mac
from netglass.trace.packet import BROADCAST, ICMP, UDP, Packet, is_flooded
from netglass.trace.place import Place
from netglass.trace.resolving import neighbour
from netglass.trace.result import Deliver, Drop, End, Output, Route, Step
from netglass.trace.routes import best_route

if TYPE_CHECKING:
    from netglass.trace.interpreter import Walk


class Behind(Place):
    """A guest, or what somebody else plugged in."""

    kind = "guest"

    def __init__(self, station: Station) -> None:
        self.name = station.end.name
        self._station = station

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives whether the guest takes a frame."""
        station, end = self._station, self._station.end
        intent = (end.ref,) if end.ref else ()
        if packet.vlan is not None:
            text = f"it has VLAN tag {packet.vlan}, and the guest listens to frames without one"
            return [Drop(code="tagged", text=text, intent=intent)]
        if not is_flooded(packet.eth_dst) and packet.eth_dst != end.mac:
            return [Drop(code="not-for-mac", text=f"the guest's MAC is {end.mac}", intent=intent)]
        address = packet.target if packet.is_question else packet.ip_dst
        if address in station.addresses or (packet.is_answer and packet.eth_dst == end.mac) or _is_offer(packet, end):
            return [Deliver(to=msgspec.structs.replace(end, address=address), packet=packet, intent=intent)]
        if is_flooded(packet.eth_dst) and is_for_all(station, address) and not packet.is_question:
            return self._for_all(packet, intent)
        has = " and ".join(station.addresses) or "no address"
        return [Drop(code="not-for-address", text=f"the guest has {has}", intent=intent)]

    def _for_all(self, packet: Packet, intent: tuple[str, ...]) -> list[Step]:
        text = ""
        if packet.ip_proto == ICMP:
            text = "guests do not answer an echo request that is for everybody"
        elif packet.ip_proto == UDP and packet.port_dst == DHCP_SERVER:
            text = "guests serve no addresses"
        if text:
            return [Drop(code="nobody-listens", text=text, intent=intent)]
        end = msgspec.structs.replace(self._station.end, address=packet.ip_dst)
        return [Deliver(to=end, packet=packet, intent=intent)]


def _is_offer(packet: Packet, end: End) -> bool:
    return packet.ip_proto == UDP and packet.port_dst == DHCP_CLIENT and packet.eth_dst == end.mac


def is_for_all(station: Station, address: str) -> bool:
    """Says whether an address is that of everybody on one of a guest's subnets, or anywhere."""
    if address == ANYBODY:
        return True
    on_link = [ip_network(route.destination, strict=False) for route in station.routes if not route.via]
    return any(str(one.broadcast_address) == address for one in on_link if one.version == 4 and one.prefixlen < 31)


def guest_sends(walk: Walk, station: Station, sender: End, packet: Packet) -> list[Step]:
    """Gives how a guest sends an IP packet: its route, the next hop's MAC, and out of its device."""
    intent = (sender.ref,) if sender.ref else ()
    if packet.ip_dst in station.addresses:
        end = msgspec.structs.replace(sender, address=packet.ip_dst)
        return [Deliver(to=end, packet=packet, intent=intent)]
    if packet.eth_dst:  # it says itself where to, as one that looks for a DHCP server
        return [_leaves(walk, sender, packet, intent)]
    if is_for_all(station, packet.ip_dst):
        return [_leaves(walk, sender, msgspec.structs.replace(packet, eth_src=sender.mac, eth_dst=BROADCAST), intent)]
    route = best_route(station.routes, packet.ip_dst)
    if route is None:
        return [Drop(code="no-route", text=f"{sender.name} has no route to {packet.ip_dst}", intent=intent)]
    steps: list[Step] = [
        Route(destination=route.destination, device=sender.device, via=route.via, intent=route.intent),
    ]
    if station.mtu and packet.size > station.mtu:
        text = f"it has {packet.size} bytes, and {sender.name}'s own device takes {station.mtu} at most"
        return [*steps, Drop(code="too-long", text=text, intent=intent)]
    if ip_address(packet.ip_dst).is_multicast:
        group = msgspec.structs.replace(packet, eth_src=sender.mac, eth_dst=multicast_mac(packet.ip_dst), ttl=1)
        return [*steps, _leaves(walk, sender, group, intent)]
    found = neighbour(walk, sender, route.via or packet.ip_dst)
    steps += found.told()
    if found.mac:
        leaving = msgspec.structs.replace(packet, eth_src=sender.mac, eth_dst=found.mac)
        steps.append(_leaves(walk, sender, leaving, intent))
    return steps


def _leaves(walk: Walk, sender: End, packet: Packet, intent: tuple[str, ...]) -> Output:
    following = walk.emit(sender, packet)
    return Output(device=sender.device, how="told", packet=packet, next=following, intent=intent)
