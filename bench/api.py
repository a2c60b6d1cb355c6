"""How fast the Networking API answers: ports, with 1 and with 8 client processes, every commit on the disk.

Starts a real server of its own in a new directory (under /var/tmp by default, which is on a disk), with a network host
that serves the bench's network and follows the feed, so that every commit is also sent.  Measures, prints a table, and
keeps the raw figures under bench/results/.  Clients speak HTTP/1.1 over kept-alive sockets with as little
code as will do, since they share the machine's cores with the server.

    python bench/api.py [--ports 1000] [--clients 1 --clients 8] [--database postgresql] [--directory DIR]

With ``--database postgresql`` it starts a PostgreSQL of its own in that directory, with its default settings, reached
by its socket.  CPU and memory are the server's alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from netglass.model.protocol import Registration, host_credential
from netglass.model.resources import HostSettings
from support.postgres import Cluster

RESULTS = Path(__file__).parent / "results"
BULK = 100
HOST = "bench-host"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

Call = tuple[str, str, bytes]
"""Method, path, body."""


@dataclass(frozen=True)
class Measured:
    """One row of the table.  Times in milliseconds; memory in MB, after the row's requests."""

    name: str
    clients: int
    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    rss_mb: float
    peak_mb: float


@dataclass(frozen=True)
class Server:
    """A running server, and the token and network that the bench uses."""

    pid: int
    port: int
    token: str
    network_id: str


class Client:
    """One kept-alive connection."""

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb", buffering=1 << 20)
        self._headers = f"Host: 127.0.0.1\r\nX-Auth-Token: {token}\r\nContent-Type: application/json\r\n"

    def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Makes one request and gives status and body."""
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, self._file.read(length)


def work(server: Server, calls: list[Call], barrier: Any, results: Any) -> None:
    """Makes the calls one after the other, and hands over when each began, how long it took and what it gave."""
    client = Client(server.port, server.token)
    client.call("GET", "/v2.0/ports?limit=1")
    barrier.wait()
    began = time.perf_counter()
    took: list[float] = []
    bodies: list[bytes] = []
    for call in calls:
        start = time.perf_counter()
        status, body = client.call(*call)
        took.append(time.perf_counter() - start)
        if status >= 300:
            results.put(RuntimeError(f"{call[0]} {call[1]} answered {status}: {body[:300]!r}"))
            return
        bodies.append(body)
    results.put((began, time.perf_counter(), took, bodies if calls[0][0] == "POST" else []))


def measure(server: Server, name: str, clients: int, calls: list[Call]) -> tuple[Measured, list[Any]]:
    """Has `clients` processes share `calls`; gives the figures, and the decoded bodies of what was created."""
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(clients), context.SimpleQueue()
    shares = [calls[number::clients] for number in range(clients)]
    cpu_before = cpu_s(server.pid)
    processes = [context.Process(target=work, args=(server, share, barrier, results)) for share in shares]
    for process in processes:
        process.start()
    found = [results.get() for _ in processes]
    for process in processes:
        process.join()
    for one in found:
        if isinstance(one, Exception):
            raise one
    cpu = cpu_s(server.pid) - cpu_before
    took = sorted(t for one in found for t in one[2])
    wall = max(one[1] for one in found) - min(one[0] for one in found)
    rss, peak = memory_mb(server.pid)
    measured = Measured(
        name=name,
        clients=clients,
        requests=len(took),
        per_second=len(took) / wall,
        p50_ms=statistics.median(took) * 1e3,
        p99_ms=took[min(len(took) - 1, int(len(took) * 0.99))] * 1e3,
        cpu_ms=cpu / len(took) * 1e3,
        rss_mb=rss,
        peak_mb=peak,
    )
    return measured, [json.loads(body) for one in found for body in one[3]]


def cpu_s(pid: int) -> float:
    """Gives the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def memory_mb(pid: int) -> tuple[float, float]:
    """Gives a process's resident memory now and at its most, in MB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) / 1024, int(lines["VmHWM"].split()[0]) / 1024


@contextmanager
def database_of(kind: str, directory: Path) -> Iterator[str]:
    """Gives the URL of a new database."""
    if kind == "sqlite":
        yield f"sqlite:///{directory}/netglass.db"
        return
    cluster = Cluster(directory.parent, durable=True)
    try:
        yield cluster.url(cluster.create())
    finally:
        cluster.remove()


@contextmanager
def serving(directory: Path, database: str) -> Iterator[Server]:
    """Runs a server of its own, as `netglass server` does, and stops it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    secrets = directory / "secrets"
    config = directory / "netglass.toml"
    config.write_text(
        f'port = {port}\ndatabase = "{database}"\nsecrets = "{secrets}"\npublic_url = "http://127.0.0.1:{port}"\n'
    )
    argv = [str(Path(sys.executable).with_name("netglass")), "server", "--config", str(config)]
    process = subprocess.Popen(argv)
    try:
        wait_until_serving(process, port)
        follow_feed(port, (secrets / "agent.secret").read_text().strip())
        token, project_id = log_in(port, (secrets / "admin.password").read_text().strip())
        network_id = prepare(port, token, project_id)
        yield Server(process.pid, port, token, network_id)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_until_serving(process: subprocess.Popen[bytes], port: int) -> None:
    """Returns once the port takes connections."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the server did not start within 30 s")


def log_in(port: int, password: str) -> tuple[str, str]:
    """Gives an admin's token and project."""
    user = {"name": "admin", "domain": {"id": "default"}, "password": password}
    scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
    wanted = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/identity/v3/auth/tokens", json.dumps(wanted), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    if answer.status != 201:
        raise RuntimeError(f"login answered {answer.status}: {body}")
    return answer.headers["X-Subject-Token"], body["token"]["project"]["id"]


