"""What an Open vSwitch bridge does with a packet: its tables, and the switching that NORMAL stands for.

Source: ovs-actions(7), "The normal action"; ofproto-dpif-xlate.c of Open vSwitch 3.1 for what VLAN modes let through,
compared with ``ofproto/trace`` in tests/lab/test_trace.py.
"""

from __future__ import annotations

import msgspec

from netglass.desired.state import DEAD_VLAN, Flow, SwitchPort
from netglass.pipeline import tables as declared
from netglass.trace.acting import Action, Learnt, applied, differences, learn, parse_actions
from netglass.trace.fabric import Machine
from netglass.trace.interpreter import Place, Walk, why
from netglass.trace.matching import NotUnderstoodError, matches
from netglass.trace.packet import Packet
from netglass.trace.result import Changed, Drop, Output, Rewrite, Step, Table, Warn

MOST_RESUBMITS = 64  # Open vSwitch's own limit of depth

_SORTS = {"br-int": "integration", "br-tun": "tunnel"}


class Switching(Place):
    """A bridge."""

    kind = "switch"

    def __init__(self, bridge: str) -> None:
        self.name = bridge

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives what the switch does with a packet that comes in by `device`."""
        return _Pipeline(walk, machine, self.name, device).run(packet)


class _Pipeline:
    """One packet in one bridge."""

    def __init__(self, walk: Walk, machine: Machine, bridge: str, in_port: str) -> None:
        self._walk, self._machine, self._bridge, self._in_port = walk, machine, bridge, in_port
        self._steps: list[Step] = []
        self._packet: Packet
        self._visits = 0

    def run(self, packet: Packet) -> list[Step]:
        if self._bridge not in self._machine.bridges:
            return [Drop(code="missing-bridge", text=f"there is no switch {self._bridge} there")]
        self._packet = packet
        self._table(0)
        if not any(isinstance(step, Output | Drop | Warn) for step in self._steps):
            self._steps.append(Drop(code="no-output", text="no action sends it anywhere"))
        return self._steps

    def _table(self, number: int) -> None:
        self._visits += 1
        if self._visits > MOST_RESUBMITS:
            self._steps.append(Warn(text=f"Given up after {MOST_RESUBMITS} tables of {self._bridge}."))
            return
        try:
            flow = self._matching(number)
            acts = parse_actions(flow.actions) if flow is not None else ()
        except NotUnderstoodError as error:
            self._steps.append(Warn(text=f"A flow of {self._bridge}, table {number}, is not understood: {error}."))
            return
        name = self._table_name(number)
        if flow is None:
            self._steps.append(Table(number=number, name=name))
            if number == 0:  # the bridge fails secure; a table that is resubmitted to may be empty
                self._steps.append(Drop(code="no-flow", text=f"no flow of table {number} matches, and none is dropped"))
            return
        named = why(flow) if isinstance(flow, Flow) else {"matched": f"learnt {flow.match}"}
        self._steps.append(Table(number=number, name=name, priority=flow.priority, actions=flow.actions, **named))
        for action in acts:
            self._act(action, flow)

    def _matching(self, number: int) -> Flow | Learnt | None:
        flows: list[Flow | Learnt] = list(self._machine.tables.get((self._bridge, number), ()))
        flows += self._walk.memory.learnt((self._machine.host, self._bridge), number)
        flows.sort(key=lambda flow: -flow.priority)
        return next((flow for flow in flows if matches(flow.match, self._packet, self._in_port)), None)

    def _table_name(self, number: int) -> str:
        sort = _SORTS.get(self._bridge, "provider")
        return next((t.name for t in declared.TABLES if t.bridge == sort and t.number == number), "")

    def _act(self, action: Action, flow: Flow | Learnt) -> None:
        named = why(flow) if isinstance(flow, Flow) else {"matched": f"learnt {flow.match}"}
        if action.verb == "goto":
            self._table(int(action.value or 0))
        elif action.verb in ("set", "move"):
            before, self._packet = self._packet, applied(action, self._packet)
            changed = tuple(Changed(*one) for one in differences(before, self._packet))
            if changed:
                self._steps.append(Rewrite(changed=changed, **named))
        elif action.verb == "learn":
            self._learn(str(action.value))
        elif action.verb == "output":
            self._output(str(action.value), "told", self._packet)
        elif action.verb == "back":
            self._output(self._in_port, "told", self._packet, back=True)
        elif action.verb == "normal":
            self._normal()
        else:
            code, text = self._reason(flow)
            self._steps.append(Drop(code=code, text=text, **named))

    def _reason(self, flow: Flow | Learnt) -> tuple[str, str]:
        owner = flow.owner if isinstance(flow, Flow) else ""
        if flow.priority == declared.DEAD and "dl_vlan" in flow.match:
            return "dead-vlan", "it is on the dead VLAN, whose ports must not pass frames"
        if flow.priority == declared.UNKNOWN and owner == "switching":
            return "unknown-network", "it is of no network that is on this host"
        if flow.priority == declared.NOT_WIRED and owner != "tunnels" and "in_port" in flow.match:
            return "not-wired", f"{self._in_port} must not pass frames"
        return "flow-drops", f"that is what the flow of priority {flow.priority} does"

    def _learn(self, text: str) -> None:
        try:
            found = learn(text, self._packet, self._in_port)
        except NotUnderstoodError as error:
            self._steps.append(Warn(text=f"{self._bridge} would learn something that is not understood: {error}."))
            return
        self._walk.memory.note((self._machine.host, self._bridge), found)

    def _output(self, name: str, how: str, packet: Packet, back: bool = False) -> None:
        if name == self._in_port and not back:
            return  # Open vSwitch never sends a packet back unless told so by name: IN_PORT
        port = self._machine.ports.get(name)
        if port is None or port.bridge != self._bridge:
            self._steps.append(Drop(code="missing-device", text=f"{self._bridge} has no port {name}"))
            return
        following = self._walk.leave(self._machine, port, packet)
        self._steps.append(Output(device=name, how=how, packet=packet, next=following, **why(port)))

    # --- NORMAL

    def _normal(self) -> None:
        entered = self._machine.ports.get(self._in_port)
        vlan = self._entering_vlan(entered)
        if vlan is None:
            return
        switch, packet, memory = (self._machine.host, self._bridge), self._packet, self._walk.memory
        memory.saw(switch, vlan, packet.eth_src, self._in_port)
        known = memory.port_of(switch, vlan, packet.eth_dst)
        if known == self._in_port:
            text = f"its receiver is behind {known}, by which it came"
            self._steps.append(Drop(code="same-port", text=text))
            return
        ports = [port for port in self._machine.ports_of.get(self._bridge, ()) if port.name != self._in_port]
        if known is not None:
            ports = [port for port in ports if port.name == known]
        else:
            ports = [port for port in ports if self._carries(port, vlan)]
        for port in ports:
            tagged = self._machine.mode(port) is None and vlan != 0
            leaving = msgspec.structs.replace(packet, vlan=vlan if tagged else None)
            self._output(port.name, "known" if known else "flood", leaving)
        if not ports:
            on = f"VLAN {vlan}" if vlan else "frames without a tag"
            self._steps.append(Drop(code="no-other-port", text=f"no other port of {self._bridge} carries {on}"))

    def _entering_vlan(self, port: SwitchPort | None) -> int | None:
        """Gives the VLAN that the packet is switched in, 0 for none; None when the port does not let it in."""
        vlan = self._packet.vlan or 0
        mode = self._machine.mode(port) if port is not None else None  # a bridge's own port is a trunk
        if mode is None:
            return vlan
        tag = self._machine.tags.get(self._in_port)
        named = why(tag) if tag is not None else {}
        if mode == DEAD_VLAN:
            text = f"{self._in_port} is on the dead VLAN: it is not wired, or must not be"
            self._steps.append(Drop(code="dead-vlan", text=text, **named))
            return None
        if vlan:
            text = f"it has VLAN tag {vlan}, and {self._in_port} takes only frames without one"
            self._steps.append(Drop(code="tagged", text=text, **named))
            return None
        return mode

    def _carries(self, port: SwitchPort, vlan: int) -> bool:
        return self._machine.mode(port) in (None, vlan)
