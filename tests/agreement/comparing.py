"""Holds every switch that a trace went through to what the real one does with the same frame.

Frames are shown to the real switches in the order in which the model saw them, so that both learn the same.  A real
switch goes on into the next by itself where a patch port leads there, and is compared with all of these at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agreement.reading import Left, Visit, arp_of, as_flow, outputs, visits
from agreement.switches import UNDERLAY, Switches
from netglass.trace.fabric import TUNNELS, Fabric, Machine
from netglass.trace.packet import Packet
from netglass.trace.result import Enter, Hop, Output, Table


@dataclass(frozen=True)
class Mismatch:
    """One frame that a real switch treats otherwise than the model says."""

    host: str
    bridge: str
    flow: str
    model: str
    real: str
    said: str

    def __str__(self) -> str:
        said = "".join(f"\n    {line}" for line in self.said.splitlines())
        return f"{self.host} {self.bridge} {self.flow}\n  model: {self.model}\n  real:  {self.real}{said}"


@dataclass(frozen=True)
class _Passed:
    """What happened in the switches of a host that patch ports join."""

    visits: list[tuple[str, tuple[Visit, ...]]]
    outputs: list[Left]


def compare(switches: Switches, fabric: Fabric, hops: Iterable[Hop]) -> Iterator[Mismatch | None]:
    """Gives, for every frame that came to a real switch from outside of it, how that differs; None: not at all."""
    for hop in hops:
        machine = fabric.machines.get(hop.host)
        if hop.kind != "switch" or machine is None or not isinstance(hop.steps[0], Enter):
            continue
        device, packet = hop.steps[0].device, hop.steps[0].packet
        port = machine.ports.get(device)
        if port is not None and port.type == "patch":
            continue
        ends = (
            (port.options["remote_ip"], port.options["local_ip"]) if port is not None and port.type in TUNNELS else None
        )
        flow = as_flow(device, packet, ends)
        said = switches[hop.host].trace(hop.place, flow)
        real = _Passed(
            [one for one in visits(said) if one[0] != UNDERLAY], _without_bridges(machine, outputs(said, packet))
        )
        model = _Passed(sorted(_visits(machine, hop), key=str), sorted(set(_outputs(machine, hop))))
        yield None if model == real else Mismatch(hop.host, hop.place, flow, str(model), str(real), said)


def _without_bridges(machine: Machine, found: list[Left]) -> list[Left]:
    """Leaves out what goes to a bridge's own device that the host does not use."""
    used = {link.name for link in machine.state.links}
    return [one for one in found if one.device not in machine.bridges or one.device in used]


def _visits(machine: Machine, hop: Hop) -> Iterator[tuple[str, tuple[Visit, ...]]]:
    yield hop.place, tuple((step.number, step.priority) for step in hop.steps if isinstance(step, Table))
    for following in _patched(machine, hop):
        yield from _visits(machine, following)


def _outputs(machine: Machine, hop: Hop) -> Iterator[Left]:
    for step in hop.steps:
        if isinstance(step, Output):
            if _is_patch(machine, step):
                yield from _outputs(machine, step.next)
            else:
                yield _left(machine, step.device, step.packet)


def _patched(machine: Machine, hop: Hop) -> Iterator[Hop]:
    yield from (step.next for step in hop.steps if isinstance(step, Output) and _is_patch(machine, step))


def _is_patch(machine: Machine, step: Output) -> bool:
    port = machine.ports.get(step.device)
    return port is not None and port.type == "patch"


def _left(machine: Machine, device: str, packet: Packet) -> Left:
    vlan = -1 if packet.vlan is None else packet.vlan
    found = Left(device, vlan, packet.eth_src, packet.eth_dst, arp=arp_of(packet))
    port = machine.ports.get(device)
    if port is None or port.type not in TUNNELS:
        return found
    ends = f"{port.options['local_ip']} {port.options['remote_ip']}"
    return Left(port.type, vlan, packet.eth_src, packet.eth_dst, packet.tun_id or 0, ends, found.arp)
