"""The part of the agent that keeps kernel and switch, put together as ``agent.main`` does, without daemons and feed."""

from __future__ import annotations

import select
from collections.abc import Callable
from pathlib import Path

from netglass.agent.appliers.address_sets import AddressSets
from netglass.agent.appliers.connections import ConnectionMarks
from netglass.agent.appliers.filters import Filters
from netglass.agent.appliers.flows import Flows
from netglass.agent.appliers.inet import Inet
from netglass.agent.appliers.links import Links
from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.namespaces import Namespaces
from netglass.agent.appliers.protocol import Applier
from netglass.agent.appliers.switch import Switch
from netglass.agent.appliers.sysctls import Sysctls
from netglass.agent.retries import Retries
from netglass.agent.rounds import Rounds
from netglass.desired.diff import Plan
from netglass.desired.state import HostState
from netglass.desired.text import render_plan
from netglass.host.conversations import Conversations
from netglass.host.ovsdb import Database

KINDS = frozenset(
    {
        "namespaces",
        "links",
        "bridges",
        "switch_ports",
        "port_tags",
        "sysctls",
        "addresses",
        "routes",
        "address_sets",
        "rule_sets",
        "flows",
        "connections",
    }
)


class Agent:
    """A fresh agent with no memory: everything that it knows, it reads."""

    def __init__(self) -> None:
        self.database = Database()
        self.database.await_ready(5)
        marks = NamespaceMarks(Path("/run/netglass/namespaces"))
        conversations = Conversations()
        self.retries = Retries()
        self.appliers: list[Applier] = [
            Namespaces(marks, conversations),
            Links(marks, conversations),
            Switch(self.database, conversations),
            Sysctls(),
            Inet(marks, conversations),
            AddressSets(),
            Filters(marks),
            Flows(self.database),
            ConnectionMarks(),
        ]
        self.rounds = Rounds(self.appliers, self.retries)

    def once(self, desired: HostState) -> str:
        """Does one round; gives what it did, as the log tells it."""
        self.database.run()
        made = self.rounds.make(desired, KINDS)
        removed = self.rounds.remove(lambda: False)
        return ", ".join(text for text in (made.text, removed.text) if text)

    def converge(self, desired: HostState, rounds: int = 6) -> None:
        """Does rounds until nothing differs; fails with what still does."""
        for _ in range(rounds):
            self.once(desired)
            difference = self.differs(desired)
            if difference.empty:
                return
        raise AssertionError(f"still differs:\n{render_plan(difference)}\n{self.retries.failing()}")

    def hear(self) -> None:
        """Waits for news of flows or of the switch's database, a moment at most."""
        fds = [fd for applier in self.appliers for fd in applier.watch()]
        select.select([*fds, *self.database.wakes()[0]], [], [], 0.1)

    def differs(self, desired: HostState) -> Plan:
        """Gives what differs now, without changing anything."""
        self.database.run()
        return self.rounds.compare(desired, KINDS)


def until(reached: Callable[[], bool], attempt: Callable[[], object], most: int = 50) -> None:
    """Repeats `attempt` until `reached`; fails after `most` times."""
    for _ in range(most):
        if reached():
            return
        attempt()
    raise AssertionError("not reached")
