"""Lowers the ports of guests to devices, switch ports and VLAN tags.

Hybrid (``iptables_hybrid``): guest - tap - qbr - qvb | qvo - br-int, so that filters can sit on the Linux bridge.
Native (``openvswitch``):     guest - tap - br-int.

A port whose device is a server of ours on this host is plugged by us; the tap comes with the guest.  Every other
guest's port is plugged by an outside compute service, as Nova with os-vif does: a device on br-int that has the port's
id as its iface-id is awaited, and only the tag is ours.  Its name may be any, but where a guest is filtered on a Linux
bridge of its own: there the name that such a bridge's end has is the compute service's word that it stands before it.

A port gets its network's tag only when it, its network and the host's part in the network are as they must be.
Else it stays on the dead VLAN, and a flow of its own drops, and counts, what it sends: the tag is not enough, since an
access port's frames get it only after the flows have looked at them.
Source: DATAPLANE.md, "Guest attachment"; os-vif's plug of a hybrid VIF for IPv6 on the devices.
"""

from __future__ import annotations

from collections.abc import Iterator

from netglass.base.ids import qbr_name, qvb_name, qvo_name, tap_name
from netglass.compile.flow import flow
from netglass.compile.guests import runs_here
from netglass.compile.place import INTEGRATION, Place, is_guarded, is_service
from netglass.compile.quiet import deaf, silent
from netglass.desired.state import DEAD_VLAN, Diagnostic, Link, PortTag, SwitchPort, Thing
from netglass.model.resources import Port, Server, ref
from netglass.pipeline import tables
from netglass.pipeline.flows import DROP, NO_VLAN, Match, actions, goto, set_register

OWNER = "plugging"
NET_REGISTER = 6  # of a frame on br-int: the network's local VLAN tag


def compile_plugging(place: Place) -> Iterator[Thing | Diagnostic]:
    """Gives what plugs in the guests' ports that are bound to the host."""
    hybrid = not place.native
    for port in place.ports:
        if is_service(port):
            continue
        if port.vnic_type != "normal":
            text = f"Port {port.id} is of vnic type {port.vnic_type!r}, which no host of this cloud can plug."
            yield Diagnostic(code="unsupported-vnic-type", intent=(ref(port),), text=text)
            continue
        if port.network_id not in place.carried:
            text = f"Port {port.id} is bound here, but the host does not carry its network {port.network_id}."
            yield Diagnostic(code="network-not-carried", intent=(ref(port),), text=text)
        server = place.server_of(port)
        if server is None:
            yield from _outside(place, port, hybrid)
        elif hybrid:
            yield from _hybrid(place, port, server)
        elif runs_here(place, server):
            yield from _native(place, port, server)


def switch_ids(port: Port) -> dict[str, str]:
    """Gives the external_ids by which everybody knows a port on the switch."""
    ids = {"attached-mac": port.mac_address, "iface-id": port.id, "iface-status": "active"}
    return ids | ({"vm-id": port.device_id} if port.device_id and not is_service(port) else {})


def tagged(place: Place, port: Port, device: str, owner: str) -> Iterator[Thing]:
    """Gives the tag of a port's device, and when it may not pass frames the flow that drops them.

    Where the switch filters, what comes in by an unguarded device is told the network that it is of: frames get their
    tag only on the way out of the flows, and what filters the receiver must know before.
    """
    tag = _tag(place, port, device, owner)
    yield tag
    if tag.vlan == DEAD_VLAN:
        yield flow(owner, tag.intent, (INTEGRATION, tables.NOT_WIRED), Match(in_port=device), DROP)
    elif place.native and place.filtering and not tag.guarded:
        doing, at = towards_guests(tag.vlan), (INTEGRATION, tables.ACCESS)
        yield flow(owner, tag.intent, at, Match(in_port=device, fields=NO_VLAN), doing)


def towards_guests(vlan: int, *before: str) -> str:
    """Gives the actions that hand a frame of a network to where guarded guests are told from all others."""
    return actions(*before, set_register(NET_REGISTER, vlan), goto(tables.TRANSIENT.number))


def _tag(place: Place, port: Port, device: str, owner: str) -> PortTag:
    carried = place.carried.get(port.network_id)
    intent: tuple[str, ...] = (ref(port),)
    vlan = DEAD_VLAN
    if carried is not None:
        intent = tuple(sorted((*carried.intent, ref(port))))
        vlan = carried.vlan if port.admin_state_up and carried.network.admin_state_up else DEAD_VLAN
    guarded = place.native and vlan != DEAD_VLAN and is_guarded(place, port)
    return PortTag(owner=owner, intent=intent, port=device, vlan=vlan, guarded=guarded)


def mtu_of(place: Place, port: Port) -> int:
    """Gives the MTU of a port's devices, in bytes; 0 (as it is) when its network is not known here."""
    carried = place.carried.get(port.network_id)
    return carried.network.mtu if carried is not None else 0


def _outside(place: Place, port: Port, hybrid: bool) -> Iterator[Thing]:
    device = qvo_name(port.id) if hybrid else tap_name(port.id)
    bridged = hybrid and place.filtering and port.port_security_enabled
    yield SwitchPort(
        owner=OWNER,
        intent=(ref(port),),
        bridge=INTEGRATION,
        name=device,
        external_ids={"iface-id": port.id},
        awaited=True,
        any_name=not bridged,
    )
    yield from tagged(place, port, device, OWNER)


def _native(place: Place, port: Port, server: Server) -> Iterator[Thing]:
    intent, tap = (ref(port), ref(server)), tap_name(port.id)
    yield Link(owner=OWNER, intent=intent, name=tap, form="tap", mtu=mtu_of(place, port))
    yield from _silent(place, port, intent, tap)
    if place.userspace:
        yield from deaf(OWNER, intent, tap)
    yield SwitchPort(owner=OWNER, intent=intent, bridge=INTEGRATION, name=tap, external_ids=switch_ids(port))
    yield from tagged(place, port, tap, OWNER)


def _hybrid(place: Place, port: Port, server: Server) -> Iterator[Thing]:
    intent, mtu = (ref(port), ref(server)), mtu_of(place, port)
    qbr, qvb, qvo, tap = qbr_name(port.id), qvb_name(port.id), qvo_name(port.id), tap_name(port.id)
    whole = not place.userspace  # a userspace switch reads frames before the kernel fills in their checksums
    yield Link(owner=OWNER, intent=intent, name=qbr, form="bridge", mtu=mtu)
    yield Link(owner=OWNER, intent=intent, name=qvb, form="veth", peer=qvo, mtu=mtu, master=qbr, tx_checksum=whole)
    yield Link(owner=OWNER, intent=intent, name=qvo, form="veth", peer=qvb, mtu=mtu, tx_checksum=whole)
    if runs_here(place, server):
        yield Link(owner=OWNER, intent=intent, name=tap, form="tap", mtu=mtu, master=qbr)
        yield from _silent(place, port, intent, tap)
    yield from _silent(place, port, intent, qbr, qvb, qvo)
    yield from deaf(OWNER, intent, qbr)
    if place.userspace:
        yield from deaf(OWNER, intent, qvo)
    yield SwitchPort(owner=OWNER, intent=intent, bridge=INTEGRATION, name=qvo, external_ids=switch_ids(port))
    yield from tagged(place, port, qvo, OWNER)


def _silent(place: Place, port: Port, intent: tuple[str, ...], *devices: str) -> Iterator[Thing]:
    carried = place.carried.get(port.network_id)
    if carried is None or carried.network.carries_ipv6:
        yield from (silent(OWNER, intent, device) for device in devices)
