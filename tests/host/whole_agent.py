"""A whole agent on a host of its own: put together as its program does, and fed by a server that says what it is told
to say.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import msgspec

from netglass.agent.appliers.guests import Guests
from netglass.agent.config import Config, Settings
from netglass.agent.main import appliers_of, build
from netglass.agent.plugged import Plugged
from netglass.agent.retries import Retries
from netglass.agent.rounds import ALL_KINDS, Rounds
from netglass.compile.compiler import compile_host
from netglass.desired.diff import Plan
from netglass.host.ovsdb import Database
from netglass.model.protocol import PROTOCOL, PROTOCOL_HEADER, Beat, FeedLine, Listed, Report, RowLine
from netglass.model.resources import Row
from netglass.model.snapshot import Snapshot
from support.pace import stretched


class _Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelno, record.getMessage()))


class ScriptedServer:
    """A server that lists rows, then says more.

    listed    what every agent is told that comes
    protocol  that it says it speaks
    reports   what agents reported, the newest last
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.listed: list[FeedLine] = [
            *(RowLine(kind=row.kind, id=row.id, row=msgspec.to_builtins(row)) for row in rows),
            Listed(revision=1),
        ]
        self.protocol = PROTOCOL
        self.reports: list[Report] = []
        self._later: Queue[FeedLine] = Queue()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._answering())
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def say(self, *lines: FeedLine) -> None:
        """Says more to the agent that listens, in lines that one who comes later is not told."""
        for line in lines:
            self._later.put(line)

    def close(self) -> None:
        self._http.shutdown()

    def _answering(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self._take()

            def do_POST(self) -> None:
                self._take()

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.endswith("/report"):
                    server.reports.append(msgspec.json.decode(body, type=Report))
                self._begin(204)

            def do_GET(self) -> None:
                self._begin(200)
                for line in server.listed:
                    self._say(line)
                while True:  # until the agent hangs up, or the test ends
                    try:
                        self._say(server._later.get(timeout=1))
                    except Empty:
                        self._say(Beat(revision=1))

            def _begin(self, status: int) -> None:
                self.send_response(status)
                self.send_header(PROTOCOL_HEADER, server.protocol)
                self.end_headers()

            def _say(self, line: FeedLine) -> None:
                self.wfile.write(msgspec.json.encode(line) + b"\n")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


class WholeAgent:
    """An agent that runs, what it says, and an observer beside it that only looks.

    said    what was logged: level and message
    server  that feeds it
    """

    def __init__(
        self, config: Config, rows: Sequence[Row], server: ScriptedServer, said: list[tuple[int, str]]
    ) -> None:
        self.said = said
        self.server = server
        self._desired = compile_host(Snapshot.of(list(rows)), config.host)
        self._database = Database()
        self._database.await_ready(5)
        watched = Guests(Path(config.run_directory) / "guests")
        self._plugged = Plugged(self._database)
        self._observer = Rounds(appliers_of(config, self._database, watched), Retries())

    def differs(self) -> Plan:
        """Gives what differs on the host, as a look that knows nothing of the agent's finds it.

        What was said to neighbours is not there to be seen.
        """
        self._database.run()
        return self._observer.compare(self._plugged.named(self._desired), ALL_KINDS - {"announcements"})

    def await_settled(self, seconds: float, also: Callable[[], bool] = lambda: True) -> float:
        """Waits until nothing differs and `also` holds; gives how long it took, fails with what differs."""
        started = time.monotonic()
        while not ((found := self.differs()).empty and also()):
            waited = time.monotonic() - started
            assert waited < stretched(seconds), f"after {waited:.1f} s: {found}\n" + "\n".join(
                text for _, text in self.said[-30:]
            )
        return time.monotonic() - started

    def warnings(self) -> list[str]:
        """Gives what was said above INFO, and forgets all that was said."""
        found = [text for level, text in self.said if level > logging.INFO]
        self.said.clear()
        return found


@contextmanager
def whole_agent(host: str, rows: Sequence[Row], server: ScriptedServer | None = None) -> Iterator[WholeAgent]:
    """Runs the agent of `host`, which is to keep the host as `rows` say; a server lists them unless one is given."""
    listening = _Listening()
    logging.getLogger("netglass").setLevel(logging.INFO)
    logging.getLogger("netglass").addHandler(listening)
    own = server or ScriptedServer(rows)
    settings = Settings(datapath_type="netdev")
    roles = ("hypervisor", "network")
    config = Config(host=host, roles=roles, server=(own.url,), credential="secret", settings=settings)
    loop = build(config)
    running = threading.Thread(target=loop.run)
    running.start()
    try:
        yield WholeAgent(config, rows, own, listening.lines)
    finally:
        loop.stop()
        running.join(10)
        logging.getLogger("netglass").removeHandler(listening)
        own.close()
