"""How somebody sends: a guest, a namespace, or who is outside; each as the hop that the packet's way begins with."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import msgspec

from netglass.trace.fabric import Fabric, Outsider
from netglass.trace.guests import guest_sends
from netglass.trace.interpreter import Walk
from netglass.trace.memory import Memory
from netglass.trace.packet import Packet
from netglass.trace.resolving import neighbour
from netglass.trace.result import Drop, End, Hop, Output, Step, Warn
from netglass.trace.stack import send
from netglass.trace.wires import is_private


def begin(fabric: Fabric, memory: Memory, sender: End, packet: Packet, heard_from: str = "") -> Hop:
    """Gives the hop that the sender is, with all that follows.

    packet      its MACs are empty, for the sender to find them
    heard_from  MAC that brought what this is the reply to; who is outside sends it there, where they know no better
    """
    walk = Walk(fabric, memory)
    if not sender.host:
        if sender.ref:
            drop = Drop(code="no-sender", text="no host has a device for it", intent=(sender.ref,))
            return Hop(host="", place=sender.name, kind="guest" if sender.guest else "namespace", steps=(drop,))
        steps = tuple(_outside_sends(walk, sender, packet, heard_from))
        return Hop(host="", place=sender.name, kind="outside", steps=steps)
    if sender.guest:
        station = fabric.stations[sender.host, sender.device]
        steps = tuple(guest_sends(walk, station, sender, packet))
        return Hop(host=sender.host, place=sender.name, kind="guest", steps=steps)
    steps = tuple(send(walk, fabric.machines[sender.host], sender.netns, packet))
    return Hop(host=sender.host, place=sender.netns, kind="namespace", steps=steps)


def _outside_sends(walk: Walk, sender: End, packet: Packet, heard_from: str) -> list[Step]:
    outsider = next(one for one in walk.fabric.outsiders if one.end.name == sender.name)
    hop = packet.ip_dst if _is_near(outsider, packet.ip_dst) else _router_to(walk.fabric, outsider, packet.ip_dst)
    if is_private(packet.ip_dst) and not hop:
        return [Warn(text=f"Whether anybody outside has a way to {packet.ip_dst}, a private address, is not known.")]
    if not hop and heard_from:
        return [_leaves(walk, outsider.end, packet, heard_from)]
    if not hop:
        text = f"{packet.ip_dst} is no address of the external network, and who leads there is not known outside"
        return [Drop(code="no-route", text=text)]
    found = neighbour(walk, outsider.end, hop)
    return [*found.told(), *([_leaves(walk, outsider.end, packet, found.mac)] if found.mac else [])]


def _router_to(fabric: Fabric, outsider: Outsider, address: str) -> str:
    """Gives the outer address of the router that has an IPv6 address inside; empty for none.

    Outside, somebody must have been told of it: nothing is translated in IPv6.
    """
    if ip_address(address).version == 4:
        return ""
    for machine in fabric.machines.values():
        for netns in sorted({route.netns for route in machine.state.routes}):
            outer = [a.cidr for a in machine.addresses(netns) if _is_near(outsider, a.cidr.partition("/")[0])]
            outer = [cidr.partition("/")[0] for cidr in outer if ":" in cidr]
            inner = (route for route in machine.routes(netns) if not route.via)
            if outer and any(ip_address(address) in ip_network(route.destination) for route in inner):
                return outer[0]
    return ""


def _is_near(outsider: Outsider, address: str) -> bool:
    return any(ip_address(address) in ip_network(subnet) for subnet in outsider.subnets)


def _leaves(walk: Walk, end: End, packet: Packet, mac: str) -> Output:
    leaving = msgspec.structs.replace(packet, eth_src=end.mac, eth_dst=mac)
    return Output(device=end.device, how="told", packet=leaving, next=walk.emit(end, leaving))
