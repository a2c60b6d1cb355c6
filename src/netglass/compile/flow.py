"""Makes one flow of the desired state: table by bridge, cookie by owner and first intent reference."""

from __future__ import annotations

from netglass.compile.place import INTEGRATION
from netglass.desired.state import OWNERS, Flow
from netglass.pipeline.cookies import pack_cookie
from netglass.pipeline.flows import Match
from netglass.pipeline.tables import INTEGRATION_CLASSIFY, PROVIDER_CLASSIFY, Table


def flow(owner: str, intent: tuple[str, ...], at: tuple[str, int], match: Match, doing: str) -> Flow:
    """Gives a flow of a bridge's first table.

    at     bridge and priority, the latter one of those that ``pipeline.tables`` names
    doing  canonical text of the actions
    """
    bridge, priority = at
    table = INTEGRATION_CLASSIFY if bridge == INTEGRATION else PROVIDER_CLASSIFY
    return flow_in(owner, intent, (bridge, table, priority), match, doing)


def flow_in(
    owner: str, intent: tuple[str, ...], at: tuple[str, Table, int], match: Match, doing: str, *, port: str = ""
) -> Flow:
    """Gives a flow of any table; `at` is bridge, table and priority, `port` a guest's that `doing` sends to."""
    return flow_of_text(owner, intent, at, match.text(), doing, port or match.in_port)


def flow_of_text(
    owner: str, intent: tuple[str, ...], at: tuple[str, Table, int], match: str, doing: str, port: str = ""
) -> Flow:
    """Gives the same of a match that is text already."""
    bridge, table, priority = at
    return Flow(
        owner=owner,
        intent=intent,
        bridge=bridge,
        table=table.number,
        priority=priority,
        match=match,
        actions=doing,
        cookie=pack_cookie(OWNERS.index(owner), intent[0]),
        port=port,
    )
