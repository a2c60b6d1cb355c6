"""The switching that NORMAL stands for: VLANs in, learning, known or flooded, VLANs out.

Source: ovs-actions(7), "The normal action"; ofproto-dpif-xlate.c of Open vSwitch 3.1 for what VLAN modes let through,
compared with ``ofproto/trace`` (tests/agreement).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from netglass.desired.state import DEAD_VLAN, SwitchPort
from netglass.trace.fabric import Machine
from netglass.trace.memory import Memory
from netglass.trace.packet import Packet, bits_of
from netglass.trace.place import why
from netglass.trace.result import Drop

_RESERVED = (0x0180C2000000, 0x0180C200000F)  # IEEE 802.1Q, 8.6.3: never forwarded by a bridge


class Copy(NamedTuple):
    """One copy that leaves; `how` is as ``result.Output`` has it."""

    port: str
    how: str
    packet: Packet


def switched(machine: Machine, memory: Memory, bridge: str, in_port: str, packet: Packet) -> Iterator[Copy | Drop]:
    """Gives what NORMAL does with a frame that came by `in_port`, and remembers its sender; empty: by no port."""
    entered = machine.ports.get(in_port)
    vlan = _entering(machine, in_port, entered, packet)
    if isinstance(vlan, Drop):
        yield vlan
        return
    if _RESERVED[0] <= bits_of(packet.eth_dst) <= _RESERVED[1]:
        yield Drop(code="reserved", text=f"no bridge passes on what is for {packet.eth_dst}")
        return
    switch = (machine.host, bridge)
    if in_port:
        memory.saw(switch, vlan, packet.eth_src, in_port)
    known = memory.port_of(switch, vlan, packet.eth_dst)
    if known is not None and known == in_port:
        yield Drop(code="same-port", text=f"its receiver is behind {known}, by which it came")
        return
    ports = [port for port in machine.ports_of.get(bridge, ()) if port.name != in_port]
    if known is not None:
        ports = [port for port in ports if port.name == known]
    else:
        ports = [port for port in ports if machine.mode(port) in (None, vlan)]
    for port in ports:
        tagged = machine.mode(port) is None and vlan != 0
        leaving = msgspec.structs.replace(packet, vlan=vlan if tagged else None)
        yield Copy(port.name, "known" if known else "flood", leaving)
    if not ports:
        on = f"VLAN {vlan}" if vlan else "frames without a tag"
        yield Drop(code="no-other-port", text=f"no other port of {bridge} carries {on}")


def _entering(machine: Machine, in_port: str, port: SwitchPort | None, packet: Packet) -> int | Drop:
    """Gives the VLAN that the packet is switched in, 0 for none; why, when the port does not let it in."""
    vlan = packet.vlan or 0
    mode = machine.mode(port) if port is not None else None
    if mode is None:
        return vlan
    tag = machine.tags.get(in_port)
    named = why(tag) if tag is not None else {}
    if mode == DEAD_VLAN:
        text = f"{in_port} is on the dead VLAN: it is not wired, or must not be"
        return Drop(code="dead-vlan", text=text, **named)
    if vlan:
        text = f"it has VLAN tag {vlan}, and {in_port} takes only frames without one"
        return Drop(code="tagged", text=text, **named)
    return mode
