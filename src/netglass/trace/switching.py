"""What an Open vSwitch bridge does with a packet: its tables and their actions.

Source: ovs-actions(7); compared with ``ofproto/trace`` (tests/agreement).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netglass.desired.state import Flow
from netglass.pipeline import tables as declared
from netglass.trace.acting import Action, Learnt, applied, differences, learn, parse_actions
from netglass.trace.conversing import Tracking
from netglass.trace.fields import Frame, NotUnderstoodError, read
from netglass.trace.lookup import Entry, decisive
from netglass.trace.normal import Copy, switched
from netglass.trace.packet import Packet
from netglass.trace.permitting import dropped, permitted
from netglass.trace.place import Place, why
from netglass.trace.result import Changed, Drop, Output, Rewrite, Step, Table, Track, Warn

if TYPE_CHECKING:
    from netglass.trace.fabric import Machine
    from netglass.trace.interpreter import Walk

MOST_DEPTH = 64  # Open vSwitch's own limits
MOST_RESUBMITS = 64 * 64

_SORTS = {"br-int": "integration", "br-tun": "tunnel"}
_SETTING = ("set", "move", "untag", "untrack", "older")


class Switching(Place):
    """A bridge."""

    kind = "switch"

    def __init__(self, bridge: str) -> None:
        self.name = bridge

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives what the switch does with a packet that comes in by `device`."""
        return _Pipeline(walk, machine, self.name).run(Frame(packet, device))


