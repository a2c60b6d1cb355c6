"""What is remembered from the frames that passed: where senders are, flows that switches made, conversations, errors.

The tracer lets the question for an address and its answer pass before the packet, as they do on real hosts, so that
every switch on the way has heard both ends; and the reply after it, which is known by what the packet left behind.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netglass.trace.acting import Learnt
from netglass.trace.packet import Packet, is_flooded
from netglass.trace.result import End, Hop
from netglass.trace.tracking import Tracker

Switch = tuple[str, str]
"""A host (empty: none) and the name of what switches there."""


@dataclass
class Memory:
    """Grows while frames pass; everything in it is younger than any timeout.

    known    (host, namespace, device, address) -> MAC of who has it, as who asked, or was asked, remembers
    tracker  conversations, wherever they are followed
    errors   ICMP errors that are due, with who sends them
    """

    places: dict[tuple[Switch, int, str], str] = field(default_factory=dict)
    flows: dict[tuple[Switch, int], list[Learnt]] = field(default_factory=dict)
    known: dict[tuple[str, str, str, str], str] = field(default_factory=dict)
    tracker: Tracker = field(default_factory=Tracker)
    errors: list[tuple[End, Packet]] = field(default_factory=list)
    _hops: list[Hop | None] = field(default_factory=list)

    @property
    def hops(self) -> list[Hop]:
        """Gives every hop of every frame, in the order in which they came there."""
        return [hop for hop in self._hops if hop is not None]

    def turn(self) -> int:
        """Gives the number of the hop that begins now."""
        self._hops.append(None)
        return len(self._hops) - 1

    def happened(self, turn: int, hop: Hop) -> None:
        """Notes what came of a hop."""
        self._hops[turn] = hop

    def saw(self, switch: Switch, vlan: int, mac: str, port: str) -> None:
        """Notes that a sender is behind a port; 0 is the VLAN of frames without a tag."""
        if mac and not is_flooded(mac):
            self.places[switch, vlan, mac] = port

    def port_of(self, switch: Switch, vlan: int, mac: str) -> str | None:
        """Gives the port that a receiver is behind; None when it was not heard, or is many."""
        return self.places.get((switch, vlan, mac))

    def note(self, switch: Switch, flow: Learnt) -> None:
        """Notes a flow, in the place of the one of equal table, priority and match."""
        known = self.flows.setdefault((switch, flow.table), [])
        known[:] = [other for other in known if other[:3] != flow[:3]] + [flow]

    def learnt(self, switch: Switch, table: int) -> list[Learnt]:
        """Gives the flows that a switch made itself in a table."""
        return self.flows.get((switch, table), [])
