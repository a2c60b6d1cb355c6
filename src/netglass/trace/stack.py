"""What a namespace's network stack does with a frame: take it, answer for it, route it, or leave it.

Source: Linux: ip-sysctl (ip_forward, arp_ignore 0), ip-route(8).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Protocol, TypeVar

import msgspec

from netglass.desired.state import Link, SwitchPort
from netglass.trace.fabric import Machine
from netglass.trace.interpreter import Place, Walk, why
from netglass.trace.packet import Packet, is_flooded
from netglass.trace.resolving import neighbour
from netglass.trace.result import Changed, Deliver, Drop, End, Output, Rewrite, Step
from netglass.trace.result import Route as RouteStep


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
        held = machine.has_address(self.name, packet.ip_dst)
        if held is not None:
            end = end_of(machine, self.name, device, packet.ip_dst)
            return [Deliver(to=end, packet=packet, **why(held))]
        if packet.is_answer and packet.eth_dst == link.mac:
            return [Deliver(to=end_of(machine, self.name, device), packet=packet, **why(link))]
        if packet.arp_op is not None or is_flooded(packet.eth_dst):
            text = f"nobody in {self.name or 'the host itself'} has {packet.ip_dst}"
            return [Drop(code="not-for-address", text=text, **why(link))]
        return self._forward(walk, machine, link, packet)

    def _forward(self, walk: Walk, machine: Machine, link: Link, packet: Packet) -> list[Step]:
        version = ip_address(packet.ip_dst).version
        setting = "net/ipv4/ip_forward" if version == 4 else "net/ipv6/conf/all/forwarding"
        if machine.setting(self.name, setting) != "1":
            where = self.name or "the host itself"
            text = f"{where} has no address {packet.ip_dst} and does not forward ({setting} is not 1)"
            return [Drop(code="not-for-address", text=text, **why(link))]
        if packet.ttl <= 1:
            return [Drop(code="ttl", text="its time to live ends here")]
        before, packet = packet, msgspec.structs.replace(packet, ttl=packet.ttl - 1)
        changed = (Changed("ttl", before.ttl, packet.ttl),)
        return [Rewrite(changed=changed), *send(walk, machine, self.name, packet)]


def send(walk: Walk, machine: Machine, netns: str, packet: Packet) -> list[Step]:
    """Gives how a namespace sends an IP packet that it has: its route, the next hop's MAC, and out."""
    route = best_route(machine.routes(netns), packet.ip_dst)
    if route is None:
        text = f"{netns or 'the host itself'} has no route to {packet.ip_dst}"
        return [Drop(code="no-route", text=text)]
    steps: list[Step] = [
        RouteStep(destination=route.destination, device=route.device, via=route.via, **why(route)),
    ]
    address = source_address(machine, netns, route.device, packet.ip_dst)
    sender = end_of(machine, netns, route.device, address)
    found = neighbour(walk.fabric, walk.memory, sender, route.via or packet.ip_dst)
    steps += found.told()
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
