"""What a trace comes to, in sentences: why the packet arrived or not, what was taken for granted, what was not seen."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from netglass.desired.state import DEAD_VLAN
from netglass.model.resources import Network, Port, Server, ref
from netglass.model.snapshot import Snapshot
from netglass.trace.fabric import Fabric
from netglass.trace.placing import label
from netglass.trace.result import (
    Deliver,
    Drop,
    Encap,
    End,
    Filter,
    Hop,
    Nat,
    Output,
    Reply,
    Track,
    Warn,
    leaves_of,
    where,
)
from netglass.trace.wishes import Wish

_HEARD = (
    "The switches have heard both ends: the question for the receiver's MAC, and its answer, passed before the packet."
)
_GUESTS = "Guests run, have the addresses and routes that the cloud gives them, and send frames without VLAN tags."
_ANSWERS = "Guests, and whoever is outside, answer what comes to them; they listen on every port."
_WIRES = "NICs on the same physical network hear one another, on every VLAN."
_TUNNELS = "The hosts reach one another's tunnel addresses."
_TRACKED = "Connection tracking has not seen the conversation before: the packet is its first."
_RANDOM = "Where translation chooses a source port at random, the sender's own is shown."
_OUTSIDE = "Whoever is outside on an external network answers for their address; their MAC is not known."
_ROUTED = "Whoever is outside knows which router leads to the cloud's own addresses, where these are not translated."
_SIZES = "The packet must not be cut into fragments; NICs, and devices whose MTU intent does not set, take every size."
_CAVEATS = (
    "The model reads intent, not hosts: whether a host is as it must be, says netglass diff HOST.",
    "Hosts that have none of the networks concerned were not looked at; they drop what reaches them.",
)
_SIZES_CAVEAT = "Sizes of packets and MTUs were not looked at: --size has them looked at."
_ONE_WAY_CAVEAT = "Only this packet was followed, not what is sent in answer to it."


def assumptions(fabric: Fabric, wish: Wish, start: Hop, seen: Iterable[Hop], reply: Reply | None) -> tuple[str, ...]:
    """Gives what was taken for granted on the way, the ways of questions and of the reply included.

    seen  all hops that happened
    """
    hops = [start, *seen, *(reply.hops if reply is not None else ())]
    kinds = {hop.kind for hop in hops}
    steps = {type(step) for hop in hops for step in hop.steps}
    outside = any(hop.kind == "outside" for hop in hops) or any(
        isinstance(step, Deliver) and not step.to.host for hop in hops for step in hop.steps
    )
    wanted = (
        (_HEARD, bool(kinds & {"switch", "bridge"})),
        (_GUESTS, "guest" in kinds),
        (_ANSWERS, reply is not None),
        (_WIRES, "wire" in kinds),
        (_TRACKED, bool(steps & {Nat, Track, Filter})),
        (_RANDOM, Nat in steps),
        (_OUTSIDE, outside),
        (_ROUTED, _is_entered(fabric, hops)),
        (_TUNNELS, Encap in steps),
        (_SIZES, bool(wish.size)),
    )
    return (*(text for text, holds in wanted if holds), *_untold(fabric, hops))


def _is_entered(fabric: Fabric, hops: Iterable[Hop]) -> bool:
    """Says whether somebody outside sent to an address that is none of their own networks'."""
    subnets = [ip_network(subnet) for one in fabric.outsiders for subnet in one.subnets]
    sent = (step.packet for hop in hops if hop.kind == "outside" for step in hop.steps if isinstance(step, Output))
    return any(
        not any(ip_address(packet.target) in subnet for subnet in subnets) for packet in sent if not packet.is_answer
    )


def _untold(fabric: Fabric, hops: Iterable[Hop]) -> Iterable[str]:
    places = {(hop.host, hop.place) for hop in hops if hop.kind == "guest"}
    for station in fabric.stations.values():
        if station.untold and (station.end.host, station.end.name) in places:
            which = " and ".join(station.untold)
            yield f"{station.end.name} has {which} set up by hand, with the subnet's gateway: nothing tells it."


def caveats(wish: Wish) -> tuple[str, ...]:
    """Gives what the model cannot know, or was not asked."""
    found = list(_CAVEATS)
    if wish.one_way:
        found.append(_ONE_WAY_CAVEAT)
    if not wish.size:
        found.append(_SIZES_CAVEAT)
    return tuple(found)


def why(snapshot: Snapshot, fabric: Fabric, start: Hop, taken: Deliver | None, ports: tuple[Port, ...]) -> str:
    """Gives the verdict as sentences: where the packet ended, and what intent says about its ends."""
    if taken is not None:
        if not taken.to.host:
            return f"The packet leaves the cloud: {taken.packet.ip_dst} takes it, outside."
        if taken.packet.is_answer:
            return "A switch answers, in the place of who has the address."
        return "The packet is delivered to whom it was sent."
    place, text = _end(start)
    said = [f"The packet ends at {place}: {text}."]
    for port in ports:
        said += _about(snapshot, fabric, port)
    if len({port.network_id for port in ports}) == 2:
        names = [_network_name(snapshot, port) for port in ports]
        said.append(f"The two are on different networks, {names[0]} and {names[1]}.")
    return " ".join(said)


def _end(start: Hop) -> tuple[str, str]:
    """Gives where the last copy of the packet ends, and why; what the sender gave up on counts first."""
    last = [step for step in start.steps if isinstance(step, Drop)]
    if last:
        return start.place, last[-1].text
    ends = list(leaves_of(start, own=True)) or list(leaves_of(start))
    if not ends:
        return "a port of somebody else", "what they do with it is not shown"
    unknown = [(hop, leaf) for hop, leaf in ends if isinstance(leaf, Warn)]
    hop, leaf = (unknown or ends)[-1]
    if isinstance(leaf, Deliver):
        return where(hop), f"{leaf.to.name}, who was not meant, takes it"
    return where(hop), leaf.text[0].lower() + leaf.text[1:].rstrip(".") if isinstance(leaf, Warn) else leaf.text


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


def nowhere(port: Port, name: str, address: str) -> End:
    """Gives the end that a port is which has no device anywhere, and so can neither send nor be found."""
    return End(ref=ref(port), mac=port.mac_address, name=name, address=address, guest=True)
