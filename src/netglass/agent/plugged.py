"""Knows by which names an outside compute service has plugged in the ports that are awaited on this host."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable

from netglass.agent.appliers.switch import TAGGED
from netglass.compile.plugged import Found, as_plugged, names_of
from netglass.desired.state import HostState
from netglass.host.ovsdb import Database

log = logging.getLogger(__name__)


class Plugged:
    """Looks the names up in the switch's database, and says when one port is plugged in twice."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._told: set[tuple[str, ...]] = set()

    def named(self, intended: HostState) -> HostState:
        """Gives a desired state by the names that its awaited ports have now; itself, when nothing is named anew."""
        wanted = {port.external_ids["iface-id"] for port in intended.switch_ports if port.any_name}
        if not wanted:
            return intended
        found = [one for one in self._found() if one.iface_id in wanted]
        names = names_of(intended, found)
        self._tell_of_doubles(found)
        return as_plugged(intended, names)

    def _found(self) -> Iterable[Found]:
        for row in self._database.ports().values():
            iface_id = row.interface_ids.get("iface-id", "")
            if iface_id:
                yield Found(
                    name=row.name,
                    bridge=row.bridge,
                    iface_id=iface_id,
                    works=row.ofport > 0,
                    tagged=TAGGED in row.external_ids,
                )

    def _tell_of_doubles(self, found: Iterable[Found]) -> None:
        by_id: dict[str, list[str]] = defaultdict(list)
        for one in found:
            by_id[one.iface_id].append(one.name)
        doubles = {(iface_id, *sorted(names)) for iface_id, names in by_id.items() if len(names) > 1}
        for iface_id, *names in sorted(doubles - self._told):
            log.warning("port %s is plugged in more than once, as %s; one of them is wired", iface_id, ", ".join(names))
        self._told = doubles
