"""Lowers a host's networks to bridges, the links between them, and flows.

br-int switches by the host's own VLAN tags; each provider bridge leads to one physical network, where a network is
known by its segment.  The two are joined by int-<bridge> and phy-<bridge>, and the tag is turned into the segment and
back as a frame enters the one or the other:

    br-int     65535  dl_vlan=4095                              drop         ports that are not wired
               3      in_port=int-br-eth2,dl_vlan=<segment>     mod_vlan_vid:<local>,NORMAL
               2      in_port=int-br-eth2                       drop         networks that are not here
               1                                                NORMAL
    br-eth2    4      in_port=phy-br-eth2,dl_vlan=<local>       mod_vlan_vid:<segment>,NORMAL
               2      in_port=phy-br-eth2                       drop
               1                                                NORMAL

Where the switch filters, a frame that enters goes to table 60 and not to NORMAL (``compile.firewall.tables``).
A flat network has no tag outside: strip_vlan on the way out, and frames without a tag on the way in.
Networks in tunnels leave by br-tun (``compile.tunnels``).  A bridge may also hold addresses of the host itself, since
the NIC below it then has none: on its own port, of the bridge's name.
Bridges fail secure: without these flows nothing passes, so NORMAL is one of them.

Called by compile.compiler.  Source: DATAPLANE.md, "Switching"; the priorities are those of the blog post's dumps.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface

from netglass.base.ids import int_peer_name, phy_peer_name
from netglass.compile.flow import flow
from netglass.compile.place import INTEGRATION, TUNNEL, Carried, Place
from netglass.compile.plugging import towards_guests
from netglass.compile.quiet import blind, deaf, silent
from netglass.desired.state import DEAD_VLAN, Address, Bridge, Diagnostic, Flow, Link, SwitchPort, Thing
from netglass.pipeline import tables
from netglass.pipeline.flows import DROP, NORMAL, STRIP_VLAN, UNTAGGED, Match, actions, set_vlan

OWNER = "switching"
_LEAST_MTU = 1500  # bytes


def compile_switching(place: Place) -> Iterator[Thing | Diagnostic]:
    """Gives the bridges, what joins them, and their flows."""
    yield _bridge(place, INTEGRATION)
    yield flow(OWNER, place.intent, (INTEGRATION, tables.DEAD), Match(vlan=DEAD_VLAN), DROP)
    yield flow(OWNER, place.intent, (INTEGRATION, tables.SWITCH), Match(), NORMAL)
    provider = set(place.settings.bridge_mappings.values())
    for bridge, nic in place.bridges.items():
        yield from _outer(place, bridge, nic)
        if bridge in provider:
            yield from _provider(place, bridge)
    for carried in place.carried.values():
        if carried.bridge != TUNNEL:
            yield from _translation(place, carried)


def _bridge(place: Place, name: str) -> Bridge:
    return Bridge(owner=OWNER, intent=place.intent, name=name, datapath_type=place.settings.datapath_type)


def _outer(place: Place, bridge: str, nic: str) -> Iterator[Thing | Diagnostic]:
    """Gives a bridge with its NIC, and the host's addresses on it."""
    yield _bridge(place, bridge)
    yield flow(OWNER, place.intent, (bridge, tables.SWITCH), Match(), NORMAL)
    if nic:
        yield Link(owner=OWNER, intent=place.intent, name=nic, form="nic")
        yield SwitchPort(owner=OWNER, intent=place.intent, bridge=bridge, name=nic, trunk=True)
    addresses = place.settings.bridge_addresses.get(bridge, ())
    if addresses:
        yield Link(owner=OWNER, intent=place.intent, name=bridge, form="internal")
        if nic and place.userspace:
            yield from blind(OWNER, place.intent, nic)
    for wanted in addresses:
        try:
            cidr = str(ip_interface(wanted))
        except ValueError:
            text = f"Host {place.host.id} gives {bridge} the address {wanted!r}, which is none."
            yield Diagnostic(code="bad-bridge-address", intent=place.intent, text=text)
        else:
            yield Address(owner=OWNER, intent=place.intent, netns="", device=bridge, cidr=cidr)


def _provider(place: Place, bridge: str) -> Iterator[Thing]:
    inner, outer = int_peer_name(bridge), phy_peer_name(bridge)
    yield from _joint(place, (INTEGRATION, inner), (bridge, outer))
    yield flow(OWNER, place.intent, (INTEGRATION, tables.UNKNOWN), Match(in_port=inner), DROP)
    yield flow(OWNER, place.intent, (bridge, tables.UNKNOWN), Match(in_port=outer), DROP)


def _joint(place: Place, inner: tuple[str, str], outer: tuple[str, str]) -> Iterator[Thing]:
    """Joins two bridges, each given with the name of its port, by a veth pair or by patch ports."""
    as_veth = place.settings.provider_link != "patch"
    mtu = _mtu(place, outer[0])
    for (bridge, name), (_, peer) in ((inner, outer), (outer, inner)):
        if as_veth:
            # Only the switch sends into these, always with whole checksums: offload may stay as it is.
            yield Link(owner=OWNER, intent=place.intent, name=name, form="veth", peer=peer, mtu=mtu)
            yield silent(OWNER, place.intent, name)
            if place.userspace:
                yield from deaf(OWNER, place.intent, name)
        yield SwitchPort(
            owner=OWNER,
            intent=place.intent,
            bridge=bridge,
            name=name,
            type="" if as_veth else "patch",
            options={} if as_veth else {"peer": peer},
            trunk=True,
        )


def _mtu(place: Place, bridge: str) -> int:
    """Gives the MTU of a veth pair: enough for the largest network that passes through it."""
    passing = (carried.network.mtu for carried in place.carried.values() if carried.bridge == bridge)
    return max([_LEAST_MTU, *passing])


def _translation(place: Place, carried: Carried) -> Iterator[Flow]:
    """Gives a network's two flows: its tag into its segment on the way out, and back on the way in."""
    segment = carried.network.segmentation_id if carried.network.network_type != "flat" else None
    outside = UNTAGGED if segment is None else segment
    out = STRIP_VLAN if segment is None else set_vlan(segment)
    leaving = Match(in_port=phy_peer_name(carried.bridge), vlan=carried.vlan)
    entering = Match(in_port=int_peer_name(carried.bridge), vlan=outside)
    outwards, inwards = (carried.bridge, tables.LOCAL_TO_SEGMENT), (INTEGRATION, tables.SEGMENT_TO_LOCAL)
    yield flow(OWNER, carried.intent, outwards, leaving, actions(out, NORMAL))
    tagged = set_vlan(carried.vlan)
    switched = towards_guests(carried.vlan, tagged) if place.native and place.filtering else actions(tagged, NORMAL)
    yield flow(OWNER, carried.intent, inwards, entering, switched)
