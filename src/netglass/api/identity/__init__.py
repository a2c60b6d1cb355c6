"""Identity v3, embedded: who may ask, and where the services are.

    passwords    hashing and checking
    login        the body of POST /auth/tokens, to a user and what the token is for
    sessions     the calls under /auth
    catalog      regions, services, endpoints: constants of a cloud
    projects, users, assignments   what admins keep
    fixed        domains, roles, regions, services, endpoints: shown, never changed
    shapes       how all of it looks on the wire
    calls        what the endpoints share

Source: Identity API v3; the wording of faults is Keystone's.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount

from netglass.api.identity.assignments import Assignments
from netglass.api.identity.calls import Calls
from netglass.api.identity.fixed import Fixed
from netglass.api.identity.projects import Projects
from netglass.api.identity.sessions import Sessions
from netglass.api.identity.users import Users
from netglass.api.identity.versions import Versions
from netglass.api.services import Services

PREFIX = "/identity"
"""Where Identity lies under the server's address."""


def routes(services: Services) -> list[BaseRoute]:
    """Gives Identity's routes; the busiest come first."""
    calls = Calls(services)
    versions = Versions(calls)
    parts = (Sessions(calls), versions, Projects(calls), Users(calls), Assignments(calls), Fixed(calls))
    below = [route for part in parts for route in part.routes()]
    return [calls.route("GET", PREFIX, versions.choices), Mount(PREFIX, routes=[*below, *calls.dead_end()])]
