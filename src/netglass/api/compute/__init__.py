"""Compute v2.1: the part that users of networks need to have something plugged into them.

    microversion, versions   the form that a request asks for, and the documents that say which there are
    calls        what the endpoints share: caller, microversion, faults, routes
    pages        limits and markers of lists
    server_view, flavor_view   how a server or flavor looks on the wire, by microversion and caller
    server_bodies, server_filters   what requests on servers say
    servers, server_tags, actions, flavors, hosts, quota_sets, odds   the calls

Source: Compute API v2.1; the wording of faults is Nova's, since clients show it.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount

from netglass.api.compute.actions import Actions
from netglass.api.compute.calls import Calls
from netglass.api.compute.flavors import Flavors
from netglass.api.compute.hosts import Hosts
from netglass.api.compute.odds import Odds
from netglass.api.compute.quota_sets import QuotaSets
from netglass.api.compute.server_tags import ServerTags
from netglass.api.compute.servers import Servers
from netglass.api.compute.versions import Versions
from netglass.api.services import Services

PREFIX = "/compute"
"""Where Compute lies under the server's address."""


def routes(services: Services) -> list[BaseRoute]:
    """Gives Compute's routes; the busiest come first."""
    calls = Calls(services)
    versions = Versions(calls)
    servers = (Servers(calls), Actions(calls), ServerTags(calls))
    parts = (*servers, Flavors(calls), Hosts(calls), QuotaSets(calls), Odds(calls), versions)
    below = [route for part in parts for route in part.routes()]
    return [calls.open_route("GET", PREFIX, versions.choices), Mount(PREFIX, routes=[*below, *calls.dead_end()])]
