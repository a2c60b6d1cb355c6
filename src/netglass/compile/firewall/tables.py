"""Renders guards as flows of br-int with connection tracking, for the driver without a Linux bridge.

    from a guest   0 -> 24 -> 25 -> 71  its addresses       -> ct -> 72  what it may open       -> 91 -> 73 -> 60
    to a guest     60 ------------> 81  what always passes  -> ct -> 82  what may open to it    -> 91 -> 92 its device

An answer is judged as the packet that opened its connection was, by the rules of both ends (the ct_ fields hold that
packet's addresses and ports, RULES_EGRESS and RULES_INGRESS ask them): a packet that answers goes from 72 to 82, and
from 82 to 72.  So a rule or a member that is taken away ends just what it let through, in both directions, with the
next packet, and whoever was running then; nothing has to be flushed.

A guarded port's device is on no VLAN for NORMAL (`PortTag.guarded`): what it sends is switched as if it came by no
port, what it receives is given to it by name.  Broadcasts reach it here too, and not by NORMAL past its rules.

    reg5  which guest        reg6  local VLAN tag, and zone        reg7  on which way (below)

Groups, not ports, have the rules: a conjunction says that the guest is in a group, that the packet is of a permit's
kind, and that the remote side is in a set, each with flows of its own.  So the members of a set cost as many flows as
it takes prefixes to tell them, for each direction in which the set is used, and a rule as many flows in a group of 300
as in one of 3.
Source: DATAPLANE.md, "br-int"; Neutron's openvswitch_firewall for the numbers of tables and registers 5 and 6;
ovs-fields(7) "Conjunctive Match Fields", "Connection Tracking Fields".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from netglass.base.ids import tap_name
from netglass.base.memory import remembered
from netglass.compile.firewall.clauses import Clauses
from netglass.compile.firewall.guards import PORTS, Firewall, Guard
from netglass.compile.firewall.numbers import numbers
from netglass.compile.firewall.sources import address_text, classify, drop_flow, render_sources, table_flow
from netglass.compile.place import Place
from netglass.desired.state import Flow
from netglass.model.resources import ref
from netglass.pipeline import tables
from netglass.pipeline.flows import (
    ANY_PORT,
    MULTICAST,
    NORMAL,
    STRIP_VLAN,
    TAGGED,
    UNTAGGED,
    Match,
    actions,
    clone,
    commit,
    goto,
    output,
    set_register,
    set_vlan,
    track,
    track_in,
)
from netglass.pipeline.tables import Table

GUEST, NET, WAY = 5, 6, 7  # registers
FROM, TO, STATELESS = 0x1, 0x2, 0x4  # bits of the way

Fields = tuple[tuple[str, str], ...]

_APART = 65535  # a zone in which no connection is ever noted: only to put fragments together
_NEW = ("ct_state", "+new-inv+trk")
_NEVER_OUT: tuple[tuple[str, Fields], ...] = (
    ("udp", (("tp_src", "67"), ("tp_dst", "68"))),
    ("udp6", (("tp_src", "547"), ("tp_dst", "546"))),
    ("icmp6", (("icmp_type", "134"),)),
)
_ALWAYS_OUT: tuple[tuple[str, Fields], ...] = (
    ("udp", (("tp_src", "68"), ("tp_dst", "67"))),
    ("udp6", (("tp_src", "546"), ("tp_dst", "547"))),
    *(("icmp6", (("icmp_type", str(kind)),)) for kind in (131, 132, 133, 135, 136, 143)),
)
_UNSPECIFIED: tuple[tuple[str, Fields], ...] = (
    ("udp", (("nw_src", "0.0.0.0"), ("nw_dst", "255.255.255.255"), ("tp_src", "68"), ("tp_dst", "67"))),
    *(
        ("icmp6", (("ipv6_src", "::"), ("ipv6_dst", "ff02::/16"), ("icmp_type", str(kind))))
        for kind in (131, 133, 135, 143)
    ),
)
_ALWAYS_IN: tuple[tuple[str, Fields], ...] = (
    ("arp", ()),
    ("udp", (("tp_src", "67"), ("tp_dst", "68"))),
    ("udp6", (("tp_src", "547"), ("tp_dst", "546"))),
    ("icmp6", (("ipv6_src", "fe80::/10"), ("icmp_type", "134"))),
    *(("icmp6", (("icmp_type", str(kind)),)) for kind in (130, 131, 132, 133, 135, 136, 143)),
)


def render_tables(place: Place, firewall: Firewall) -> Iterator[Flow]:
    """Gives all that filters the host's guarded ports."""
    keys = numbers(ref(guard.port) for guard in firewall.guards)
    yield from render_sources(place, firewall.guards, tap_name, tables.BASE_EGRESS)
    yield from _of_all(*place.intent)
    for guard in firewall.guards:
        yield from _of_port(guard, keys[ref(guard.port)])
    yield from _to_guests(firewall, keys)
    yield from Clauses(firewall, keys).flows()


