"""Looks which hosts are still heard of, and has intent follow (control.presence)."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime

from netglass.api.feed import Feed
from netglass.api.services import Services
from netglass.base.errors import UserError
from netglass.control.presence import decide_presence, hosts_to_note
from netglass.model.caller import Caller
from netglass.model.resources import Host

log = logging.getLogger(__name__)

_EACH_S = 1.0
_FAILING_S = 10.0
_SYSTEM = Caller(user_name="presence", roles=("admin",))


async def watch_presence(services: Services, feed: Feed) -> None:
    """Looks every second, without end.

    A server that starts has heard of nobody lately: it judges once it has listened for as long as a host may be silent.
    A host that was away is back once it has realised what changed meanwhile; until then it may still do what others do
    by now.
    """
    started = time.monotonic()
    heard_again: dict[str, float] = {}
    while True:
        await asyncio.sleep(_EACH_S)
        if time.monotonic() - started < services.settings.agent_down_s:
            continue
        try:
            await _look(services, feed, heard_again)
        except UserError as error:  # a database that is not there; again in a second
            log.warning("hosts that are away cannot be noted: %s", error.message)
        except Exception:  # it must not end: nobody would stand in for a dead host any more
            log.exception("hosts that are away cannot be noted")


async def _look(services: Services, feed: Feed, heard_again: dict[str, float]) -> None:
    hosts = list(services.store.snapshot.all(Host))
    heard = {host.id: host for host in hosts if services.reports.alive(host.id, _now())}
    for silent in heard_again.keys() - heard.keys():
        del heard_again[silent]
    alive = frozenset(
        host.id for host in heard.values() if not host.away or _settled(services, feed, host, heard_again)
    )
    if hosts_to_note(hosts, alive):
        await _note(services, alive)


def _settled(services: Services, feed: Feed, host: Host, heard_again: dict[str, float]) -> bool:
    """Says whether a host that is heard of again does what it must; one that fails is believed after a while."""
    heard = services.reports.get(host.id)
    realised = heard.report.realised_revision if heard is not None and heard.report is not None else 0
    since = heard_again.setdefault(host.id, time.monotonic())
    if realised < feed.relevant_revision(host.id) and time.monotonic() - since < _FAILING_S:
        return False
    del heard_again[host.id]
    return True


async def _note(services: Services, alive: frozenset[str]) -> None:
    committed = await services.commit(_SYSTEM, lambda d: decide_presence(d, alive))
    for change in committed.changes:
        if isinstance(change.after, Host):
            log.warning("host %s is %s", change.after.id, "away" if change.after.away else "back")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
