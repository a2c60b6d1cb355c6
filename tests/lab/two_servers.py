"""A lab with two servers over one PostgreSQL, each of which can be cut off from it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud import until
from labs import NETGLASS, TestLab

from support.postgres import Cluster
from support.proxy import Proxy

_CONFIG = "/etc/netglass"
_SECRETS = "/var/lib/netglass/secrets"


class TwoServers:
    """Servers on two of a lab's hosts; the second host's is asked first by every agent but the first host's.

    proxies  what lies between each server and the database, by host
    """

    def __init__(self, lab: TestLab, cluster: Cluster, first: str, second: str) -> None:
        self.lab = lab
        self.first = first
        self.second = second
        self.proxies = {host: Proxy(cluster.short_directory(), cluster.directory) for host in (first, second)}
        self._database = cluster.create()
        self._own = cluster.short_directory()  # for what goes from host to host, and for the second server's log
        self._second: subprocess.Popen[bytes] | None = None

    def start(self, agents: list[str]) -> None:
        """Has the first host's server take the new database, starts the second, and tells the agents of both."""
        self._copy(self._own)
        for host in (self.first, self.second):
            self._edit(host, f"{_CONFIG}/server.toml", "database", self._url(host))
        self.lab.on(self.first, "kill", str(self._pid(self.first, "netglass server")))
        program = [NETGLASS, "server", "--config", f"{_CONFIG}/server.toml"]
        with (self._own / "server.log").open("wb") as log:
            self._second = subprocess.Popen([*self.lab.to_host(self.second), *program], stdout=log, stderr=log)
        for host in agents:
            order = (self.first, self.second) if host == self.first else (self.second, self.first)
            self._edit(host, f"{_CONFIG}/agent.toml", "server", [self._api(one) for one in order])
            self.lab.on(host, "kill", "-9", str(self._pid(host, "netglass.agent.main")))
        until(lambda: self._heard(agents), 60, "every agent is heard of")

    def end(self) -> None:
        """Ends the second server; the lab is of no use afterwards."""
        if self._second is not None:
            self._second.kill()
            self._second.wait()
        for proxy in self.proxies.values():
            proxy.close()

    def _copy(self, shared: Path) -> None:
        for path in (f"{_CONFIG}/server.toml", _SECRETS):
            self.lab.on(self.first, "cp", "-a", path, str(shared))
        self.lab.on(self.second, "mkdir", "-p", str(Path(_SECRETS).parent))
        self.lab.on(self.second, "cp", "-a", str(shared / "server.toml"), f"{_CONFIG}/server.toml")
        self.lab.on(self.second, "cp", "-a", str(shared / "secrets"), _SECRETS)

    def _heard(self, agents: list[str]) -> bool:
        done = self.lab.operator("host", "list", "--json")
        found = json.loads(done.stdout)["hosts"] if done.stdout else []
        return {host["name"] for host in found if host["alive"] and host["connected"]} == set(agents)

    def _url(self, host: str) -> str:
        return f"postgresql://netglass@/{self._database}?host={self.proxies[host].directory}"

    def _api(self, host: str) -> str:
        return f"http://{host}:9696"

    def _edit(self, host: str, path: str, key: str, value: object) -> None:
        self.lab.on(host, "sed", "-i", f"s|^{key} = .*|{key} = {json.dumps(value)}|", path)

    def _pid(self, host: str, words: str) -> int:
        for line in self.lab.on(host, "ps", "-ww", "-eo", "pid=,args=").splitlines():
            pid, args = line.split(maxsplit=1)
            if words in args and not args.startswith("ps "):
                return int(pid)
        raise AssertionError(f"{host} has no {words}")


@contextmanager
def two_servers(lab: TestLab, agents: list[str], first: str, second: str) -> Iterator[TwoServers]:
    """Turns a lab into one with two servers over a PostgreSQL of its own, with nothing in it."""
    cluster = Cluster()
    servers = TwoServers(lab, cluster, first, second)
    try:
        servers.start(agents)
        yield servers
    finally:
        servers.end()
        cluster.remove()
