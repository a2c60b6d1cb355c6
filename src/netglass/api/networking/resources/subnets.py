"""Subnets: blocks of addresses on a network."""

from __future__ import annotations

from collections.abc import Iterable

from netglass.api.networking import kinds, shapes
from netglass.api.networking.declare import Attribute, Parent, Resource, View
from netglass.api.networking.resources.common import DESCRIPTION, ID, NAME, OWNER, STAMPS, TAGS, WRITES, by
from netglass.api.networking.resources.networks import NETWORK
from netglass.control.subnets import decide_create_subnet, decide_delete_subnet, decide_update_subnet
from netglass.control.visibility import is_external, is_shared
from netglass.model.caller import Caller
from netglass.model.resources import Network, Subnet

_IPV6_MODE = kinds.nullable(kinds.one_of("dhcpv6-stateful", "dhcpv6-stateless", "slaac"))


def _external(subnet: Subnet, view: View) -> bool:
    network = view.snapshot.get(Network, subnet.network_id)
    return network is not None and is_external(view.snapshot, network)


def _shared(subnet: Subnet, view: View) -> bool:
    network = view.snapshot.get(Network, subnet.network_id)
    return network is not None and is_shared(view.snapshot, network, view.caller.project_id)


def _rows(view: View, caller: Caller) -> Iterable[Subnet]:
    """Gives the caller's own, and those of networks that they see."""
    if caller.is_admin:
        return view.snapshot.all(Subnet)
    ids = set(view.snapshot.ids("subnets_by_project", caller.project_id))
    for network in NETWORK.rows(view, caller):
        ids.update(view.snapshot.ids("subnets_by_network", network.id))
    found = (view.snapshot.get(Subnet, subnet_id) for subnet_id in ids)
    return [subnet for subnet in found if subnet is not None]


SUBNET = Resource(
    name="subnet",
    collection="subnets",
    about="A block of addresses on a network.",
    missing="SubnetNotFound",
    parent=Parent("network_id", NETWORK),
    find=lambda view, row_id: view.snapshot.get(Subnet, row_id),
    rows=_rows,
    indexes={
        "network_id": by("subnets_by_network"),
        "subnetpool_id": by("subnets_by_subnetpool", empty=False),
        "project_id": by("subnets_by_project"),
        "tenant_id": by("subnets_by_project"),
    },
    create=decide_create_subnet,
    update=decide_update_subnet,
    delete=decide_delete_subnet,
    attributes=(
        ID,
        NAME,
        *OWNER,
        Attribute(
            name="network_id",
            kind=kinds.UUID,
            about="Network that it lies on.",
            post=True,
            required=True,
            sort=True,
        ),
        Attribute(
            name="ip_version",
            kind=kinds.one_of(4, 6),
            about="Address family.",
            post=True,
            required=True,
            sort=True,
        ),
        Attribute(
            name="cidr",
            kind=kinds.nullable(kinds.CIDR),
            about="The block, without host bits; a subnet pool chooses it when it is not given.",
            post=True,
            sort=True,
        ),
        Attribute(
            name="prefixlen",
            kind=kinds.nullable(kinds.integer(0, 128)),
            about="Length of the block that the subnet pool is to choose; by default the pool's own.",
            post=True,
            filter=False,
            visible=False,
        ),
        Attribute(
            name="use_default_subnetpool",
            kind=kinds.BOOLEAN,
            about="Takes the block out of the default subnet pool of its address family.",
            post=True,
            default=False,
            filter=False,
            visible=False,
        ),
        Attribute(
            name="gateway_ip",
            kind=kinds.nullable(kinds.ADDRESS),
            about="Guests' default route: the block's first address when not given; null for none.",
            post=True,
            put=True,
            sort=True,
        ),
        Attribute(
            name="allocation_pools",
            kind=shapes.POOLS,
            about="Ranges out of which ports get addresses; by default all of the block but the gateway.",
            post=True,
            put=True,
            filter=False,
        ),
        Attribute(
            name="dns_nameservers",
            kind=shapes.NAMESERVERS,
            about="Resolvers that DHCP names, the first preferred.",
            post=True,
            put=True,
            default=(),
            filter=False,
        ),
        Attribute(
            name="host_routes",
            kind=shapes.ROUTES,
            about="Routes that DHCP gives to guests.",
            post=True,
            put=True,
            default=(),
            filter=False,
        ),
        Attribute(
            name="enable_dhcp",
            kind=kinds.BOOLEAN,
            about="Whether DHCP serves it.",
            post=True,
            put=True,
            default=True,
            sort=True,
        ),
        Attribute(
            name="ipv6_ra_mode",
            kind=_IPV6_MODE,
            about="What router advertisements tell guests; null: nothing.",
            post=True,
        ),
        Attribute(
            name="ipv6_address_mode",
            kind=_IPV6_MODE,
            about="How guests get their IPv6 address.",
            post=True,
        ),
        Attribute(
            name="service_types",
            kind=kinds.unique_texts(),
            about="Device owners whose ports get addresses here; empty: all.",
            post=True,
            put=True,
            default=(),
            guards=WRITES,
            filter=False,
        ),
        Attribute(
            name="subnetpool_id",
            kind=kinds.nullable(kinds.UUID),
            about="Subnet pool that the block is of; null for none.",
            post=True,
            show=lambda subnet, view: subnet.subnetpool_id or None,
            sort=True,
        ),
        Attribute(
            name="router:external",
            kind=kinds.BOOLEAN,
            about="Whether its network leads outside.",
            show=_external,
        ),
        Attribute(
            name="shared",
            kind=kinds.BOOLEAN,
            about="Whether its network is shared with the caller's project; to filter by only.",
            show=_shared,
            visible=False,
        ),
        DESCRIPTION,
        *STAMPS,
        TAGS,
    ),
)
