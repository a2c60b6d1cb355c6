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
    back = f"rewrites the destination from {cloud.address} to {guest.address}"
    key = f"GRE, key {cloud.network.segment}"
    numbered = (f"{number}. " for number in range(1, 60))
    printed = told.cut(*numbered, "Delivered", "Dropped", "Answered", "ICMP echo reply from")
    yield printed.marked(*way, translated, back, key, "Delivered", "Answered")
    steps = tracing.steps(told.output)
    there_and_back = (*way, *reversed(way))
    yield equal(
        "it goes the way of the course, and its answer comes back so", there_and_back, tracing.passes(steps, way)
    )
    yield true("in a tunnel with the key seen on eth2", any(key in step for step in steps), key, told.output)
    held = all(any(words in step for step in steps) for words in (translated, back))
    yield true("translated by the router as was seen there", held, f"{translated}; {back}", told.output)
    yield true("all the way", told.status == 0, "exit status 0", f"exit status {told.status}")
