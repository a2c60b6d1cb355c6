"""What comes back: the answer of whoever took the packet, or ICMP's word that it came to nothing.

The way back is a way of its own: it has routes, translation and filters, and may end elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from netglass.trace.fabric import Fabric
from netglass.trace.listening import is_refused, lease_for
from netglass.trace.making import answer, offer, refusal, reply_to
from netglass.trace.memory import Memory
from netglass.trace.packet import ICMP, ICMP6, UDP, Packet, is_flooded, what
from netglass.trace.resolving import NextHop
from netglass.trace.result import Deliver, Drop, End, Hop, Reply, Warn, deliveries, leaves_of, where
from netglass.trace.sending import begin


@dataclass(frozen=True)
class Question:
    """What was sent, by whom, and what came of it.

    sent   as it left its sender
    taken  who took it; None: nobody who was meant
    """

    sender: End
    sent: Packet
    taken: Deliver | None


Shown = Callable[[Hop], Hop]


def reply(fabric: Fabric, memory: Memory, asked: Question, shown: Shown) -> Reply | None:
    """Follows what comes back; None when nothing does.

    shown  leaves out of a hop what the caller may not see
    """
    found = _answer(fabric, asked) if asked.taken is not None else _error(memory)
    if found is None:
        return None
    who, packet, heard_from = found
    memory.errors.clear()
    start = begin(fabric, memory, who, packet, heard_from)
    delivered = any(_is_heard(one, asked) for one in deliveries(start))
    said = what(packet)
    unknown = not delivered and any(isinstance(leaf, Warn) for _, leaf in leaves_of(start))
    why = _why(said, start, delivered)
    return Reply(packet=packet, delivered=delivered, unknown=unknown, why=why, hops=(shown(start),))


def answer_told(found: NextHop, shown: Shown) -> Reply | None:
    """Gives the way of the answer to who has an address; None where nobody, or a switch on the way, gave it."""
    if found.answered is None or found.owner is None:
        return None
    packet = answer(found.asking, found.owner.mac)
    delivered = bool(found.mac)
    return Reply(
        packet=packet,
        delivered=delivered,
        why=_why(what(packet), found.answered, delivered),
        hops=(shown(found.answered),),
    )


def _answer(fabric: Fabric, asked: Question) -> tuple[End, Packet, str] | None:
    """Gives who answers with what, and by whose MAC the packet came to them."""
    taken = asked.taken
    assert taken is not None
    packet, who = taken.packet, taken.to
    if packet.ip_proto == UDP and packet.port_dst == 67 and is_flooded(packet.eth_dst):
        lease = lease_for(fabric.machines[who.host], who.netns, packet.eth_src) if who.host else None
        return (who, offer(packet, who.mac, lease.server, lease.address), "") if lease is not None else None
    back = reply_to(packet)
    if who.host and not who.guest and is_refused(fabric.machines[who.host], who.netns, packet):
        back = refusal(packet, packet.ip_dst)
    if back is None or is_flooded(packet.eth_dst):
        return None
    sender = who if who.host else msgspec.structs.replace(who, address=packet.ip_dst)
    return sender, back, packet.eth_src


def _error(memory: Memory) -> tuple[End, Packet, str] | None:
    if not memory.errors:
        return None
    end, packet = memory.errors[0]
    return end, packet, ""


def _is_heard(one: Deliver, asked: Question) -> bool:
    """Says whether a delivery is of something that the first sender knows for an answer to what it sent."""
    sender, sent = asked.sender, asked.sent
    if _identity(one.to) != _identity(sender):
        return False
    got = one.packet
    if got.cites is not None:
        return (got.cites.ip_src, got.cites.ip_dst) == (sent.ip_src, sent.ip_dst)
    if is_flooded(sent.eth_dst):
        return True
    same = (got.ip_src, got.ip_dst) == (sent.ip_dst, sent.ip_src)
    if got.ip_proto in (ICMP, ICMP6):
        return same and got.icmp_id == sent.icmp_id
    return same and (got.port_src, got.port_dst) == (sent.port_dst, sent.port_src)


def _identity(end: End) -> tuple[str, str, str, str]:
    """Tells senders apart; a namespace is one, whichever device of it a packet comes to."""
    return (end.host, end.netns, end.device if end.guest else "", "" if end.host else end.name)


def _why(said: str, start: Hop, delivered: bool) -> str:
    if delivered:
        return f"{said[0].upper()}{said[1:]} comes back."
    ends = list(leaves_of(start, own=True))
    last = [step for step in start.steps if isinstance(step, Drop)]
    hop, leaf = (start, last[-1]) if last else ends[-1] if ends else (start, None)
    if leaf is None:
        return f"What becomes of {said} is not shown."
    if isinstance(leaf, Deliver):
        text = f"comes from {leaf.packet.ip_src} to {leaf.packet.ip_dst}, and is no answer to what was sent"
        return f"{said[0].upper()}{said[1:]} {text}."
    if isinstance(leaf, Warn):
        return f"What becomes of {said} is not known: {leaf.text[0].lower()}{leaf.text[1:].rstrip('.')}."
    return f"{said[0].upper()}{said[1:]} ends at {where(hop)}: {leaf.text}."
