"""The trace of one packet by the model: every host concerned is compiled, and the states are interpreted.

Called by ``api.operations`` and by whatever wants to know whether one port reaches another.
Never: asks a host, or knows whether one is as it must be; that is ``netglass diff``'s business.
"""

from __future__ import annotations

from netglass.base.errors import Invalid
from netglass.model.resources import ROW_TYPE_BY_KIND, Host, LocalVlan, Network, Port, Row, Subnet
from netglass.model.snapshot import Snapshot
from netglass.trace.fabric import Fabric
from netglass.trace.interpreter import Walk
from netglass.trace.making import DHCP_SERVER, discover
from netglass.trace.memory import Memory
from netglass.trace.names import Asked, May, choose
from netglass.trace.packet import Packet, eth_type_of
from netglass.trace.placing import Around, end_at, fabric_around, label
from netglass.trace.replying import Question, answer_told, reply
from netglass.trace.resolving import NextHop, neighbour
from netglass.trace.result import Deliver, Drop, End, Hop, Output, Reply, Trace, Warn, deliveries, leaves_of, without
from netglass.trace.sending import begin
from netglass.trace.verdicts import assumptions, caveats, nowhere, why
from netglass.trace.wishes import ASKING, FINDING, Wish, addresses, first_packet

__all__ = ["Wish", "follow", "trace_model"]

_COMMON = (Host.kind, LocalVlan.kind, Network.kind, Subnet.kind)  # whose copies are told of, whoever owns them


def _anything(_: Row) -> bool:
    return True


def trace_model(snapshot: Snapshot, wish: Wish, may: May = _anything) -> Trace:
    """Traces a packet by the model.

    may  what the caller may trace from and to; everything, without

    Raises NotFound and Invalid for a wish that means nothing.
    Cost: compiles every host that has one of the networks concerned.
    """
    return follow(snapshot, wish, Memory(), may)


def follow(snapshot: Snapshot, wish: Wish, memory: Memory, may: May = _anything) -> Trace:
    """Traces a packet by the model as `trace_model` does; `memory` tells afterwards what passed, questions included."""
    return _Following(snapshot, wish.settled(), memory, may).trace()


class _Following:
    """One trace in the making."""

    def __init__(self, snapshot: Snapshot, wish: Wish, memory: Memory, may: May) -> None:
        self._snapshot, self._wish, self._memory, self._may = snapshot, wish, memory, may
        self._neighbour: NextHop | None = None  # what came of the question, where no more was asked for
        here, there = choose(snapshot, wish.source, wish.destination, may)
        self._ports = (*here.ports, *there.ports)
        source, destination = addresses(here, there)
        held = [address for asked, address in ((here, source), (there, destination)) if not asked.ports]
        self._fabric = fabric_around(snapshot, Around(self._ports, tuple(held), here.network))
        self._sender = self._placed(here.ports[0], source) if here.ports else _outsider(self._fabric, here, source)
        self._receiver = (
            self._placed(there.ports[0], destination) if there.ports else End(name=destination, address=destination)
        )

    def trace(self) -> Trace:
        packet, start = self._sent()
        taken = next((one for one in deliveries(start) if self._counts(one)), None)
        answer = None if self._wish.one_way else self._reply(packet, start, taken)
        shown = self._shown(start)
        return Trace(
            evidence="model",
            revision=self._snapshot.revision,
            source=self._sender,
            destination=self._receiver,
            packet=_left(start) or packet,
            delivered=taken is not None,
            why=why(self._snapshot, self._fabric, shown, taken, self._ports),
            hops=(shown,),
            unknown=taken is None and any(isinstance(leaf, Warn) for _, leaf in leaves_of(start)),
            reply=answer,
            assumptions=assumptions(self._fabric, self._wish, start, self._memory.hops, answer),
            caveats=caveats(self._wish),
        )

    def _sent(self) -> tuple[Packet, Hop]:
        """Gives the packet, and the hop that its sender is, with all that follows."""
        sender, wish = self._sender, self._wish
        if wish.protocol == FINDING:
            if not sender.guest:
                raise Invalid(f"{wish.source!r} is no guest, and looks for no DHCP server.")
            packet = discover(sender.mac)
            return packet, begin(self._fabric, self._memory, sender, packet)
        if wish.protocol == ASKING:
            return self._asked()
        packet = first_packet(wish, sender.address, self._receiver.address)
        return packet, begin(self._fabric, self._memory, sender, packet)

    def _asked(self) -> tuple[Packet, Hop]:
        """Gives the question who has the destination, and how it goes."""
        sender = self._sender
        packet = first_packet(Wish("", "", "icmp"), sender.address, self._receiver.address)
        if not sender.host and sender.ref:
            return packet, begin(self._fabric, self._memory, sender, packet)
        found = self._neighbour = neighbour(Walk(self._fabric, self._memory), sender, self._receiver.address)
        assert found.asked is not None
        step = Output(device=sender.device, how="told", packet=found.asking, next=found.asked)
        kind = "guest" if sender.guest else "namespace" if sender.host else "outside"
        return found.asking, Hop(host=sender.host, place=sender.netns or sender.name, kind=kind, steps=(step,))

    def _counts(self, one: Deliver) -> bool:
        """Says whether a delivery is of the packet itself, to whom it was meant for."""
        if self._wish.protocol == ASKING:
            mine = (one.to.host, one.to.device) == (self._sender.host, self._sender.device)
            return one.packet.is_answer is mine
        if one.packet.is_question or one.packet.is_answer:
            return False
        if self._wish.protocol == FINDING:
            return one.packet.port_dst == DHCP_SERVER and one.to.ref == self._receiver.ref
        return one.to.ref == self._receiver.ref if self._receiver.ref else True

    def _reply(self, packet: Packet, start: Hop, taken: Deliver | None) -> Reply | None:
        if self._neighbour is not None:
            return answer_told(self._neighbour, self._shown)
        question = Question(self._sender, _left(start) or packet, taken)
        return reply(self._fabric, self._memory, question, self._shown)

    def _shown(self, start: Hop) -> Hop:
        return without(start, self._is_others)

    def _is_others(self, step: Output) -> bool:
        """Says whether a copy goes to something of a project whose things the caller may not trace to."""
        refs = (reference.partition(":") for reference in step.intent)
        rows = [self._snapshot.get(ROW_TYPE_BY_KIND[kind], row_id) for kind, _, row_id in refs if kind not in _COMMON]
        return any(row is not None and row.project_id and not self._may(row) for row in rows)

    def _placed(self, port: Port, address: str) -> End:
        name = label(self._snapshot, port)
        return end_at(self._fabric, port, name, address) or nowhere(port, name, address)


def _outsider(fabric: Fabric, asked: Asked, address: str) -> End:
    """Gives who sends from outside: one on the external network, or beyond the provider's router there."""
    family = eth_type_of(address)
    there = [one.end for one in fabric.outsiders if one.network == asked.network and _family(one.end) == family]
    found = [end for end in there if end.address == address] or there
    if not found:
        text = f"{asked.word!r} is {address}, but no host that was looked at has a NIC on its physical network."
        raise Invalid(text)
    end = found[0]
    return End(mac=end.mac, device=end.device, name=end.name, address=address)


def _family(end: End) -> int:
    return eth_type_of(end.address)


def _left(start: Hop) -> Packet | None:
    """Gives the packet as it left its sender; None when it did not."""
    found = [step.packet for step in start.steps if isinstance(step, Output)]
    gave_up = any(isinstance(step, Drop) for step in start.steps)
    return found[-1] if found and not gave_up else None
