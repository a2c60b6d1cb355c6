"""Everything the agent listens to on its machine, and which kinds of objects each piece of news concerns.

Between events nothing is read but the time of change of one directory, once a second, for hosts without inotify.

| what is heard                     | from                                                        |
|-----------------------------------|-------------------------------------------------------------|
| links, addresses, routes, and     | netlink multicast, a socket in every namespace that is used |
| sysctls that concern forwarding   |                                                             |
| bridges, switch_ports, port_tags  | the switch's database, monitored; its ports' numbers, by    |
|                                   | which flows name them, are in it                            |
| flows, daemons, guests, files,    | what their appliers hand out: flow monitors, pidfds,        |
| rule_sets                         | inotify, netlink sockets                                    |
| flows                             | the directory of the switch's sockets, too: a bridge has    |
|                                   | one from when it can be asked, which is no news otherwise   |
| namespaces                        | the directory of their names                                |
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Iterable

from netglass.agent.appliers.protocol import Applier
from netglass.host import namespaces
from netglass.host.inotify import DirectoryNews
from netglass.host.netlink import Events
from netglass.host.ovsdb import Database
from netglass.host.switch_sockets import SwitchSockets

log = logging.getLogger(__name__)

TICK_S = 1.0
"""Seconds between looks at what sends no news."""

_SWITCH_KINDS = frozenset({"bridges", "switch_ports", "port_tags", "flows"})


class Senses:
    """What wakes the loop."""

    def __init__(
        self, database: Database, appliers: Iterable[Applier], switch_sockets: SwitchSockets | None = None
    ) -> None:
        self._database = database
        self._appliers = tuple(appliers)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._netlink: dict[str, tuple[int, Events]] = {"": (0, Events())}
        self._directories = DirectoryNews()
        self._switch_sockets = switch_sockets
        self._looked_at = 0
        self._watched: dict[int, Applier] = {}

    def ring(self) -> None:
        """Wakes `wait`; may be called from any thread and from a signal's Python function."""
        os.eventfd_write(self._bell, 1)

    def close(self) -> None:
        """Stops listening."""
        for _, events in self._netlink.values():
            events.close()
        self._directories.close()
        os.close(self._bell)

    def listen(self, netns: Iterable[str]) -> set[str]:
        """Listens to these namespaces, and to what the appliers want watched, from now on.

        Gives the kinds that may have changed before the listening began.
        """
        self._watched = {fd: applier for applier in self._appliers for fd in applier.watch()}
        if self._switch_sockets is not None:
            self._switch_sockets.look()
        self._directories.follow([str(namespaces.DIRECTORY), self._database.directory])
        wanted = {name: _identity(name) for name in ("", *netns)}
        # A namespace that was made anew under its name is another one, and the old socket hears nothing of it.
        for name in [name for name, (identity, _) in self._netlink.items() if wanted.get(name) != identity]:
            self._netlink.pop(name)[1].close()
        missed: set[str] = set()
        for name, identity in wanted.items():
            if name in self._netlink or identity is None:
                continue
            try:
                self._netlink[name] = (identity, Events(name))
            except OSError as error:
                log.info("namespace %s cannot be listened to: %s", name, error)
                continue
            missed |= {"links", "addresses", "routes", "sysctls"}
        return missed

    def wait(self, timeout_s: float) -> set[str]:
        """Waits for news, at most `timeout_s` seconds; gives the kinds that it concerns, empty when time ran out."""
        poll = select.poll()
        own = [self._bell, *self._directories.filenos(), *(events.fileno() for _, events in self._netlink.values())]
        for fd in [*own, *self._watched]:
            poll.register(fd, select.POLLIN)
        fds, timer_s = self._database.wakes()
        for fd, events in fds.items():
            poll.register(fd, events)
        if timer_s is not None:
            timeout_s = min(timeout_s, timer_s)
        return self._heard({fd for fd, _ in poll.poll(max(0.0, timeout_s) * 1000)})

    def _heard(self, ready: set[int]) -> set[str]:
        kinds: set[str] = set()
        if self._bell in ready:
            os.eventfd_read(self._bell)
        for _, news in self._netlink.values():
            if news.fileno() in ready:
                kinds |= news.drain()
        for fd in ready & self._watched.keys():
            # Readable until its applier has looked; once is enough to make it look.
            kinds.update(self._watched.pop(fd).kinds)
        if self._database.run():
            kinds |= _SWITCH_KINDS
        if self._database.directory in self._directories.drain():
            kinds.add("flows")
        if self._names_changed():
            kinds.add("namespaces")
        return kinds

    def _names_changed(self) -> bool:
        try:
            changed_at = namespaces.DIRECTORY.stat().st_mtime_ns
        except FileNotFoundError:
            changed_at = 0
        changed, self._looked_at = changed_at != self._looked_at, changed_at
        return changed


def _identity(netns: str) -> int | None:
    """Gives what tells a namespace from others that had its name; None when there is none of that name."""
    try:
        return namespaces.identity(netns)
    except FileNotFoundError:
        return None
