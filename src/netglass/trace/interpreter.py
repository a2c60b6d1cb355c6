"""Follows one packet from device to device over all hosts.

    emit      somebody sends            -> receive (a guest, by its tap), or transmit (a namespace, by its device)
    transmit  a device sends            -> its peer, its wire, the guest behind it, the switch that it is a port of
    receive   a device gets a frame     -> the switch, Linux bridge or namespace that it belongs to

Each of these gives the hop that the packet comes to, with everything that follows.  What happens at a hop is said in
``trace.switching`` (Open vSwitch), ``trace.linux_bridges``, ``trace.stack`` (namespaces), ``trace.guests`` and
``trace.wires`` (what lies between hosts).
Never: knows intent; asks a host.
"""

from __future__ import annotations

import msgspec

from netglass.desired.state import HostState, Link, SwitchPort, Thing
from netglass.trace.fabric import TUNNELS, Fabric, Machine
from netglass.trace.guests import Behind
from netglass.trace.linux_bridges import LinuxBridge
from netglass.trace.memory import Memory
from netglass.trace.packet import Packet
from netglass.trace.place import Place, why
from netglass.trace.result import Drop, End, Enter, Hop, Step, Warn
from netglass.trace.stack import Stack
from netglass.trace.switching import Switching
from netglass.trace.wires import OnWire, Tunnel

MOST_HOPS = 48  # in one path
MOST_IN_ALL = 5000  # copies of a flooded packet included


class Walk:
    """One packet's way; `memory` outlives it."""

    def __init__(self, fabric: Fabric, memory: Memory) -> None:
        self.fabric = fabric
        self.memory = memory
        self._depth = 0
        self._seen = 0

    def another(self) -> Walk:
        """Gives the walk of another packet, which is sent while this one waits."""
        return Walk(self.fabric, self.memory)

    def emit(self, end: End, packet: Packet) -> Hop:
        """Lets somebody send a packet; who is on no host of ours, onto their wire."""
        if not end.host:
            return self._from_outside(end, packet)
        machine = self.fabric.machines[end.host]
        if end.guest:
            return self.receive(machine, "", end.device, packet)
        return self.transmit(machine, end.netns, end.device, packet)

    def transmit(self, machine: Machine, netns: str, device: str, packet: Packet) -> Hop:
        """Lets a device send."""
        link = machine.links.get((netns, device))
        port = machine.ports.get(device)
        if link is None:
            if port is not None and port.awaited:
                return self._station(machine, device, packet)
            return self._nowhere(machine, device, packet, "missing-device", f"there is no device {device} there")
        trouble = _trouble(link, packet)
        if trouble:
            return self._nowhere(machine, device, packet, *trouble, link)
        if link.form == "veth":
            return self.receive(machine, netns, link.peer, packet)
        if link.form == "nic":
            wire = OnWire(self.fabric.wire_of(machine.host, link.name), f"{machine.host} {link.name}")
            return self._guarded(machine, f"{machine.host}'s {device}", packet, wire)
        if link.form == "tap":
            return self._station(machine, device, packet)
        if link.form == "internal":
            return self.switch(machine, port or device, packet)
        return self._nowhere(machine, device, packet, "no-way-out", f"{device} leads nowhere", link)

    def receive(self, machine: Machine, netns: str, device: str, packet: Packet) -> Hop:
        """Lets a device get a frame."""
        link = machine.links.get((netns, device))
        port = machine.ports.get(device)
        if link is None and (port is None or not port.awaited):
            return self._nowhere(machine, device, packet, "missing-device", f"there is no device {device} there")
        trouble = _trouble(link, packet) if link is not None else ()
        if trouble:
            return self._nowhere(machine, device, packet, *trouble, link)
        if port is not None and port.type == "" and netns == "":
            return self.switch(machine, port, packet)
        if link is not None and link.master:
            return self._guarded(machine, device, packet, LinuxBridge(link))
        return self._guarded(machine, device, packet, Stack(netns))

    def leave(self, machine: Machine, port: SwitchPort, packet: Packet) -> Hop:
        """Lets a switch put a packet out of one of its ports."""
        if port.type == "patch":
            peer = machine.ports.get(port.options.get("peer", ""))
            if peer is None:
                text = f"{port.name} is patched to {port.options.get('peer')!r}, which is not there"
                return self._nowhere(machine, port.name, packet, "missing-device", text, port)
            return self.switch(machine, peer, msgspec.structs.replace(packet, tun_id=None))
        if port.type in TUNNELS:
            return self._guarded(machine, port.name, packet, Tunnel(port))
        if port.type == "internal":
            link = machine.link(port.name)
            if link is None or not link.up:
                return self._nowhere(machine, port.name, packet, "link-down", f"{port.name} is down", port)
            trouble = _trouble(link, packet)
            if trouble:
                return self._nowhere(machine, port.name, packet, *trouble, link)
            return self._guarded(machine, port.name, packet, Stack(link.netns))
        return self.transmit(machine, "", port.name, packet)

    def switch(self, machine: Machine, port: SwitchPort | str, packet: Packet) -> Hop:
        """Lets a switch get a packet by one of its ports, or by its own device."""
        device = port if isinstance(port, str) else port.name
        bridge = port if isinstance(port, str) else port.bridge
        return self._guarded(machine, device, packet, Switching(bridge))

    def _station(self, machine: Machine, device: str, packet: Packet) -> Hop:
        station = self.fabric.stations.get((machine.host, device))
        if station is None:
            return self._nowhere(machine, device, packet, "nobody-there", f"no guest is behind {device}")
        return self._guarded(machine, device, packet, Behind(station))

    def _from_outside(self, end: End, packet: Packet) -> Hop:
        outsider = next(one for one in self.fabric.outsiders if one.end.name == end.name)
        wire = next(wire for wire in self.fabric.wires if wire.name == outsider.wire)
        nowhere = Machine(HostState(host=""))
        tagged = msgspec.structs.replace(packet, vlan=outsider.vlan)
        return self._guarded(nowhere, end.name, tagged, OnWire(wire, end.name))

    def _nowhere(
        self, machine: Machine, device: str, packet: Packet, code: str, text: str, thing: Thing | None = None
    ) -> Hop:
        named = why(thing) if thing is not None else {}
        steps = (Enter(device=device, packet=packet), Drop(code=code, text=text, **named))
        return Hop(host=machine.host, place=device, kind="device", steps=steps)

    def _guarded(self, machine: Machine, device: str, packet: Packet, place: Place) -> Hop:
        """Lets a hop happen, unless the packet has been under way for too long."""
        self._depth += 1
        self._seen += 1
        turn = self.memory.turn()
        try:
            steps: list[Step] = [Enter(device=device, packet=packet)]
            if self._depth > MOST_HOPS or self._seen > MOST_IN_ALL:
                steps.append(Warn(text=f"Given up: this is hop {self._depth} of the path, {self._seen} in all."))
            else:
                steps += place.steps(self, machine, device, packet)
            host = "" if place.kind == "wire" else machine.host
            hop = Hop(host=host, place=place.name, kind=place.kind, steps=tuple(steps))
            self.memory.happened(turn, hop)
            return hop
        finally:
            self._depth -= 1


def _trouble(link: Link, packet: Packet) -> tuple[str, str] | tuple[()]:
    """Gives why a device passes nothing, or not this; devices say nothing to the sender of what is too big."""
    if not link.up:
        return "link-down", f"{link.name} is down"
    if link.mtu and packet.size > link.mtu:
        return "too-big", f"it has {packet.size} bytes, and {link.name} takes {link.mtu} at most"
    return ()
