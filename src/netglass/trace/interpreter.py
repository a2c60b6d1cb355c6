"""Follows one packet from device to device over all hosts.

    emit      somebody sends            -> receive (a guest, by its tap), or transmit (a namespace, by its device)
    transmit  a device sends            -> its peer, its wire, the guest behind it, the switch that it is a port of
    receive   a device gets a frame     -> the switch, Linux bridge or namespace that it belongs to

Each of these gives the hop that the packet comes to, with everything that follows.  What happens at a hop is said in
``trace.switching`` (Open vSwitch), ``trace.stack`` (namespaces) and here (all that only pass frames on).
Never: knows intent; asks a host.
"""

from __future__ import annotations

from typing import Any

import msgspec

from netglass.desired.state import HostState, Link, SwitchPort, Thing
from netglass.trace.fabric import TUNNELS, Fabric, Machine, Station, Wire
from netglass.trace.memory import Memory
from netglass.trace.packet import IPV6, Packet, eth_type_of, is_flooded
from netglass.trace.result import Deliver, Drop, Encap, End, Enter, Hop, Output, Step, Warn

MOST_HOPS = 48  # in one path
MOST_IN_ALL = 5000  # copies of a flooded packet included


def why(thing: Thing) -> dict[str, Any]:
    """Gives how a step names the object that did it."""
    key = thing.key.removeprefix("/").strip()
    return {"matched": f"{thing.kind} {key}", "owner": thing.owner, "intent": thing.intent}


class Walk:
    """One packet's way; `memory` outlives it."""

    def __init__(self, fabric: Fabric, memory: Memory) -> None:
        self.fabric = fabric
        self.memory = memory
        self._depth = 0
        self._seen = 0

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
        if not link.up:
            return self._nowhere(machine, device, packet, "link-down", f"{device} is down", link)
        if link.form == "veth":
            return self.receive(machine, netns, link.peer, packet)
        if link.form == "nic":
            return self._guarded(machine, f"{machine.host}'s {device}", packet, self._wire_of(machine, link))
        if link.form == "tap":
            return self._station(machine, device, packet)
        if link.form == "internal":
            return self._switch(machine, port or device, packet)
        return self._nowhere(machine, device, packet, "no-way-out", f"{device} leads nowhere", link)

    def receive(self, machine: Machine, netns: str, device: str, packet: Packet) -> Hop:
        """Lets a device get a frame."""
        link = machine.links.get((netns, device))
        port = machine.ports.get(device)
        if link is None and (port is None or not port.awaited):
            return self._nowhere(machine, device, packet, "missing-device", f"there is no device {device} there")
        if link is not None and not link.up:
            return self._nowhere(machine, device, packet, "link-down", f"{device} is down", link)
        if port is not None and port.type == "" and netns == "":
            return self._switch(machine, port, packet)
        if link is not None and link.master:
            return self._guarded(machine, device, packet, _LinuxBridge(link))
        return self._stack(machine, netns, device, packet)

    def leave(self, machine: Machine, port: SwitchPort, packet: Packet) -> Hop:
        """Lets a switch put a packet out of one of its ports."""
        if port.type == "patch":
            peer = machine.ports.get(port.options.get("peer", ""))
            if peer is None:
                text = f"{port.name} is patched to {port.options.get('peer')!r}, which is not there"
                return self._nowhere(machine, port.name, packet, "missing-device", text, port)
            return self._switch(machine, peer, msgspec.structs.replace(packet, tun_id=None))
        if port.type in TUNNELS:
            return self._guarded(machine, port.name, packet, _Tunnel(port))
        if port.type == "internal":
            link = machine.link(port.name)
            if link is None or not link.up:
                return self._nowhere(machine, port.name, packet, "link-down", f"{port.name} is down", port)
            return self._stack(machine, link.netns, port.name, packet)
        return self.transmit(machine, "", port.name, packet)

    # --- what comes next, and where it is said

    def _switch(self, machine: Machine, port: SwitchPort | str, packet: Packet) -> Hop:
        from netglass.trace.switching import Switching  # late: the two speak of each other

        device = port if isinstance(port, str) else port.name
        bridge = port if isinstance(port, str) else port.bridge
        return self._guarded(machine, device, packet, Switching(bridge))

    def _stack(self, machine: Machine, netns: str, device: str, packet: Packet) -> Hop:
        from netglass.trace.stack import Stack  # late: the two speak of each other

        return self._guarded(machine, device, packet, Stack(netns))

    def _station(self, machine: Machine, device: str, packet: Packet) -> Hop:
        station = self.fabric.stations.get((machine.host, device))
        if station is None:
            return self._nowhere(machine, device, packet, "nobody-there", f"no guest is behind {device}")
        return self._guarded(machine, device, packet, _Behind(station))

    def _wire_of(self, machine: Machine, nic: Link) -> _OnWire:
        return _OnWire(self.fabric.wire_of(machine.host, nic.name), f"{machine.host} {nic.name}")

    def _from_outside(self, end: End, packet: Packet) -> Hop:
        outsider = next(one for one in self.fabric.outsiders if one.end.address == end.address)
        wire = next(wire for wire in self.fabric.wires if wire.name == outsider.wire)
        nowhere = Machine(HostState(host=""))
        tagged = msgspec.structs.replace(packet, vlan=outsider.vlan)
        return self._guarded(nowhere, end.name, tagged, _OnWire(wire, end.name))

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


