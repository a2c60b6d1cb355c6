"""The trace of one packet by the model: every host concerned is compiled, and the states are interpreted.

Called by ``api.operations`` and by whatever wants to know whether one port reaches another.
Never: asks a host, or knows whether one is as it must be; that is ``netglass diff``'s business.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from netglass.base.errors import Invalid
from netglass.desired.state import DEAD_VLAN
from netglass.model.resources import ROW_TYPE_BY_KIND, Host, LocalVlan, Network, Port, Row, Server, Subnet, ref
from netglass.model.snapshot import Snapshot
from netglass.trace.fabric import Fabric, Station
from netglass.trace.interpreter import Walk
from netglass.trace.memory import Memory
from netglass.trace.names import Asked, May, choose
from netglass.trace.packet import PROTOCOLS, Packet, eth_type_of, probe
from netglass.trace.placing import end_at, fabric_around, label
from netglass.trace.resolving import neighbour
from netglass.trace.result import (
    Deliver,
    Drop,
    Encap,
    End,
    Hop,
    Nat,
    Output,
    Route,
    Step,
    Trace,
    deliveries,
    hops_of,
    leaves_of,
    without,
)
from netglass.trace.stack import best_route, send

_HEARD = (
    "The switches have heard both ends: the question for the receiver's MAC, and its answer, passed before the packet."
)
_GUESTS = "Guests run, have the addresses and routes that DHCP gives them, and send frames without VLAN tags."
_WIRES = "NICs on the same physical network hear one another, on every VLAN."
_TUNNELS = "The hosts reach one another's tunnel addresses."
_TRACKED = "Connection tracking has not seen the conversation before: the packet is its first."
_OUTSIDE = "Whoever is outside on an external network answers for their address; their MAC is not known."
_CAVEATS = (
    "The model reads intent, not hosts: whether a host is as it must be, says netglass diff HOST.",
    "Only this packet was followed, not what is sent in answer to it.",
    "Sizes of packets and MTUs are not looked at.",
    "Hosts that have none of the networks concerned were not looked at; they drop what reaches them.",
)


@dataclass(frozen=True)
class Wish:
    """What is to be traced.

    source, destination  as in ``trace.names``
    protocol             icmp, tcp or udp
    port                 that tcp or udp goes to
    """

    source: str
    destination: str
    protocol: str = "icmp"
    port: int | None = None


def _anything(_: Row) -> bool:
    return True


def trace_model(snapshot: Snapshot, wish: Wish, may: May = _anything) -> Trace:
    """Traces a packet by the model.

    may  what the caller may trace from and to; everything, without

    Raises NotFound and Invalid for a wish that means nothing.
    Cost: compiles every host that has one of the networks concerned.
    """
    return follow(snapshot, wish, Memory(), may)


def follow(snapshot: Snapshot, wish: Wish, memory: Memory, may: May = _anything) -> Trace:
    """Traces a packet by the model as `trace_model` does; `memory` tells afterwards what passed, questions included."""
    _check(wish)
    here, there = choose(snapshot, wish.source, wish.destination, may)
    source, destination = _addresses(here, there, wish)
    ports = (*here.ports, *there.ports)
    fabric = fabric_around(snapshot, ports, "" if there.ports else destination, here.network)
    sender = _placed(snapshot, fabric, here.ports[0], source) if here.ports else _outsider(fabric, wish, source)
    receiver = (
        _placed(snapshot, fabric, there.ports[0], destination)
        if there.ports
        else End(name=destination, address=destination)
    )
    packet = probe(source, destination, wish.protocol, wish.port)
    start = without(_start(fabric, memory, sender, packet), lambda step: _is_others(snapshot, step, may))
    delivered = any(_counts(one, receiver) for one in deliveries(start))
    return Trace(
        evidence="model",
        revision=snapshot.revision,
        source=sender,
        destination=receiver,
        packet=_sent(start) or packet,
        delivered=delivered,
        why=_why(snapshot, fabric, start, delivered, ports),
        hops=(start,),
        assumptions=_assumptions(start),
        caveats=_CAVEATS,
    )


_COMMON = (Host.kind, LocalVlan.kind, Network.kind, Subnet.kind)  # whose copies are told of, whoever owns them


def _is_others(snapshot: Snapshot, step: Output, may: May) -> bool:
    """Says whether a copy goes to something of a project whose things the caller may not trace to."""
    refs = (reference.partition(":") for reference in step.intent)
    rows = [snapshot.get(ROW_TYPE_BY_KIND[kind], row_id) for kind, _, row_id in refs if kind not in _COMMON]
    return any(row is not None and row.project_id and not may(row) for row in rows)


def _check(wish: Wish) -> None:
    if wish.protocol not in PROTOCOLS:
        raise Invalid(f"'protocol' is {wish.protocol!r}; {', '.join(PROTOCOLS)} are known.")
    if (wish.protocol == "icmp") != (wish.port is None):
        raise Invalid(f"Protocol {wish.protocol} goes {'to no port' if wish.port else 'to a port: say which'}.")
    if wish.port is not None and not 1 <= wish.port <= 65535:
        raise Invalid(f"'port' is {wish.port}; 1 to 65535 is wanted.")


def _addresses(here: Asked, there: Asked, wish: Wish) -> tuple[str, str]:
    """Gives the packet's addresses: of one family, on one subnet where the ends share one."""
    ours, theirs = (
        [("", address) for address in (asked.address, *asked.also)]
        if asked.address
        else [(f.subnet_id, f.ip_address) for f in asked.ports[0].fixed_ips]
        for asked in (here, there)
    )
    pairs = [
        (subnet != other, mine, their)
        for subnet, mine in ours
        for other, their in theirs
        if eth_type_of(mine) == eth_type_of(their)
    ]
    if not pairs:
        text = "have no addresses of the same family"
        raise Invalid(f"{wish.source!r} and {wish.destination!r} {text}: nothing can be sent from one to the other.")
    best = min(pairs, key=lambda pair: pair[0])
    return best[1], best[2]


