"""Networks: one broadcast domain over all hosts."""

from __future__ import annotations

from collections.abc import Iterable

from netglass.api.networking import kinds, shapes
from netglass.api.networking.declare import Attribute, Resource, View
from netglass.api.networking.resources.common import (
    ADMIN_STATE_UP,
    DESCRIPTION,
    GUARDED,
    ID,
    NAME,
    OWNER,
    STAMPS,
    TAGS,
    WRITES,
    by,
)
from netglass.control.address_scopes import scope_of_network
from netglass.control.networks import decide_create_network, decide_delete_network, decide_update_network
from netglass.control.visibility import ACCESS_EXTERNAL, ACCESS_SHARED, granted_ids, is_external, is_shared
from netglass.model.caller import Caller
from netglass.model.resources import Host, Network


def _subnets(network: Network, view: View) -> list[str]:
    return sorted(view.snapshot.ids("subnets_by_network", network.id))


def _zones(network: Network, view: View) -> list[str]:
    """Gives the zones of the hosts that serve the network's DHCP."""
    servers = view.snapshot.rows("dhcp_ports_by_network", network.id)
    hosts = (view.snapshot.get(Host, server.host_id) for server in servers)
    return sorted({host.availability_zone for host in hosts if host is not None})


def _rows(view: View, caller: Caller) -> Iterable[Network]:
    if caller.is_admin:
        return view.snapshot.all(Network)
    open_to_all = (*view.snapshot.ids("networks_shared", True), *view.snapshot.ids("networks_external", True))
    ids = {*view.snapshot.ids("networks_by_project", caller.project_id), *open_to_all}
    for action in (ACCESS_SHARED, ACCESS_EXTERNAL):
        ids |= granted_ids(view.snapshot, caller.project_id, Network.kind, action)
    found = (view.snapshot.get(Network, network_id) for network_id in ids)
    return [network for network in found if network is not None]


NETWORK = Resource(
    name="network",
    collection="networks",
    about="A network: one broadcast domain over all hosts.",
    missing="NetworkNotFound",
    find=lambda view, row_id: view.snapshot.get(Network, row_id),
    rows=_rows,
    indexes={
        "project_id": by("networks_by_project"),
        "tenant_id": by("networks_by_project"),
        "provider:physical_network": by("networks_by_physical_network", empty=False),
    },
    create=decide_create_network,
    update=decide_update_network,
    delete=decide_delete_network,
    attributes=(
        ID,
        NAME,
        *OWNER,
        ADMIN_STATE_UP,
        Attribute(
            name="status",
            kind=kinds.one_of("ACTIVE"),
            about="Always ACTIVE: a network works from its first commit on.",
            show=lambda network, view: "ACTIVE",
            sort=True,
        ),
        Attribute(name="subnets", kind=kinds.unique_texts(), about="Ids of its subnets.", show=_subnets, filter=False),
        Attribute(
            name="shared",
            kind=kinds.BOOLEAN,
            about="Whether every project may use it; shown so too to those that a policy shares it with.",
            show=lambda network, view: is_shared(view.snapshot, network, view.caller.project_id),
            post=True,
            put=True,
            default=False,
            guards=WRITES,
            sort=True,
        ),
        Attribute(
            name="router:external",
            field="external",
            kind=kinds.BOOLEAN,
            about="Whether it leads outside: every project's routers may have a gateway on it, and floating IPs.",
            show=lambda network, view: is_external(view.snapshot, network),
            post=True,
            put=True,
            default=False,
            guards=WRITES,
            sort=True,
        ),
        Attribute(
            name="mtu",
            kind=shapes.MTU,
            about="Largest IP packet of guests, in bytes; by default what the wire carries, less tunnel headers.",
            post=True,
            put=True,
            default=0,
            sort=True,
        ),
        Attribute(
            name="port_security_enabled",
            kind=kinds.BOOLEAN,
            about="What new ports have for port_security_enabled.",
            post=True,
            put=True,
            default=True,
            sort=True,
        ),
        Attribute(
            name="provider:network_type",
            field="network_type",
            kind=kinds.nullable(kinds.text(32)),
            about="How frames travel between hosts: vlan, flat, gre, vxlan or geneve.",
            post=True,
            put=True,
            guards=GUARDED,
            sort=True,
        ),
        Attribute(
            name="provider:physical_network",
            field="physical_network",
            kind=kinds.nullable(kinds.text(64)),
            about="Physical network that carries it; null for tunnels.",
            post=True,
            put=True,
            guards=GUARDED,
            show=lambda network, view: network.physical_network or None,
            sort=True,
        ),
        Attribute(
            name="provider:segmentation_id",
            field="segmentation_id",
            kind=kinds.nullable(kinds.integer(0)),
            about="VLAN on the physical network, or tunnel id; null when flat.",
            post=True,
            put=True,
            guards=GUARDED,
            sort=True,
        ),
        Attribute(
            name="ipv4_address_scope",
            kind=kinds.nullable(kinds.UUID),
            about="Address scope that its IPv4 subnets are in; null for none.",
            show=lambda network, view: scope_of_network(view.snapshot, network.id, 4) or None,
            filter=False,
        ),
        Attribute(
            name="ipv6_address_scope",
            kind=kinds.nullable(kinds.UUID),
            about="Address scope that its IPv6 subnets are in; null for none.",
            show=lambda network, view: scope_of_network(view.snapshot, network.id, 6) or None,
            filter=False,
        ),
        Attribute(
            name="availability_zone_hints",
            kind=kinds.unique_texts(),
            about="Zones in which its DHCP should be served.",
            post=True,
            default=(),
            filter=False,
        ),
        Attribute(
            name="availability_zones",
            kind=kinds.unique_texts(),
            about="Zones in which its DHCP is served.",
            show=_zones,
            filter=False,
        ),
        DESCRIPTION,
        *STAMPS,
        TAGS,
    ),
)