def follow_feed(port: int, secret: str) -> None:
    """Registers a network host, and reads its feed on a thread until the server ends."""
    headers = {"Authorization": f"Bearer {host_credential(secret, HOST)}"}
    settings = HostSettings(bridge_mappings={"default": "br-eth2"})
    registration = Registration(roles=("network",), settings=settings)
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("PUT", f"/netglass/v1/hosts/{HOST}", msgspec.json.encode(registration), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"registration answered {answer.status}: {answer.read()!r}")
    answer.read()
    connection.request("GET", f"/netglass/v1/hosts/{HOST}/feed", headers=headers)
    feed = connection.getresponse()

    def read() -> None:
        while feed.read1(1 << 20):
            pass

    threading.Thread(target=read, daemon=True).start()


def prepare(port: int, token: str, project_id: str) -> str:
    """Lifts the quotas and makes a network with room for 65,000 ports; gives its id."""
    client = Client(port, token)

    def make(method: str, path: str, value: Any) -> Any:
        status, body = client.call(method, path, json.dumps(value).encode())
        if status >= 300:
            raise RuntimeError(f"{method} {path} answered {status}: {body!r}")
        return json.loads(body)

    make("PUT", f"/v2.0/quotas/{project_id}", {"quota": {"port": -1, "network": -1, "subnet": -1}})
    network_id: str = make("POST", "/v2.0/networks", {"network": {"name": "bench"}})["network"]["id"]
    subnet = {"network_id": network_id, "ip_version": 4, "cidr": "10.0.0.0/16", "name": "bench"}
    make("POST", "/v2.0/subnets", {"subnet": subnet})
    return network_id


def run(server: Server, clients: int, ports: int, tell: Callable[[Measured], None]) -> None:
    """Measures every kind of call with a number of clients; leaves no port behind."""
    one = {"network_id": server.network_id, "name": "bench"}
    body = json.dumps({"port": one}).encode()
    measured, made = measure(server, "create", clients, [("POST", "/v2.0/ports", body)] * ports)
    tell(measured)
    ids = [value["port"]["id"] for value in made]
    tell(measure(server, "show", clients, [("GET", f"/v2.0/ports/{i}", b"") for i in ids])[0])
    tell(measure(server, f"list of {len(ids):,}", clients, [("GET", "/v2.0/ports", b"")] * (30 * clients))[0])
    renamed = [
        ("PUT", f"/v2.0/ports/{i}", json.dumps({"port": {"name": f"bench-{n}"}}).encode()) for n, i in enumerate(ids)
    ]
    tell(measure(server, "update", clients, renamed)[0])
    by_name = [("GET", "/v2.0/ports?name=bench-7&fields=id&fields=name", b"")] * (30 * clients)
    tell(measure(server, "list, one by name", clients, by_name)[0])
    tell(measure(server, "delete", clients, [("DELETE", f"/v2.0/ports/{i}", b"") for i in ids])[0])
    bulk = json.dumps({"ports": [one] * BULK}).encode()
    measured, made = measure(server, f"bulk of {BULK}", clients, [("POST", "/v2.0/ports", bulk)] * (10 * clients))
    tell(measured)
    left = [port["id"] for value in made for port in value["ports"]]
    measure(server, "clear", clients, [("DELETE", f"/v2.0/ports/{i}", b"") for i in left])


def table_of(rows: list[Measured], database: str) -> Table:
    """Gives the figures for reading."""
    table = Table(title=f"Networking API: ports, authenticated, commits durable, {database}")
    table.add_column("call")
    for name in ("clients", "requests", "per second", "p50 ms", "p99 ms", "CPU ms", "RSS MB", "peak MB"):
        table.add_column(name, justify="right")
    for row in rows:
        figures = [f"{v:,.2f}" for v in (row.p50_ms, row.p99_ms, row.cpu_ms)]
        memory = [f"{v:,.0f}" for v in (row.rss_mb, row.peak_mb)]
        table.add_row(row.name, str(row.clients), f"{row.requests:,}", f"{row.per_second:,.0f}", *figures, *memory)
    return table


def keep(rows: list[Measured], database: str) -> Path:
    """Writes the raw figures with what they were measured on; gives the file."""
    RESULTS.mkdir(exist_ok=True)
    at = datetime.now(UTC)
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    value = {
        "at": at.isoformat(timespec="seconds"),
        "commit": git.stdout.strip(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "database": database,
        "rows": [asdict(row) for row in rows],
    }
    path = RESULTS / f"api-{at:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps(value, indent=1) + "\n")
    return path


def main() -> None:
    """Runs the bench."""
    parser = argparse.ArgumentParser(description="Measure the Networking API.")
    parser.add_argument("--ports", type=int, default=1000)
    parser.add_argument("--clients", type=int, action="append")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="on a disk, for commits to be durable")
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="netglass-bench-", dir=chosen.directory))
    console = Console()
    rows: list[Measured] = []

    def tell(measured: Measured) -> None:
        rows.append(measured)
        console.print(f"{measured.name}, {measured.clients} clients: p50 {measured.p50_ms:.2f} ms", style="dim")

    try:
        with database_of(chosen.database, directory) as database, serving(directory, database) as server:
            for clients in chosen.clients or [1, 8]:
                run(server, clients, chosen.ports, tell)
    finally:
        shutil.rmtree(directory)
    console.print(table_of(rows, chosen.database))
    console.print(f"Raw figures: bench/results/{keep(rows, chosen.database).name}")


if __name__ == "__main__":
    main()
