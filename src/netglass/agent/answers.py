"""Answers to what the server asks a host: a guest's console, and what differs from the host's plan now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from netglass.agent.appliers.guests import read_console
from netglass.agent.retries import Retries
from netglass.agent.rounds import ALL_KINDS, Rounds
from netglass.desired.diff import KindPlan
from netglass.desired.state import HostState, Thing
from netglass.desired.text import changed_facts, facts, title
from netglass.model.protocol import Answer, Question


class Answers:
    """Answers questions out of desired state and machine; writes nothing."""

    def __init__(self, rounds: Rounds, retries: Retries, instances_root: str) -> None:
        self._rounds = rounds
        self._retries = retries
        self._instances_root = instances_root

    def answer(self, question: Question, desired: HostState | None) -> Answer:
        """Answers one question; what cannot be answered says so."""
        asked: dict[str, Callable[[Question, HostState], Answer]] = {
            "console": self._console,
            "diff": self._diff,
        }
        if question.ask not in asked:
            return Answer(ok=False, error=f"this agent does not know the question {question.ask!r}")
        if desired is None:
            return Answer(ok=False, error="the agent has not been told what is wanted yet")
        try:
            return asked[question.ask](question, desired)
        except (OSError, ValueError) as error:
            return Answer(ok=False, error=str(error))

    def _console(self, question: Question, desired: HostState) -> Answer:
        server_id = question.arguments.get("server_id", "")
        lines = int(question.arguments.get("length") or -1)  # of the end; negative: all there are
        guest = next((guest for guest in desired.guests if guest.server_id == server_id), None)
        if guest is not None:
            directory = guest.directory
        elif server_id and "/" not in server_id and server_id not in (".", ".."):
            directory = f"{self._instances_root}/{server_id}"  # of a guest that is stopped
        else:
            return Answer(ok=False, error=f"there is no guest {server_id!r} on this host")
        return Answer(ok=True, value=read_console(directory, lines if lines >= 0 else None))

    def _diff(self, question: Question, desired: HostState) -> Answer:
        found = self._rounds.compare(desired, ALL_KINDS)
        failing = self._retries.failing()
        return Answer(
            ok=True,
            value={
                "host": desired.host,
                "kinds": [_kind(part) for part in found.kinds],
                "failing": [
                    {"kind": kind, "key": key, "evidence": evidence, "intent": list(intent)}
                    for (kind, key), (evidence, intent) in sorted(failing.items())
                ],
            },
        )


def _kind(part: KindPlan) -> dict[str, Any]:
    return {
        "kind": part.kind,
        "add": [_thing(thing) for thing in part.add],
        "change": [_thing(new) | {"changes": _changes(old, new)} for old, new in part.change],
        "delete": [_thing(thing) for thing in part.delete],
        "awaiting": [_thing(thing) for thing in part.awaiting],
    }


def _thing(thing: Thing) -> dict[str, Any]:
    return {
        "key": thing.key,
        "title": title(thing),
        "owner": thing.owner,
        "intent": list(thing.intent),
        "facts": msgspec.to_builtins(facts(thing)),
    }


def _changes(found: Thing, wanted: Thing) -> dict[str, Any]:
    changed: dict[str, Any] = msgspec.to_builtins(changed_facts(found, wanted))
    return {name: {"found": old, "wanted": new} for name, (old, new) in changed.items()}
