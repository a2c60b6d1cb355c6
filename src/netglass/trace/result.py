"""What a trace says: a tree of hops and typed steps, which printers only read.

    Trace -> Hop -> steps …, Output -> Hop -> steps …, Output -> Hop … Deliver
                             Output -> Hop … Drop

A hop is one thing that looks at a packet: a switch, a Linux bridge, a wire, a namespace, a guest.  A packet forks where
a hop has more than one `Output`.  Every path ends in a leaf: `Deliver`, `Drop`, or a `Warn` where the tracer gave up.
Each step names the object of the desired state that did it, and by whose intent that object is there.
Source: STYLE.md, section E; the kinds of nodes are those of ``ovs-appctl ofproto/trace``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from netglass.trace.packet import Packet


class End(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who sends or gets packets.

    host     empty: nowhere
    netns    of a device of the host's; empty for guests' too
    device   a guest's tap (or what an outside compute service plugged), a namespace's device
    ref      ``port:<id>``; empty for who is no port of the cloud's
    name     what people call it; empty: nothing
    address  that the trace is about; empty where none is
    guest    it is behind the device, and not in the host's own namespaces
    """

    host: str = ""
    netns: str = ""
    device: str = ""
    mac: str = ""
    ref: str = ""
    name: str = ""
    address: str = ""
    guest: bool = False


class Changed(msgspec.Struct, frozen=True):
    """A field of the packet before and after; None: the packet did, or does, not have it."""

    field: str
    before: str | int | None
    after: str | int | None


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="step"):
    """One step.

    matched  key of the object that did it, as ``netglass plan`` prints it; empty: none of ours
    owner    the part of the compiler that made the object
    intent   references of the rows that it is there for
    """

    matched: str = ""
    changed: tuple[Changed, ...] = ()
    owner: str = ""
    intent: tuple[str, ...] = ()


class Enter(Node, frozen=True, kw_only=True, tag="enter"):
    """The packet comes in by a device (or leaves its sender)."""

    device: str
    packet: Packet


class Table(Node, frozen=True, kw_only=True, tag="table"):
    """An OpenFlow table is looked at; `priority` is None when no flow of it matches."""

    number: int
    name: str = ""
    priority: int | None = None
    actions: str = ""


class Rewrite(Node, frozen=True, kw_only=True, tag="rewrite"):
    """Fields are changed: `changed` says which."""


class Track(Node, frozen=True, kw_only=True, tag="track"):
    """Connection tracking is asked; `state` is what was found or assumed."""

    zone: int = 0
    state: str


class Route(Node, frozen=True, kw_only=True, tag="route"):
    """A route is chosen; `via` is empty for what is on the link."""

    destination: str
    device: str
    via: str = ""


class Nat(Node, frozen=True, kw_only=True, tag="nat"):
    """An address or port is translated: `changed` says which."""


class Filter(Node, frozen=True, kw_only=True, tag="filter"):
    """A rule says whether the packet may pass."""

    passes: bool
    text: str


class Encap(Node, frozen=True, kw_only=True, tag="encap"):
    """The packet goes into a tunnel; `key` is GRE's key or the VNI."""

    type: str
    key: int
    local: str
    remote: str


class Output(Node, frozen=True, kw_only=True, tag="output"):
    """A copy leaves by a device.

    how   ``known`` (learnt where the receiver is), ``flood``, or ``told`` (an action, or the only way on)
    next  where it comes to
    """

    device: str
    how: str
    packet: Packet
    next: Hop


CODES = {
    "answer-lost": "somebody has the next hop's address, and their answer does not come back",
    "dead-vlan": "the port is not wired, or must not be",
    "filtered": "an iptables rule says so",
    "flow-drops": "a flow says so",
    "forged": "its sender is not who it says it is, or may not send that",
    "link-down": "the device is down",
    "missing-bridge": "the switch is not there",
    "missing-device": "the device is not there",
    "no-answer": "nobody answers who has the next hop's address",
    "no-flow": "no flow of the first table matches",
    "no-other-port": "nothing else is on the bridge, or in the VLAN",
    "no-output": "no action of the flow sends it anywhere",
    "no-route": "who should send it has no route",
    "no-sender": "no host has a device for who should send it",
    "no-tunnel-end": "no host that was looked at takes what comes in the tunnel",
    "no-way-out": "the device leads nowhere",
    "nobody-listens": "it is for everybody, and nobody here listens",
    "nobody-on-wire": "nobody else is on the wire",
    "nobody-there": "no guest is behind the device",
    "not-for-address": "who gets it does not have the address, and does not forward",
    "not-for-mac": "who gets it has another MAC",
    "not-ip": "a network stack gets what is no packet of IP",
    "not-wired": "a flow says that the port must not pass frames",
    "reserved": "no bridge passes on what is for this MAC",
    "same-port": "its receiver is where it came from",
    "security-group": "no rule of the port's security groups lets it through",
    "tagged": "it has a VLAN tag where none may be",
    "too-big": "it has more bytes than a device on the way takes",
    "too-long": "it has more bytes than the sender's own device takes",
    "ttl": "its time to live ends",
    "unknown-network": "it is of no network that is on the host",
}
"""Why a packet ends, for programs: every `Drop.code`."""


