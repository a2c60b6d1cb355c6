"""A whole agent on a host of its own: put together as its program does, and fed by a server that lists once."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from netglass.agent.appliers.guests import Guests
from netglass.agent.config import Config, Settings
from netglass.agent.main import appliers_of, build
from netglass.agent.retries import Retries
from netglass.agent.rounds import ALL_KINDS, Rounds
from netglass.compile.compiler import compile_host
from netglass.desired.diff import Plan
from netglass.host.ovsdb import Database
from netglass.model.protocol import Beat, FeedLine, Listed, RowLine
from netglass.model.resources import Row
from netglass.model.snapshot import Snapshot


class _Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))


class WholeAgent:
    """An agent that runs, what it says, and an observer beside it that only looks.

    said  what was logged: level and message
    """

    def __init__(self, config: Config, rows: Sequence[Row], said: list[tuple[int, str]]) -> None:
        self.said = said
        self._desired = compile_host(Snapshot.of(list(rows)), config.host)
        self._database = Database()
        self._database.await_ready(5)
        watched = Guests(Path(config.run_directory) / "guests")
        self._observer = Rounds(appliers_of(config, self._database, watched), Retries())

    def differs(self) -> Plan:
        """Gives what differs on the host, as a look that knows nothing of the agent's finds it.

        What was said to neighbours is not there to be seen.
        """
        self._database.run()
        return self._observer.compare(self._desired, ALL_KINDS - {"announcements"})

    def await_settled(self, seconds: float, also: Callable[[], bool] = lambda: True) -> float:
        """Waits until nothing differs and `also` holds; gives how long it took, fails with what differs."""
        started = time.monotonic()
        while not ((found := self.differs()).empty and also()):
            waited = time.monotonic() - started
            assert waited < seconds, f"after {waited:.1f} s: {found}\n" + "\n".join(text for _, text in self.said[-30:])
        return time.monotonic() - started

    def warnings(self) -> list[str]:
        """Gives what was said above INFO, and forgets all that was said."""
        found = [text for level, text in self.said if level > logging.INFO]
        self.said.clear()
        return found


@contextmanager
def whole_agent(host: str, rows: Sequence[Row]) -> Iterator[WholeAgent]:
    """Runs the agent of `host`, which is sent `rows`."""
    listening = _Listening()
    logging.getLogger("netglass").setLevel(logging.INFO)
    logging.getLogger("netglass").addHandler(listening)
    server = _serve(rows)
    url = f"http://127.0.0.1:{server.server_port}"
    settings = Settings(datapath_type="netdev")
    config = Config(host=host, roles=("hypervisor", "network"), server=(url,), credential="secret", settings=settings)
    loop = build(config)
    running = threading.Thread(target=loop.run)
    running.start()
    try:
        yield WholeAgent(config, rows, listening.lines)
    finally:
        loop.stop()
        running.join(10)
        server.shutdown()


def _serve(rows: Sequence[Row]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self._take()

        def do_POST(self) -> None:
            self._take()

        def _take(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            listed = [RowLine(kind=row.kind, id=row.id, row=msgspec.to_builtins(row)) for row in rows]
            for line in [*listed, Listed(revision=1)]:
                self._say(line)
            while True:  # until the agent hangs up, or the test ends
                time.sleep(1)
                self._say(Beat(revision=1))

        def _say(self, line: FeedLine) -> None:
            self.wfile.write(msgspec.json.encode(line) + b"\n")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
