"""What the death of a process costs each walk: packets lost at a steady pace, and when the last of them was sent."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cloud import until
from scene import INTERNET, META_DATA, Scene

from support.pace import stretched

PROBE = (Path(__file__).parents[2] / "bench/walk_probe.py").read_text()

HEALED_WITHIN_S = {"ovs-vswitchd": 3.0}  # 2 s for all others

_UNDER_WAY_S = 0.1  # what was sent longer before a death was lost by something else, as on a machine that stood still

_METADATA = {"kind": "http", "to": "169.254.169.254", "path": META_DATA, "wait_s": 10}


class Pace(NamedTuple):
    """How packets are sent."""

    each_s: float = 0.01
    seconds: float = 5.0
    metadata_each_s: float = 0.01


class Victim(NamedTuple):
    """A process: what it is called, its host, and what is found in its command line."""

    name: str
    host: str
    words: str

    def __str__(self) -> str:
        return f"{self.name}@{self.host}"


class Probe(NamedTuple):
    """A walk that packets go at a steady pace.

    to    words that run a command where they are sent
    uses  names of processes without which it cannot be walked, as `Victim` prints them
    """

    name: str
    to: list[str]
    plan: dict[str, Any]
    uses: frozenset[str]


class Loss(NamedTuple):
    """What came of it.

    healed_s  from the death to when the last lost one was sent; 0 when none was lost
    late_s    how long the slowest answer took
    """

    sent: int
    lost: int
    healed_s: float
    late_s: float


def victims(scene: Scene) -> list[Victim]:
    """Gives every process that a walk could need."""
    p, red, alone = scene.places, scene.networks["red"]["id"], scene.networks["alone"]["id"]
    return [
        *of_every_scene(scene),
        Victim("dnsmasq", p.network, f"dhcp/{red}/"),
        Victim("haproxy-qdhcp", p.network, f"ns-metadata-proxy/{alone}.conf"),
    ]


def of_every_scene(scene: Scene) -> list[Victim]:
    """Gives the processes that are there whatever is made."""
    p = scene.places
    hosts = (p.network, p.bob, p.daisy)
    return [
        *(Victim("agent", host, "netglass.agent.main") for host in hosts),
        Victim("server", p.controller, "netglass server"),
        *(Victim("ovs-vswitchd", host, "ovs-vswitchd unix:") for host in hosts),
        *(Victim("ovsdb-server", host, "ovsdb-server /etc") for host in hosts),
        Victim("haproxy-router", p.network, f"ns-metadata-proxy/{scene.router}.conf"),
        Victim("metadata-agent", p.network, "netglass.metadata.main"),
    ]


def needs(scene: Scene, *hosts: str, also: Iterable[str] = ()) -> frozenset[str]:
    """Gives the processes that a walk needs: switches of hosts, and others on the network host."""
    # A userspace switch forwards nothing while its database is away: its main thread does both, and asks for the
    # database once a second (seen on Open vSwitch 3.1).
    switches = {f"{name}@{host}" for host in hosts for name in ("ovs-vswitchd", "ovsdb-server")}
    return frozenset(switches | {f"{name}@{scene.places.network}" for name in also})


def probes(scene: Scene) -> list[Probe]:
    """Gives the walks that need the hosts' processes, each with what it needs."""
    lab, p = scene.lab, scene.places
    one, far, uno = (lab.to_guest(scene[name].id) for name in ("one", "far", "uno"))
    bob, daisy, network = p.bob, p.daisy, p.network

    def icmp(name: str, to: list[str], address: str, *hosts: str) -> Probe:
        return Probe(name, to, {"kind": "icmp", "to": address}, needs(scene, *hosts))

    def asks(name: str, to: list[str], *also: str) -> Probe:
        return Probe(name, to, _METADATA, needs(scene, bob, network, also=(*also, "metadata-agent")))

    leased = {"kind": "dhcp", "to": scene.dhcp_address("red"), "device": "eth0", "address": scene["far"].address}
    return [
        icmp("1 same host", one, scene["near"].address, bob),
        icmp("2-6 two hosts", one, scene["far"].address, bob, daisy),
        icmp("7 router, one host", one, scene["beside"].address, bob, network),
        icmp("7 router, two hosts", one, scene["other"].address, bob, daisy, network),
        icmp("8 internet", one, INTERNET, bob, network),
        icmp("9 floating IP", lab.to_host("client"), scene.floating(), daisy, network),
        Probe("10 DHCP", far, leased, needs(scene, daisy, network, also=("dnsmasq",))),
        asks("11 metadata, router", one, "haproxy-router"),
        asks("11 metadata, qdhcp", uno, "haproxy-qdhcp"),
        icmp("13 the other project", uno, scene["due"].address, bob, daisy),
        icmp("14 qdhcp", far, scene.dhcp_address("red"), daisy, network),
    ]


