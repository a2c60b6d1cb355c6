"""What every thing that looks at packets has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netglass.desired.state import Thing
from netglass.trace.packet import Packet
from netglass.trace.result import Step

if TYPE_CHECKING:
    from netglass.trace.fabric import Machine
    from netglass.trace.interpreter import Walk


class Place:
    """Something that looks at packets.

    kind  as ``result.Hop`` has it
    name  as people know it
    """

    kind: str
    name: str

    def steps(self, walk: Walk, machine: Machine, device: str, packet: Packet) -> list[Step]:
        """Gives what happens to a packet that comes in by `device`."""
        raise NotImplementedError


def why(thing: Thing) -> dict[str, Any]:
    """Gives how a step names the object that did it."""
    key = thing.key.removeprefix("/").strip()
    return {"matched": f"{thing.kind} {key}", "owner": thing.owner, "intent": thing.intent}
