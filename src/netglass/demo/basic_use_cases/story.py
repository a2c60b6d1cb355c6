"""The document from its first use case to its last; each stands on the one before."""

from __future__ import annotations

from netglass.demo.basic_use_cases import create_network, deployment, launch_guests, serve_dhcp
from netglass.demo.claims import Opened, Scene
from netglass.demo.stage import Stage

DOCUMENT = "Diving into OpenStack Network Architecture, part 2: basic use cases"


def play(stage: Stage) -> Scene[None]:
    """Plays create network, launch guests, serve DHCP."""
    text = "A control node and two compute hosts. Each network is a VLAN on the trunk between their eth2."
    yield Opened(title=DOCUMENT, text=text, picture=deployment.PICTURE)
    network = yield from create_network.play(stage)
    guests = yield from launch_guests.play(stage)
    yield from serve_dhcp.play(stage, network, guests)
