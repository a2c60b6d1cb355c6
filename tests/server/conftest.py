"""Fixtures: servers of its own for each test, ended with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from process import ServerProcess, StartServer, StartServers

from support.postgres import Cluster


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    started: list[ServerProcess] = []

    def start(*, tls: bool = False, **cloud: Any) -> ServerProcess:
        started.append(ServerProcess(tmp_path, cloud, tls=tls))
        started[-1].start()
        return started[-1]

    yield start
    _end(started)


@pytest.fixture(params=["one server over sqlite", "two servers over postgresql"])
def start_servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartServers]:
    if "postgresql" in request.param:
        yield request.getfixturevalue("start_two")
        return
    started: list[ServerProcess] = []

    def start(**cloud: Any) -> list[ServerProcess]:
        started.append(ServerProcess(tmp_path, cloud))
        started[0].start()
        return started

    yield start
    _end(started)


@pytest.fixture
def start_two(cluster: Cluster, database: str, tmp_path: Path) -> Iterator[StartServers]:
    """Starts two servers over one PostgreSQL."""
    started: list[ServerProcess] = []

    def start(**cloud: Any) -> list[ServerProcess]:
        for name in ("one", "other"):
            server = ServerProcess(tmp_path / name, cloud, cluster.url(database), tmp_path / "secrets")
            started.append(server)
            server.begin()
        for server in started:
            server.await_answers()
        return started

    yield start
    _end(started)


def _end(started: list[ServerProcess]) -> None:
    for server in started:
        if server.is_running:
            server.stop(signal.SIGKILL)
