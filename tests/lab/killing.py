"""Kills processes of a lab's hosts at random, while clients write and guests ping; then sees whether all is right."""

from __future__ import annotations

import heapq
import json
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml
from cloud import Cloud, Guest, until
from footprint import leaks, of_cloud
from labs import TestLab
from losses import PROBE
from processes import KINDS, Process, processes
from scene import INTERNET
from story_fixtures import api_of

from netglass.cli.show import is_empty
from netglass.host import syscalls
from netglass.lab.places import LabPlace
from netglass.lab.programs import PORT
from netglass.lab.topology import BUILTIN, Topology
from support.api import Api
from support.blame import Kill, Lost, blame
from support.load import Load, Where, clear, found
from support.writes import Ledger

SIGNALS = {"-9": signal.SIGKILL, "STOP": signal.SIGSTOP, "TERM": signal.SIGTERM}

_SETTLED_S = 90.0
_TAIL_S = 4.0
_BEHIND_S = 0.1
_LEAST_GUESTS = 6


class Walk(NamedTuple):
    """A way that packets go all the time.

    to     words that run a command where they are sent
    hosts  whose switches they go through
    """

    name: str
    to: list[str]
    address: str
    hosts: frozenset[str]


class Pace(NamedTuple):
    """What happens in one round, and how fast.

    seconds  within which the kills fall
    stop_s   how long what is stopped stays so
    each_s   between two packets of a walk
    write_s  between two writes of a client
    """

    kills: int = 40
    seconds: float = 40.0
    stop_s: float = 5.0
    each_s: float = 0.01
    clients: int = 4
    write_s: float = 0.1


@dataclass
class Round:
    """What one round was, and what came of it.

    wiring     clients wrote what hosts have to make: DHCP, routers, guests
    settled_s  from the end of the last kill until everything was as it must be
    faults     what was not as it must be, a line each
    """

    wiring: bool
    kills: list[Kill]
    losses: list[Lost]
    ledger: Ledger
    settled_s: float
    faults: list[str]

    @property
    def blamed(self) -> Counter[str]:
        """Gives how many packets were lost by the death of which kind of process."""
        held = [at for loss in self.losses for at in loss.held]
        return sum((blame(loss, self.kills, held) for loss in self.losses), Counter())


@dataclass
class Site:
    """A lab with guests that ping."""

    lab: TestLab
    admin: Api
    hosts: tuple[str, ...]
    hypervisors: tuple[str, ...]
    external: str
    walks: list[Walk]

    def load(self, pace: Pace, *, wiring: bool) -> Load:
        """Sets clients to work, each at one of the servers."""
        servers = _topology(self.lab).server_hosts
        log_ins = [partial(log_in_at, self.lab, servers[n % len(servers)]) for n in range(pace.clients)]
        where = Where(self.hypervisors, self.external) if wiring else Where(dhcp=False)
        return Load(log_ins, where, pace.write_s)


def two_servers(database: str) -> str:
    """Gives a lab file like that of `gre`, with two servers over a PostgreSQL."""
    wanted = yaml.safe_load((BUILTIN / "gre.yaml").read_text())
    # Last, so that the others keep their places.
    wanted["hosts"]["second"] = {"server": True, "nics": {"eth1": "mgmt"}}
    wanted["cloud"]["database"] = database
    return yaml.safe_dump(wanted, sort_keys=False)


@contextmanager
def furnished(lab: TestLab, guests: int = 20) -> Iterator[Site]:
    """Gives a lab with guests on two networks and two hosts, and a router that leads out, for the block."""
    assert guests >= _LEAST_GUESTS, f"the walks need {_LEAST_GUESTS} guests"
    roles = {name: host.roles for name, host in _topology(lab).hosts.items() if host.roles}
    hypervisors = tuple(name for name, has in roles.items() if "hypervisor" in has)
    admin = api_of(lab, "admin")
    quota = dict.fromkeys(("network", "subnet", "port", "router", "floatingip"), -1)
    status, said = admin.call("PUT", f"/v2.0/quotas/{admin.project_id}", {"quota": quota})
    assert status == 200, said
    cloud = Cloud(lab, admin)
    try:
        networks = [cloud.network("10.1.0.0/24", "red"), cloud.network("10.2.0.0/24", "blue")]
        six = cloud.ipv6_network("fd00:6::/64", "slaac")
        router = cloud.router(*networks, six)
        there = _guests(cloud, networks, hypervisors, guests)
        network = next(name for name, has in roles.items() if "network" in has)
        walks = _walks(cloud, there, network, str(cloud.floating(there[1].port_id)["floating_ip_address"]))
        assert router
        yield Site(lab, admin, tuple(roles), hypervisors, cloud.public(), walks)
    finally:
        until(lambda: _in_time(lambda: admin.call("GET", "/v2.0/")[0] == 200, time.monotonic() + 1), 60, "a server")
        cloud.clear()


