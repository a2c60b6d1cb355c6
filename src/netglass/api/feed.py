"""The feed: each host's agent is told what it needs of intent, as it changes, and tells what it has become.

The wire is ``model.protocol``; what a host needs is ``compile.relevant``'s to say.  `Feed` lives on the server's event
loop: the store's thread only wakes it.  Each watcher has a queue of its own, so a slow agent delays nobody; one that
falls `BACKLOG_BYTES` behind is cut off when it reads again, and comes back with ``since``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from netglass.base.errors import Gone
from netglass.compile.relevant import Key, difference, interested_hosts, relevant_changes, relevant_rows
from netglass.model.changes import encode_row
from netglass.model.protocol import (
    BEAT_S,
    PROTOCOL,
    PROTOCOL_HEADER,
    Beat,
    Bookmark,
    FeedLine,
    Listed,
    Question,
    Relist,
    RowLine,
)
from netglass.model.resources import HostKey, Row
from netglass.store.head import Commit
from netglass.store.store import Store

BACKLOG_BYTES = 8 * 1024 * 1024
"""How much may wait for one agent before it is cut off."""

RESUME_MOST = 10_000
"""How many commits a watcher may have missed and still resume; reading more of them costs more than listing anew."""

_CHUNK_ROWS = 500


class Since(NamedTuple):
    """Up to where an agent knows everything: a revision, and the id of the store in which it counts."""

    revision: int
    store: str


class Watcher:
    """One agent's stream.

    queued  lines that it has not been sent yet
    cut     True once it must go: it fell behind, or the server stops
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self.queued: deque[bytes] = deque()
        self.cut = False
        self._bytes = 0
        self._woken = asyncio.Event()

    def push(self, lines: bytes) -> None:
        """Queues whole lines; once too much waits, drops all of it and cuts the watcher off."""
        if self.cut:
            return
        self.queued.append(lines)
        self._bytes += len(lines)
        if self._bytes > BACKLOG_BYTES:
            self.end()
        self._woken.set()

    def end(self) -> None:
        """Lets the stream end as soon as it can."""
        self.cut = True
        self.queued.clear()
        self._woken.set()

    async def next(self, timeout_s: float) -> bytes | None:
        """Gives all that is queued, or None when nothing came for `timeout_s` seconds or the watcher is cut."""
        if not self.queued and not self.cut:
            self._woken.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), timeout_s)
        # Looked at again: on a busy loop, lines may have come after the time was up and before our turn.  A beat sent
        # ahead of them would tell the agent that it knows a revision whose rows it lacks.
        if self.cut or not self.queued:
            return None
        lines = b"".join(self.queued)
        self.queued.clear()
        self._bytes = 0
        return lines


