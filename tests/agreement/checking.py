"""Draws clouds and packets, and holds the model to real switches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from msgspec.structs import replace

from agreement.a_server import InProcess
from agreement.comparing import compare
from agreement.random_clouds import Limits, Maker, random_hosts
from agreement.random_flows import Cloud, random_wishes
from agreement.switches import Switches
from netglass.base.errors import UserError
from netglass.compile.compiler import compile_host
from netglass.desired.state import HostState
from netglass.model.resources import Port
from netglass.model.snapshot import Snapshot
from netglass.trace.fabric import Fabric
from netglass.trace.interpreter import Walk
from netglass.trace.making import probe
from netglass.trace.memory import Memory
from netglass.trace.model import Wish, follow
from netglass.trace.packet import BROADCAST
from netglass.trace.placing import Around, fabric_around

_RAW = 5  # pairs of frames made by hand, in each cloud
_ODD_MACS = ("01:80:c2:00:00:00", "01:80:c2:00:00:0e", "01:00:5e:00:00:01", "33:33:00:00:00:01", "02:00:00:00:00:99")
_TRIES = 3  # wishes drawn for each that is wanted: some mean nothing, such as a family that an end does not have


@dataclass
class Tally:
    """What was compared.

    frames  that came to a real switch
    """

    flows: int = 0
    delivered: int = 0
    frames: int = 0
    mismatches: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Counts another in."""
        self.flows += other.flows
        self.delivered += other.delivered
        self.frames += other.frames
        self.mismatches += other.mismatches

    def __str__(self) -> str:
        said = f"{self.flows} flows, {self.delivered} delivered; {self.frames} frames shown to real switches"
        return f"{said}, {len(self.mismatches)} treated otherwise than the model says"


@dataclass(frozen=True)
class Drawn:
    """A random cloud as the model sees it."""

    snapshot: Snapshot
    states: list[HostState]
    cloud: Cloud


def draw(rng: Random, directory: Path) -> Drawn:
    """Draws a cloud with hosts of its own; `directory` is for the server's database."""
    server = InProcess(directory)
    try:
        hosts = random_hosts(rng)
        for host, (roles, settings) in hosts.items():
            server.register(host, roles, settings)
        hypervisors = [host for host, (roles, _) in hosts.items() if "hypervisor" in roles]
        # ofproto/trace does not know what opened a connection, by which a native host's flows judge: their filters
        # are held to real frames in tests/firewall and in the lab's random packets.
        native = frozenset(host for host, (_, settings) in hosts.items() if settings.firewall_driver == "openvswitch")
        Maker(rng, server.call, hypervisors, Limits(open=native)).cloud(server.has_booted)
        snapshot = server.snapshot
        return Drawn(snapshot, [compile_host(snapshot, host) for host in hosts], Cloud.of(server.call))
    finally:
        server.close()


def check_switches(seed: int, flows: int, directory: Path, switches: Switches) -> Tally:
    """Holds the model to the switches for packets in one cloud: fewer than `flows`, where the cloud has no ends."""
    rng, tally = Random(seed), Tally()
    place = directory / f"cloud{seed}"
    place.mkdir()
    drawn = draw(rng, place)
    switches.hold(drawn.states)
    for what, memory in (*_traces(rng, drawn, flows, tally), *_raw_frames(rng, drawn)):
        for state in drawn.states:
            switches[state.host].forget(bridge.name for bridge in state.bridges)
        for mismatch in compare(switches, Fabric.of(drawn.states), memory.hops):
            tally.frames += 1
            if mismatch is not None:
                tally.mismatches.append(f"cloud {seed}, {what}: {mismatch}")
    return tally


def _traces(rng: Random, drawn: Drawn, flows: int, tally: Tally) -> Iterator[tuple[Wish, Memory]]:
    wishes = random_wishes(rng, drawn.cloud)
    for wish, _ in zip(wishes, range(flows * _TRIES), strict=False):
        memory = Memory()
        try:
            trace = follow(drawn.snapshot, wish, memory)
        except UserError:
            continue
        tally.flows += 1
        tally.delivered += trace.delivered
        yield wish, memory
        if tally.flows == flows:
            return


def _raw_frames(rng: Random, drawn: Drawn) -> Iterator[tuple[str, Memory]]:
    """Draws frames that guests make by hand: with others' MACs and with VLAN tags, two and two in one memory."""
    ports = [port for port in drawn.snapshot.all(Port) if port.fixed_ips]
    fabric = fabric_around(drawn.snapshot, Around(tuple(ports)))
    ends = sorted((station.end for station in fabric.stations.values()), key=lambda end: (end.host, end.name, end.mac))
    macs = [BROADCAST, *_ODD_MACS, *sorted(port.mac_address for port in ports)]
    for _ in range(_RAW if ends else 0):
        memory, told = Memory(), []
        for end in rng.choices(ends, k=2):
            packet = replace(
                probe("10.0.0.7", "10.0.0.8", "udp", 9),
                eth_src=rng.choice([end.mac] * 3 + macs),
                eth_dst=rng.choice(macs),
                vlan=rng.choice([None] * 4 + [1, 2, 1000, 4095]),
            )
            Walk(fabric, memory).emit(end, packet)
            told.append(f"{end.name} sends {packet.eth_src} > {packet.eth_dst} with tag {packet.vlan}")
        yield ", then ".join(told), memory
