"""A real ``netglass server`` in a process of its own, and clients of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from netglass.model.protocol import host_credential
from support.api import Api
from support.pace import stretched


class ServerProcess:
    """Started by `start`, ended by `stop`; may be started again on the same directory and port.

    database  its URL; empty: a file in the directory
    secrets   where they are; None: in the directory
    """

    def __init__(
        self,
        directory: Path,
        cloud: dict[str, Any],
        database: str = "",
        secrets: Path | None = None,
        *,
        tls: bool = False,
    ) -> None:
        directory.mkdir(exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._directory = directory
        self.secrets = secrets or directory / "secrets"
        self.ca = self.secrets / "ca.pem"  # with TLS
        lines = [
            f'database = "{database or f"sqlite:///{directory}/netglass.db"}"',
            f'secrets = "{self.secrets}"',
            f"port = {self.port}",
            f"tls = {_toml(tls)}",
            "[cloud]",
            *(f"{key} = {_toml(value)}" for key, value in cloud.items()),
        ]
        (directory / "server.toml").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.begin()
        self.await_answers()

    def await_answers(self) -> None:
        """Waits until it serves."""
        started = time.monotonic()
        while not self.answers():
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            assert time.monotonic() - started < stretched(20), self.log()

    def begin(self, *options: str) -> None:
        """Starts it without waiting for it."""
        log = (self._directory / "server.log").open("ab")
        program = str(Path(sys.executable).parent / "netglass")
        argv = [program, "server", "--config", str(self._directory / "server.toml"), *options]
        self._process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})
        log.close()

    def end(self) -> int:
        """Waits until it has ended by itself; gives its status."""
        assert self._process is not None
        return self._process.wait(timeout=20)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=20)

    def send(self, number: int) -> None:
        """Sends a signal and waits for nothing."""
        assert self._process is not None
        self._process.send_signal(number)

    def log(self) -> str:
        return (self._directory / "server.log").read_text()

    def user(self, name: str = "demo", project: str = "demo") -> Api:
        password = (self.secrets / f"{name}.password").read_text().strip()
        return Api(self.url, name, password, project)

    def admin(self) -> Api:
        return self.user("admin", "admin")

    def agent(self, host: str) -> dict[str, str]:
        """Gives the headers by which a host's agent is known."""
        return {"Authorization": f"Bearer {host_credential((self.secrets / 'agent.secret').read_text().strip(), host)}"}

    def answers(self) -> bool:
        """Says whether it serves, with its database."""
        try:
            verify: Any = ssl.create_default_context(cafile=self.ca) if self.ca.exists() else True
            return httpx.get(f"{self.url}/v2.0/", timeout=1, verify=verify).status_code == 200
        except httpx.TransportError:
            return False


StartServer = Callable[..., ServerProcess]
"""Starts a server with these settings of its ``[cloud]`` table."""

StartServers = Callable[..., list[ServerProcess]]
"""Starts the servers of one cloud with these settings of their ``[cloud]`` table."""


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)
