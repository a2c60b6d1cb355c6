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

from support.api import Api


class ServerProcess:
    """Started by `start`, ended by `stop` or `kill`; may be started again on the same directory and port."""

    def __init__(self, directory: Path, cloud: dict[str, Any], *, tls: bool = False) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._directory = directory
        secrets = directory / "secrets"
        self.ca = secrets / "ca.pem"  # with TLS
        lines = [
            f'database = "sqlite:///{directory}/netglass.db"',
            f'secrets = "{secrets}"',
            f"port = {self.port}",
            f"tls = {_toml(tls)}",
            "[cloud]",
            *(f"{key} = {_toml(value)}" for key, value in cloud.items()),
        ]
        (directory / "server.toml").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self._directory / "server.log").open("ab")
        argv = [
            str(Path(sys.executable).parent / "netglass"),
            "server",
            "--config",
            str(self._directory / "server.toml"),
        ]
        self._process = subprocess.Popen(argv, stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"})
        log.close()
        end = time.monotonic() + 20
        while not self._answers():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < end, self.log()

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(timeout=20)

    def log(self) -> str:
        return (self._directory / "server.log").read_text()

    def user(self, name: str = "demo", project: str = "demo") -> Api:
        password = (self._directory / "secrets" / f"{name}.password").read_text().strip()
        return Api(self.url, name, password, project)

    def admin(self) -> Api:
        return self.user("admin", "admin")

    def _answers(self) -> bool:
        try:
            verify: Any = ssl.create_default_context(cafile=self.ca) if self.ca.exists() else True
            return httpx.get(f"{self.url}/v2.0/", timeout=1, verify=verify).status_code == 200
        except httpx.TransportError:
            return False


StartServer = Callable[..., ServerProcess]
"""Starts a server with these settings of its ``[cloud]`` table."""


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)