class Drop(Node, frozen=True, kw_only=True, tag="drop"):
    """The packet ends here; `code` is one of `CODES`, `text` says why in words that follow "because"."""

    code: str
    text: str


class Deliver(Node, frozen=True, kw_only=True, tag="deliver"):
    """The packet is taken by one of its receivers."""

    to: End
    packet: Packet


class Detail(Node, frozen=True, kw_only=True, tag="detail"):
    """Something worth knowing, in a full sentence."""

    text: str


class Warn(Node, frozen=True, kw_only=True, tag="warn"):
    """The tracer cannot follow further here: what became of the packet is not known."""

    text: str


Step = Enter | Table | Rewrite | Track | Route | Nat | Filter | Encap | Output | Drop | Deliver | Detail | Warn
Leaf = Drop | Deliver | Warn


class Hop(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that looks at the packet.

    host   empty for what is on no host, such as a wire
    place  its name: of the switch, bridge, namespace (empty: the host's own), guest or wire
    kind   ``switch``, ``bridge`` (Linux), ``wire``, ``tunnel``, ``namespace``, ``guest``, ``outside``, ``device``
    """

    host: str
    place: str
    kind: str
    steps: tuple[Step, ...]


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back: an answer, a refusal, or ICMP's word on what became of the packet.

    packet     as who sends it would send it
    delivered  whether the packet's sender got it, and knows it for an answer
    unknown    they did not, and there is a place where the tracer could not follow it further
    why        a full sentence
    hops       where it starts
    """

    packet: Packet
    delivered: bool
    why: str
    hops: tuple[Hop, ...]
    unknown: bool = False


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one packet.

    evidence     where this comes from: ``model``
    packet       as its sender would send it; its MACs are empty when the sender does not find the next hop's
    delivered    whether `destination` got it
    unknown      it was not delivered, and there is a place where the tracer could not follow it further
    why          a full sentence
    hops         where it starts
    reply        what came back; None: nothing, or nobody looked
    assumptions  what was taken for granted, as full sentences
    caveats      what this source cannot know, as full sentences
    """

    evidence: str
    revision: int
    source: End
    destination: End
    packet: Packet
    delivered: bool
    why: str
    hops: tuple[Hop, ...]
    unknown: bool = False
    reply: Reply | None = None
    assumptions: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Says whether the packet was delivered, and answered where something came back."""
        return self.delivered and (self.reply is None or self.reply.delivered)


def hops_of(hop: Hop) -> Iterator[Hop]:
    """Gives a hop and all that come after it, in the order of the packet's copies."""
    yield hop
    for step in hop.steps:
        if isinstance(step, Output):
            yield from hops_of(step.next)


def where(hop: Hop) -> str:
    """Gives what people call the place of a hop, behind "at"."""
    if hop.host:
        return f"{hop.place or 'the host itself'} on {hop.host}"
    return hop.place if hop.kind in ("outside", "guest", "namespace") else f"the {hop.kind} {hop.place}".rstrip()


def leaves_of(hop: Hop, own: bool = False) -> Iterator[tuple[Hop, Leaf]]:
    """Gives where the copies of a packet end, each with the hop at which it does.

    own  without those of the questions that were asked on its way
    """
    for step in hop.steps:
        if isinstance(step, Drop | Deliver | Warn):
            yield hop, step
        elif isinstance(step, Output) and not (own and step.packet.is_question):
            yield from leaves_of(step.next, own)


def deliveries(hop: Hop) -> Iterator[Deliver]:
    """Gives every delivery."""
    return (leaf for _, leaf in leaves_of(hop) if isinstance(leaf, Deliver))


def without(hop: Hop, hidden: Callable[[Output], bool]) -> Hop:
    """Gives a hop without the copies that are not to be seen, saying that there are some."""
    shown: list[Step] = []
    left_out = False
    for step in hop.steps:
        if not isinstance(step, Output):
            shown.append(step)
        elif hidden(step):
            left_out = True
        else:
            shown.append(msgspec.structs.replace(step, next=without(step.next, hidden)))
    if left_out:
        shown.append(Detail(text="Sends copies to ports of others too, which are not shown."))
    return msgspec.structs.replace(hop, steps=tuple(shown))
