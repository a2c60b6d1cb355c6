"""What the endpoints of all services need, put together once by ``api.app``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from starlette.requests import Request

from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft

if TYPE_CHECKING:
    from netglass.api.questions import Questions
    from netglass.api.tls import ServerTls
    from netglass.api.tokens import Tokens
    from netglass.store.attempt import Committed
    from netglass.store.healings import Healings
    from netglass.store.reports import Reports
    from netglass.store.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Services:
    """The parts of one server process.

    store      intent: `snapshot` to read, `commit` to change
    reports    what hosts last said of themselves (outside of the change log)
    healings   what was damaged on hosts and put right (outside of the change log)
    tokens     issues tokens and tells who holds one
    questions  asks a host something now and waits for its answer
    settings   what the operator set
    public_url base of every URL in catalogues and links, such as http://192.0.2.2:9696; no slash at the end
    agent_secret  what hosts' credentials are made of; empty: no agent is let in
    metadata_secret  with which metadata agents sign for whom they ask; empty: nobody gets metadata
    tls  what the server speaks TLS with; None: it does not
    metrics_token  with which metrics may be read; empty: by nobody
    """

    store: Store
    reports: Reports
    healings: Healings
    tokens: Tokens
    questions: Questions
    settings: CloudSettings
    public_url: str
    agent_secret: str = field(default="", repr=False)
    metadata_secret: str = field(default="", repr=False)
    tls: ServerTls | None = None
    metrics_token: str = field(default="", repr=False)

    def caller(self, request: Request) -> Caller:
        """Tells who makes the request, out of its ``X-Auth-Token``.

        Raises Unauthorized when there is no token, or one that is unknown, revoked or expired.
        """
        return self.tokens.caller(request.headers.get("x-auth-token", ""), request.state.request_id)

    async def commit(self, caller: Caller, decide: Callable[[Decision], T]) -> Committed[T]:
        """Takes a decision for the caller and makes it durable; what it raises goes through with nothing changed."""

        def run(draft: Draft, fresh: Fresh) -> T:
            return decide(Decision(draft, caller, self.settings, fresh))

        return await self.store.commit_async(run, caller)