def _outsider(fabric: Fabric, wish: Wish, address: str) -> End:
    found = next((one.end for one in fabric.outsiders if one.end.address == address), None)
    if found is None:
        text = f"{wish.source!r} is {address}, but no host that was looked at has a NIC on its physical network."
        raise Invalid(text)
    return found


def _placed(snapshot: Snapshot, fabric: Fabric, port: Port, address: str) -> End:
    name = label(snapshot, port)
    found = end_at(fabric, port, name, address)
    # Nowhere: it has no device, and so can neither send nor be found.
    return found or End(ref=ref(port), mac=port.mac_address, name=name, address=address, guest=True)


def _start(fabric: Fabric, memory: Memory, sender: End, packet: Packet) -> Hop:
    """Gives the hop that the sender is, with all that follows."""
    kind = "guest" if sender.guest else "namespace"
    if not sender.ref and not sender.host:
        return _start_outside(fabric, memory, sender, packet)
    if not sender.host:
        drop = Drop(code="no-sender", text="no host has a device for it", intent=(sender.ref,))
        return Hop(host="", place=sender.name, kind=kind, steps=(drop,))
    machine = fabric.machines[sender.host]
    if not sender.guest:
        walk = Walk(fabric, memory)
        return Hop(
            host=sender.host, place=sender.netns, kind=kind, steps=tuple(send(walk, machine, sender.netns, packet))
        )
    station = fabric.stations[sender.host, sender.device]
    return Hop(
        host=sender.host,
        place=sender.name,
        kind=kind,
        steps=tuple(_guest_sends(fabric, memory, station, sender, packet)),
    )


def _start_outside(fabric: Fabric, memory: Memory, sender: End, packet: Packet) -> Hop:
    found = neighbour(fabric, memory, sender, packet.ip_dst)
    steps = found.told()
    if found.mac:
        leaving = msgspec.structs.replace(packet, eth_src=sender.mac, eth_dst=found.mac)
        following = Walk(fabric, memory).emit(sender, leaving)
        steps.append(Output(device=sender.device, how="told", packet=leaving, next=following))
    return Hop(host="", place=sender.name, kind="outside", steps=tuple(steps))


def _guest_sends(fabric: Fabric, memory: Memory, station: Station, sender: End, packet: Packet) -> list[Step]:
    route = best_route(station.routes, packet.ip_dst)
    if route is None:
        text = f"{sender.name} has no route to {packet.ip_dst}"
        return [Drop(code="no-route", text=text, intent=(sender.ref,))]
    steps: list[Step] = [
        Route(destination=route.destination, device=sender.device, via=route.via, intent=route.intent),
    ]
    found = neighbour(fabric, memory, sender, route.via or packet.ip_dst)
    steps += found.told()
    if found.mac:
        leaving = msgspec.structs.replace(packet, eth_src=sender.mac, eth_dst=found.mac)
        following = Walk(fabric, memory).emit(sender, leaving)
        steps.append(
            Output(device=sender.device, how="told", packet=leaving, next=following, intent=(sender.ref,)),
        )
    return steps


