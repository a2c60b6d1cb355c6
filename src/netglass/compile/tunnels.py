"""Lowers networks in tunnels to br-tun: what leads to the other hosts, and the flows that choose among them.

br-int hands every frame with the host's own tag to br-tun, by patch-tun and patch-int; there the tag is turned into
the network's tunnel id and back.  There is one port for each peer and type, as long as a network is on both hosts:

    table  0   1  in_port=patch-int             resubmit(,1)
               1  in_port=gre-<peer>            resubmit(,2), VXLAN 3, Geneve 4
               0                                drop
           1   1  ARP requests                  resubmit(,21)                   with l2_population
               0  unicast                       resubmit(,20)
               0  multicast                     resubmit(,22)
     2, 3, 4   1  tun_id=<segment>              mod_vlan_vid:<local>,resubmit(,10)
               0                                drop                            networks that are not here
          10   1  dl_vlan=<local>               learn(table=20,…),output:patch-int
               0                                drop
          20   2  dl_vlan=<local>,dl_dst=<MAC>  strip_vlan,<segment>,output:<peer>      with l2_population
               1  what was learnt                                               without
               0                                resubmit(,22)
          21   1  for <address>                 the answer, IN_PORT             with l2_population
               0                                resubmit(,22)
          22   1  dl_vlan=<local>               strip_vlan,<segment>,output:<peers>
               0                                drop                            networks that are not in tunnels

With l2_population nothing is learnt: what intent does not know of is flooded.  A network's learnt flows go with its
flow in table 10 (``delete_learned``), so that its tag never leads the next network's frames into its segment.
A frame out of a tunnel never goes into another.

Called by compile.compiler.  Source: DATAPLANE.md, "Switching"; priorities and actions are those of the course's dumps
and of Neutron's agent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

import msgspec

from netglass.base.ids import tunnel_port_name
from netglass.compile.flow import flow, flow_in
from netglass.compile.place import INTEGRATION, TUNNEL, Carried, Place, tunnels_of
from netglass.compile.plugging import towards_guests
from netglass.desired.state import Bridge, Diagnostic, Flow, SwitchPort, Thing
from netglass.model.resources import Host, Port, ref
from netglass.pipeline import tables
from netglass.pipeline.cookies import learnt_cookie
from netglass.pipeline.flows import (
    BROADCAST,
    DROP,
    MULTICAST,
    STRIP_VLAN,
    UNICAST,
    Match,
    actions,
    answer_arp,
    goto,
    learn,
    output,
    set_tunnel,
    set_vlan,
)
from netglass.pipeline.tables import Table

OWNER = "tunnels"
PATCH_INT, PATCH_TUN = "patch-int", "patch-tun"

_TABLE_OF_TYPE = {"gre": tables.GRE_TUN_TO_LV, "vxlan": tables.VXLAN_TUN_TO_LV, "geneve": tables.GENEVE_TUN_TO_LV}
_PATCH_INT_NUMBER = 1  # the port that the course's dumps show
_LEARNT_S = 300
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")  # of one receiver


class _Peer(msgspec.Struct, frozen=True):
    """Another host that has a network, and the port that leads there."""

    host: Host
    type: str
    address: str
    port: str


def compile_tunnels(place: Place) -> Iterator[Thing | Diagnostic]:
    """Gives br-tun and all that is on it; nothing for a host without tunnels."""
    if place.tunnels is None:
        return
    yield from _wire(place)
    yield from _base(place)
    yield from _unreachable_address(place)
    ports: dict[str, _Peer] = {}
    for carried in place.carried.values():
        if carried.bridge != TUNNEL:
            continue
        peers: dict[str, _Peer] = {}  # by host
        for found in _peers(place, carried):
            if isinstance(found, Diagnostic):
                yield found
            elif ports.setdefault(found.port, found).address != found.address:
                text = f"The tunnels to {ports[found.port].address} and {found.address} would both be {found.port}."
                yield Diagnostic(code="name-collision", intent=(ref(found.host),), text=text)
            else:
                peers[found.host.id] = found
        yield from _network(place, carried, peers.values())
        if place.settings.l2_population:
            yield from _population(place, carried, peers)
    for peer in ports.values():
        yield from _tunnel(place, peer)


def _wire(place: Place) -> Iterator[Thing]:
    """Gives the bridge, and what joins it with br-int."""
    intent, datapath = place.intent, place.settings.datapath_type
    yield Bridge(owner=OWNER, intent=intent, name=TUNNEL, datapath_type=datapath)
    for bridge, name, peer, number in (
        (INTEGRATION, PATCH_TUN, PATCH_INT, 0),
        (TUNNEL, PATCH_INT, PATCH_TUN, _PATCH_INT_NUMBER),
    ):
        yield SwitchPort(
            owner=OWNER,
            intent=intent,
            bridge=bridge,
            name=name,
            type="patch",
            options={"peer": peer},
            trunk=True,
            ofport=number,
        )


def _base(place: Place) -> Iterator[Flow]:
    """Gives the flows that are there whatever networks are."""
    intent = place.intent
    first, leaving = tables.TUNNEL_CLASSIFY, tables.PATCH_LV_TO_TUN
    flood = goto(tables.FLOOD_TO_TUN.number)
    yield _flow(first, tables.KNOWN, Match(in_port=PATCH_INT), goto(leaving.number), intent)
    yield _flow(leaving, tables.REST, Match(destination=UNICAST), goto(tables.UCAST_TO_TUN.number), intent)
    yield _flow(leaving, tables.REST, Match(destination=MULTICAST), flood, intent)
    if place.settings.l2_population:
        asking = Match(arp_request=True, destination=BROADCAST)
        yield _flow(leaving, tables.KNOWN, asking, goto(tables.ARP_RESPONDER.number), intent)
    for table in (tables.UCAST_TO_TUN, tables.ARP_RESPONDER):
        yield _flow(table, tables.REST, Match(), flood, intent)
    for table in (first, *_TABLE_OF_TYPE.values(), tables.LEARN_FROM_TUN, tables.FLOOD_TO_TUN):
        yield _flow(table, tables.REST, Match(), DROP, intent)


def _unreachable_address(place: Place) -> Iterator[Diagnostic]:
    held = {cidr.partition("/")[0] for cidrs in place.settings.bridge_addresses.values() for cidr in cidrs}
    if place.userspace and place.settings.local_ip not in held:
        text = (
            f"Host {place.host.id} has a userspace switch, whose tunnels begin at an address on a bridge only;"
            f" no bridge_addresses has local_ip {place.settings.local_ip}."
        )
        yield Diagnostic(code="tunnel-address-off-switch", intent=place.intent, text=text)


def _peers(place: Place, carried: Carried) -> Iterator[_Peer | Diagnostic]:
    """Gives the other hosts that have a network, ascending by name, and those that no tunnel can lead to."""
    assert place.tunnels is not None
    kind = carried.network.network_type
    for row in place.snapshot.rows("local_vlans_by_network", carried.network.id):
        host = place.snapshot.get(Host, row.host)
        if host is None or host.id == place.host.id:
            continue
        there = tunnels_of(host)
        usable = there is not None and kind in there.types and there.version == place.tunnels.version
        if there is None or not usable or there.address == place.tunnels.address:
            text = f"No {kind} tunnel can lead from here ({place.tunnels.address}) to {host.id}"
            text = f"{text} ({host.settings.local_ip or 'no local_ip'}), which has network {carried.network.id} too."
            yield Diagnostic(code="unreachable-peer", intent=tuple(sorted((ref(host), ref(row)))), text=text)
        else:
            yield _Peer(host, kind, there.address, tunnel_port_name(kind, there.address))


def _tunnel(place: Place, peer: _Peer) -> Iterator[Thing]:
    """Gives the port that leads to a peer, and what comes in by it."""
    assert place.tunnels is not None
    intent = tuple(sorted({*place.intent, ref(peer.host)}))
    options = {
        "df_default": "true",
        "in_key": "flow",
        "local_ip": place.tunnels.address,
        "out_key": "flow",
        "remote_ip": peer.address,
    }
    yield SwitchPort(
        owner=OWNER, intent=intent, bridge=TUNNEL, name=peer.port, type=peer.type, options=options, trunk=True
    )
    entering = goto(_TABLE_OF_TYPE[peer.type].number)
    yield _flow(tables.TUNNEL_CLASSIFY, tables.KNOWN, Match(in_port=peer.port), entering, intent)


def _network(place: Place, carried: Carried, peers: Iterable[_Peer]) -> Iterator[Flow]:
    """Gives a network's flows on the way in, and the one that floods."""
    intent, network = carried.intent, carried.network
    assert network.segmentation_id is not None
    inside = actions(set_vlan(carried.vlan), goto(tables.LEARN_FROM_TUN.number))
    known = Match(tunnel=network.segmentation_id)
    yield _flow(_TABLE_OF_TYPE[network.network_type], tables.KNOWN, known, inside, intent)
    learning = [] if place.settings.l2_population else [_learning(carried)]
    here = Match(vlan=carried.vlan)
    if place.native and place.filtering:
        entering = Match(in_port=PATCH_TUN, vlan=carried.vlan)
        yield flow(OWNER, intent, (INTEGRATION, tables.ACCESS), entering, towards_guests(carried.vlan))
    yield _flow(tables.LEARN_FROM_TUN, tables.KNOWN, here, actions(*learning, output(PATCH_INT)), intent)
    ports = sorted({peer.port for peer in peers})
    flooding = [STRIP_VLAN, set_tunnel(network.segmentation_id), *(output(port) for port in ports)] if ports else []
    yield _flow(tables.FLOOD_TO_TUN, tables.KNOWN, here, actions(*flooding), intent)


