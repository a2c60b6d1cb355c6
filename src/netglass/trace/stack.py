"""What a namespace's network stack does with a frame: take it, answer for it, route it, or leave it.

Source: Linux: ip-sysctl (ip_forward, arp_ignore), ip-route(8).
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from netglass.desired.state import Link, Route, SwitchPort
from netglass.trace.crossing import Crossing, first_seen
from netglass.trace.fabric import Machine
from netglass.trace.listening import heard
from netglass.trace.making import ANYBODY, error
from netglass.trace.packet import (
    EXPIRED,
    IPV4,
    TOO_BIG,
    UNREACHABLE_HOST,
    UNREACHABLE_NET,
    Packet,
    is_flooded,
)
from netglass.trace.place import Place, why
from netglass.trace.resolving import neighbour
from netglass.trace.result import Changed, Deliver, Drop, End, Output, Rewrite, Step
from netglass.trace.result import Route as RouteStep
from netglass.trace.routes import best_route

if TYPE_CHECKING:
    from netglass.trace.interpreter import Walk


def end_of(machine: Machine, netns: str, device: str, address: str = "") -> End:
    """Gives a namespace's device as somebody who sends and gets packets."""
    link, port = machine.links.get((netns, device)), machine.ports.get(device)
    return End(
        host=machine.host,
        netns=netns,
        device=device,
        mac=link.mac if link is not None else "",
        ref=_port_ref(port),
        name=netns,
        address=address,
    )


def _port_ref(port: SwitchPort | None) -> str:
    known = port.external_ids.get("iface-id", "") if port is not None else ""
    return f"port:{known}" if known else ""


