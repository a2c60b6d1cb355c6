"""Routers: what joins subnets to one another and to an external network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from netglass.api.networking import kinds, schemas, shapes
from netglass.api.networking.bodies import bad_request
from netglass.api.networking.declare import Action, Attribute, Resource, Row, View
from netglass.api.networking.kinds import Wrong
from netglass.api.networking.resources.common import (
    ADMIN_STATE_UP,
    DESCRIPTION,
    ID,
    NAME,
    OWNER,
    STAMPS,
    TAGS,
    WRITES,
    by,
)
from netglass.control.decision import Decision
from netglass.control.gateways import gateway_port
from netglass.control.interfaces import Interface, decide_add_interface, decide_remove_interface
from netglass.control.router_routes import decide_add_routes, decide_remove_routes
from netglass.control.routers import decide_create_router, decide_delete_router, decide_update_router
from netglass.model.caller import Caller
from netglass.model.resources import Host, HostRoute, Router

Render = Callable[[Row], dict[str, Any]]

_IDS = ("subnet_id", "port_id")


def _gateway(router: Router, view: View) -> dict[str, Any] | None:
    if not router.gateway_network_id:
        return None
    port = gateway_port(view.snapshot, router.id)
    return {
        "network_id": router.gateway_network_id,
        "external_fixed_ips": port.fixed_ips if port is not None else (),
        "enable_snat": router.enable_snat,
    }


def _zones(router: Router, view: View) -> list[str]:
    host = view.snapshot.get(Host, router.host_id)
    return [host.availability_zone] if host is not None else []


def _rows(view: View, caller: Caller) -> Iterable[Router]:
    if caller.is_admin:
        return view.snapshot.all(Router)
    found: list[Router] = view.snapshot.rows("routers_by_project", caller.project_id)
    return found


def _read_interface(body: Mapping[str, Any]) -> dict[str, str]:
    unknown = sorted(body.keys() - set(_IDS))
    if unknown:
        raise bad_request(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
    found = dict.fromkeys(_IDS, "")
    for name in body:
        try:
            found[name] = kinds.parse_uuid(body[name])
        except Wrong as wrong:
            raise bad_request(f"Invalid input for {name}. Reason: {wrong}.") from None
    return found


def _show_interface(found: Interface, view: View, render: Render) -> dict[str, Any]:
    return {
        "id": found.router.id,
        "tenant_id": found.router.project_id,
        "project_id": found.router.project_id,
        "port_id": found.port.id,
        "network_id": found.port.network_id,
        "subnet_id": found.subnet_ids[0],
        "subnet_ids": found.subnet_ids,
    }


def _read_routes(body: Mapping[str, Any]) -> tuple[HostRoute, ...]:
    given = body.get("router")
    if not isinstance(given, dict) or given.keys() != {"routes"}:
        raise bad_request("Unable to find 'router' with just 'routes' in request body")
    try:
        found: tuple[HostRoute, ...] = shapes.ROUTES.parse(given["routes"])
    except Wrong as wrong:
        raise bad_request(f"Invalid input for routes. Reason: {wrong}.") from None
    return found


def _show_router(router: Router, view: View, render: Render) -> dict[str, Any]:
    return {"router": render(router)}


def _add_interface(d: Decision, router: Router, ids: Mapping[str, str]) -> Interface:
    return decide_add_interface(d, router, **ids)


def _remove_interface(d: Decision, router: Router, ids: Mapping[str, str]) -> Interface:
    return decide_remove_interface(d, router, **ids)


_INTERFACE_BODY: schemas.Schema = {"type": "object", "properties": dict.fromkeys(_IDS, kinds.UUID.schema)}
_INTERFACE: schemas.Schema = {
    "type": "object",
    "properties": dict.fromkeys(("id", "tenant_id", "project_id", "port_id", "network_id", "subnet_id"), schemas.TEXT)
    | {"subnet_ids": schemas.TEXTS},
}
_ROUTES_BODY: schemas.Schema = {
    "type": "object",
    "properties": {"router": {"type": "object", "properties": {"routes": shapes.ROUTES.schema}}},
}
_ROUTER: schemas.Schema = {"type": "object", "properties": {"router": {"$ref": "#/components/schemas/router"}}}

_ACTIONS = (
    Action(
        name="add_router_interface",
        about="Joins a router to a subnet, by its gateway address or by a port.",
        body=_INTERFACE_BODY,
        answer=_INTERFACE,
        read=_read_interface,
        decide=_add_interface,
        show=_show_interface,
    ),
    Action(
        name="remove_router_interface",
        about="Parts a router from a subnet.",
        body=_INTERFACE_BODY,
        answer=_INTERFACE,
        read=_read_interface,
        decide=_remove_interface,
        show=_show_interface,
    ),
    Action(
        name="add_extraroutes",
        about="Adds extra routes to those a router has.",
        body=_ROUTES_BODY,
        answer=_ROUTER,
        read=_read_routes,
        decide=decide_add_routes,
        show=_show_router,
    ),
    Action(
        name="remove_extraroutes",
        about="Takes extra routes from a router.",
        body=_ROUTES_BODY,
        answer=_ROUTER,
        read=_read_routes,
        decide=decide_remove_routes,
        show=_show_router,
    ),
)

ROUTER = Resource(
    name="router",
    collection="routers",
    about="What joins subnets to one another and to an external network.",
    missing="RouterNotFound",
    find=lambda view, row_id: view.snapshot.get(Router, row_id),
    rows=_rows,
    indexes={"project_id": by("routers_by_project"), "tenant_id": by("routers_by_project")},
    create=decide_create_router,
    update=decide_update_router,
    delete=decide_delete_router,
    actions=_ACTIONS,
    attributes=(
        ID,
        NAME,
        *OWNER,
        ADMIN_STATE_UP,
        Attribute(
            name="status",
            kind=kinds.one_of("ACTIVE"),
            about="Always ACTIVE, as of Neutron's routers without HA; its ports tell whether its host has realised it.",
            show=lambda router, view: "ACTIVE",
            sort=True,
        ),
        Attribute(
            name="external_gateway_info",
            kind=shapes.GATEWAY,
            about="External network, addresses there, and whether what goes out bears them; null for none. Only an "
            "administrator may choose addresses and SNAT.",
            post=True,
            put=True,
            default={},
            guards=WRITES,
            show=_gateway,
            filter=False,
        ),
        Attribute(
            name="routes",
            kind=shapes.ROUTES,
            about="Extra routes; each next hop lies on a subnet of the router.",
            put=True,
            filter=False,
        ),
        Attribute(
            name="availability_zone_hints",
            kind=kinds.unique_texts(),
            about="Zones in which it should run.",
            post=True,
            default=(),
            filter=False,
        ),
        Attribute(
            name="availability_zones",
            kind=kinds.unique_texts(),
            about="The zone in which it runs.",
            show=_zones,
            filter=False,
        ),
        DESCRIPTION,
        *STAMPS,
        TAGS,
    ),
)
