"""Use case 3: a guest asks for its address, and dnsmasq in the network's namespace answers."""

from __future__ import annotations

from functools import partial

from netglass.demo import cast
from netglass.demo.claims import Began, Said, Scene, Shown, Took, equal, true
from netglass.demo.launch_guests import ADDRESSES, PING, has_address, ping
from netglass.demo.reading import dhcp, links
from netglass.demo.stage import Stage

_EXCHANGE = 4  # frames: discover, offer, request, acknowledgement (RFC 2131, 3.1)


def play(stage: Stage, network: cast.Network, guests: tuple[cast.Guest, ...]) -> Scene[None]:
    """Looks at dnsmasq, reboots the first guest while tcpdump watches, and pings between guest and namespace."""
    yield Began(title="Use case 3: serve DHCP")
    yield from _dnsmasq(stage, network, guests)
    yield from _exchange(stage, network, guests[0])
    yield Said(text="Guest and namespace reach each other, which tells a broken wire from a broken server:")
    first = guests[0]
    inside = ("ip", "netns", "exec", network.namespace)
    yield from ping(stage.inside(first.name, *PING, network.address), f"{first.name} reaches the DHCP namespace")
    for guest in guests:
        shown = stage.on(cast.SERVER_HOST, *inside, *PING, guest.address)
        yield from ping(shown, f"the DHCP namespace reaches {guest.name}")


def _dnsmasq(stage: Stage, network: cast.Network, guests: tuple[cast.Guest, ...]) -> Scene[None]:
    listed = stage.on(cast.SERVER_HOST, "ps", "-ww", "-o", "pid,args", "-C", "dnsmasq")
    line = dhcp.serving(listed.output, network.device)
    said = dhcp.options(line)
    yield listed.marked(network.device)
    yield true("a dnsmasq serves the tap in the namespace", bool(line), f"--interface={network.device}", listed.output)
    yield equal("and not the loopback", "lo", said.get("except-interface"))
    where = said.get("dhcp-hostsfile", f"/var/lib/neutron/dhcp/{network.id}/host")
    shown = stage.on(cast.SERVER_HOST, "cat", where)
    yield shown.marked(*(guest.mac for guest in guests))
    found = dhcp.reservations(shown.output)
    for guest in guests:
        line_of = found.get(guest.mac)
        text = f"{guest.name}'s MAC address is given {guest.address}"
        yield equal(text, guest.address, line_of.address if line_of else None)


def _exchange(stage: Stage, network: cast.Network, guest: cast.Guest) -> Scene[None]:
    yield Said(text=f"{guest.name} is rebooted, while tcpdump watches in the namespace.")
    condition = f"ether host {guest.mac} and ( port 67 or port 68 )".split()
    inside = ("ip", "netns", "exec", network.namespace)
    words = ("tcpdump", "-n", "-l", "-i", network.device, "-c", str(_EXCHANGE), *condition)
    with stage.watch(cast.SERVER_HOST, *inside, *words, ready="listening on") as watch:
        rebooted = stage.client("demo", "server", "reboot", guest.name)
        seen = watch.result()
    yield rebooted
    yield seen.marked(guest.mac, network.address)
    yield from _frames(seen, network, guest)
    shown = stage.until(partial(stage.inside, guest.name, *ADDRESSES), has_address)
    yield shown.marked(guest.address)
    yield equal(f"{guest.name} has the same address as before", (guest.address,), links.assigned(shown.output))


def _frames(seen: Shown, network: cast.Network, guest: cast.Guest) -> Scene[None]:
    found = dhcp.frames(seen.output)
    kinds = [frame.kind for frame in found]
    wanted = ["Request", "Reply"] * (_EXCHANGE // 2)
    yield equal("discover, offer, request, acknowledgement: each asked and answered", wanted, kinds)
    asked = {frame.mac for frame in found if frame.kind == "Request"}
    yield equal(f"the requests came from {guest.name}'s MAC address", {guest.mac}, asked)
    answered = {frame.source for frame in found if frame.kind == "Reply"}
    yield equal("the answers came from dnsmasq's address", {network.address}, answered)
    yield Took(what="DHCP exchange, first frame to last", seconds=dhcp.duration(seen.output))
