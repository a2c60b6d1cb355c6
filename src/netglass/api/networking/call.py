"""One request under way: who asks, and what the answer is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request

from netglass.api.edge import read_json
from netglass.api.networking.declare import View
from netglass.api.services import Services
from netglass.control.decision import Decision
from netglass.model.caller import Caller
from netglass.model.draft import Draft
from netglass.model.snapshot import Snapshot

if TYPE_CHECKING:
    from netglass.base.fresh import Fresh
    from netglass.store.attempt import Committed

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request to the Networking API, its token already checked.

    caller  who asks; a caller without any role where the operation needs no token
    """

    request: Request
    services: Services
    caller: Caller

    def part(self, name: str) -> str:
        """Gives what stands in the path for ``{name}``."""
        found: str = self.request.path_params[name]
        return found

    async def body(self) -> dict[str, Any]:
        """Reads the body as a JSON object; raises as `read_json`."""
        return await read_json(self.request)

    def view(self, snapshot: Snapshot | None = None) -> View:
        """Gives what to render from: the newest intent, or the snapshot given."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = self.services.store.snapshot if snapshot is None else snapshot
        return View(shown, self.services.reports, now, self.caller)

    async def commit(self, decide: Callable[[Decision], T]) -> Committed[T]:
        """Takes a decision and makes it durable; what it raises goes through with nothing changed."""
        caller, settings = self.caller, self.services.settings

        def run(draft: Draft, fresh: Fresh) -> T:
            return decide(Decision(draft, caller, settings, fresh))

        return await self.services.store.commit_async(run, caller)

    def url(self, path: str) -> str:
        """Gives the whole URL of a path under the root, as links name it."""
        return self.services.public_url + path