def way(value: int, mask: int = FROM | TO | STATELESS) -> tuple[str, str]:
    """Gives the match on the way that a packet is on."""
    return (f"reg{WAY}", f"{value:#x}" if mask == FROM | TO | STATELESS else f"{value:#x}/{mask:#x}")


# --- what all ports share


@lru_cache(maxsize=64)
def _of_all(*intent: str) -> tuple[Flow, ...]:
    return tuple(_base(intent))


def _base(intent: tuple[str, ...]) -> Iterator[Flow]:
    def on(table: Table, priority: int, match: Match, doing: str) -> Flow:
        return table_flow(intent, table, priority, match, doing)

    accepted = goto(tables.ACCEPTED.number)
    for kind, fields in _NEVER_OUT:
        yield drop_flow(intent, tables.BASE_EGRESS, tables.NEVER, Match(kind=kind, fields=fields))
    yield on(tables.BASE_EGRESS, tables.ALWAYS, Match(kind="arp"), accepted)
    for kind, fields in _UNSPECIFIED:
        yield on(tables.BASE_EGRESS, tables.ALWAYS, Match(kind=kind, fields=fields), accepted)
    for kind, fields in _ALWAYS_OUT:
        match = Match(kind=kind, fields=(*fields, way(FROM, FROM)))
        yield on(tables.RULES_EGRESS, tables.ALWAYS + 5, match, accepted)
    for kind, fields in _ALWAYS_IN:
        yield on(tables.BASE_INGRESS, tables.ALWAYS, Match(kind=kind, fields=fields), accepted)
    yield drop_flow(intent, tables.BASE_INGRESS, tables.NEVER, Match(fields=TAGGED))
    # A tag of no VLAN is none (802.1Q, priority-tagged).
    untagged = actions(STRIP_VLAN, goto(tables.BASE_INGRESS.number))
    yield on(tables.BASE_INGRESS, tables.NEVER + 1, Match(vlan=0), untagged)
    for kind in ("ip", "ipv6"):
        yield on(
            tables.BASE_INGRESS,
            tables.LEFT,
            Match(kind=kind, fields=(way(TO),)),
            track(NET, tables.RULES_INGRESS.number),
        )
        apart = Match(kind=kind, fields=(way(TO | STATELESS), ("nw_frag", "yes")))
        yield on(tables.BASE_INGRESS, tables.LEFT + 1, apart, track_in(_APART, tables.RULES_INGRESS.number))
        plain = Match(kind=kind, fields=(way(TO | STATELESS),))
        yield on(tables.BASE_INGRESS, tables.LEFT, plain, goto(tables.RULES_INGRESS.number))
    for table, other, going in (
        (tables.RULES_EGRESS, tables.RULES_INGRESS, FROM),
        (tables.RULES_INGRESS, tables.RULES_EGRESS, TO),
    ):
        yield drop_flow(intent, table, tables.ALWAYS, Match(fields=(("ct_state", "+inv+trk"),)))
        answer = Match(fields=(("ct_state", "+rpl-inv+trk"), way(going)))
        yield on(table, tables.ALWAYS, answer, goto(other.number))
    for table in (tables.BASE_EGRESS, tables.RULES_EGRESS, tables.BASE_INGRESS, tables.RULES_INGRESS):
        yield drop_flow(intent, table, tables.REST, Match())
    yield from _accepted(on)


def _accepted(on: Callable[[Table, int, Match, str], Flow]) -> Iterator[Flow]:
    """Gives what is done with frames that passed."""
    out, into = goto(tables.ACCEPT_OR_INGRESS.number), goto(tables.ACCEPTED_INGRESS.number)
    yield on(tables.ACCEPTED, tables.KNOWN, Match(fields=(way(FROM, FROM),)), out)
    yield on(tables.ACCEPTED, tables.KNOWN, Match(fields=(way(TO, TO),)), into)
    on_its_way = goto(tables.TRANSIENT.number)
    for kind in ("ip", "ipv6"):
        opening = Match(kind=kind, fields=(way(TO), _NEW))
        yield on(tables.ACCEPTED, tables.POPULATED, opening, actions(commit(NET), into))
        opening = Match(kind=kind, fields=(way(FROM), _NEW))
        yield on(tables.ACCEPT_OR_INGRESS, tables.KNOWN, opening, actions(commit(NET), on_its_way))
    yield on(tables.ACCEPT_OR_INGRESS, tables.REST, Match(), on_its_way)
    yield on(tables.TRANSIENT, tables.REST, Match(), goto(tables.SWITCHED.number))
    yield on(tables.SWITCHED, tables.REST, Match(), NORMAL)


