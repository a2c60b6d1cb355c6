"""Use case 3: a guest asks for its address, and dnsmasq in the network's namespace answers."""

from __future__ import annotations

from netglass.demo import cast, dhcp_server
from netglass.demo.claims import Began, Said, Scene
from netglass.demo.guests import PING, ping
from netglass.demo.stage import Stage


def play(stage: Stage, network: cast.Network, guests: tuple[cast.Guest, ...]) -> Scene[None]:
    """Looks at dnsmasq, reboots the first guest while tcpdump watches, and pings between guest and namespace."""
    yield Began(title="Use case 3: serve DHCP")
    yield from dhcp_server.server(stage, network, guests)
    first = guests[0]
    yield Said(text=f"{first.name} is rebooted, while tcpdump watches in the namespace.")
    yield from dhcp_server.exchange(stage, network, first)
    yield Said(text="Guest and namespace reach each other, which tells a broken wire from a broken server:")
    yield from ping(stage.inside(first.name, *PING, network.address), f"{first.name} reaches the DHCP namespace")
    for guest in guests:
        shown = stage.on(network.host, "ip", "netns", "exec", network.namespace, *PING, guest.address)
        yield from ping(shown, f"the DHCP namespace reaches {guest.name}")
