"""Keeps the switch's OpenFlow entries: those whose cookie carries our mark; all others are left alone.

Ports have names here and numbers on the switch; which number a port has stands in the switch's database, and stays
when the switch is started anew.  A number that was given up goes to no other port for an hour, while there are others
left.  Source: ovs-vswitchd.conf.db(5), "ofport"; Open vSwitch, ofproto.c (alloc_ofp_port).

A bridge that was made anew since it was asked, as all are when ovs-vswitchd has started again, has no flows yet: they
go in before it is asked, and the next look sees how it is.

One atomic bundle a bridge with only what differs.  When the switch refuses a bundle it is halved until the bad flow
is found and reported; the others go in: carry on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from netglass.agent.appliers.marks import read_ids
from netglass.agent.appliers.protocol import NotThere, Work
from netglass.base.errors import ApplyError
from netglass.desired.state import OWNERS, Flow, HostState, Thing
from netglass.host.openflow import Dumps, FlowEvents, FlowsRefused, commit_bundles, control_socket, dump_flows
from netglass.host.ovsdb import Database
from netglass.pipeline.cookies import MARK, MASK, unpack_cookie
from netglass.pipeline.ports import with_names, with_numbers
from netglass.pipeline.text import parse_flow, render_add, render_delete


class Flows:
    """The applier of ``flows``."""

    kinds = ("flows",)

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news: dict[str, FlowEvents] = {}
        self._read: dict[str, _Read] = {}
        self._fresh: set[str] = set()  # bridges whose flows are as they were read, as far as was heard
        self._sockets: dict[str, tuple[int, int] | None] = {}  # of the bridges, when all were last read
        self._known: set[str] = set()  # bridges that were ever wanted or ours: flows may be left on them
        self._asked: _Asked | None = None

    def doubt(self) -> None:
        """Has the next look ask every bridge."""
        self._fresh.clear()
        self._sockets.clear()
        self._stop_listening({bridge for bridge, news in self._news.items() if news.ended})

    def ask(self, desired: HostState) -> None:
        """Asks the bridges of which what was read is not to be trusted; raises ApplyError, see `observe`."""
        if not self._database.ready:
            raise ApplyError("flows", "all", "no connection to ovsdb-server")
        rows = self._database.bridges()
        first = not self._known
        ours = {name for name, row in rows.items() if first or read_ids(row.external_ids) is not None}
        self._known |= ours | {bridge.name for bridge in desired.bridges} | {flow.bridge for flow in desired.flows}
        bridges = sorted(self._known & rows.keys())
        numbers = self._port_numbers(bridges)
        stale = [bridge for bridge in bridges if self._stale(bridge)]
        anew = [bridge for bridge in stale if self._made_anew(bridge)]
        # News that ended before a word would only end again, so it begins anew with the bridge or with the slow look.
        ended = {bridge for bridge, news in self._news.items() if news.ended and news.spoke}
        self._stop_listening(ended | set(anew) | (self._news.keys() - set(bridges)))
        dumps = dump_flows([bridge for bridge in stale if bridge not in anew], MARK, MASK)
        self._asked = _Asked(bridges, numbers, anew, dumps)

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives our flows on every bridge that is ours or wanted, or was; on the first round, on every bridge.

        A bridge is asked only when there is news of its flows, we changed them, or there is doubt.
        Raises ApplyError when one cannot be asked, or when it is not known which there are.
        """
        if self._asked is None:
            self.ask(desired)
        assert self._asked is not None
        asked, self._asked = self._asked, None
        self._take(asked)
        wanted = {flow.key: flow for flow in desired.flows}
        found = [_as_wanted(flow, wanted) for bridge in asked.bridges for flow in self._read[bridge].flows.values()]
        return {"flows": tuple(sorted(found, key=lambda flow: flow.key))}

    def _stop_listening(self, bridges: Iterable[str]) -> None:
        for bridge in self._news.keys() & bridges:
            self._news.pop(bridge).close()
            self._read.pop(bridge, None)
            self._fresh.discard(bridge)

    def _port_numbers(self, bridges: Iterable[str]) -> dict[str, dict[str, int]]:
        numbers: dict[str, dict[str, int]] = {bridge: {} for bridge in bridges}
        for port in self._database.ports().values():
            if port.bridge in numbers:
                numbers[port.bridge][port.name] = port.ofport
        return numbers

    def _stale(self, bridge: str) -> bool:
        news = self._news.get(bridge)
        lines = news.drain() if news is not None else []
        heard = any("event=" not in line or ours(line) for line in lines)
        return heard or news is None or news.ended or bridge not in self._fresh

    def _made_anew(self, bridge: str) -> bool:
        before, now = self._sockets.get(bridge), control_socket(self._database.directory, bridge)
        return before is not None and now is not None and before != now

    def _take(self, asked: _Asked) -> None:
        dumps = asked.dumps()
        for bridge in asked.anew:
            self._read[bridge] = _Read((), asked.numbers[bridge], {})
        for bridge in asked.bridges:
            lines, numbers, before = dumps.get(bridge), asked.numbers[bridge], self._read.get(bridge)
            if isinstance(lines, FlowsRefused):
                self._read.pop(bridge, None)
                self._fresh.discard(bridge)
                raise NotThere("flows", bridge, str(lines))  # a bridge that comes or goes; told when it lasts
            if lines is not None:
                self._read[bridge] = _Read(lines, numbers, _named(bridge, lines, numbers, before))
                self._fresh.add(bridge)
            elif before is not None and before.numbers != numbers:
                flows = _named(bridge, before.lines, numbers, before)
                self._read[bridge] = before._replace(numbers=numbers, flows=flows)
        self._sockets = {bridge: control_socket(self._database.directory, bridge) for bridge in asked.bridges}

    def apply(self, work: Work) -> list[ApplyError]:
        """Adds flows; one of equal table, priority and match is replaced."""
        return self._bundles(_by_bridge(work.wanted), render_add)

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Deletes just these flows; those of a bridge that is gone are gone."""
        there = self._database.bridges()
        flows = {bridge: flows for bridge, flows in _by_bridge(things).items() if bridge in there}
        return self._bundles(flows, render_delete)

    def watch(self) -> list[int]:
        """Gives what news of flows comes by, from now on.

        What changed before counts as changed too: the first line of news says only that the listening began.
        """
        for bridge in self._fresh - self._news.keys():
            self._news[bridge] = FlowEvents(bridge)
        return [news.fileno() for news in self._news.values() if not news.ended]

    def _bundles(self, flows: Mapping[str, Sequence[Flow]], render: Callable[[Flow], str]) -> list[ApplyError]:
        """Changes flows, and gives those that were refused, or that name a port which the switch has not got."""
        errors: list[ApplyError] = []
        numbers = self._port_numbers(flows)
        lines: dict[str, dict[str, Flow]] = {bridge: {} for bridge in flows}
        for bridge, group in flows.items():
            for flow in group:
                try:
                    lines[bridge][with_numbers(render(flow), numbers[bridge])] = flow
                except KeyError as error:
                    errors.append(NotThere("flows", flow.key, f"bridge {bridge} has no working port {error.args[0]}"))
        return errors + self._commit({bridge: group for bridge, group in lines.items() if group})

    def _commit(self, lines: Mapping[str, Mapping[str, Flow]]) -> list[ApplyError]:
        errors: list[ApplyError] = []
        for bridge, output in commit_bundles({bridge: list(group) for bridge, group in lines.items()}).items():
            self._fresh.discard(bridge)
            if not output.ok:
                errors += self._search(bridge, lines[bridge], output.evidence)
        return errors

    def _search(self, bridge: str, lines: Mapping[str, Flow], evidence: str) -> list[ApplyError]:
        """Applies a refused bundle in halves; gives the flows that are refused alone."""
        if len(lines) == 1 or bridge not in self._database.bridges():
            return [ApplyError("flows", flow.key, evidence) for flow in lines.values()]
        rows = list(lines.items())
        halves = (dict(rows[: len(rows) // 2]), dict(rows[len(rows) // 2 :]))
        return [error for half in halves for error in self._commit({bridge: half})]


class _Read(NamedTuple):
    """A bridge's flows as they were read, and what they are by its ports' numbers: by line with names."""

    lines: Sequence[str]
    numbers: Mapping[str, int]
    flows: Mapping[str, Flow]


class _Asked(NamedTuple):
    """What the bridges were asked, and what was known of them then; those that were `anew` are not asked."""

    bridges: Sequence[str]
    numbers: Mapping[str, Mapping[str, int]]
    anew: Sequence[str]
    dumps: Callable[[], Dumps]


def _named(bridge: str, lines: Iterable[str], numbers: Mapping[str, int], before: _Read | None) -> dict[str, Flow]:
    """Gives flows by their lines with names; parsing costs more than asking, so only what is new is parsed."""
    names = {number: name for name, number in numbers.items() if number > 0}
    known = before.flows if before is not None else {}
    return {line: known.get(line) or _parse(bridge, line) for line in (with_names(line, names) for line in lines)}


def _as_wanted(flow: Flow, wanted: Mapping[str, Flow]) -> Flow:
    same = wanted.get(flow.key)
    equal = same is not None and (same.actions, same.cookie) == (flow.actions, flow.cookie)
    return same if equal and same is not None else flow


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


def _parse(bridge: str, line: str) -> Flow:
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
