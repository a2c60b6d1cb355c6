"""What no course can print: Netglass says itself where a packet goes, and why."""

from __future__ import annotations

from netglass.demo.claims import Began, Said, Scene, equal, true
from netglass.demo.packet_flows.deployment import BOB, INTERNET_ADDRESS, NETWORK_NODE
from netglass.demo.packet_flows.inter_vm_traffic import Pair
from netglass.demo.packet_flows.standard_situation import Cloud
from netglass.demo.reading import tracing
from netglass.demo.stage import Stage


def play(stage: Stage, cloud: Cloud, guests: Pair) -> Scene[None]:
    """Asks where the first guest's packet to the internet goes, and compares with what was seen of it."""
    guest = guests[0]
    yield Began(title="The same packet, explained")
    yield Said(
        text="All of that follows from what was asked for. Netglass compiles it into what each host must look like, and"
        " tells by that where a packet goes, before any is sent:"
    )
    told = stage.netglass("demo", "trace", guest.name, INTERNET_ADDRESS)
    way = (
        f"br-int on {BOB}",
        f"br-tun on {BOB}",
        f"br-tun on {NETWORK_NODE}",
        f"br-int on {NETWORK_NODE}",
        f"Namespace {cloud.router}",
        f"br-ex on {NETWORK_NODE}",
    )
    translated = f"rewrites the source from {guest.address} to {cloud.address}"
    key = f"GRE, key {cloud.network.segment}"
    yield told.cut(*(f"{number}. " for number in range(1, 30)), "Delivered", "Dropped").marked(
        *way, translated, key, "Delivered"
    )
    steps = tracing.steps(told.output)
    yield equal("it goes the way of the course, switch by switch", way, tracing.passes(steps, way))
    yield true("in a tunnel with the key seen on eth2", any(key in step for step in steps), key, told.output)
    held = any(translated in step for step in steps)
    yield true("translated by the router as was seen there", held, translated, told.output)
    yield true("and leaves the cloud", told.status == 0, "exit status 0", f"exit status {told.status}")
