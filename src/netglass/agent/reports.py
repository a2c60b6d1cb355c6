"""What the agent reports: put together from intent, from what is missing and from what fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from netglass import __version__
from netglass.agent.retries import Retries
from netglass.agent.rounds import ALL_KINDS, Rounds
from netglass.agent.standing import guest_changes, owes, port_changes, ports_missing, ports_of
from netglass.desired.state import HostState
from netglass.model.protocol import PROTOCOL, Failing, GuestReport, Report
from netglass.model.snapshot import Snapshot

_MOST_FAILING = 20
_MOST_UNREAD = 20


class Reports:
    """Makes reports, and knows whether one would say anything new.

    guests          gives the host's guests by server id
    configurations  what the agent says of itself
    """

    def __init__(
        self,
        host: str,
        started_at: str,
        retries: Retries,
        guests: Callable[[], Mapping[str, GuestReport]],
        configurations: dict[str, Any],
    ) -> None:
        self._host = host
        self._started_at = started_at
        self._retries = retries
        self._guests = guests
        self._configurations = configurations
        self._snapshot = Snapshot.empty()
        self._desired: HostState | None = None
        self._ports: frozenset[str] = frozenset()
        self.at = 0
        self._realised = 0
        self._oldest_failing: int | None = None
        self._unread: tuple[str, ...] = ()
        self._last: Report | None = None

    def intent(self, snapshot: Snapshot, desired: HostState) -> None:
        """Takes over another snapshot and what was compiled from it."""
        self._snapshot = snapshot
        self._desired = desired
        self._ports = ports_of(desired)

    def revision(self, revision: int) -> None:
        """Takes over up to which revision intent is known; a lower one is of another store."""
        if revision < self.at:
            self._realised = 0
            self._oldest_failing = None
        self.at = revision

    def unread(self, unread: tuple[str, ...]) -> None:
        """Takes over what of newer intent is not understood."""
        self._unread = unread

    def due(self, rounds: Rounds, *, beat: bool) -> Report | None:
        """Gives the report to send now: with `beat` always, else only when it says something new.

        None before everything was read once: what is not known to be there is not known to be lost.  An agent that
        never understood what is wanted says that.
        """
        if self._desired is None and self._unread:
            report = self.bare()
        elif self._desired is None or not rounds.known >= ALL_KINDS:
            return None
        else:
            report = self._make(self._desired, rounds)
        last, self._last = self._last, report
        return report if beat or last != report else None

    def bare(self) -> Report:
        """Gives a report that only says that the agent is at work, since nothing of the host was looked at yet."""
        return Report(
            version=__version__,
            protocol=PROTOCOL,
            started_at=self._started_at,
            realised_revision=self._realised,
            oldest_failing_revision=self._oldest_failing,
            unread=self._unread[:_MOST_UNREAD],
            configurations=self._configurations,
        )

    def _make(self, desired: HostState, rounds: Rounds) -> Report:
        failing = self._retries.failing()
        if not owes(rounds.missing) and not failing and not rounds.surplus:
            self._realised = self.at
        if not failing:
            self._oldest_failing = None
        elif self._oldest_failing is None:
            self._oldest_failing = self.at
        standing = self._ports - ports_missing(desired, rounds.missing)
        realised, lost = port_changes(self._snapshot, self._host, standing)
        told = sorted(failing.items())[:_MOST_FAILING]
        return msgspec.structs.replace(
            self.bare(),
            ports_realised=realised,
            ports_lost=lost,
            guests=guest_changes(self._snapshot, self._host, self._guests()),
            failing=tuple(
                Failing(kind=kind, key=key, intent=intent, evidence=evidence)
                for (kind, key), (evidence, intent) in told
            ),
            failing_count=len(failing),
        )
