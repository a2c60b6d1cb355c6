"""Keeps the switch's OpenFlow entries: those whose cookie carries our mark; all others are left alone.

One atomic bundle a bridge with only what differs.  When the switch refuses a bundle it is halved until the bad flow
is found and reported; the others go in: carry on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from netglass.agent.appliers.marks import read_ids
from netglass.agent.appliers.protocol import Work
from netglass.base.errors import ApplyError
from netglass.desired.state import OWNERS, Flow, HostState, Thing
from netglass.host.openflow import FlowsRefused, commit_bundle, dump_flows
from netglass.host.ovsdb import Database
from netglass.pipeline.cookies import MARK, MASK, unpack_cookie
from netglass.pipeline.text import parse_flow, render_add, render_delete


class Flows:
    """The applier of ``flows``."""

    kinds = ("flows",)

    def __init__(self, database: Database) -> None:
        self._database = database
        self._parsed: dict[
            tuple[str, str], Flow
        ] = {}  # (bridge, line of a dump) -> flow; parsing costs more than asking
        self._known: set[str] = set()  # bridges that were ever wanted or ours: flows may be left on them

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives our flows on every bridge that is ours or wanted, or was; on the first round, on every bridge.

        Raises ApplyError when a bridge cannot be asked.
        """
        rows = self._database.bridges()
        first = not self._known
        ours = {name for name, row in rows.items() if first or read_ids(row.external_ids) is not None}
        self._known |= ours | {bridge.name for bridge in desired.bridges} | {flow.bridge for flow in desired.flows}
        bridges = sorted(self._known & rows.keys())
        wanted = {flow.key: flow for flow in desired.flows}
        found: list[Flow] = []
        parsed: dict[tuple[str, str], Flow] = {}
        for bridge, lines in dump_flows(bridges, MARK, MASK).items():
            if isinstance(lines, FlowsRefused):
                raise ApplyError("flows", bridge, str(lines))
            for line in lines:
                flow = self._parsed.get((bridge, line)) or _read(bridge, line)
                parsed[bridge, line] = flow
                same = wanted.get(flow.key)
                found.append(same if same is not None and _equal(same, flow) else flow)
        self._parsed = parsed
        return {"flows": tuple(sorted(found, key=lambda flow: flow.key))}

    def apply(self, work: Work) -> list[ApplyError]:
        """Adds flows; one of equal table, priority and match is replaced."""
        return [
            error
            for bridge, flows in _by_bridge(work.wanted).items()
            for error in self._bundle(bridge, flows, render_add)
        ]

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Deletes just these flows; those of a bridge that is gone are gone."""
        there = self._database.bridges()
        return [
            error
            for bridge, flows in _by_bridge(things).items()
            if bridge in there
            for error in self._bundle(bridge, flows, render_delete)
        ]

    def watch(self) -> list[int]:
        """Gives nothing: the loop listens to flow news by itself."""
        return []

    def _bundle(self, bridge: str, flows: Sequence[Flow], render: Callable[[Flow], str]) -> list[ApplyError]:
        output = commit_bundle(bridge, [render(flow) for flow in flows])
        if output.ok:
            return []
        if len(flows) == 1:
            return [ApplyError("flows", flows[0].key, output.evidence)]
        if bridge not in self._database.bridges():
            return [ApplyError("flows", flow.key, f"bridge {bridge} does not exist") for flow in flows]
        half = len(flows) // 2
        return self._bundle(bridge, flows[:half], render) + self._bundle(bridge, flows[half:], render)


def ours(line: str) -> bool:
    """Says whether a line of flow news is about a flow with our mark."""
    _, _, rest = line.partition("cookie=")
    text = rest.partition(" ")[0].rstrip(",")
    try:
        return int(text, 16) & MASK == MARK
    except ValueError:
        return False


def _by_bridge(things: Iterable[Thing]) -> dict[str, list[Flow]]:
    found: dict[str, list[Flow]] = defaultdict(list)
    for thing in things:
        assert isinstance(thing, Flow)
        found[thing.bridge].append(thing)
    return found


def _read(bridge: str, line: str) -> Flow:
    entry = parse_flow(line)
    cookie = unpack_cookie(entry.cookie)
    owner = OWNERS[cookie.feature] if cookie is not None and cookie.feature < len(OWNERS) else ""
    intent = (f"hash:{cookie.hash:010x}",) if cookie is not None else ()
    return Flow(
        owner=owner,
        intent=intent,
        bridge=bridge,
        table=entry.table,
        priority=entry.priority,
        match=entry.match,
        actions=entry.actions,
        cookie=entry.cookie,
    )


def _equal(wanted: Flow, found: Flow) -> bool:
    return (wanted.actions, wanted.cookie) == (found.actions, found.cookie)