class Stack(Place):
    """A namespace; the host's own is named by nothing."""

    kind = "namespace"

    def __init__(self, netns: str) -> None:
        self.name = netns

    @property
    def _called(self) -> str:
        return self.name or "the host itself"

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives what the stack does with a frame that comes in by `device`."""
        link = machine.links.get((self.name, device))
        if link is None:
            return [Drop(code="missing-device", text=f"there is no device {device} there")]
        if packet.vlan is not None:
            text = f"it has VLAN tag {packet.vlan}, and {device} is for frames without one"
            return [Drop(code="tagged", text=text, **why(link))]
        if not is_flooded(packet.eth_dst) and packet.eth_dst != link.mac:
            return [Drop(code="not-for-mac", text=f"{device} has MAC {link.mac}", **why(link))]
        if packet.is_answer and packet.eth_dst == link.mac:
            return [Deliver(to=end_of(machine, self.name, device), packet=packet, **why(link))]
        if packet.is_question:
            return self._asked(machine, link, packet)
        if not packet.ip_dst:
            return [Drop(code="not-ip", text="it is no packet of IP", **why(link))]
        return self._packet(walk, machine, link, packet)

    def _asked(self, machine: Machine, link: Link, packet: Packet) -> list[Step]:
        held = machine.has_address(self.name, packet.target)
        if held is None:
            return [Drop(code="not-for-address", text=f"nobody in {self._called} has {packet.target}", **why(link))]
        # 1: answer only for addresses of the device asked on.  Neighbour discovery never does otherwise.
        strict = packet.eth_type != IPV4 and packet.arp_op is None
        strict = strict or machine.setting(self.name, "net/ipv4/conf/all/arp_ignore") == "1"
        if held.device != link.name and strict:
            text = f"{packet.target} is on {held.device}, and {self._called} answers only where it was asked"
            return [Drop(code="not-for-address", text=text, **why(held))]
        return [Deliver(to=end_of(machine, self.name, link.name, packet.target), packet=packet, **why(held))]

    def _packet(self, walk: Walk, machine: Machine, link: Link, packet: Packet) -> list[Step]:
        crossing = Crossing(walk.memory, machine, self.name, first_seen(packet, entered=link.name))
        if not crossing.through("PREROUTING"):
            return self._refused(walk, machine, crossing)
        if self._is_own(machine, link, crossing.packet):
            return self._taken(walk, machine, link, crossing)
        if is_flooded(packet.eth_dst):
            text = f"{self._called} has no address {crossing.packet.ip_dst}, and the frame is for many"
            return [*crossing.steps, Drop(code="not-for-address", text=text, **why(link))]
        return self._forwarded(walk, machine, link, crossing)

    def _is_own(self, machine: Machine, link: Link, packet: Packet) -> bool:
        address = ip_address(packet.ip_dst)
        if machine.has_address(self.name, packet.ip_dst) is not None or address.is_loopback:
            return True
        return packet.ip_dst == ANYBODY or machine.is_broadcast(self.name, link.name, packet.ip_dst)

    def _taken(self, walk: Walk, machine: Machine, link: Link, crossing: Crossing) -> list[Step]:
        if not crossing.through("INPUT"):
            return self._refused(walk, machine, crossing)
        packet = crossing.packet
        held = machine.has_address(self.name, packet.ip_dst)
        end = end_of(machine, self.name, link.name, packet.ip_dst)
        hearing = heard(machine, self.name, packet)
        if not hearing.takes:
            return [*crossing.steps, Drop(code="nobody-listens", text=hearing.text, **why(link))]
        named = why(held) if held is not None else why(link)
        return [*crossing.steps, Deliver(to=end, packet=packet, **named), *hearing.steps]

    def _forwarded(self, walk: Walk, machine: Machine, link: Link, crossing: Crossing) -> list[Step]:
        packet = crossing.packet
        setting = "net/ipv4/ip_forward" if packet.eth_type == IPV4 else "net/ipv6/conf/all/forwarding"
        if machine.setting(self.name, setting) != "1":
            text = f"{self._called} has no address {packet.ip_dst} and does not forward ({setting} is not 1)"
            return [*crossing.steps, Drop(code="not-for-address", text=text, **why(link))]
        if packet.ttl <= 1:
            crossing.refusal = EXPIRED
            crossing.steps.append(Drop(code="ttl", text="its time to live ends here"))
            return self._refused(walk, machine, crossing)
        route = best_route(machine.routes(self.name), packet.ip_dst)
        if route is None:
            crossing.refusal = UNREACHABLE_NET
            crossing.steps.append(Drop(code="no-route", text=f"{self._called} has no route to {packet.ip_dst}"))
            return self._refused(walk, machine, crossing)
        after = msgspec.structs.replace(packet, ttl=packet.ttl - 1)
        crossing.change(after, Rewrite(changed=(Changed("ttl", packet.ttl, after.ttl),)))
        return self._onwards(walk, machine, route, crossing)

    def _onwards(self, walk: Walk, machine: Machine, route: Route, crossing: Crossing) -> list[Step]:
        crossing.steps.append(_routed(route))
        crossing.passing = replace(crossing.passing, leaving=route.device)
        mtu = _mtu(machine, self.name, route.device)
        if mtu and crossing.packet.size > mtu:
            crossing.refusal = TOO_BIG
            text = f"it has {crossing.packet.size} bytes, and {route.device} takes {mtu} at most"
            crossing.steps.append(Drop(code="too-big", text=text))
            return self._refused(walk, machine, crossing, mtu)
        if not (crossing.through("FORWARD") and crossing.through("POSTROUTING")):
            return self._refused(walk, machine, crossing)
        steps = _out(walk, machine, self.name, route, crossing.packet)
        if isinstance(steps[-1], Drop):  # nobody has the next hop's address: that is told after three seconds
            crossing.refusal = UNREACHABLE_HOST
            crossing.steps += steps
            return self._refused(walk, machine, crossing)
        return [*crossing.steps, *steps]

    def _refused(self, walk: Walk, machine: Machine, crossing: Crossing, mtu: int = 0) -> list[Step]:
        """Gives the steps of a packet that ends here; its sender is told, where that is due."""
        packet = crossing.packet
        if crossing.refusal is None or is_flooded(packet.eth_dst):
            return crossing.steps
        back = best_route(machine.routes(self.name), packet.ip_src)
        source = machine.source_address(self.name, back.device, back.via or packet.ip_src) if back is not None else ""
        told = error(packet, source, crossing.refusal, mtu)
        if told is not None:
            crossing.refused()
            end = end_of(machine, self.name, back.device if back is not None else "", source)
            walk.memory.errors.append((end, told))
        return crossing.steps


def _routed(route: Route) -> RouteStep:
    return RouteStep(destination=route.destination, device=route.device, via=route.via, **why(route))


def _mtu(machine: Machine, netns: str, device: str) -> int:
    link = machine.links.get((netns, device))
    return link.mtu if link is not None else 0


def send(walk: Walk, machine: Machine, netns: str, packet: Packet) -> list[Step]:
    """Gives how a namespace sends an IP packet of its own: translation, route, the next hop's MAC, and out."""
    where = netns or "the host itself"
    if machine.has_address(netns, packet.ip_dst) is not None:
        return [Deliver(to=end_of(machine, netns, "", packet.ip_dst), packet=packet)]
    crossing = Crossing(walk.memory, machine, netns, first_seen(packet))
    if best_route(machine.routes(netns), packet.ip_dst) is None:
        return [Drop(code="no-route", text=f"{where} has no route to {packet.ip_dst}")]
    if not crossing.through("OUTPUT"):
        return crossing.steps
    route = best_route(machine.routes(netns), crossing.packet.ip_dst)
    if route is None:
        text = f"{where} has no route to {crossing.packet.ip_dst}"
        return [*crossing.steps, Drop(code="no-route", text=text)]
    crossing.steps.append(_routed(route))
    crossing.passing = replace(crossing.passing, leaving=route.device)
    mtu = _mtu(machine, netns, route.device)
    if mtu and crossing.packet.size > mtu:
        text = f"it has {crossing.packet.size} bytes, and its own device {route.device} takes {mtu} at most"
        return [*crossing.steps, Drop(code="too-long", text=text)]
    if not crossing.through("POSTROUTING"):
        return crossing.steps
    return [*crossing.steps, *_out(walk, machine, netns, route, crossing.packet)]


def _out(walk: Walk, machine: Machine, netns: str, route: Route, packet: Packet) -> list[Step]:
    """Gives how a packet leaves by a route's device: the next hop is asked for its MAC."""
    hop = route.via or packet.ip_dst
    sender = end_of(machine, netns, route.device, machine.source_address(netns, route.device, hop))
    mac, steps = packet.eth_dst if packet.eth_src == sender.mac else "", list[Step]()
    if not mac:  # else who sends it knows to whom, as a DHCP server does
        found = neighbour(walk, sender, hop)
        mac, steps = found.mac, found.told()
    if mac:
        link = machine.links.get((netns, route.device))
        leaving = msgspec.structs.replace(packet, eth_src=sender.mac, eth_dst=mac)
        following = walk.transmit(machine, netns, route.device, leaving)
        named = why(link) if link is not None else {}
        steps.append(Output(device=route.device, how="told", packet=leaving, next=following, **named))
    return steps
