"""What lies between hosts: wires with whoever else is on them, and tunnels."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import msgspec

from netglass.desired.state import SwitchPort
from netglass.trace.fabric import Machine, Outsider, Wire
from netglass.trace.packet import Packet, is_flooded
from netglass.trace.place import Place, why
from netglass.trace.result import Deliver, Drop, Encap, Output, Step, Warn

if TYPE_CHECKING:
    from netglass.trace.interpreter import Walk

# RFC 1918, RFC 3927, RFC 6598.
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")))


class OnWire(Place):
    """A wire, as a learning switch between all NICs and outsiders on it."""

    kind = "wire"

    def __init__(self, wire: Wire | None, entered: str) -> None:
        self.name = wire.name if wire is not None else ""
        self._wire = wire
        self._entered = entered

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives to whom the wire brings a frame."""
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
                found += _taken(outsider, packet)
        if found and not is_flooded(packet.eth_dst):
            return found
        for host, nic in self._wire.plugs:
            plug = f"{host} {nic}"
            if plug != entered and known in (None, plug) and host in walk.fabric.machines:
                following = walk.receive(walk.fabric.machines[host], "", nic, packet)
                how = "known" if known else "flood"
                found.append(Output(device=nic, how=how, packet=packet, next=following))
        return found or [Drop(code="nobody-on-wire", text=f"nobody else is on the wire {self.name}")]


def _taken(outsider: Outsider, packet: Packet) -> Iterator[Step]:
    """Gives what an outsider does with a frame; what is not for it is not worth telling."""
    end = outsider.end
    if packet.is_question:
        if packet.target == end.address:
            yield Deliver(to=end, packet=packet)
    elif packet.eth_dst == end.mac:
        here = packet.is_answer or _is_here(outsider, packet.ip_dst)
        if not here and is_private(packet.ip_dst):
            text = f"{end.name} takes it, and who there has {packet.ip_dst}, which is a private address, is not known"
            yield Warn(text=f"{text}.")
        elif packet.ip_dst == end.address or packet.is_answer or not here:
            yield Deliver(to=end, packet=packet)
        else:
            yield Drop(code="not-for-address", text=f"{end.name} has {end.address}")


def _is_here(outsider: Outsider, address: str) -> bool:
    return any(ip_address(address) in ip_network(subnet) for subnet in outsider.subnets)


def is_private(address: str) -> bool:
    """Says whether an address of IPv4 means somebody else in every network."""
    held = ip_address(address)
    return held.version == 4 and any(held in network for network in _PRIVATE)


class Tunnel(Place):
    """A tunnel, from one host's switch to another's; what carries it is not looked at."""

    kind = "tunnel"

    def __init__(self, port: SwitchPort) -> None:
        self.name = port.name
        self._port = port

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives where a frame comes out."""
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
        following = walk.switch(there, entry, inner)
        return [step, Output(device=entry.name, how="told", packet=inner, next=following, **why(entry))]
