"""Asks hosts whether another one, of which no server hears, still does its work (control.signs)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Set

import msgspec

from netglass.api.questions import Questions
from netglass.base.errors import Unavailable
from netglass.control.signs import Told, held_by, stopped, witnesses
from netglass.model.protocol import Sign, SignsSeen
from netglass.model.resources import Host
from netglass.model.snapshot import Snapshot

log = logging.getLogger(__name__)

_PATIENCE_S = 4.0  # whoever is asked looks for two seconds


async def find_stopped(questions: Questions, snapshot: Snapshot, host: Host, heard: Set[str]) -> frozenset[str]:
    """Gives the ids of a silent host's routers and DHCP servers' ports of which nobody says that they work.

    heard  ids of the hosts that were heard of lately, which can be asked

    Raises Unavailable when the database is lost, by which hosts at other servers are asked.
    """
    held = held_by(snapshot, host)
    signs = list(dict.fromkeys(sign for signs in held.values() for sign in signs))
    asked = witnesses(snapshot, host, signs, heard)
    told = await asyncio.gather(*(_ask(questions, name, about) for name, about in asked.items()))
    found = stopped(held, told)
    log.debug("of %d routers and DHCP servers on silent host %s, %d stopped", len(held), host.id, len(found))
    return found


async def _ask(questions: Questions, host: str, signs: list[Sign]) -> Told:
    """Asks one host; one that does not answer, or does not know the question, cannot tell of any."""
    try:
        answer = await questions.ask(host, "signs", {"signs": msgspec.json.encode(signs).decode()}, _PATIENCE_S)
        found = msgspec.convert(answer.value, SignsSeen) if answer.ok else SignsSeen()
        return Told({signs[place] for place in found.seen}, {signs[place] for place in found.missed})
    except (Unavailable, msgspec.ValidationError, IndexError) as error:
        if isinstance(error, Unavailable) and error.fault != "HostUnavailable":
            raise
        log.debug("host %s cannot tell of another's signs of life: %s", host, error)
        return Told(frozenset(), frozenset())
