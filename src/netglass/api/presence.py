"""Looks which hosts are still heard of, and has intent follow (control.presence).

Before others take over what a silent host carries, they are asked whether it works on (control.signs); and again and
again for as long as it is silent and carries something.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Set
from datetime import UTC, datetime

from netglass.api.feed import Feed
from netglass.api.services import Services
from netglass.api.signs import find_stopped
from netglass.base.errors import UserError
from netglass.control.presence import decide_presence, hosts_to_note
from netglass.model.caller import Caller
from netglass.model.resources import Host, Router

log = logging.getLogger(__name__)

_EACH_S = 1.0
_FAILING_S = 10.0
_ASK_EACH_S = 3.0
_SYSTEM = Caller(user_name="presence", roles=("admin",))


async def watch_presence(services: Services, feed: Feed) -> None:
    """Looks every second, without end.

    A server that starts has heard of nobody lately, and one that finds its database again not of those that report to
    another server: it judges once it has listened for as long as a host may be silent.
    A host that was away is back once it has realised what changed meanwhile; until then it may still do what others do
    by now.
    """
    started = time.monotonic()
    presence = _Presence(services, feed)
    while True:
        await asyncio.sleep(_EACH_S)
        if not services.store.reachable:
            started = time.monotonic()
        if time.monotonic() - started < services.settings.agent_down_s:
            continue
        try:
            await presence.look()
        except UserError as error:  # a database that is not there
            started = time.monotonic()
            log.warning("hosts that are away cannot be noted: %s", error.message)
        except Exception:  # it must not end: nobody would stand in for a dead host any more
            log.exception("hosts that are away cannot be noted")


class _Presence:
    """What one server knows of hosts that fell silent or are heard of again."""

    def __init__(self, services: Services, feed: Feed) -> None:
        self._services = services
        self._feed = feed
        self._heard_again: dict[str, float] = {}
        self._asked: dict[str, float] = {}  # silent hosts, and when others were last asked of them

    async def look(self) -> None:
        """Looks once; raises UserError when the store cannot be written."""
        heard = self._heard()
        stopped = await self._stopped(heard)
        heard |= self._heard()  # of a host that speaks meanwhile, what others said counts no longer
        for host_id in self._heard_again.keys() - heard:
            del self._heard_again[host_id]
        hosts = list(self._services.store.snapshot.all(Host))
        alive = frozenset(host.id for host in hosts if host.id in heard and (not host.away or self._settled(host.id)))
        gone = frozenset[str]().union(*(ids for host_id, ids in stopped.items() if host_id not in heard))
        if gone or hosts_to_note(hosts, alive):
            await self._note(alive, gone)

    def _heard(self) -> frozenset[str]:
        now, hosts = _now(), self._services.store.snapshot.all(Host)
        return frozenset(host.id for host in hosts if self._services.reports.alive(host.id, now))

    async def _stopped(self, heard: Set[str]) -> dict[str, frozenset[str]]:
        """Asks others of the silent hosts of which it is time to; gives what of theirs stopped, by host."""
        snapshot, now = self._services.store.snapshot, time.monotonic()
        hosts: list[Host] = snapshot.rows("hosts_by_role", "network")
        silent = [host for host in hosts if host.id not in heard]
        if len(silent) == len(hosts):  # nobody could take anything over
            return {}
        self._asked = {host.id: self._asked.get(host.id, -_ASK_EACH_S) for host in silent}
        due = [host for host in silent if now - self._asked[host.id] >= _ASK_EACH_S]
        self._asked |= {host.id: now for host in due}
        found = await asyncio.gather(*(find_stopped(self._services.questions, snapshot, host, heard) for host in due))
        return {host.id: stopped for host, stopped in zip(due, found, strict=True)}

    def _settled(self, host_id: str) -> bool:
        """Says whether a host that is heard of again does what it must; one that fails is believed after a while."""
        heard = self._services.reports.get(host_id)
        realised = heard.report.realised_revision if heard is not None and heard.report is not None else 0
        since = self._heard_again.setdefault(host_id, time.monotonic())
        if realised < self._feed.relevant_revision(host_id) and time.monotonic() - since < _FAILING_S:
            return False
        del self._heard_again[host_id]
        return True

    async def _note(self, alive: Set[str], stopped: Set[str]) -> None:
        committed = await self._services.commit(_SYSTEM, lambda d: decide_presence(d, alive, stopped))
        for change in committed.changes:
            before, after = change.before, change.after
            if isinstance(before, Host) and isinstance(after, Host):
                log.warning("host %s is %s", after.id, "away" if after.away else "back")
            elif isinstance(before, Router) and isinstance(after, Router) and before.host_id != after.host_id:
                log.warning("router %s goes from host %s to %s", after.id, before.host_id, after.host_id)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