# --- one port


@remembered(PORTS)
def _of_port(guard: Guard, key: int) -> tuple[Flow, ...]:
    return tuple(_flows_of(guard, key))


def _flows_of(guard: Guard, key: int) -> Iterator[Flow]:
    intent, device = (ref(guard.port),), tap_name(guard.port.id)
    going = FROM if guard.stateful else FROM | STATELESS
    yield classify(
        guard, device, set_register(GUEST, key), set_register(NET, guard.carried.vlan), set_register(WAY, going)
    )
    for source in guard.sources:
        for cidr in source.addresses:
            kind, name = ("ipv6", "ipv6_src") if ":" in cidr else ("ip", "nw_src")
            text = address_text(cidr)
            fields = (("dl_src", source.mac), *([(name, text)] if text else []))
            match = Match(in_port=device, kind=kind, fields=fields)
            if guard.stateful:
                yield table_flow(intent, tables.BASE_EGRESS, tables.OWN, match, track(NET, tables.RULES_EGRESS.number))
                continue
            plain = goto(tables.RULES_EGRESS.number)
            yield table_flow(intent, tables.BASE_EGRESS, tables.OWN, match, plain)
            pieces = Match(in_port=device, kind=kind, fields=(*fields, ("nw_frag", "yes")))
            together = track_in(_APART, tables.RULES_EGRESS.number)
            yield table_flow(intent, tables.BASE_EGRESS, tables.OWN + 1, pieces, together)
    receiving = Match(fields=((f"reg{GUEST}", f"{key:#x}"),))
    yield table_flow(intent, tables.ACCEPTED_INGRESS, tables.KNOWN, receiving, output(device), port=device)


def _to_guests(firewall: Firewall, keys: dict[str, int]) -> Iterator[Flow]:
    """Gives what leads frames to guarded ports: by each MAC, and to all of a network."""
    by_mac: dict[tuple[int, str], list[Guard]] = {}
    by_network: dict[int, list[Guard]] = {}
    for guard in firewall.guards:
        by_network.setdefault(guard.carried.vlan, []).append(guard)
        for source in guard.sources:
            by_mac.setdefault((guard.carried.vlan, source.mac), []).append(guard)
    further = goto(tables.SWITCHED.number)
    for (vlan, mac), guards in by_mac.items():
        if [guard.port.mac_address for guard in guards] == [mac]:
            yield _to_one(guards[0], keys[ref(guards[0].port)])
            continue
        here = Match(destination=mac, fields=((f"reg{NET}", f"{vlan:#x}"),))
        # A MAC that may wander: to all who may have it, and to whom it is known to be now.
        doing = actions(*(clone(*_handing(guard, keys[ref(guard.port)])) for guard in guards), further)
        yield table_flow(_refs(guards), tables.TRANSIENT, tables.TO_GUEST, here, doing)
    for vlan, guards in by_network.items():
        number = (f"reg{NET}", f"{vlan:#x}")
        everybody = actions(*(clone(*_handing(guard, keys[ref(guard.port)])) for guard in guards), further)
        to_all = Match(destination=MULTICAST, fields=(number,))
        yield table_flow(_refs(guards), tables.TRANSIENT, tables.TO_ALL, to_all, everybody)
        intent = guards[0].carried.intent
        bare = actions(STRIP_VLAN, goto(tables.BASE_INGRESS.number))
        yield table_flow(intent, tables.BASE_INGRESS, tables.NEVER + 1, Match(vlan=vlan, fields=(number,)), bare)
        tagged = actions(set_vlan(vlan), ANY_PORT, NORMAL)
        leaving = Match(vlan=UNTAGGED, fields=(number, way(FROM, FROM)))
        yield table_flow(intent, tables.SWITCHED, tables.KNOWN, leaving, tagged)


@remembered(PORTS)
def _to_one(guard: Guard, key: int) -> Flow:
    """Gives the flow for frames to a guest that alone may have its MAC."""
    here = Match(destination=guard.port.mac_address, fields=((f"reg{NET}", f"{guard.carried.vlan:#x}"),))
    doing = actions(*_handing(guard, key))
    return table_flow((ref(guard.port),), tables.TRANSIENT, tables.TO_GUEST, here, doing)


def _handing(guard: Guard, key: int) -> tuple[str, ...]:
    going = TO if guard.stateful else TO | STATELESS
    return (
        set_register(GUEST, key),
        set_register(WAY, going),
        goto(tables.BASE_INGRESS.number),
    )


def _refs(guards: Iterable[Guard]) -> tuple[str, ...]:
    return tuple(sorted(ref(guard.port) for guard in guards))
