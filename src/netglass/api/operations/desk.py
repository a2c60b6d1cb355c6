"""What all operators' calls share: who may ask, which hosts there are, which of them are heard of."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request

from netglass.api.feed import Feed
from netglass.api.services import Services
from netglass.base.errors import Forbidden, NotFound
from netglass.model.caller import Caller
from netglass.model.resources import Host


class Desk:
    """What every operators' call is made with."""

    def __init__(self, services: Services, feed: Feed) -> None:
        self.services = services
        self.feed = feed

    def require_admin(self, request: Request) -> Caller:
        """Gives who asks; raises Forbidden when that is no administrator."""
        caller = self.services.caller(request)
        if not caller.is_admin:
            raise Forbidden("Only administrators may look at hosts.")
        return caller

    def known(self, host: str) -> str:
        """Gives back the name of a registered host; raises NotFound, which names those that there are."""
        if self.services.store.snapshot.get(Host, host) is None:
            names = ", ".join(sorted(row.id for row in self.services.store.snapshot.all(Host))) or "none"
            raise NotFound(f"There is no host {host!r}; registered are: {names}.", fault="HostNotFound")
        return host

    def alive(self) -> list[str]:
        """Gives the names of the hosts that were heard of a short while ago, ascending."""
        at = now()
        names = sorted(row.id for row in self.services.store.snapshot.all(Host))
        return [name for name in names if self.services.reports.alive(name, at)]


def now() -> str:
    """Gives the time as reports have it: RFC 3339, UTC, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
