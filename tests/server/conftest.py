"""Fixtures: a server of its own for each test, ended with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from process import ServerProcess, StartServer


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    started: list[ServerProcess] = []

    def start(*, tls: bool = False, **cloud: Any) -> ServerProcess:
        server = ServerProcess(tmp_path, cloud, tls=tls)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop(signal.SIGKILL)
