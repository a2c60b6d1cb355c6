"""Binding: which host a port is plugged into, and the host's own VLAN tag for the port's network.

A port is *bound* when its host is known, reaches what carries the network, and has a tag for it.  A port may name
a host that cannot take it: that is ``binding_failed``, never an error, and `rebind_host` puts it right when the host
registers with what was missing.

Law: a LocalVlan row exists for exactly the pairs of host and network for which there is a port that the host can take
(as long as the host has tags left).
Source: DATAPLANE.md, "Switching"; Neutron's ML2 with the openvswitch driver.
"""

from __future__ import annotations

from netglass.base.numbers import pick_lowest
from netglass.control.decision import Decision
from netglass.model.resources import TUNNEL_TYPES, Host, LocalVlan, Network, Port
from netglass.model.snapshot import Snapshot

_TAGS = [(1, 4094)]
"""Local VLAN tags; 4095 is the dead VLAN, which no network ever has."""


def bind_port(d: Decision, port: Port, host_id: str) -> Port:
    """Plugs a port into a host, moving it from where it was; gives the new row.

    The port starts over: DOWN and realised nowhere.  The host gets its tag for the network with the first port, and
    the host left behind loses it with the last.  Nothing but the tag changes when the port is there already.
    An empty `host_id` unbinds.
    """
    before = port.host_id
    if before != host_id:
        port = d.draft.update(port, d.now, host_id=host_id, realised_on=(), status="DOWN")
        release_tag(d, before, port.network_id)
    hold_tag(d, port)
    return port


def hold_tag(d: Decision, port: Port) -> None:
    """Makes the tag row that a port on the draft needs, when it is not there: the lowest free tag of its host."""
    snapshot = d.snapshot
    if not port.host_id or snapshot.get(LocalVlan, _key(port.host_id, port.network_id)) is not None:
        return
    if not _bindable(snapshot, port):
        return
    tag = pick_lowest(_TAGS, snapshot.used("local_vlans", port.host_id))
    if tag is None:
        return  # 4,094 networks on one host: the port stays binding_failed.
    d.draft.put(
        LocalVlan(
            id=_key(port.host_id, port.network_id),
            host=port.host_id,
            network_id=port.network_id,
            vlan=tag,
            created_at=d.now,
            updated_at=d.now,
        )
    )


def release_tag(d: Decision, host_id: str, network_id: str) -> None:
    """Drops a host's tag row for a network when no port there needs it any more; an empty host has none."""
    snapshot = d.snapshot
    row = snapshot.get(LocalVlan, _key(host_id, network_id)) if host_id else None
    if row is None:
        return
    for port_id in snapshot.ids("ports_by_host_network", (host_id, network_id)):
        port = snapshot.get(Port, port_id)
        if port is not None and _bindable(snapshot, port):
            return
    d.draft.drop(row)


def rebind_host(d: Decision, host_id: str) -> None:
    """Makes a host's tag rows right after the host came, went, or changed its bridge mappings.

    Called by whoever puts or drops a Host row.  Cost: O(ports and tags of the host).
    """
    for vlan in d.snapshot.rows("local_vlans_by_host", host_id):
        release_tag(d, host_id, vlan.network_id)
    for port in d.snapshot.rows("ports_by_host", host_id):
        hold_tag(d, port)


def can_carry(host: Host, network: Network) -> bool:
    """Says whether a host reaches the physical network that carries a network, or has tunnels of its type."""
    if network.network_type in TUNNEL_TYPES:
        return bool(host.settings.local_ip) and network.network_type in host.settings.tunnel_types
    return network.physical_network in host.settings.bridge_mappings


def vif_type(snapshot: Snapshot, port: Port) -> str:
    """Gives ``binding:vif_type``: unbound (no host), ovs (bound), or binding_failed."""
    if not port.host_id:
        return "unbound"
    tagged = snapshot.get(LocalVlan, _key(port.host_id, port.network_id)) is not None
    return "ovs" if tagged and port.vnic_type == "normal" else "binding_failed"


def _bindable(snapshot: Snapshot, port: Port) -> bool:
    host = snapshot.get(Host, port.host_id)
    network = snapshot.get(Network, port.network_id)
    return host is not None and network is not None and port.vnic_type == "normal" and can_carry(host, network)


def _key(host_id: str, network_id: str) -> str:
    return f"{host_id}/{network_id}"