def _sent(start: Hop) -> Packet | None:
    found = [step.packet for step in start.steps if isinstance(step, Output) and not step.packet.is_question]
    return found[-1] if found else None


def _counts(one: Deliver, receiver: End) -> bool:
    """Says whether a delivery is of the packet itself, to whom it was meant for."""
    if one.packet.is_question or one.packet.is_answer:
        return False
    return one.to.ref == receiver.ref if receiver.ref else True


def _assumptions(start: Hop) -> tuple[str, ...]:
    hops = list(hops_of(start))
    found = []
    if any(isinstance(step, Output) for step in start.steps):
        found.append(_HEARD)
    if any(hop.kind == "guest" for hop in hops):
        found.append(_GUESTS)
    if any(hop.kind == "wire" for hop in hops):
        found.append(_WIRES)
    if any(isinstance(step, Nat) for hop in hops for step in hop.steps):
        found.append(_TRACKED)
    if any(not one.to.host for one in deliveries(start)):
        found.append(_OUTSIDE)
    if any(isinstance(step, Encap) for hop in hops for step in hop.steps):
        found.append(_TUNNELS)
    return tuple(found)


def _why(snapshot: Snapshot, fabric: Fabric, start: Hop, delivered: bool, ports: tuple[Port, ...]) -> str:
    """Gives the verdict as sentences: where the packet ended, and what intent says about its ends."""
    if delivered:
        outside = next((one.to.address for one in deliveries(start) if not one.to.host), "")
        if outside and not ports[1:]:
            return f"The packet leaves the cloud: {outside} takes it, outside."
        return "The packet is delivered to whom it was sent."
    last = [step for step in start.steps if isinstance(step, Drop)]
    if last:
        where, text = start.place, last[-1].text
    else:
        where, text = _last(start)
    said = [f"The packet ends at {where}: {text}."]
    for port in ports:
        said += _about(snapshot, fabric, port)
    if len({port.network_id for port in ports}) == 2:
        names = [_network_name(snapshot, port) for port in ports]
        said.append(f"The two are on different networks, {names[0]} and {names[1]}.")
    return " ".join(said)


def _last(start: Hop) -> tuple[str, str]:
    """Gives where the last copy of the packet ends, and why."""
    ends = list(leaves_of(start))
    if not ends:
        return "a port of somebody else", "what they do with it is not shown"
    hop, leaf = ends[-1]
    where = f"{hop.place or 'the host itself'} on {hop.host}" if hop.host else f"the {hop.kind} {hop.place}"
    return where, leaf.text if not isinstance(leaf, Deliver) else f"{leaf.to.name}, who was not meant, takes it"


def _network_name(snapshot: Snapshot, port: Port) -> str:
    network = snapshot.get(Network, port.network_id)
    return f"{network.name} ({network.id})" if network is not None and network.name else port.network_id


def _about(snapshot: Snapshot, fabric: Fabric, port: Port) -> list[str]:
    """Gives what keeps a port from passing frames, by intent."""
    who = f"The port of {label(snapshot, port)} ({port.id})"
    if not port.host_id:
        return [f"{who} is bound to no host."]
    machine = fabric.machines.get(port.host_id)
    if machine is None:
        return [f"{who} is bound to {port.host_id}, which is no host of this cloud."]
    found = []
    network = snapshot.get(Network, port.network_id)
    server = snapshot.get(Server, port.device_id) if port.device_id else None
    if server is not None and server.power != "running":
        found.append(f"Server {server.name} ({server.id}) is {server.power}.")
    dead = [tag for tag in machine.tags.values() if ref(port) in tag.intent and tag.vlan == DEAD_VLAN]
    if not port.admin_state_up:
        found.append(f"{who} is administratively down (admin_state_up is false).")
    elif network is not None and not network.admin_state_up:
        found.append(f"The network of {who[0].lower()}{who[1:]} is administratively down (admin_state_up is false).")
    elif dead:
        about = (ref(port), f"network:{port.network_id}")
        told = [one.text for one in machine.state.diagnostics if set(about) & set(one.intent)]
        found.append(" ".join([f"{who} is on the dead VLAN.", *dict.fromkeys(told)]))
    return found
