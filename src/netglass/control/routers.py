"""Routers: making, changing and deleting them.

Source: Networking API v2.0, routers; Neutron's l3 plugin for what the API document leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netglass.base.errors import Bug
from netglass.control import quotas
from netglass.control.availability import require_zones
from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.gateways import gateway_port, set_gateway
from netglass.control.owners import ROUTER_INTERFACES
from netglass.control.router_routes import checked_routes
from netglass.control.router_scheduling import place_router, router_ports
from netglass.control.service_ports import drop_port
from netglass.control.tags import ordered_tags
from netglass.control.visibility import project_for, require_delete, require_update
from netglass.model.resources import Router

_PLAIN = frozenset({"name", "description", "admin_state_up"})
_CHANGEABLE = _PLAIN | {"tags", "external_gateway_info", "routes"}


def decide_create_router(d: Decision, wanted: Mapping[str, Any]) -> Router:
    """Makes a router, with its gateway if one is wanted, and gives it a host; gives the row.

    wanted  by field name of Router, and ``external_gateway_info``, see `set_gateway`

    Raises OverQuota, AvailabilityZoneNotFound and what `set_gateway` raises.
    """
    project_id = project_for(d, wanted)
    quotas.check(d, "router", project_id)
    router = d.draft.put(
        Router(
            id=d.fresh.uuid(),
            project_id=project_id,
            name=wanted.get("name") or "",
            description=wanted.get("description") or "",
            tags=ordered_tags("router", wanted.get("tags") or ()),
            admin_state_up=wanted.get("admin_state_up", True),
            availability_zone_hints=require_zones(d, wanted.get("availability_zone_hints") or ()),
            created_at=d.now,
            updated_at=d.now,
        )
    )
    if wanted.get("external_gateway_info"):
        return set_gateway(d, router, wanted["external_gateway_info"])
    return place_router(d, router)


def decide_update_router(d: Decision, router: Router, changes: Mapping[str, Any]) -> Router:
    """Changes a router; gives the new row.

    Raises RouterNotFound or PolicyNotAuthorized (another's router), and what `set_gateway` and `checked_routes` raise.
    """
    require_update(d, router)
    unknown = changes.keys() - _CHANGEABLE
    if unknown:
        raise Bug(f"attributes of a router that nobody may change reached the decision: {sorted(unknown)}")
    if "external_gateway_info" in changes:
        router = set_gateway(d, router, changes["external_gateway_info"])
    values = {name: changes[name] for name in _PLAIN & changes.keys()}
    if "routes" in changes or "external_gateway_info" in changes:
        # Another gateway may leave the routes there are without their next hops.
        values["routes"] = checked_routes(d, router, changes.get("routes", router.routes) or ())
    if "tags" in changes:
        values["tags"] = ordered_tags("router", changes["tags"])
    return d.draft.update(router, d.now, **values)


def decide_delete_router(d: Decision, router: Router) -> None:
    """Deletes a router and its gateway port.

    Raises RouterNotFound or PolicyNotAuthorized (another's router), RouterInUse while it has interfaces.
    """
    require_delete(d, router)
    if any(port.device_owner in ROUTER_INTERFACES for port in router_ports(d.snapshot, router.id)):
        raise fault("RouterInUse", router_id=router.id, reason="still has ports")
    outside = gateway_port(d.snapshot, router.id)
    if outside is not None:
        drop_port(d, outside)
    d.draft.drop(router)
