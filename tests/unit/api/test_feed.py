"""The feed as an agent sees it: lists, changes, bookmarks, beats, and what becomes of a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from netglass.api import feed as feed_module
from netglass.api.feed import Feed, FeedResponse, Since, Watcher
from netglass.api.questions import Questions
from netglass.base.errors import NotFound, Unavailable
from netglass.model.caller import Caller
from netglass.model.protocol import Answer, Beat, Bookmark, FeedLine, Listed, Question, Relist, RowLine
from netglass.model.resources import Host, LocalVlan, Network, Port, Row
from netglass.store.store import Store

NETWORK = Network(id="n1", name="blue", segmentation_id=1000)
TAG = LocalVlan(id="h1/n1", host="h1", network_id="n1", vlan=1)
LONG_S = 60.0


def port(number: int, host: str = "h1", **values: Any) -> Port:
    return Port(id=f"p{number}", network_id="n1", mac_address=f"m{number}", host_id=host, **values)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


def put(store: Store, *rows: Row) -> int:
    return store.commit(lambda draft, fresh: [draft.put(row) for row in rows], Caller()).revision


class Stream:
    """One agent's connection, spoken to as an ASGI server would."""

    def __init__(self, feed: Feed, host: str, since: Since | None) -> None:
        self.status = 0
        self.ended = False
        self.may_send = asyncio.Event()
        self.may_send.set()
        self._left = asyncio.Event()
        self._lines: asyncio.Queue[FeedLine | None] = asyncio.Queue()
        self.task = asyncio.create_task(FeedResponse(feed, host, since)({"type": "http"}, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.may_send.wait()
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        for text in message["body"].splitlines():
            self._lines.put_nowait(msgspec.json.decode(text, type=FeedLine))
        if not message["more_body"]:
            self._lines.put_nowait(None)

    async def next(self) -> FeedLine | None:
        return await asyncio.wait_for(self._lines.get(), 5)

    async def until(self, wanted: type) -> list[FeedLine]:
        """Gives the lines up to and including the next of a type."""
        found: list[FeedLine] = []
        while not found or not isinstance(found[-1], wanted):
            line = await self.next()
            assert line is not None, f"the stream ended after {found}"
            found.append(line)
        return found

    async def leave(self) -> None:
        self._left.set()
        self.may_send.set()
        await asyncio.wait_for(self.task, 5)


@asynccontextmanager
async def running(store: Store, beat_s: float = LONG_S) -> AsyncIterator[tuple[Feed, Callable[..., Stream]]]:
    feed = Feed(store, beat_s)
    feed.start()
    streams: list[Stream] = []

    def connect(host: str, since: int | None = None, of: str = store.store_id) -> Stream:
        streams.append(Stream(feed, host, None if since is None else Since(since, of)))
        return streams[-1]

    try:
        yield feed, connect
    finally:
        feed.end()
        for stream in streams:
            await stream.leave()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # type: ignore[arg-type]


def keys(lines: list[FeedLine]) -> set[tuple[str, str, bool]]:
    return {(line.kind, line.id, line.row is not None) for line in lines if isinstance(line, RowLine)}


def test_agent_gets_what_is_relevant_and_then_changes_with_bookmarks(store: Store) -> None:
    async def scenario() -> None:
        put(store, Host(id="h1"), Host(id="h2"), NETWORK, TAG, port(1), port(2, host="h2"))
        async with running(store) as (_, connect):
            stream = connect("h1")

            listed = await stream.until(Listed)
            assert keys(listed) == {
                ("host", "h1", True),
                ("network", "n1", True),
                ("local_vlan", "h1/n1", True),
                ("port", "p1", True),
            }
            assert listed[-1] == Listed(revision=1, store=store.store_id)

            put(store, port(3, host="h2"))
            put(store, port(4))
            assert [type(line) for line in await stream.until(Bookmark)] == [RowLine, Bookmark]

            store.commit(lambda draft, fresh: draft.drop(TAG), Caller())
            lines = await stream.until(Bookmark)
            assert keys(lines) == {("local_vlan", "h1/n1", False), ("network", "n1", False)}
            assert lines[-1] == Bookmark(revision=4)

    run(scenario)


def test_silence_is_filled_with_beats_that_tell_the_revision(store: Store) -> None:
    async def scenario() -> None:
        async with running(store, beat_s=0.02) as (_, connect):
            stream = connect("h1")
            await stream.until(Listed)
            put(store, Host(id="h2"))

            beats = [line for _ in range(20) for line in await stream.until(Beat)][-1:]

            assert beats == [Beat(revision=1)]

    run(scenario)


def test_agent_that_comes_back_is_told_what_changed_meanwhile(store: Store) -> None:
    async def scenario() -> None:
        put(store, NETWORK, TAG, port(1), port(2))
        async with running(store) as (_, connect):
            put(store, port(1, name="web"))
            store.commit(lambda draft, fresh: draft.drop(port(2)), Caller())
            put(store, port(3))

            lines = await connect("h1", since=1).until(Listed)

            assert keys(lines) == {("port", "p1", True), ("port", "p2", False), ("port", "p3", True)}

    run(scenario)


def test_row_that_became_relevant_without_changing_is_told_on_return(store: Store) -> None:
    async def scenario() -> None:
        put(store, NETWORK)
        put(store, TAG, port(1))
        async with running(store) as (_, connect):
            lines = await connect("h1", since=1).until(Listed)

            assert ("network", "n1", True) in keys(lines)

    run(scenario)


@pytest.mark.parametrize(("since", "of"), [(0, ""), (99, ""), (2, "another-store"), (2, "nobody knows")])
def test_agent_whose_revision_is_compacted_or_of_another_store_lists_again(store: Store, since: int, of: str) -> None:
    async def scenario() -> None:
        put(store, NETWORK, TAG)
        put(store, port(1))
        store.compact(0)
        async with running(store) as (_, connect):
            lines = await connect("h1", since=since, of=of or store.store_id).until(Listed)

            assert isinstance(lines[0], Relist)
            assert keys(lines) == {("network", "n1", True), ("local_vlan", "h1/n1", True), ("port", "p1", True)}

    run(scenario)


def test_slow_agent_delays_nobody_is_cut_and_comes_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "BACKLOG_BYTES", 2000)

    async def scenario() -> None:
        put(store, NETWORK, TAG, LocalVlan(id="h2/n1", host="h2", network_id="n1", vlan=1))
        async with running(store) as (feed, connect):
            slow, quick = connect("h1"), connect("h2")
            await slow.until(Listed)
            await quick.until(Listed)
            slow.may_send.clear()
            for number in range(60):
                await store.commit_async(lambda draft, fresh, n=number: draft.put(port(n)), Caller())
                await store.commit_async(lambda draft, fresh, n=number: draft.put(port(n + 100, host="h2")), Caller())
                assert keys(await quick.until(Bookmark)) == {("port", f"p{number + 100}", True)}

            slow.may_send.set()
            told = []
            while (line := await slow.next()) is not None:
                told.append(line)
            assert len(keys(told)) < 60
            await slow.task
            assert not feed.is_connected("h1")
            known = max((line.revision for line in told if isinstance(line, Bookmark)), default=1)
            again = await connect("h1", since=known).until(Listed)
            assert keys(told) | keys(again) == {("port", f"p{number}", True) for number in range(60)}

    run(scenario)


def test_stream_ends_when_the_server_stops(store: Store) -> None:
    async def scenario() -> None:
        async with running(store) as (feed, connect):
            stream = connect("h1")
            await stream.until(Listed)

            feed.end()

            assert await stream.next() is None
            await stream.task

    run(scenario)


def test_agent_that_left_is_no_longer_watched_for(store: Store) -> None:
    async def scenario() -> None:
        async with running(store) as (feed, connect):
            stream = connect("h1")
            await stream.until(Listed)
            assert feed.is_connected("h1")

            await stream.leave()

            assert not feed.is_connected("h1")

    run(scenario)


def test_question_reaches_the_host_and_its_answer_whoever_asked(store: Store) -> None:
    async def scenario() -> None:
        async with running(store) as (feed, connect):
            questions = Questions()
            questions.carry_by(feed.ask)
            stream = connect("h1")
            await stream.until(Listed)
            asked = asyncio.create_task(questions.ask("h1", "console", {"server_id": "s1"}))

            (question,) = await stream.until(Question)
            assert isinstance(question, Question)
            assert (question.ask, question.arguments) == ("console", {"server_id": "s1"})
            with pytest.raises(NotFound):
                await questions.answer("h2", question.id, Answer(ok=True, value="of another host"))
            await questions.answer("h1", question.id, Answer(ok=True, value="login:"))

            assert await asked == Answer(ok=True, value="login:")
            with pytest.raises(NotFound):
                await questions.answer("h1", question.id, Answer(ok=True, value="once more"))

    run(scenario)


def test_question_to_a_host_that_is_away_or_silent_names_it(store: Store) -> None:
    async def scenario() -> None:
        async with running(store) as (feed, connect):
            questions = Questions()
            questions.carry_by(feed.ask)
            with pytest.raises(Unavailable, match="h1 is not connected"):
                await questions.ask("h1", "diff", {})
            await connect("h1").until(Listed)
            with pytest.raises(Unavailable, match="h1 did not answer 'diff'"):
                await questions.ask("h1", "diff", {}, timeout_s=0.01)

    run(scenario)


def test_feed_knows_the_newest_revision_that_means_something_to_a_host(store: Store) -> None:
    async def scenario() -> None:
        put(store, NETWORK, TAG)
        async with running(store) as (feed, _):
            put(store, port(1))
            put(store, port(2, host="h2"))
            while feed.snapshot.revision < 3:
                await feed.news()

            assert feed.relevant_revision("h1") == 2
            assert feed.relevant_revision("h2") == 3
            assert feed.relevant_revision("h3") == 1  # as of the start, which may have meant something to it

    run(scenario)


def test_watcher_gives_all_that_waits_at_once() -> None:
    async def scenario() -> None:
        watcher = Watcher("h1")
        watcher.push(b"1\n")
        watcher.push(b"2\n")

        assert await watcher.next(LONG_S) == b"1\n2\n"
        assert await watcher.next(0.01) is None

    run(scenario)


def test_lines_that_come_when_the_time_is_just_up_are_given_before_any_beat() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        watcher = Watcher("h1")
        waiting = asyncio.create_task(watcher.next(0.01))
        await asyncio.sleep(0)
        both_due = loop.time() + 0.02

        def busy() -> None:
            while loop.time() < both_due:
                pass

        loop.call_at(both_due, watcher.push, b"1\n")
        loop.call_soon(busy)

        assert await waiting == b"1\n"

    run(scenario)
