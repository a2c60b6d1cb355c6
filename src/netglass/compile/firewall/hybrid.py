"""The driver ``iptables_hybrid``: rules on each port's Linux bridge, forged senders on br-int."""

from __future__ import annotations

from collections.abc import Iterator

from netglass.base.ids import qvo_name
from netglass.base.memory import remembered
from netglass.compile.firewall.chains import render_chains
from netglass.compile.firewall.guards import GROUPS, PORTS, Firewall, Guard
from netglass.compile.firewall.sources import OWNER, classify, render_sources, table_flow
from netglass.compile.place import Place
from netglass.desired.permits import End
from netglass.desired.state import Connections, Flow, Thing
from netglass.pipeline import tables
from netglass.pipeline.flows import NORMAL, Match


def render_hybrid(place: Place, firewall: Firewall) -> Iterator[Thing]:
    """Gives all that filters the host's ports."""
    yield from render_chains(place, firewall)
    yield from render_sources(place, firewall.guards, qvo_name, tables.TRANSIENT)
    yield table_flow(place.intent, tables.TRANSIENT, tables.REST, Match(), NORMAL)
    for guard in firewall.guards:
        yield _classify(guard)
    yield from _connections(firewall)


@remembered(PORTS)
def _classify(guard: Guard) -> Flow:
    return classify(guard, qvo_name(guard.port.id))


def _connections(firewall: Firewall) -> Iterator[Connections]:
    by_zone: dict[int, list[Guard]] = {}
    for guard in firewall.guards:
        if guard.stateful:
            by_zone.setdefault(guard.carried.vlan, []).append(guard)
    for zone, guards in by_zone.items():
        yield _tracked_in(zone, *guards)


@remembered(GROUPS)
def _tracked_in(zone: int, *guards: Guard) -> Connections:
    return Connections(
        owner=OWNER,
        intent=tuple(sorted({one for guard in guards for one in guard.intent})),
        zone=zone,
        ends=tuple(sorted(map(_end, guards), key=lambda end: end.addresses)),
    )


@remembered(PORTS)
def _end(guard: Guard) -> End:
    addresses = tuple(sorted((*guard.addresses(4), *guard.addresses(6))))
    return End(addresses=addresses, opens=guard.egress, accepts=guard.ingress)