def _guests(cloud: Cloud, networks: Sequence[str], hosts: Sequence[str], count: int) -> list[Guest]:
    wanted = [(f"guest{n}", networks[n // 2 % 2], hosts[n % 2]) for n in range(count)]
    servers = [cloud.start(name, network, host) for name, network, host in wanted]
    guests = [cloud.guest_of(s, name, host) for s, (name, _, host) in zip(servers, wanted, strict=True)]
    for guest in guests:
        cloud.wait_address(guest, 60)
    return guests


def _walks(cloud: Cloud, guests: Sequence[Guest], network: str, floating: str) -> list[Walk]:
    # Guests 0 and 4 are on one host and network, 1 on the other host, 3 on the other host and network.
    one, far, other, near = guests[0], guests[1], guests[3], guests[4]
    here, there = one.host, far.host

    def from_one(name: str, address: str, *hosts: str) -> Walk:
        return Walk(name, cloud.lab.to_guest(one.id), address, frozenset(hosts))

    return [
        from_one("same host", near.address, here),
        from_one("two hosts", far.address, here, there),
        from_one("router", other.address, here, there, network),
        from_one("internet", INTERNET, here, network),
        Walk("floating IP", cloud.lab.to_host("client"), floating, frozenset((there, network))),
    ]


def kill_round(
    site: Site, dice: random.Random, pace: Pace, *, kinds: Collection[str] = KINDS, wiring: bool = True
) -> Round:
    """Kills so many processes of some kinds while clients write; then waits until all is right, and checks.

    What clients made is deleted in the end, and nothing of it may be left.
    """
    assert settle(site) == []
    for walk in site.walks:
        until(lambda w=walk: _answers(w), 30, f"{walk.name}: {walk.address} answers")  # type: ignore[misc]
    before = of_cloud(site.lab)
    load = site.load(pace, wiring=wiring)
    try:
        with _pinging(site.walks, pace) as collect:
            kills = _strike(site.lab.name, dice, pace, kinds)
            ended = time.monotonic()
            losses = collect()
    finally:
        load.stop()
    faults = settle(site)
    settled_s = time.monotonic() - ended
    faults += load.ledger.contradictions(found(site.admin))
    clear(site.admin)
    faults += settle(site)
    faults += leaks(before, of_cloud(site.lab))
    return Round(wiring, kills, losses, load.ledger, settled_s, faults)


def settle(site: Site) -> list[str]:
    """Waits until every host is what it must be; gives a line for each that is not in time."""
    end = time.monotonic() + _SETTLED_S
    named = "".join(f"&host={host}" for host in site.hosts)

    def realised() -> bool:
        status, _ = site.admin.call("GET", f"/netglass/v1/wait?timeout=10{named}")
        return status == 200

    def right(host: str) -> bool:
        status, answer = site.admin.call("GET", f"/netglass/v1/hosts/{host}/diff")
        return status == 200 and is_empty(answer["diff"], ())

    if not _in_time(realised, end):
        return [f"the newest revision is not realised after {_SETTLED_S} s: {_words(site, '/netglass/v1/hosts')}"]
    return [
        f"{host} differs after {_SETTLED_S} s: {_words(site, f'/netglass/v1/hosts/{host}/diff')}"
        for host in site.hosts
        if not _in_time(lambda host=host: right(host), end)  # type: ignore[misc]
    ]


def _in_time(claim: Callable[[], bool], end: float) -> bool:
    pause = threading.Event()
    while time.monotonic() < end:
        try:
            if claim():
                return True
        except httpx.TransportError:
            pass
        pause.wait(0.1)
    return False


def _words(site: Site, path: str) -> str:
    return json.dumps(site.admin.call("GET", path)[1])[:4000]


def _answers(walk: Walk) -> bool:
    words = ("ping", "-n", "-c", "1", "-W", "1", walk.address)
    return subprocess.run([*walk.to, *words], capture_output=True, check=False).returncode == 0


def _topology(lab: TestLab) -> Topology:
    record = LabPlace(lab.name).read()
    assert record is not None
    return record.topology


def log_in_at(lab: TestLab, host: str) -> Api:
    """Gives a client of a host's server as the host itself would be one; this thread is in its network from now on."""
    with (Path("/proc") / str(LabPlace(lab.name).pid(host)) / "ns/net").open() as network:
        syscalls.setns(network.fileno(), syscalls.NEWNET)
    found = lab.environment("admin")
    return Api(f"http://127.0.0.1:{PORT}", found["OS_USERNAME"], found["OS_PASSWORD"], found["OS_PROJECT_NAME"])


# --- killing


def _strike(lab: str, dice: random.Random, pace: Pace, kinds: Collection[str]) -> list[Kill]:
    """Sends signals at random moments to processes chosen then; returns when all that were stopped go on."""
    begun, pause = time.monotonic(), threading.Event()
    due: list[tuple[float, int, Process | None]] = [(dice.uniform(0, pace.seconds), n, None) for n in range(pace.kills)]
    heapq.heapify(due)
    kills: list[Kill] = []
    stopped: set[Process] = set()
    try:
        while due:
            at, number, process = heapq.heappop(due)
            pause.wait(max(0.0, begun + at - time.monotonic()))
            if process is not None:
                process.send(signal.SIGCONT)
                stopped.discard(process)
                continue
            how = dice.choice(list(SIGNALS))
            struck = _one(lab, dice, kinds, how)
            now = time.monotonic()
            if how == "STOP":
                heapq.heappush(due, (now - begun + pace.stop_s, number, struck))
                stopped.add(struck)
            kills.append(Kill(now, now + pace.stop_s * (how == "STOP"), struck.kind, struck.host, how))
    finally:
        for process in stopped:
            process.send(signal.SIGCONT)
    return kills


def _one(lab: str, dice: random.Random, kinds: Collection[str], how: str) -> Process:
    """Sends a signal to a process of a random kind on a random host that has it; gives the process."""
    while True:
        there = [process for process in processes(lab) if process.kind in kinds]
        kind = dice.choice(sorted({process.kind for process in there}))
        process = dice.choice(sorted(process for process in there if process.kind == kind))
        if process.send(SIGNALS[how]):
            return process


# --- pinging


@contextmanager
def _pinging(walks: Sequence[Walk], pace: Pace) -> Iterator[Callable[[], list[Lost]]]:
    """Has packets go all walks for as long as a round kills; gives what collects who was lost."""
    seconds = pace.seconds + pace.stop_s + _TAIL_S
    running = [_ping(walk, pace.each_s, seconds) for walk in walks]
    try:
        for walk, process in zip(walks, running, strict=True):
            assert process.stdout is not None
            assert process.stdout.readline() == "answered\n", f"nothing answers on walk {walk.name}"
        yield lambda: [_lost(walk, process) for walk, process in zip(walks, running, strict=True)]
    finally:
        for process in running:
            process.kill()
            process.wait()


def _ping(walk: Walk, each_s: float, seconds: float) -> subprocess.Popen[str]:
    plan: dict[str, Any] = {"kind": "icmp", "to": walk.address, "each_s": each_s, "seconds": seconds, "wait_s": 2}
    plan["behind_s"] = _BEHIND_S
    argv = [*walk.to, "python3", "-c", PROBE, json.dumps(plan)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def _lost(walk: Walk, process: subprocess.Popen[str]) -> Lost:
    said = json.loads(process.communicate(timeout=120)[0])
    return Lost(walk.name, walk.hosts, said["sent"], tuple(said["lost"]), tuple(said["skipped"]))
