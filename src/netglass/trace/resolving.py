"""Who has an address: the question and its answer, sent through the same fabric as the packet after them.

What the two teach the switches stays in the memory, so that the packet itself is switched as on real hosts, where it
is never the first frame of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netglass.trace.making import answer, question
from netglass.trace.packet import Packet
from netglass.trace.result import Deliver, Detail, Drop, End, Hop, Output, Step, deliveries

if TYPE_CHECKING:
    from netglass.trace.interpreter import Walk


@dataclass(frozen=True)
class NextHop:
    """What came of a question.

    mac       of who has the address; empty: nobody answered
    owner     who that is
    known     it was known already, and nobody was asked
    asked     the question's way
    answered  the answer's way; None when nobody had one to give
    """

    address: str
    sender: End
    mac: str = ""
    owner: End | None = None
    known: bool = False
    asked: Hop | None = None
    answered: Hop | None = None

    @property
    def asking(self) -> Packet:
        """Gives the question."""
        return question(self.sender.mac, self.sender.address, self.address)

    def told(self) -> list[Step]:
        """Gives the steps that say so; the question's own way, where it came to nothing."""
        if self.known:
            return []
        if self.mac:
            who = self.owner.name if self.owner is not None and self.owner.name else "the switch itself"
            return [Detail(text=f"Asks who has {self.address}, which {who} answers with {self.mac}.")]
        steps: list[Step] = []
        if self.asked is not None:
            steps.append(Output(device=self.sender.device, how="told", packet=self.asking, next=self.asked))
        if self.answered is not None:
            text = f"the answer that tells who has {self.address} does not come back"
            return [*steps, Drop(code="answer-lost", text=text)]
        return [*steps, Drop(code="no-answer", text=f"nobody answers the question who has {self.address}")]


def neighbour(walk: Walk, sender: End, address: str) -> NextHop:
    """Asks who has an address, from `sender`, whose own address it bears.

    walk  of the packet that waits for the answer
    """
    before = walk.memory.known.get(_place(sender, address))
    if before is not None:
        return NextHop(address, sender, before, known=True)
    asking = question(sender.mac, sender.address, address)
    asked = walk.another().emit(sender, asking)
    owner: End | None = None
    answered: Hop | None = None
    for taken in _answering(asked, sender):
        if taken.packet.is_answer:  # a switch gave it, in the place of who has it
            mac = taken.packet.arp_sha or taken.packet.eth_src
            _let_be_heard(walk, mac, address)
            walk.memory.known[_place(sender, address)] = mac
            return NextHop(address, sender, mac, asked=asked)
        owner, answered = taken.to, walk.another().emit(taken.to, answer(asking, taken.to.mac))
        if any(_is(back.to, sender) for back in deliveries(answered)):
            walk.memory.known[_place(sender, address)] = owner.mac
            if sender.address:  # who is asked remembers who asked
                walk.memory.known[_place(owner, sender.address)] = sender.mac
            return NextHop(address, sender, owner.mac, owner, asked=asked, answered=answered)
    return NextHop(address, sender, owner=owner, asked=asked, answered=answered)


def _place(end: End, address: str) -> tuple[str, str, str, str]:
    return (end.host, end.netns, end.device if end.host else end.name, address)


def _let_be_heard(walk: Walk, mac: str, address: str) -> None:
    """Lets who has a MAC speak once, as they have on real hosts when they got their address."""
    for end in walk.fabric.holders(mac):
        walk.another().emit(end, question(mac, address, address))


def _answering(asked: Hop, sender: End) -> Iterator[Deliver]:
    for taken in deliveries(asked):
        if taken.packet.is_answer == _is(taken.to, sender):
            yield taken


def _is(one: End, other: End) -> bool:
    places = [(end.host, end.netns, end.device, "" if end.host else end.name) for end in (one, other)]
    return places[0] == places[1]
