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


class Drop(Node, frozen=True, kw_only=True, tag="drop"):
    """The packet ends here; `code` is stable, `text` says why in words that follow "because"."""

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


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one packet.

    evidence     where this comes from: ``model``
    packet       as its sender would send it; its MACs are empty when the sender does not find the next hop's
    delivered    whether `destination` got it
    why          a full sentence
    hops         where it starts; more than one when something else had to be sent first
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
    assumptions: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


def hops_of(hop: Hop) -> Iterator[Hop]:
    """Gives a hop and all that come after it, in the order of the packet's copies."""
    yield hop
    for step in hop.steps:
        if isinstance(step, Output):
            yield from hops_of(step.next)


def leaves_of(hop: Hop) -> Iterator[tuple[Hop, Leaf]]:
    """Gives where the copies of a packet end, each with the hop at which it does."""
    for place in hops_of(hop):
        for step in place.steps:
            if isinstance(step, Drop | Deliver | Warn):
                yield place, step


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
