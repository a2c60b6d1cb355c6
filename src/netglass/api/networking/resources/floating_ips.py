"""Floating IPs: external addresses that projects hold and give to their ports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Resource, View
from netglass.api.networking.resources.common import DESCRIPTION, ID, OWNER, STAMPS, TAGS, by
from netglass.control.floating_ips import (
    decide_create_floating_ip,
    decide_delete_floating_ip,
    decide_update_floating_ip,
    status_of_floating_ip,
)
from netglass.model.caller import Caller
from netglass.model.resources import FloatingIp, Port, PortForwarding

_INTERNAL = ("internal_port_id", "internal_ip_address")
_DETAILS = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")


def _details(floating: FloatingIp, view: View) -> dict[str, Any] | None:
    port = view.snapshot.get(Port, floating.port_id) if floating.port_id else None
    return None if port is None else {name: getattr(port, name) for name in _DETAILS}


def _forwardings(floating: FloatingIp, view: View) -> list[dict[str, Any]]:
    """Gives its port forwardings as Neutron shows them there, and of a range what Neutron leaves out."""
    return [_forwarding(one) for one in view.snapshot.rows("port_forwardings_by_floating_ip", floating.id)]


def _forwarding(row: PortForwarding) -> dict[str, Any]:
    shown: dict[str, Any] = {name: getattr(row, name) for name in ("id", "protocol", *_INTERNAL)}
    for end in ("external", "internal"):
        first, last = getattr(row, f"{end}_port"), getattr(row, f"{end}_port_last")
        shown |= {f"{end}_port": first} if first == last else {f"{end}_port_range": f"{first}:{last}"}
    return shown


def _rows(view: View, caller: Caller) -> Iterable[FloatingIp]:
    if caller.is_admin:
        return view.snapshot.all(FloatingIp)
    found: list[FloatingIp] = view.snapshot.rows("floating_ips_by_project", caller.project_id)
    return found


FLOATING_IP = Resource(
    name="floatingip",
    collection="floatingips",
    about="An external address that a project holds, and may give to one of its ports.",
    missing="FloatingIPNotFound",
    find=lambda view, row_id: view.snapshot.get(FloatingIp, row_id),
    rows=_rows,
    indexes={
        "floating_ip_address": by("floating_ips_by_address"),
        "port_id": by("floating_ips_by_port", empty=False),
        "router_id": by("floating_ips_by_router", empty=False),
        "floating_network_id": by("floating_ips_by_network"),
        "project_id": by("floating_ips_by_project"),
        "tenant_id": by("floating_ips_by_project"),
    },
    create=decide_create_floating_ip,
    update=decide_update_floating_ip,
    delete=decide_delete_floating_ip,
    attributes=(
        ID,
        *OWNER,
        Attribute(
            name="floating_network_id",
            kind=kinds.UUID,
            about="External network that the address is of.",
            post=True,
            required=True,
            sort=True,
        ),
        Attribute(
            name="floating_ip_address",
            kind=kinds.nullable(kinds.ADDRESS),
            about="The external address; only an administrator may choose it.",
            post=True,
            guards=frozenset({"create"}),
            sort=True,
        ),
        Attribute(
            name="subnet_id",
            kind=kinds.nullable(kinds.UUID),
            about="Subnet out of which the address is taken.",
            post=True,
            filter=False,
            visible=False,
        ),
        Attribute(
            name="port_id",
            kind=kinds.nullable(kinds.UUID),
            about="Port that it is for; null: nobody's.",
            post=True,
            put=True,
            show=lambda floating, view: floating.port_id or None,
            sort=True,
        ),
        Attribute(
            name="fixed_ip_address",
            kind=kinds.nullable(kinds.ADDRESS),
            about="Which of the port's addresses; by default the only IPv4 one.",
            post=True,
            put=True,
            show=lambda floating, view: floating.fixed_ip_address or None,
            sort=True,
        ),
        Attribute(
            name="router_id",
            kind=kinds.nullable(kinds.UUID),
            about="Router that translates it.",
            show=lambda floating, view: floating.router_id or None,
            sort=True,
        ),
        Attribute(
            name="status",
            kind=kinds.one_of("ACTIVE", "DOWN"),
            about="ACTIVE once the host of its router translates it.",
            show=lambda floating, view: status_of_floating_ip(view.snapshot, floating),
            sort=True,
        ),
        Attribute(
            name="port_details",
            kind=kinds.mapping(),
            about="The port that it is for; null: nobody's.",
            show=_details,
            filter=False,
        ),
        Attribute(
            name="port_forwardings",
            kind=kinds.Kind(kinds.parse_list, {"type": "array", "items": {"type": "object"}}),
            about="What single ports of it lead to.",
            show=_forwardings,
            filter=False,
        ),
        DESCRIPTION,
        *STAMPS,
        TAGS,
    ),
)
