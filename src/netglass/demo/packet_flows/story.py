"""The course from its first section to its last; each stands on those before."""

from __future__ import annotations

from netglass.demo.claims import Opened, Scene
from netglass.demo.packet_flows import (
    deployment,
    dhcp_requests,
    explained,
    floating_ip,
    inter_vm_traffic,
    internet,
    metadata,
    ovs_output,
    standard_situation,
)
from netglass.demo.stage import Stage

DOCUMENT = "Understanding Packet Flows in OpenStack Neutron"


def play(stage: Stage) -> Scene[None]:
    """Plays the ways that packets take: between guests, to the internet and back in, to DHCP and to metadata."""
    text = (
        "Two hypervisors, bob and daisy, a network node and a cloud controller. Networks are GRE tunnels between eth2"
        " of the hosts; the network node leads outside. On eth2 itself is a switch of its own, br-eth2, that has its"
        " address, as Open vSwitch needs it where the kernel has no module for it."
    )
    yield Opened(title=DOCUMENT, text=text, picture=deployment.PICTURE)
    cloud = yield from standard_situation.play(stage)
    guests = yield from inter_vm_traffic.play(stage, cloud)
    yield from ovs_output.play(stage, cloud, guests)
    yield from internet.play(stage, cloud, guests)
    yield from floating_ip.play(stage, cloud, guests)
    yield from dhcp_requests.play(stage, cloud, guests)
    yield from metadata.play(stage, cloud, guests)
    yield from explained.play(stage, cloud, guests)
