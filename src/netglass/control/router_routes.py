"""Extra routes of routers.

Source: Networking API extensions ``extraroute`` and ``extraroute-atomic``.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.router_subnets import joined, reaches
from netglass.control.visibility import require_update
from netglass.model.resources import HostRoute, Router


def checked_routes(d: Decision, router: Router, given: Sequence[HostRoute]) -> tuple[HostRoute, ...]:
    """Gives extra routes ascending, each once.

    Raises RoutesExhausted for too many, InvalidRoutes for a next hop that is the router itself, of another family
    than its destination, or on none of the router's subnets.
    """
    routes = tuple(sorted(set(given), key=lambda route: (route.destination, route.nexthop)))
    if len(routes) > d.settings.max_routes:
        raise fault("RoutesExhausted", router_id=router.id, quota=d.settings.max_routes)
    there = joined(d.snapshot, router.id)
    own = {fixed.ip_address for _, fixed, _ in there}
    subnets = [subnet for _, _, subnet in there]
    for route in routes:
        if ip_network(route.destination).version != ip_address(route.nexthop).version:
            raise _invalid(routes, "the nexthop is not of the destination's address family")
        if not reaches(subnets, route.nexthop):
            raise _invalid(routes, "the nexthop is not connected with router")
        if route.nexthop in own:
            raise _invalid(routes, "the nexthop is used by router")
    return routes


def decide_add_routes(d: Decision, router: Router, routes: Sequence[HostRoute]) -> Router:
    """Adds extra routes to those there are; gives the router's new row.  Raises as `checked_routes`."""
    require_update(d, router)
    return d.draft.update(router, d.now, routes=checked_routes(d, router, (*router.routes, *routes)))


def decide_remove_routes(d: Decision, router: Router, routes: Sequence[HostRoute]) -> Router:
    """Takes extra routes away; those that are not there are no error.  Gives the router's new row."""
    require_update(d, router)
    return d.draft.update(router, d.now, routes=tuple(route for route in router.routes if route not in routes))


def _invalid(routes: Sequence[HostRoute], reason: str) -> Exception:
    shown = [{"destination": route.destination, "nexthop": route.nexthop} for route in routes]
    return fault("InvalidRoutes", routes=shown, reason=reason)
