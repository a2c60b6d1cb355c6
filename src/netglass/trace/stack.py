"""What a namespace's network stack does with a frame: take it, answer for it, route it, or leave it.

Source: Linux: ip-sysctl (ip_forward, arp_ignore 0), ip-route(8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Protocol, TypeVar

import msgspec

from netglass.desired.state import Link, Route, SwitchPort
from netglass.trace.fabric import Machine
from netglass.trace.interpreter import Place, Walk, why
from netglass.trace.packet import IPV4, Packet, is_flooded
from netglass.trace.resolving import neighbour
from netglass.trace.result import Changed, Deliver, Drop, End, Output, Rewrite, Step
from netglass.trace.result import Route as RouteStep
from netglass.trace.rules import Passing, consult


class Destined(Protocol):
    """A route: where to, and by whom."""

    @property
    def destination(self) -> str:
        """CIDR."""


R = TypeVar("R", bound=Destined)


def best_route(routes: Iterable[R], address: str) -> R | None:
    """Gives the most precise of the routes that lead to an address, the first of equals."""
    wanted = ip_address(address)
    fitting = [route for route in routes if wanted in ip_network(route.destination, strict=False)]
    return max(fitting, key=lambda route: ip_network(route.destination, strict=False).prefixlen, default=None)


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
        if packet.is_question or is_flooded(packet.eth_dst):
            return self._asked(machine, link, packet)
        return self._packet(walk, machine, link, packet)

    def _asked(self, machine: Machine, link: Link, packet: Packet) -> list[Step]:
        held = machine.has_address(self.name, packet.ip_dst)
        where = self.name or "the host itself"
        if held is None:
            return [Drop(code="not-for-address", text=f"nobody in {where} has {packet.ip_dst}", **why(link))]
        # 1: answer only for addresses of the device asked on.
        if held.device != link.name and machine.setting(self.name, "net/ipv4/conf/all/arp_ignore") == "1":
            text = f"{packet.ip_dst} is on {held.device}, and {where} answers only where it was asked"
            return [Drop(code="not-for-address", text=text, **why(held))]
        return [Deliver(to=end_of(machine, self.name, link.name, packet.ip_dst), packet=packet, **why(held))]

    def _packet(self, walk: Walk, machine: Machine, link: Link, packet: Packet) -> list[Step]:
        version = ip_address(packet.ip_dst).version
        passing, steps = Passing(packet, entered=link.name), list[Step]()
        for table in ("mangle", "nat"):
            passing, passes, told = consult(machine.rules(self.name, version, table), "PREROUTING", passing)
            steps += told
            if not passes:
                return [*steps, Drop(code="filtered", text=f"table {table} does not let it in")]
        held = machine.has_address(self.name, passing.packet.ip_dst)
        if held is None and not ip_address(passing.packet.ip_dst).is_loopback:
            return [*steps, *self._forward(walk, machine, link, passing)]
        rules = machine.rules(self.name, version, "filter")
        passing, passes, told = consult(rules, "INPUT", passing)
        if not passes:
            return [*steps, *told, Drop(code="filtered", text="table filter does not let it in")]
        end = end_of(machine, self.name, link.name, passing.packet.ip_dst)
        named = why(held) if held is not None else why(link)
        return [*steps, *told, Deliver(to=end, packet=passing.packet, **named)]

    def _forward(self, walk: Walk, machine: Machine, link: Link, passing: Passing) -> list[Step]:
        packet = passing.packet
        setting = "net/ipv4/ip_forward" if packet.eth_type == IPV4 else "net/ipv6/conf/all/forwarding"
        if machine.setting(self.name, setting) != "1":
            where = self.name or "the host itself"
            text = f"{where} has no address {packet.ip_dst} and does not forward ({setting} is not 1)"
            return [Drop(code="not-for-address", text=text, **why(link))]
        if packet.ttl <= 1:
            return [Drop(code="ttl", text="its time to live ends here")]
        after = msgspec.structs.replace(packet, ttl=packet.ttl - 1)
        steps: list[Step] = [Rewrite(changed=(Changed("ttl", packet.ttl, after.ttl),))]
        return [*steps, *_send(walk, machine, self.name, replace(passing, packet=after))]


def send(walk: Walk, machine: Machine, netns: str, packet: Packet) -> list[Step]:
    """Gives how a namespace sends an IP packet of its own: translation, route, the next hop's MAC, and out."""
    version = ip_address(packet.ip_dst).version
    passing, passes, steps = consult(machine.rules(netns, version, "nat"), "OUTPUT", Passing(packet))
    if not passes:
        return [*steps, Drop(code="filtered", text="table nat does not let it out")]
    return [*steps, *_send(walk, machine, netns, passing)]


def _send(walk: Walk, machine: Machine, netns: str, passing: Passing) -> list[Step]:
    route = best_route(machine.routes(netns), passing.packet.ip_dst)
    if route is None:
        text = f"{netns or 'the host itself'} has no route to {passing.packet.ip_dst}"
        return [Drop(code="no-route", text=text)]
    version = ip_address(passing.packet.ip_dst).version
    steps: list[Step] = [
        RouteStep(destination=route.destination, device=route.device, via=route.via, **why(route)),
    ]
    passing = replace(passing, leaving=route.device)
    hooks = [("filter", "FORWARD" if passing.entered else "OUTPUT"), ("nat", "POSTROUTING")]
    for table, chain in hooks:
        passing, passes, told = consult(machine.rules(netns, version, table), chain, passing)
        steps += told
        if not passes:
            return [*steps, Drop(code="filtered", text=f"table {table} does not let it through")]
    return [*steps, *_out(walk, machine, netns, route, passing.packet)]


def _out(walk: Walk, machine: Machine, netns: str, route: Route, packet: Packet) -> list[Step]:
    """Gives how a packet leaves by a route's device: the next hop is asked for its MAC."""
    hop = route.via or packet.ip_dst
    sender = end_of(machine, netns, route.device, source_address(machine, netns, route.device, hop))
    found = neighbour(walk.fabric, walk.memory, sender, hop)
    steps = found.told()
    if found.mac:
        link = machine.links.get((netns, route.device))
        leaving = msgspec.structs.replace(packet, eth_src=sender.mac, eth_dst=found.mac)
        following = walk.transmit(machine, netns, route.device, leaving)
        named = why(link) if link is not None else {}
        steps.append(Output(device=route.device, how="told", packet=leaving, next=following, **named))
    return steps


def source_address(machine: Machine, netns: str, device: str, towards: str) -> str:
    """Gives the address that a device has for packets to an address of the same family; empty: none."""
    version = ip_address(towards).version
    held = (a.cidr.partition("/")[0] for a in machine.addresses(netns) if a.device == device)
    return next((address for address in held if ip_address(address).version == version), "")
