"""A trace in plain sentences: numbered, one for each hop, with names, tags and keys.

Only reads the tree.  Numbers stand beside what they are called: ``table 0 (CLASSIFY)``, ``VLAN 1``, ``key 7 (0x7)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netglass.trace.packet import Packet, what
from netglass.trace.result import (
    Changed,
    Deliver,
    Detail,
    Drop,
    Encap,
    End,
    Enter,
    Filter,
    Hop,
    Nat,
    Output,
    Reply,
    Rewrite,
    Route,
    Step,
    Table,
    Trace,
    Track,
    Warn,
)

_FIELDS = {
    "eth_src": "sender's MAC",
    "eth_dst": "receiver's MAC",
    "ip_src": "source",
    "ip_dst": "destination",
    "ttl": "time to live",
    "port_src": "source port",
    "port_dst": "destination port",
    "arp_op": "ARP operation",
    "arp_sha": "ARP sender's MAC",
    "arp_tha": "ARP target's MAC",
}
_GIVES_UP = dict.fromkeys(("no-answer", "answer-lost", "no-sender", "no-route", "too-long"), "gives up")
_HOW = {"known": ", behind which the receiver was heard", "flood": "", "told": ""}

Names = Callable[[str], str]


@dataclass(frozen=True)
class Line:
    """One sentence.

    number  from 1, in the order of the packet's copies, and on with those of the reply
    depth   how many forks are above it
    text    the sentence, without its number
    why     objects and intent behind it; empty: nothing of ours
    ends    ``delivered``, ``dropped``, ``unknown``, or empty when the packet goes on
    """

    number: int
    depth: int
    text: str
    why: tuple[str, ...] = ()
    ends: str = ""


@dataclass(frozen=True)
class Section:
    """A packet's way, or that of what came back.

    heading  what was sent, by whom and to whom
    verdict  the end of it
    good     it arrived
    """

    heading: str
    lines: tuple[Line, ...]
    verdict: str
    good: bool


def sections(trace: Trace, name_of: Names = str) -> Iterator[Section]:
    """Gives a trace as people read it: the packet's way, and where something came back, the way of that.

    name_of  how an intent reference is shown; as it is, without
    """
    ends = f"{_end(trace.source)} to {_end(trace.destination)}"
    heading = f"{_sent(trace.packet)}: {ends}, by the {trace.evidence} at revision {trace.revision}"
    lines = tuple(_lines(trace.hops, 0, name_of))
    word = "Delivered" if trace.delivered else "Not known" if trace.unknown else "Dropped"
    yield Section(heading, lines, f"{word}. {trace.why}", trace.delivered)
    if trace.reply is not None:
        back = tuple(_lines(trace.reply.hops, len(lines), name_of))
        yield Section(f"{_sent(trace.reply.packet)}:", back, _outcome(trace, trace.reply), trace.reply.delivered)


def _outcome(trace: Trace, reply: Reply) -> str:
    if reply.unknown:
        return f"Not known. {reply.why}"
    if reply.packet.tcp_flags == "ACK,RST" or (trace.delivered and reply.packet.is_error):
        return f"{'Refused' if reply.delivered else 'Refused, without a word'}. {reply.why}"
    if trace.delivered:
        return f"{'Answered' if reply.delivered else 'Not answered'}. {reply.why}"
    return f"{'Told' if reply.delivered else 'Not told'}. {reply.why}"


def _sent(packet: Packet) -> str:
    said = what(packet)
    if packet.is_question or packet.is_answer:
        return f"{said[0].upper()}{said[1:]}"
    return f"{said} from {packet.ip_src} to {packet.ip_dst}"


def _lines(hops: tuple[Hop, ...], number: int, name_of: Names) -> Iterator[Line]:
    for hop in hops:
        for depth, at in _placed(hop, 0):
            number += 1
            yield Line(number, depth, _sentence(at), tuple(_reasons(at, name_of)), _ends(at))


def _placed(hop: Hop, depth: int) -> Iterator[tuple[int, Hop]]:
    yield depth, hop
    outputs = [step for step in hop.steps if isinstance(step, Output)]
    for step in outputs:
        yield from _placed(step.next, depth + (len(outputs) > 1))


def _sentence(hop: Hop) -> str:
    """Gives all that happens at a hop as one sentence."""
    outputs = [step for step in hop.steps if isinstance(step, Output)]
    parts = list(filter(None, (_part(hop, step) for step in hop.steps)))
    if outputs:
        # What was sent before the sender gave up comes before what it says of that.
        gave_up = isinstance(hop.steps[-1], Drop)
        parts.insert(len(parts) - gave_up, _sends(hop, outputs))
    sentence = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] if parts else "does nothing"
    return f"{_subject(hop)} {sentence}."


def _subject(hop: Hop) -> str:
    if hop.kind == "wire":
        return f"The wire of physical network {hop.place}" if hop.place else "The wire"
    named = {
        "bridge": f"Linux bridge {hop.place}",
        "tunnel": f"Tunnel port {hop.place}",
        "namespace": f"Namespace {hop.place}" if hop.place else "The network stack",
        "guest": f"Guest {hop.place}",
        "outside": hop.place,
    }.get(hop.kind, hop.place)
    return f"{named} on {hop.host}" if hop.host else named


def _part(hop: Hop, step: Step) -> str:
    """Gives what a step adds to its hop's sentence; nothing for what is said elsewhere in it."""
    match step:
        case Enter():
            return _entered(hop, step)
        case Table():
            return _looked(step)
        case Rewrite() | Nat():
            return " and ".join(map(_change, step.changed))
        case Track():
            return f"finds its connection {step.state} in zone {step.zone}"
        case Route():
            return f"routes it {f'via {step.via}' if step.via else 'on the link'} (by {step.destination})"
        case Filter():
            return step.text
        case Encap():
            kind = _TYPES.get(step.type, step.type)
            return f"puts it into {kind}, key {_key(step.key)}, from {step.local} to {step.remote}"
        case Deliver():
            return "accepts it" if step.to.host else f"{step.to.name or step.to.address} accepts it"
        case Drop():
            return f"{_GIVES_UP.get(step.code, 'drops it')}: {step.text}"
        case Detail() | Warn():
            return ("is where the trace ends: " if isinstance(step, Warn) else "") + _within(step.text)
        case Output():
            return ""