class Feed:
    """All watchers of one server process; made, started and stopped on the event loop.

    snapshot  intent as far as the watchers have been told of it
    """

    def __init__(self, store: Store, beat_s: float = BEAT_S) -> None:
        self.snapshot = store.snapshot
        self._store_id = store.store_id  # of the history that the snapshot is of
        self._store = store
        self._beat_s = beat_s
        self._watchers: dict[str, set[Watcher]] = {}
        self._commits: deque[Commit] = deque()
        # A host that is not here may have been interested in anything up to the revision at which we started.
        self._first_revision = store.snapshot.revision
        self._relevant_revision: dict[str, int] = {}
        self._news = asyncio.Event()
        self._stop: Callable[[], None] = _nothing
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begins to follow the store."""
        loop = self._loop = asyncio.get_running_loop()

        def committed(commit: Commit) -> None:
            self._commits.append(commit)
            loop.call_soon_threadsafe(self._dispatch)

        self._stop = self._store.subscribe(committed)
        # What was committed before the subscription is in the snapshot; what came with it is in both, and does no harm.
        self.snapshot, self._store_id = self._store.snapshot, self._store.store_id
        self._first_revision = self.snapshot.revision

    def end(self) -> None:
        """Stops following, and lets every stream end."""
        self._stop()
        self._ended = True
        self._cut_all()
        self.wake()

    def relevant_revision(self, host: str) -> int:
        """Gives the newest revision, of those dispatched, that may have meant something to the host."""
        return self._relevant_revision.get(host, self._first_revision)

    def is_connected(self, host: str) -> bool:
        """Says whether an agent watches for the host."""
        return bool(self._watchers.get(host))

    def ask(self, host: str, question: Question) -> bool:
        """Sends a question to the host's agent; False when it is not connected."""
        watchers = self._watchers.get(host)
        if not watchers:
            return False
        line = encode_line(question)
        for watcher in watchers:
            watcher.push(line)
        return True

    async def news(self) -> None:
        """Waits until something was committed or reported."""
        await self._news.wait()

    def wake(self) -> None:
        """Tells those who wait for `news` that there is some."""
        self._news.set()
        self._news = asyncio.Event()

    def wake_soon(self) -> None:
        """Does so from another thread."""
        if self._loop is not None and not self._ended:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.wake)

    async def lines(self, watcher: Watcher, since: Since | None) -> AsyncGenerator[bytes, None]:
        """Gives a watcher's stream: the list, then what changes, until it is cut.

        since  up to where the agent knows everything; None: it knows nothing
        """
        known, relist = await self._known(watcher.host, since)
        # From here to the watcher's entry nothing awaits, so no commit can fall between the list and the changes.
        snapshot, store_id = self.snapshot, self._store_id
        self._watchers.setdefault(watcher.host, set()).add(watcher)
        if self._ended:
            watcher.end()
        try:
            if relist:
                yield encode_line(Relist())
            told = list(difference(known, relevant_rows(snapshot, watcher.host)).items())
            for start in range(0, len(told), _CHUNK_ROWS):
                yield _row_lines(told[start : start + _CHUNK_ROWS])
            yield encode_line(Listed(revision=snapshot.revision, store=store_id))
            while not watcher.cut:
                lines = await watcher.next(self._beat_s)
                if lines is not None:
                    yield lines
                elif self._store.lost:
                    watcher.end()  # another server may know more; if none does, the agent goes on with what it has
                elif not watcher.cut:
                    yield encode_line(Beat(revision=self.snapshot.revision))
        finally:
            self._leave(watcher)

    async def _known(self, host: str, since: Since | None) -> tuple[Mapping[Key, Row], bool]:
        """Gives the rows that the agent has, and whether it must forget all of them first."""
        if since is None:
            return {}, False
        if since.store != self._store_id or not 0 <= self.snapshot.revision - since.revision <= RESUME_MOST:
            return {}, True  # of another history; or too long ago
        try:
            old = await asyncio.to_thread(self._store.snapshot_at, since.revision)
        except Gone:
            return {}, True
        if since.store != self._store_id:  # the database was put back meanwhile
            return {}, True
        return relevant_rows(old, host), False

    def _leave(self, watcher: Watcher) -> None:
        watchers = self._watchers.get(watcher.host, set())
        watchers.discard(watcher)
        if not watchers:
            self._watchers.pop(watcher.host, None)

    def _dispatch(self) -> None:
        while self._commits:
            commit = self._commits.popleft()
            if commit.went_back:
                # What agents know is of another history than the one that goes on from here: they come back, and list.
                self._cut_all()
                self._relevant_revision.clear()
                self._first_revision = commit.revision
            elif commit.revision > self.snapshot.revision:
                self._tell(commit)
            else:
                continue
            self.snapshot, self._store_id = commit.after, commit.store_id
        self.wake()

    def _cut_all(self) -> None:
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.end()

    def _shut_out(self, commit: Commit) -> None:
        """Ends the streams of hosts that may speak no longer."""
        for change in commit.changes:
            if isinstance(change.after, HostKey) and change.after.revoked:
                for watcher in self._watchers.get(change.after.id, ()):
                    watcher.end()

    def _tell(self, commit: Commit) -> None:
        # By key and form: gone, the row itself, or what of it a host is told that needs no more.
        line_by_row: dict[tuple[Key, str], bytes] = {}
        bookmark = encode_line(Bookmark(revision=commit.revision))
        for host in interested_hosts(commit.before, commit.after, commit.changes):
            self._relevant_revision[host] = commit.revision
            watchers = self._watchers.get(host)
            if not watchers:
                continue
            told = relevant_changes(commit.before, commit.after, commit.changes, host)
            lines = []
            for key, row in told.items():
                form = "gone" if row is None else "whole" if row is commit.after.get(type(row), row.id) else "short"
                line = line_by_row.get((key, form))
                if line is None:
                    line = line_by_row[key, form] = _row_lines([(key, row)])
                lines.append(line)
            for watcher in watchers:
                watcher.push(b"".join([*lines, bookmark]))
        self._shut_out(commit)


def encode_line(line: FeedLine) -> bytes:
    """Gives a line of the feed with its line end."""
    return msgspec.json.encode(line) + b"\n"


def _row_lines(told: Iterable[tuple[Key, Row | None]]) -> bytes:
    lines = []
    for (kind, row_id), row in told:
        body: Any = None if row is None else msgspec.Raw(encode_row(row))
        lines.append(encode_line(RowLine(kind=kind, id=row_id, row=body)))
    return b"".join(lines)


def _nothing() -> None:
    """Stops what was never started."""


class FeedResponse(Response):
    """A watcher's stream as an HTTP response; ends when the agent leaves or the watcher is cut."""

    def __init__(self, feed: Feed, host: str, since: Since | None) -> None:
        super().__init__(media_type="application/x-ndjson", headers={PROTOCOL_HEADER: PROTOCOL})
        del self.headers["content-length"]
        self._feed = feed
        self._host = host
        self._since = since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends lines as they come; a send that waits for a slow agent holds up this stream only."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        watcher = Watcher(self._host)
        leaving = asyncio.ensure_future(self._left(receive, watcher))
        lines = self._feed.lines(watcher, self._since)
        try:
            async for chunk in lines:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()
            await lines.aclose()  # leaves the feed

    async def _left(self, receive: Receive, watcher: Watcher) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        watcher.end()