def losses(scene: Scene, walks: Iterable[Probe], killed: Sequence[Victim], pace: Pace) -> dict[str, Loss]:
    """Kills processes, all at once, while packets go every walk; gives what each walk lost.

    Returns once there are new ones.
    """
    pids = {victim: pid_of(scene, victim) for victim in killed}
    running = {walk.name: _start(walk, pace) for walk in walks}
    try:
        for name, process in running.items():
            assert process.stdout is not None
            assert process.stdout.readline() == "answered\n", f"nothing answers on walk {name}"
        died = time.monotonic()
        for victim, pid in pids.items():
            scene.lab.on(victim.host, "kill", "-9", str(pid))
        found = {name: _loss(process, died) for name, process in running.items()}
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    for victim, pid in pids.items():
        until(lambda v=victim, old=pid: pid_of(scene, v) not in (0, old), 30, f"a new {victim}")  # type: ignore[misc]
    return found


def _start(walk: Probe, pace: Pace) -> subprocess.Popen[str]:
    each_s = pace.metadata_each_s if walk.plan["kind"] == "http" else pace.each_s
    plan = {"each_s": each_s, "seconds": pace.seconds, "wait_s": 2, **walk.plan}
    argv = [*walk.to, "python3", "-c", PROBE, json.dumps(plan)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def _loss(process: subprocess.Popen[str], died: float) -> Loss:
    found = json.loads(process.communicate(timeout=60)[0].splitlines()[-1])
    lost: list[float] = [at for at in found["lost"] if at > died - _UNDER_WAY_S]
    return Loss(found["sent"], len(lost), max((at - died for at in lost), default=0.0), found["late_s"])


def pid_of(scene: Scene, victim: Victim) -> int:
    """Gives a process as its host counts; 0 when there is none."""
    for line in scene.lab.on(victim.host, "ps", "-ww", "-eo", "pid=,args=").splitlines():
        pid, words = line.split(maxsplit=1)
        if victim.words in words and not words.startswith(("ps ", "ovs-ofctl ", "setpriv ")):
            return int(pid)
    return 0


def lost_twice(scene: Scene, walks: Sequence[Probe], killed: Sequence[Victim], pace: Pace) -> list[str]:
    """Kills processes and tells what was lost, once more where something was that must not be; gives what was again.

    A machine that stands still for a moment loses packets by itself, whoever died.
    """
    wrong: list[str] = []
    for _ in range(2):
        found = losses(scene, walks, killed, pace)
        print("\n", *killed, *(f"\n  {name}: {loss}" for name, loss in found.items()))
        wrong = too_much(walks, killed, found)
        await_answers(walks)
        if not wrong:
            break
    return wrong


def await_answers(walks: Iterable[Probe], within_s: float = 30) -> None:
    """Waits until every walk is walked without a loss."""

    def whole(walk: Probe) -> bool:
        return not _loss(_start(walk, Pace(seconds=0.2)), 0).lost

    for walk in walks:
        until(lambda w=walk: whole(w), within_s, f"what is sent on walk {walk.name} is answered")  # type: ignore[misc]


def too_much(walks: Iterable[Probe], killed: Sequence[Victim], found: dict[str, Loss]) -> list[str]:
    """Gives what was lost and must not be: by whom, how much, and for how long."""
    said: list[str] = []
    for walk in walks:
        loss = found[walk.name]
        used = [victim for victim in killed if str(victim) in walk.uses]
        within_s = max((HEALED_WITHIN_S.get(victim.name, 2.0) for victim in used), default=0.0)
        if loss.lost and loss.healed_s > stretched(within_s):
            of = " ".join(map(str, killed))
            said.append(f"{walk.name}: {loss.lost} lost until {loss.healed_s:.2f} s after the death of {of}")
    return said