class Place:
    """Something that looks at packets."""

    kind: str
    name: str

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives what happens to a packet that comes in by `device`."""
        raise NotImplementedError


class _LinuxBridge(Place):
    kind = "bridge"

    def __init__(self, entered: Link) -> None:
        self.name = entered.master
        self._entered = entered

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        switch = (machine.host, self.name)
        walk.memory.saw(switch, packet.vlan or 0, packet.eth_src, device)
        bridge = machine.links.get((self._entered.netns, self.name))
        if bridge is None or not bridge.up:
            return [Drop(code="missing-device", text=f"the Linux bridge {self.name} is not there or down")]
        known = walk.memory.port_of(switch, packet.vlan or 0, packet.eth_dst)
        if known == device:
            return [Drop(code="same-port", text=f"its receiver is behind {device}, by which it came", **why(bridge))]
        ports = [link for link in machine.slaves[self.name] if link.name != device and known in (None, link.name)]
        how = "known" if known else "flood"
        found: list[Step] = [
            Output(
                device=link.name,
                how="told" if len(machine.slaves[self.name]) == 2 else how,
                packet=packet,
                next=walk.transmit(machine, link.netns, link.name, packet),
                **why(link),
            )
            for link in ports
        ]
        return found or [Drop(code="no-other-port", text=f"{self.name} has no other port", **why(bridge))]


class _Behind(Place):
    """A guest, or what somebody else plugged in."""

    kind = "guest"

    def __init__(self, station: Station) -> None:
        self.name = station.end.name
        self._station = station

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        end = self._station.end
        intent = (end.ref,) if end.ref else ()
        if packet.vlan is not None:
            text = f"it has VLAN tag {packet.vlan}, and the guest listens to frames without one"
            return [Drop(code="tagged", text=text, intent=intent)]
        if not is_flooded(packet.eth_dst) and packet.eth_dst != end.mac:
            return [Drop(code="not-for-mac", text=f"the guest's MAC is {end.mac}", intent=intent)]
        if packet.ip_dst not in self._station.addresses:
            has = " and ".join(self._station.addresses) or "no address"
            return [Drop(code="not-for-address", text=f"the guest has {has}", intent=intent)]
        return [Deliver(to=msgspec.structs.replace(end, address=packet.ip_dst), packet=packet, intent=intent)]


class _Tunnel(Place):
    kind = "tunnel"

    def __init__(self, port: SwitchPort) -> None:
        self.name = port.name
        self._port = port

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        port = self._port
        local, remote = port.options.get("local_ip", ""), port.options.get("remote_ip", "")
        key = packet.tun_id or 0
        step = Encap(type=port.type, key=key, local=local, remote=remote, **why(port))
        found = walk.fabric.tunnel_end(port.type, local, remote)
        if found is None:
            text = f"no host that was looked at takes {port.type} packets from {local} to {remote}"
            return [step, Drop(code="no-tunnel-end", text=text, **why(port))]
        there, entry = found
        inner = msgspec.structs.replace(packet, tun_id=key)
        following = walk._switch(there, entry, inner)
        return [step, Output(device=entry.name, how="told", packet=inner, next=following, **why(entry))]


class _OnWire(Place):
    """A wire, as a learning switch between all NICs and outsiders on it."""

    kind = "wire"

    def __init__(self, wire: Wire | None, entered: str) -> None:
        self.name = wire.name if wire is not None else ""
        self._wire = wire
        self._entered = entered

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        if self._wire is None:
            return [Warn(text=f"Which hosts {device} leads to is not known.")]
        switch, vlan, entered = ("", f"wire {self.name}"), packet.vlan or 0, self._entered
        walk.memory.saw(switch, vlan, packet.eth_src, entered)
        known = walk.memory.port_of(switch, vlan, packet.eth_dst)
        if known == entered:
            return [Drop(code="same-port", text=f"its receiver is behind {device}, whence it came")]
        found: list[Step] = []
        for outsider in walk.fabric.outsiders:
            if outsider.wire == self.name and (outsider.vlan or 0) == vlan and outsider.end.name != entered:
                found += _taken(outsider.end, packet)
        if found and not is_flooded(packet.eth_dst):
            return found
        for host, nic in self._wire.plugs:
            plug = f"{host} {nic}"
            if plug != entered and known in (None, plug) and host in walk.fabric.machines:
                following = walk.receive(walk.fabric.machines[host], "", nic, packet)
                how = "known" if known else "flood"
                found.append(Output(device=nic, how=how, packet=packet, next=following))
        return found or [Drop(code="nobody-on-wire", text=f"nobody else is on the wire {self.name}")]


def _taken(end: End, packet: Packet) -> list[Step]:
    """Gives what an outsider does with a frame; what is not for it is not worth telling.

    Somebody with addresses of both families is two outsiders with one MAC.
    """
    if (packet.eth_type == IPV6) is not (eth_type_of(end.address) == IPV6):
        return []
    if packet.eth_dst == end.mac or (packet.is_question and packet.target == end.address):
        return [Deliver(to=end, packet=packet)]
    return []
