"""What a Linux bridge does with a frame: learn, look up, flood, and let iptables and ebtables have their say.

Source: Linux, br_netfilter_hooks.c: bridged packets of IP pass iptables' hooks with the bridge as their device, and its
ports as their physdev.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from netglass.desired.state import Link
from netglass.trace.chains import consult
from netglass.trace.crossing import Crossing
from netglass.trace.fabric import Machine
from netglass.trace.fitting import Passing
from netglass.trace.packet import IPV4, IPV6, Packet
from netglass.trace.place import Place, why
from netglass.trace.result import Drop, Output, Step, Warn

if TYPE_CHECKING:
    from netglass.trace.interpreter import Walk


_FRAMES = 0  # in place of an IP version: ebtables
_SETTINGS = {IPV4: "net/bridge/bridge-nf-call-iptables", IPV6: "net/bridge/bridge-nf-call-ip6tables"}


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
        found: list[Step] = []
        for link in ports:
            passes, steps = self._filtered(walk, machine, device, link.name, packet)
            found += steps
            if passes:
                following = walk.transmit(machine, link.netns, link.name, packet)
                found.append(Output(device=link.name, how=how, packet=packet, next=following, **why(link)))
        return found or [Drop(code="no-other-port", text=f"{self.name} has no other port", **why(bridge))]

    def _filtered(
        self, walk: Walk, machine: Machine, entered: str, leaving: str, packet: Packet
    ) -> tuple[bool, list[Step]]:
        """Gives whether a frame may go from one port to another, and what said so."""
        netns = self._entered.netns
        frames = consult(machine.rules(netns, _FRAMES, "filter"), "FORWARD", Passing(packet, entered, leaving))
        steps = list(frames.steps)
        if not frames.passes:
            if not any(isinstance(step, Warn) for step in steps):
                steps.append(Drop(code="filtered", text="no guest may get such frames"))
            return False, steps
        setting = _SETTINGS.get(packet.eth_type)
        if setting is None or packet.vlan is not None or machine.setting(netns, setting) != "1":
            return True, steps
        passing = Passing(
            packet, self.name, bridged_in=entered, bridged_out=leaving, sets=machine.sets if not netns else None
        )
        crossing = Crossing(walk.memory, machine, netns, passing)
        passes = crossing.through("PREROUTING")
        crossing.passing = replace(crossing.passing, leaving=self.name)
        passes = passes and crossing.through("FORWARD") and crossing.through("POSTROUTING")
        return passes, [*steps, *crossing.steps]