class _Pipeline:
    """One packet in one bridge."""

    def __init__(self, walk: Walk, machine: Machine, bridge: str) -> None:
        self._walk, self._machine, self._bridge = walk, machine, bridge
        self._steps: list[Step] = []
        self._frame: Frame
        self._visits = 0
        self._depth = 0

    def run(self, frame: Frame) -> list[Step]:
        if self._bridge not in self._machine.bridges:
            return [Drop(code="missing-bridge", text=f"there is no switch {self._bridge} there")]
        self._frame = frame
        self._table(0)
        if not any(isinstance(step, Output | Drop | Warn) for step in self._steps):
            self._steps.append(Drop(code="no-output", text="no action sends it anywhere"))
        return self._steps

    def _table(self, number: int) -> None:
        self._visits += 1
        if self._visits > MOST_RESUBMITS:
            self._steps.append(Warn(text=f"Given up after {MOST_RESUBMITS} tables of {self._bridge}."))
            return
        self._depth += 1
        try:
            if self._depth > MOST_DEPTH:
                self._steps.append(Warn(text=f"Given up {MOST_DEPTH} tables deep in {self._bridge}."))
            else:
                self._look(number)
        finally:
            self._depth -= 1

    def _look(self, number: int) -> None:
        try:
            found = decisive(self._flows(number), self._frame)
            flow = found.flow if found is not None else None
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
        named = _named(flow)
        self._steps.append(Table(number=number, name=name, priority=flow.priority, actions=flow.actions, **named))
        if found is not None and found.clauses:
            self._steps += permitted(self._machine, flow, found.clauses)
        for action in acts:
            self._act(action, flow)

    def _flows(self, number: int) -> list[Entry]:
        flows: list[Entry] = list(self._machine.tables.get((self._bridge, number), ()))
        learnt = self._walk.memory.learnt((self._machine.host, self._bridge), number)
        return sorted([*flows, *learnt], key=lambda flow: -flow.priority) if learnt else flows

    def _table_name(self, number: int) -> str:
        sort = _SORTS.get(self._bridge, "provider")
        return next((t.name for t in declared.TABLES if t.bridge == sort and t.number == number), "")

    def _act(self, action: Action, flow: Entry) -> None:
        verb = action.verb
        if verb in _SETTING:
            self._set(action, flow)
        elif verb == "goto":
            self._table(int(str(action.value)))
        elif verb == "learn":
            self._learn(str(action.value))
        elif verb == "output":
            self._output(Copy(str(action.value), "told", self._frame.packet))
        elif verb == "put":
            self._put(action)
        elif verb == "back":
            self._output(Copy(self._frame.in_port, "told", self._frame.packet), back=True)
        elif verb == "clone":
            self._clone(str(action.value), flow)
        elif verb == "noport":
            self._frame = self._frame._replace(in_port="")
        elif verb == "normal":
            self._normal()
        elif verb == "track":
            self._track(str(action.value), flow)
        elif verb == "drop":
            code, text = self._reason(flow)
            self._steps.append(
                dropped(self._machine, self._frame, self._steps) or Drop(code=code, text=text, **_named(flow))
            )

    def _set(self, action: Action, flow: Entry) -> None:
        before, self._frame = self._frame.packet, applied(action, self._frame)
        changed = tuple(Changed(*one) for one in differences(before, self._frame.packet))
        if changed:
            self._steps.append(Rewrite(changed=changed, **_named(flow)))

    def _reason(self, flow: Entry) -> tuple[str, str]:
        owner = flow.owner if isinstance(flow, Flow) else ""
        if flow.priority == declared.DEAD and "dl_vlan" in flow.match:
            return "dead-vlan", "it is on the dead VLAN, whose ports must not pass frames"
        if flow.priority == declared.UNKNOWN and owner == "switching":
            return "unknown-network", "it is of no network that is on this host"
        if flow.priority == declared.NOT_WIRED and owner in ("plugging", "dhcp", "routing") and "in_port" in flow.match:
            return "not-wired", f"{self._frame.in_port} must not pass frames"
        return "flow-drops", f"that is what the flow of priority {flow.priority} does"

    def _learn(self, text: str) -> None:
        try:
            found = learn(text, self._frame)
        except NotUnderstoodError as error:
            self._steps.append(Warn(text=f"{self._bridge} would learn something that is not understood: {error}."))
            return
        self._walk.memory.note((self._machine.host, self._bridge), found)

    def _clone(self, text: str, flow: Entry) -> None:
        """Does actions with a copy; the packet goes on as it was."""
        kept = self._frame
        try:
            for action in parse_actions(text):
                self._act(action, flow)
        except NotUnderstoodError as error:
            self._steps.append(Warn(text=f"A flow of {self._bridge} is not understood: {error}."))
        self._frame = kept

    def _put(self, action: Action) -> None:
        assert action.field is not None
        number = read(action.field, self._frame)
        text = f"{self._bridge} sends it to port number {number}, and which port that is, only the switch knows"
        self._steps.append(Warn(text=f"{text}."))

    def _track(self, text: str, flow: Entry) -> None:
        """Asks connection tracking; where that names a table, a copy goes on there, with what was found."""
        tracking = Tracking(self._walk.memory.tracker, self._machine.host)
        try:
            asked = tracking.ask(text, self._frame)
        except NotUnderstoodError as error:
            self._steps.append(Warn(text=f"A flow of {self._bridge} is not understood: {error}."))
            return
        if asked.told:
            self._steps.append(Track(zone=asked.zone, state=asked.told, **_named(flow)))
        changed = tuple(Changed(*one) for one in differences(self._frame.packet, asked.frame.packet))
        if changed:
            self._steps.append(Rewrite(changed=changed, **_named(flow)))
        if asked.table is None:
            self._frame = self._frame._replace(packet=asked.frame.packet)
            return
        kept, self._frame = self._frame, asked.frame
        self._table(asked.table)
        self._frame = kept

    def _normal(self) -> None:
        machine, memory = self._machine, self._walk.memory
        for found in switched(machine, memory, self._bridge, self._frame.in_port, self._frame.packet):
            if isinstance(found, Drop):
                self._steps.append(found)
            else:
                self._output(found)

    def _output(self, copy: Copy, back: bool = False) -> None:
        if copy.port == self._frame.in_port and not back:
            return  # Open vSwitch never sends a packet back unless told so by name: IN_PORT
        port = self._machine.ports.get(copy.port)
        if port is None or port.bridge != self._bridge:
            self._steps.append(Drop(code="missing-device", text=f"{self._bridge} has no port {copy.port}"))
            return
        following = self._walk.leave(self._machine, port, copy.packet)
        self._steps.append(Output(device=copy.port, how=copy.how, packet=copy.packet, next=following, **why(port)))


def _named(flow: Entry) -> dict[str, Any]:
    return {"matched": f"learnt {flow.match}"} if isinstance(flow, Learnt) else why(flow)
