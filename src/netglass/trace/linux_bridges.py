"""What a Linux bridge does with a frame: learn, look up, flood."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netglass.desired.state import Link
from netglass.trace.fabric import Machine
from netglass.trace.packet import Packet
from netglass.trace.place import Place, why
from netglass.trace.result import Drop, Output, Step

if TYPE_CHECKING:
    from netglass.trace.interpreter import Walk


class LinuxBridge(Place):
    """A Linux bridge; `entered` is its port by which a frame comes."""

    kind = "bridge"

    def __init__(self, entered: Link) -> None:
        self.name = entered.master
        self._entered = entered

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives by which ports a frame leaves."""
        switch = (machine.host, self.name)
        walk.memory.saw(switch, packet.vlan or 0, packet.eth_src, device)
        bridge = machine.links.get((self._entered.netns, self.name))
        if bridge is None or not bridge.up:
            return [Drop(code="missing-device", text=f"the Linux bridge {self.name} is not there or down")]
        known = walk.memory.port_of(switch, packet.vlan or 0, packet.eth_dst)
        if known == device:
            return [Drop(code="same-port", text=f"its receiver is behind {device}, by which it came", **why(bridge))]
        ports = [link for link in machine.slaves[self.name] if link.name != device and known in (None, link.name)]
        how = "told" if len(machine.slaves[self.name]) == 2 else "known" if known else "flood"
        found: list[Step] = [
            Output(
                device=link.name,
                how=how,
                packet=packet,
                next=walk.transmit(machine, link.netns, link.name, packet),
                **why(link),
            )
            for link in ports
        ]
        return found or [Drop(code="no-other-port", text=f"{self.name} has no other port", **why(bridge))]
