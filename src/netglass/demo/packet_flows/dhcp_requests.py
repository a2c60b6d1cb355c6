"""VMs sending DHCP requests: through the tunnel to the namespace on the network node."""

from __future__ import annotations

from netglass.demo import dhcp_server
from netglass.demo.claims import Began, Said, Scene, equal
from netglass.demo.guests import PING, ping
from netglass.demo.packet_flows import deployment
from netglass.demo.packet_flows.deployment import NETWORK_NODE, TUNNEL_ADDRESS
from netglass.demo.packet_flows.inter_vm_traffic import GRE, Pair
from netglass.demo.packet_flows.standard_situation import Cloud
from netglass.demo.reading import captures, dhcp
from netglass.demo.stage import Stage


def play(stage: Stage, cloud: Cloud, guests: Pair) -> Scene[None]:
    """Reboots the first guest while tcpdump watches on the tunnel network and in the namespace."""
    guest, key = guests[0], cloud.network.segment
    here, there = TUNNEL_ADDRESS[guest.host], TUNNEL_ADDRESS[NETWORK_NODE]
    yield Began(title="VMs sending DHCP requests")
    yield from dhcp_server.server(stage, cloud.network, guests)
    yield Said(text=f"{guest.name} is rebooted, while tcpdump watches in qdhcp and on eth2 of the network node.")
    words = ("tcpdump", "-n", "-l", "-i", deployment.TUNNEL_NIC, *GRE, "and", "host", here)
    with stage.watch(NETWORK_NODE, *words, ready="listening on") as watch:
        yield from dhcp_server.exchange(stage, cloud.network, guest)
        wired = watch.result(lambda text: len(dhcp.frames(text)) >= 4)
    yield wired.cut("BOOTP/DHCP").marked(f"key={key:#x}", "Request", "Reply")
    asked = dhcp.frames("\n".join(captures.carried(wired.output, here, there, key)))
    yield equal("1 to 4: the requests come in GRE from bob", ["Request"] * 2, [frame.kind for frame in asked])
    answered = dhcp.frames("\n".join(captures.carried(wired.output, there, here, key)))
    yield equal("5 to 7: the answers go back so", ["Reply"] * 2, [frame.kind for frame in answered])
    pinged = stage.inside(guest.name, *PING, cloud.network.address)
    yield from ping(pinged, f"{guest.name} reaches the DHCP namespace, on the network node")