def _learning(carried: Carried) -> str:
    return learn(tables.UCAST_TO_TUN.number, learnt_cookie(ref(carried.network)), _LEARNT_S)


def _population(place: Place, carried: Carried, peers: dict[str, _Peer]) -> Iterator[Flow | Diagnostic]:
    """Gives what is known of a network's ports on other hosts: where their MACs are, and who has their addresses."""
    assert carried.network.segmentation_id is not None
    port: Port
    for port in place.snapshot.rows("ports_by_network", carried.network.id):
        peer = peers.get(port.host_id)
        if peer is None:
            continue
        intent = tuple(sorted((ref(carried.network), ref(port))))
        if not _MAC.fullmatch(port.mac_address):
            text = f"Port {port.id} on {port.host_id} has {port.mac_address!r} for a MAC; its frames are flooded."
            yield Diagnostic(code="refused-text", intent=intent, text=text)
            continue
        receiver = Match(vlan=carried.vlan, destination=port.mac_address)
        sending = actions(STRIP_VLAN, set_tunnel(carried.network.segmentation_id), output(peer.port))
        yield _flow(tables.UCAST_TO_TUN, tables.POPULATED, receiver, sending, intent)
        for address in _addresses(port):
            asking = Match(vlan=carried.vlan, arp_request=True, arp_target=address)
            answer = answer_arp(port.mac_address, address)
            yield _flow(tables.ARP_RESPONDER, tables.KNOWN, asking, answer, intent)


def _addresses(port: Port) -> Iterator[str]:
    """Gives a port's IPv4 addresses."""
    for fixed in port.fixed_ips:
        try:
            yield str(IPv4Address(fixed.ip_address))
        except ValueError:
            continue


def _flow(table: Table, priority: int, match: Match, doing: str, intent: tuple[str, ...]) -> Flow:
    return flow_in(OWNER, intent, (TUNNEL, table, priority), match, doing)
