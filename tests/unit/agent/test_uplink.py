"""The agent's conversation with servers that come, go and stumble."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import msgspec
import pytest

from netglass.agent import uplink
from netglass.agent.config import Config
from netglass.agent.kept import Kept
from netglass.agent.uplink import News, Uplink
from netglass.model.protocol import (
    PROTOCOL,
    PROTOCOL_HEADER,
    Answer,
    Beat,
    FeedLine,
    Listed,
    Question,
    Registration,
    Report,
    RowLine,
)
from netglass.model.resources import Network
from netglass.model.snapshot import Snapshot

WAIT_S = 10
RED = Network(id="red", name="red", segmentation_id=1000)


class Scripted:
    """An HTTP server of the agents' protocol that says what a test puts into its queues.

    streams  what each connection to the feed is sent, and then it breaks
    heard    every request, as (method, path, body)
    refuse   how many requests other than the feed are answered with 503
    protocol that it says it speaks
    """

    def __init__(self) -> None:
        self.streams: Queue[list[FeedLine | bytes]] = Queue()
        self.heard: Queue[tuple[str, str, Any]] = Queue()
        self.refuse = 0
        self.protocol = PROTOCOL
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                scripted.heard.put(("GET", self.path, None))
                lines = scripted.streams.get()
                self.send_response(200)
                self.send_header("Connection", "close")
                self.send_header(PROTOCOL_HEADER, scripted.protocol)
                self.end_headers()
                for line in lines:
                    self.wfile.write((line if isinstance(line, bytes) else msgspec.json.encode(line)) + b"\n")

            def do_PUT(self) -> None:
                self._take("PUT")

            def do_POST(self) -> None:
                self._take("POST")

            def _take(self, method: str) -> None:
                body = msgspec.json.decode(self.rfile.read(int(self.headers["Content-Length"])))
                scripted.heard.put((method, self.path, body))
                refused = scripted.refuse > 0
                scripted.refuse -= refused
                self.send_response(503 if refused else 204)
                self.send_header(PROTOCOL_HEADER, scripted.protocol)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def next(self, method: str) -> tuple[str, Any]:
        """Gives path and body of the next request of a method, passing over others."""
        while True:
            heard, path, body = self.heard.get(timeout=WAIT_S)
            if heard == method:
                return path, body

    def until_silent(self) -> Iterator[tuple[str, str, Any]]:
        """Gives requests until none comes for three seconds."""
        with suppress(Empty):
            while True:
                yield self.heard.get(timeout=3)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Scripted]:
    scripted = Scripted()
    yield scripted
    scripted.close()


_uplinks: list[Uplink] = []


_directories: list[Path] = []


@pytest.fixture(autouse=True)
def _closed(tmp_path: Path) -> Iterator[None]:
    _directories[:] = [tmp_path]
    yield
    while _uplinks:
        _uplinks.pop().close()


class Agent:
    """An uplink, and the bell that it rings."""

    def __init__(self, *urls: str, state: Path | None = None, **beside: Callable[[Question], Answer]) -> None:
        directory = str(state or Path(tempfile.mkdtemp(dir=_directories[0])))
        config = Config(host="h1", roles=("hypervisor",), server=urls, credential="secret", state_directory=directory)
        self.bell = threading.Semaphore(0)
        self.uplink = Uplink(config, Registration(roles=("hypervisor",)), self.bell.release, beside)
        _uplinks.append(self.uplink)
        self.uplink.start()

    def news(self, wanted: Callable[[News], object]) -> News:
        """Waits for news of which `wanted` is true."""
        while True:
            assert self.bell.acquire(timeout=WAIT_S)
            news = self.uplink.take()
            if wanted(news):
                return news


def _row(network: Network) -> RowLine:
    return RowLine(kind="network", id=network.id, row=msgspec.to_builtins(network))


def _report(revision: int) -> Report:
    return Report(version="1", started_at="", realised_revision=revision)


def test_a_host_registers_and_then_follows_and_goes_on_where_it_was(server: Scripted) -> None:
    server.streams.put([_row(RED), Listed(revision=7, store="store-1"), Beat(revision=9)])
    agent = Agent(server.url)
    assert server.next("PUT") == ("/netglass/v1/hosts/h1", {"roles": ["hypervisor"]} | _defaults())
    assert server.next("GET")[0] == "/netglass/v1/hosts/h1/feed"
    snapshot = agent.news(lambda news: news.snapshot).snapshot
    assert snapshot is not None
    assert snapshot.get(Network, "red") == RED
    server.streams.put([])
    assert server.next("GET")[0] == "/netglass/v1/hosts/h1/feed?since=9&store=store-1"


def _defaults() -> dict[str, Any]:
    whole: dict[str, Any] = msgspec.to_builtins(Registration(roles=("hypervisor",)))
    return {key: value for key, value in whole.items() if key != "roles"}


def test_a_report_is_sent_again_until_it_is_taken(server: Scripted) -> None:
    server.streams.put([Listed(revision=1)])
    agent = Agent(server.url)
    agent.news(lambda news: news.snapshot)
    server.refuse = 1
    agent.uplink.report(_report(1))
    first, second = server.next("POST"), server.next("POST")
    assert first == second
    assert first[0] == "/netglass/v1/hosts/h1/report"


def test_of_reports_that_wait_only_the_newest_is_sent(server: Scripted) -> None:
    agent = Agent(server.url)
    server.streams.put([Listed(revision=1)])
    server.refuse = 3  # keeps it from registering, and so from reporting
    for revision in range(5):
        agent.uplink.report(_report(revision))
    assert server.next("POST")[1]["realised_revision"] == 4


def test_questions_come_through_and_answers_go_back(server: Scripted) -> None:
    server.streams.put([Listed(revision=1), Question(id="q1", ask="diff")])
    agent = Agent(server.url)
    news = agent.news(lambda news: news.questions)
    assert [question.id for question in news.questions] == ["q1"]
    agent.uplink.answer("q1", Answer(ok=True, value=5))
    path, body = server.next("POST")
    assert (path, body["value"]) == ("/netglass/v1/hosts/h1/answers/q1", 5)


def test_an_answer_that_is_too_long_says_so_at_once(server: Scripted) -> None:
    server.streams.put([Listed(revision=1)])
    agent = Agent(server.url)
    agent.news(lambda news: news.snapshot)
    agent.uplink.answer("q1", Answer(ok=True, value="x" * (9 << 20)))
    _, body = server.next("POST")
    assert (body["ok"], "bytes" in body["error"]) == (False, True)


def test_when_one_server_is_gone_the_next_is_asked(server: Scripted) -> None:
    gone = Scripted()
    gone.close()
    server.streams.put([Listed(revision=1)])
    agent = Agent(gone.url, server.url)
    assert agent.news(lambda news: news.snapshot).revision == 1


def test_what_was_said_last_is_said_again_while_there_is_nothing_new_but_not_for_ever(
    server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "_AGAIN_S", 0.05)
    monkeypatch.setattr(uplink, "_BUSY_S", 1.0)
    server.streams.put([Listed(revision=1)])
    agent = Agent(server.url)
    agent.uplink.report(msgspec.structs.replace(_report(1), ports_realised=("p",)))
    heard = list(server.until_silent())
    said = [body for method, _, body in heard if method == "POST"]
    assert {one["realised_revision"] for one in said} == {1}
    assert [one["ports_realised"] for one in said] == [["p"], *([] for _ in said[1:])]
    assert len(said) > 1


def test_a_question_about_another_host_is_answered_while_the_loop_takes_nothing(server: Scripted) -> None:
    agent = Agent(server.url, signs=lambda question: Answer(ok=True, value=question.arguments))
    server.streams.put([Listed(revision=1), Question(id="q", ask="signs", arguments={"signs": "[]"})])
    path, body = server.next("POST")
    assert path.endswith("/answers/q")
    assert body["value"] == {"signs": "[]"}
    assert agent.uplink.take().questions == ()


def test_a_server_that_is_still_starting_is_looked_for_often(server: Scripted) -> None:
    server.refuse = 6
    server.streams.put([Listed(revision=1)])
    started = time.monotonic()
    agent = Agent(server.url)
    agent.news(lambda news: news.snapshot)
    assert time.monotonic() - started < 3.0  # pauses that double without an end would make it six seconds


def test_a_row_that_cannot_be_read_does_not_make_an_agent_deaf(server: Scripted) -> None:
    server.streams.put([RowLine(kind="network", id="red", row={"id": "red", "mtu": "many"}), Listed(revision=7)])
    server.streams.put([_row(RED), Listed(revision=8)])

    news = Agent(server.url).news(lambda news: news.snapshot)

    assert (news.snapshot, news.revision) == (Snapshot.of([RED]), 8)


def test_with_no_server_a_host_goes_by_what_it_was_last_told(server: Scripted, tmp_path: Path) -> None:
    server.streams.put([_row(RED), Listed(revision=7)])
    first = Agent(server.url, state=tmp_path)
    first.news(lambda news: news.snapshot)
    _kept(tmp_path)
    first.uplink.close()

    alone = Agent("http://127.0.0.1:9", state=tmp_path)

    news = alone.news(lambda news: news.snapshot)
    assert (news.snapshot, news.revision) == (Snapshot.of([RED]), 7)


def test_what_was_kept_is_no_intent_while_a_server_tells_newer(server: Scripted, tmp_path: Path) -> None:
    Kept(tmp_path / "intent.jsonl", "h1").save(Snapshot.of([RED]), 7, "store-1")
    server.streams.put([RowLine(kind="network", id="red", row=None), Listed(revision=9)])

    agent = Agent(server.url, state=tmp_path)

    assert server.next("GET")[0] == "/netglass/v1/hosts/h1/feed?since=7&store=store-1"
    news = agent.news(lambda news: news.snapshot is not None)
    assert (news.snapshot, news.revision) == (Snapshot.empty(), 9)


def test_a_server_that_tells_nothing_new_confirms_what_was_kept(server: Scripted, tmp_path: Path) -> None:
    Kept(tmp_path / "intent.jsonl", "h1").save(Snapshot.of([RED]), 7, "store-1")
    server.streams.put([Listed(revision=9)])

    news = Agent(server.url, state=tmp_path).news(lambda news: news.snapshot)

    assert (news.snapshot, news.revision) == (Snapshot.of([RED]), 9)


LATER = RowLine(kind="network", id="blue", row={"id": "blue", "warp": 9})


@pytest.mark.parametrize(("protocol", "said"), [("1.0", "older"), ("1.9", "newer")])
def test_a_server_of_another_minor_version_is_listened_to_and_told_of(
    server: Scripted, caplog: pytest.LogCaptureFixture, protocol: str, said: str
) -> None:
    server.protocol = protocol
    server.streams.put([b'{"type":"teleport","to":"mars"}', _row(RED), Listed(revision=7)])
    news = Agent(server.url).news(lambda news: news.snapshot)
    assert news.snapshot == Snapshot.of([RED])
    assert f"speaks protocol {protocol}, {said} than this agent's" in caplog.text


def test_a_server_of_another_major_version_is_not_listened_to(
    server: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    good = Scripted()
    server.protocol = "2.0"
    good.streams.put([_row(RED), Listed(revision=7)])
    agent = Agent(server.url, good.url)
    assert agent.news(lambda news: news.snapshot).revision == 7
    assert "speaks protocol 2.0" in caplog.text
    agent.uplink.close()
    good.close()


def test_an_agent_that_is_told_what_it_does_not_understand_says_so_and_goes_by_what_it_kept(
    server: Scripted, tmp_path: Path
) -> None:
    Kept(tmp_path / "intent.jsonl", "h1").save(Snapshot.of([RED]), 7, "store-1")
    server.streams.put([LATER, RowLine(kind="network", id="red", row=None), Listed(revision=9, store="store-1")])

    news = Agent(server.url, state=tmp_path).news(lambda news: news.snapshot)

    assert (news.snapshot, news.revision) == (Snapshot.of([RED]), 7)
    assert news.unread == ("network blue: unknown warp",)
    server.streams.put([])
    server.next("GET")
    assert server.next("GET")[0] == "/netglass/v1/hosts/h1/feed?since=7&store=store-1"


def _kept(directory: Path) -> None:
    end = time.monotonic() + WAIT_S
    while not (directory / "intent.jsonl").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
