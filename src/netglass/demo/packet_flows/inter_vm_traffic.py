"""Inter-VM traffic: two guests on two hypervisors, and what is on the wire while one pings the other."""

from __future__ import annotations

from netglass.demo import cast, guests
from netglass.demo.claims import Began, Said, Scene, true
from netglass.demo.guests import PING, ping
from netglass.demo.packet_flows import deployment
from netglass.demo.packet_flows.deployment import TUNNEL_ADDRESS
from netglass.demo.packet_flows.standard_situation import Cloud
from netglass.demo.reading import captures
from netglass.demo.stage import Stage

GRE = ("ip", "proto", "47")
"""What tcpdump is to show: GRE (RFC 2784; IANA's number for it)."""

Pair = tuple[cast.Guest, cast.Guest]
"""The guest on bob, and the guest on daisy."""


def play(stage: Stage, cloud: Cloud) -> Scene[Pair]:
    """Launches the guests and captures their ping on the first one's host.

    Raises Broken when a guest has no address.
    """
    yield Began(title="Inter-VM traffic")
    yield Said(text="Two guests, vm1 on bob and vm2 on daisy. Their addresses come through a tunnel already.")
    first, second = yield from guests.launch(stage, deployment.GUESTS)
    yield Said(
        text="br-int gives the packet its tag, br-tun puts it into GRE, and it leaves bob by eth2. On daisy it is"
        " just the same, vice versa."
    )
    here, there = TUNNEL_ADDRESS[first.host], TUNNEL_ADDRESS[second.host]
    words = ("tcpdump", "-n", "-l", "-i", deployment.TUNNEL_NIC, *GRE, "and", "host", there)
    key = cloud.network.segment

    def both_ways(text: str) -> bool:
        return "echo request" in _on_wire(text, here, there, key) and "echo reply" in _on_wire(text, there, here, key)

    with stage.watch(first.host, *words, ready="listening on") as watch:
        pinged = stage.inside(first.name, *PING, second.address)
        seen = watch.result(both_ways)
    yield from ping(pinged, f"{first.name} reaches {second.name}")
    yield seen.marked(f"key={key:#x}", f"{first.address} > {second.address}", f"{here} > {there}")
    wanted = f"an echo request in GRE with key {key:#x} from {here} to {there}"
    held = f"{first.address} > {second.address}: ICMP echo request" in _on_wire(seen.output, here, there, key)
    yield true(f"on bob's eth2 it is in GRE, key {key:#x}, from bob's address to daisy's", held, wanted, seen.output)
    held = f"{second.address} > {first.address}: ICMP echo reply" in _on_wire(seen.output, there, here, key)
    yield true("and so is the answer, vice versa", held, "an echo reply in GRE with the same key", seen.output)
    return first, second


def _on_wire(text: str, source: str, destination: str, key: int) -> str:
    return "\n".join(captures.carried(text, source, destination, key))
