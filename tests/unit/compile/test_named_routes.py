"""What a router's owner names for a route holds, before what its gateway would have."""

from __future__ import annotations

from msgspec.structs import replace

from golden.stories import ROUTED, ROUTER
from netglass.base.ids import qrouter_name
from netglass.compile.compiler import compile_host
from netglass.model.resources import HostRoute, Router, Row
from netglass.model.snapshot import Snapshot

NETNS = qrouter_name(ROUTER)


def routes(*named: HostRoute) -> dict[str, str]:
    """Gives the next hop to each destination in the router's namespace."""
    rows: list[Row] = [replace(row, routes=named) if isinstance(row, Router) else row for row in ROUTED]
    state = compile_host(Snapshot.of(rows), "control")
    assert not [one for one in state.diagnostics if "Two objects" in one.text]
    return {route.destination: route.via for route in state.routes if route.netns == NETNS}


def test_a_default_route_that_the_owner_names_stands_for_the_gateways() -> None:
    usual = routes()
    assert usual["0.0.0.0/0"] not in ("", "10.0.0.77")
    assert routes(HostRoute("0.0.0.0/0", "10.0.0.77")) == usual | {"0.0.0.0/0": "10.0.0.77"}


def test_one_to_a_network_that_the_router_is_on_leaves_it_where_it_is() -> None:
    for own in ("10.0.0.0/24", "203.0.113.0/24"):
        inner, usual = HostRoute(own, "10.0.0.77"), routes()
        assert own in str(ROUTED)
        assert routes(inner) == usual
    assert routes(HostRoute("10.0.0.128/25", "10.0.0.77")) == routes() | {"10.0.0.128/25": "10.0.0.77"}


def test_one_that_leads_nowhere_leaves_the_gateways_alone() -> None:
    assert routes(HostRoute("0.0.0.0/0", "192.168.7.7")) == routes()
