"""br-int's tables against forged senders: who a guarded port may be, below IP.

    0    in_port=<device>                                                     -> 24
    24   tagged                                                               drop
         in_port=<device>,arp,arp_spa=<address>,arp_sha=<MAC>                 -> 25
         in_port=<device>,arp,arp_spa=0.0.0.0,arp_sha=<MAC>                   -> 25   a probe (RFC 5227)
         arp                                                                  drop
         in_port=<device>,icmp6,icmp_type=136,nd_target=<address>             -> 25
         icmp6,icmp_type=136                                                  drop
         ip / ipv6                                                            -> 25
                                                                              drop   what no rule can speak of
    25   in_port=<device>,dl_src=<MAC>                                        -> on
                                                                              drop

The same for both drivers, with the device that the port has on br-int; where a frame goes on differs.
Source: DATAPLANE.md, "br-int"; Neutron's agent for the numbers of the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

from netglass.base.memory import remembered
from netglass.compile.firewall.guards import PORTS, Guard
from netglass.compile.flow import flow_in
from netglass.compile.place import INTEGRATION, Place
from netglass.desired.state import Flow
from netglass.model.resources import ref
from netglass.pipeline import tables
from netglass.pipeline.flows import DROP, TAGGED, Match, actions, goto
from netglass.pipeline.tables import Table

OWNER = "firewall"

_ADVERTISEMENT = ("icmp_type", "136")
_NOBODY = "0.0.0.0"


def table_flow(
    intent: tuple[str, ...], table: Table, priority: int, match: Match, doing: str, *, port: str = ""
) -> Flow:
    """Gives a flow of one of br-int's tables of the firewall; `port` is a guest's that `doing` sends to."""
    return flow_in(OWNER, intent, (INTEGRATION, table, priority), match, doing, port=port)


def drop_flow(intent: tuple[str, ...], table: Table, priority: int, match: Match) -> Flow:
    """Gives a flow that drops: by the table in which all such frames are counted together."""
    return table_flow(intent, table, priority, match, goto(tables.DROPPED.number))


def render_sources(
    place: Place, guards: Iterable[Guard], device_name: Callable[[str], str], onwards: Table
) -> Iterator[Flow]:
    """Gives the flows of tables 24 and 25.

    device_name  gives a guard's device on br-int by its port's id
    onwards      where frames go on
    """
    yield from _of_all(*place.intent)
    for guard in guards:
        yield from _of_port(guard, device_name, onwards)


@lru_cache(maxsize=64)
def _of_all(*intent: str) -> tuple[Flow, ...]:
    arp, mac = tables.ARP_SPOOF, tables.MAC_SPOOF
    checked = goto(mac.number)
    return (
        drop_flow(intent, arp, tables.NEVER, Match(fields=TAGGED)),
        drop_flow(intent, arp, tables.LEFT, Match(kind="arp")),
        drop_flow(intent, arp, tables.LEFT, Match(kind="icmp6", fields=(_ADVERTISEMENT,))),
        *(table_flow(intent, arp, tables.REST + 1, Match(kind=kind), checked) for kind in ("ip", "ipv6")),
        *(drop_flow(intent, table, tables.REST, Match()) for table in (arp, mac)),
        table_flow(intent, tables.DROPPED, tables.REST, Match(), DROP),
    )


@remembered(PORTS)
def _of_port(guard: Guard, device_name: Callable[[str], str], onwards: Table) -> tuple[Flow, ...]:
    return tuple(_flows_of(guard, device_name(guard.port.id), onwards))


def _flows_of(guard: Guard, device: str, onwards: Table) -> Iterator[Flow]:
    intent = (ref(guard.port),)
    for source in guard.sources:
        yield table_flow(
            intent,
            tables.MAC_SPOOF,
            tables.OWN,
            Match(in_port=device, fields=(("dl_src", source.mac),)),
            goto(onwards.number),
        )
        for cidr in (*source.of(4), f"{_NOBODY}/32"):
            fields = _address("arp_spa", cidr, ("arp_sha", source.mac))
            match = Match(in_port=device, kind="arp", fields=fields)
            yield table_flow(intent, tables.ARP_SPOOF, tables.OWN, match, goto(tables.MAC_SPOOF.number))
    for cidr in guard.addresses(6):
        match = Match(in_port=device, kind="icmp6", fields=_address("nd_target", cidr, _ADVERTISEMENT))
        yield table_flow(intent, tables.ARP_SPOOF, tables.OWN, match, goto(tables.MAC_SPOOF.number))


def _address(name: str, cidr: str, *others: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    text = address_text(cidr)
    return (*others, *([(name, text)] if text else []))


def address_text(cidr: str) -> str:
    """Gives a CIDR as flows have it: a lone address without length; empty for everybody."""
    address, _, length = cidr.partition("/")
    if length == "0":
        return ""
    return address if length == ("128" if ":" in address else "32") else cidr


def classify(guard: Guard, device: str, *parts: str) -> Flow:
    """Gives the flow of table 0 that takes what a guarded port sends; `parts` are done before."""
    doing = actions(*parts, goto(tables.ARP_SPOOF.number))
    return table_flow((ref(guard.port),), tables.INTEGRATION_CLASSIFY, tables.GUARDED, Match(in_port=device), doing)
