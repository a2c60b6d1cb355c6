"""What clients were told of their writes, and whether it is true."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from support.api import Api
from support.pace import stretched

ROOM: dict[str, Any] = {
    "default_quotas": {"network": -1, "subnet": -1, "port": -1},
    "tenant_network_types": ["vxlan"],
    "tunnel_ranges": {"vxlan": [1, 1_000_000]},
}
"""Settings of servers that have room for all that clients make: a thousand VLANs are gone in seconds."""

UNKNOWN = 504
"""A server says that it cannot tell what became of a write."""


class History:
    """Networks that clients make, by name, while servers and databases come and go.

    answered  the server said that they are there
    refused   the server said that they are not there: nothing changed
    unknown   nobody was told
    """

    def __init__(self) -> None:
        self.answered: set[str] = set()
        self.refused: set[str] = set()
        self.unknown: set[str] = set()
        self._stopped = threading.Event()
        self._news = threading.Condition()

    @contextmanager
    def written_by(self, clients: Sequence[Api]) -> Iterator[None]:
        """Has clients make networks at the same time for as long as the block lasts, however it ends."""
        with ThreadPoolExecutor(len(clients)) as pool:
            work = [pool.submit(self._write, api, f"client{number}") for number, api in enumerate(clients)]
            try:
                yield
            finally:
                self._stopped.set()
            for one in work:
                one.result()

    def _write(self, api: Api, client: str) -> None:
        number = 0
        while not self._stopped.is_set():
            name, number = f"{client}-{number}", number + 1
            try:
                status, _ = api.call("POST", "/v2.0/networks", {"network": {"name": name}})
            except httpx.ConnectError:
                self._note(self.refused, name)  # nothing was sent
                time.sleep(0.02)
            except httpx.TransportError:
                self._note(self.unknown, name)
            else:
                self._note({201: self.answered, UNKNOWN: self.unknown}.get(status, self.refused), name)

    def wait_for_answers(self, count: int, within_s: float = 30) -> None:
        """Waits until so many more writes were answered."""
        wanted = len(self.answered) + count
        with self._news:
            assert self._news.wait_for(lambda: len(self.answered) >= wanted, stretched(within_s)), (
                f"{len(self.answered)} of {wanted} writes answered after {within_s} s"
            )

    def check(self, api: Api) -> None:
        """Makes sure that what was answered is there, once, and that what was refused is not."""
        found = [network["name"] for network in api.get("/v2.0/networks?fields=name")["networks"]]
        assert len(found) == len(set(found))
        assert self.answered <= set(found), sorted(self.answered - set(found))[:5]
        assert not self.refused & set(found), sorted(self.refused & set(found))[:5]
        assert set(found) <= self.answered | self.unknown

    def _note(self, kind: set[str], name: str) -> None:
        with self._news:
            kind.add(name)
            self._news.notify_all()
