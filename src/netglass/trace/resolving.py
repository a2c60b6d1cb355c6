"""Who has an address: the question and its answer, sent through the same fabric as the packet after them.

What the two teach the switches stays in the memory, so that the packet itself is switched as on real hosts, where it
is never the first frame of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netglass.trace.fabric import Fabric
from netglass.trace.interpreter import Walk
from netglass.trace.memory import Memory
from netglass.trace.packet import answer, question
from netglass.trace.result import Deliver, Detail, Drop, End, Hop, Output, Step, deliveries


@dataclass(frozen=True)
class NextHop:
    """What came of a question.

    mac       of who has the address; empty: nobody answered
    owner     who that is
    asked     the question's way
    answered  the answer's way; None when nobody had one to give
    """

    address: str
    sender: End
    mac: str = ""
    owner: End | None = None
    asked: Hop | None = None
    answered: Hop | None = None

    def told(self) -> list[Step]:
        """Gives the steps that say so; the question's own way, where it came to nothing."""
        if self.mac:
            who = self.owner.name if self.owner is not None and self.owner.name else "the switch itself"
            return [Detail(text=f"Asks who has {self.address}, which {who} answers with {self.mac}.")]
        asking = question(self.sender.mac, self.sender.address, self.address)
        steps: list[Step] = []
        if self.asked is not None:
            steps.append(Output(device=self.sender.device, how="told", packet=asking, next=self.asked))
        if self.answered is not None:
            text = f"the answer that tells who has {self.address} does not come back"
            return [*steps, Drop(code="answer-lost", text=text)]
        return [*steps, Drop(code="no-answer", text=f"nobody answers the question who has {self.address}")]


def neighbour(fabric: Fabric, memory: Memory, sender: End, address: str) -> NextHop:
    """Asks who has an address, from `sender`, whose own address it bears."""
    asking = question(sender.mac, sender.address, address)
    asked = Walk(fabric, memory).emit(sender, asking)
    answered: Hop | None = None
    for taken in _answering(asked, sender):
        if taken.packet.is_answer:  # a switch gave it, in the place of who has it
            mac = taken.packet.arp_sha or taken.packet.eth_src
            _let_be_heard(fabric, memory, mac, address)
            return NextHop(address, sender, mac, None, asked)
        answered = Walk(fabric, memory).emit(taken.to, answer(asking, taken.to.mac))
        if any(_is(back.to, sender) for back in deliveries(answered)):
            return NextHop(address, sender, taken.to.mac, taken.to, asked, answered)
    return NextHop(address, sender, asked=asked, answered=answered)


def _let_be_heard(fabric: Fabric, memory: Memory, mac: str, address: str) -> None:
    """Lets who has a MAC speak once, as they have on real hosts when they got their address."""
    for end in fabric.holders(mac):
        Walk(fabric, memory).emit(end, question(mac, address, address))


def _answering(asked: Hop, sender: End) -> Iterator[Deliver]:
    for taken in deliveries(asked):
        if taken.packet.is_answer == _is(taken.to, sender):
            yield taken


def _is(one: End, other: End) -> bool:
    places = [(end.host, end.netns, end.device, "" if end.host else end.address) for end in (one, other)]
    return places[0] == places[1]