def _within(sentence: str) -> str:
    """Gives a sentence as part of another."""
    return sentence[0].lower() + sentence[1:].rstrip(".")


def _entered(hop: Hop, step: Enter) -> str:
    if hop.kind == "wire":
        return f"takes it from {step.device}"
    if hop.kind == "device":
        return "is where it comes to"
    if hop.kind == "tunnel":
        return ""
    carried = f" with {_tag(step.packet)}" if step.packet.vlan is not None and hop.kind == "switch" else ""
    keyed = f" with key {_key(step.packet.tun_id)}" if step.packet.tun_id and hop.kind == "switch" else ""
    return f"gets it by {step.device}{carried}{keyed}"


def _looked(step: Table) -> str:
    name = f" ({step.name})" if step.name else ""
    if step.priority is None:
        return f"finds no flow for it in table {step.number}{name}"
    learnt = ", learnt," if step.matched.startswith("learnt") else ""
    return f"finds the flow of priority {step.priority}{learnt} in table {step.number}{name}"


def _change(change: Changed) -> str:
    before, after = change.before, change.after
    if change.field == "vlan":
        if after is None:
            return f"strips VLAN {before}"
        return f"puts VLAN {after} on it" if before is None else f"rewrites VLAN {before} to {after}"
    if change.field == "tun_id":
        return f"sets key {_key(after)}" if after is not None else f"forgets key {_key(before)}"
    name = _FIELDS.get(change.field, change.field)
    return (
        f"rewrites the {name} from {before} to {after}" if before not in (None, "") else f"sets the {name} to {after}"
    )


def _sends(hop: Hop, outputs: list[Output]) -> str:
    if hop.kind == "wire":
        return "brings it to " + _list([f"{step.next.host}'s {step.device}" for step in outputs])
    if hop.kind == "tunnel":
        return "reaches " + _list([f"{step.device} on {step.next.host}" for step in outputs])
    if len(outputs) == 1:
        step = outputs[0]
        first = hop.kind in ("guest", "namespace", "outside")
        said = f"sends {_described(step.packet) if first else 'it'} out of {step.device}"
        with_tag = f" with {_tag(step.packet)}" if step.packet.vlan is not None else ""
        return said + with_tag + _HOW[step.how]
    return f"floods it out of {_list([step.device for step in outputs])}"


def _described(packet: Packet) -> str:
    if packet.is_question:
        return what(packet)
    return f"it from {packet.eth_src} to {packet.eth_dst}"


_TYPES = {"gre": "GRE", "vxlan": "VXLAN", "geneve": "Geneve"}


def _ends(hop: Hop) -> str:
    kinds = {type(step) for step in hop.steps}
    if Deliver in kinds:
        return "delivered"
    if Warn in kinds:
        return "unknown"
    return "dropped" if Drop in kinds else ""


def _reasons(hop: Hop, name_of: Names) -> Iterator[str]:
    """Gives the objects behind a hop, each once, with who wants them and why."""
    seen = set()
    for step in hop.steps:
        if not step.intent or isinstance(step, Detail):
            continue
        who = " ".join(filter(None, [step.owner, *map(name_of, step.intent)]))
        told = f"{step.matched}  # {who}" if step.matched else f"# {who}"
        if told not in seen:
            seen.add(told)
            yield told


def _tag(packet: Packet) -> str:
    return f"VLAN {packet.vlan}"


def _key(number: int | str | None) -> str:
    return f"{number} ({int(number or 0):#x})"


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _end(end: End) -> str:
    at = f" on {end.host}" if end.host else ""
    return f"{end.name or end.address}{at}"
