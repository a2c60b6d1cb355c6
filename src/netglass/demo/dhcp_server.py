"""The network's DHCP: its namespace, dnsmasq in there, and a guest that asks for its address."""

from __future__ import annotations

from functools import partial

from netglass.base.ids import qdhcp_name
from netglass.demo import cast
from netglass.demo.claims import Broken, Said, Scene, Shown, Took, equal, true, within
from netglass.demo.guests import ADDRESSES, has_address
from netglass.demo.reading import dhcp, links
from netglass.demo.stage import Stage

_EXCHANGE = 4  # frames: discover, offer, request, acknowledgement (RFC 2131, 3.1)


def namespace(stage: Stage, network_id: str, segment: int, host: str) -> Scene[cast.Network]:
    """Looks at the namespace out of which `host` serves the network's DHCP.

    Raises Broken when there is none to go on with.
    """
    inside = qdhcp_name(network_id)
    yield Said(text=f"Under the hood: host {host} serves DHCP out of a namespace for this network alone.")
    looked = stage.until(
        lambda: stage.on(host, "ip", "netns", "exec", inside, "ip", "addr"),
        lambda shown: any(d.name.startswith("tap") and d.addresses for d in links.devices(shown.output).values()),
    )
    listed = stage.on(host, "ip", "netns", "list")
    yield listed.marked(inside)
    yield within("a namespace of the network's name", [inside], links.namespaces(listed.output))
    found = links.devices(looked.output)
    taps = [device for device in found.values() if device.name.startswith("tap")]
    yield looked.marked(*(device.name for device in taps))
    yield equal("in it the loopback and one tap", 2 if taps else 0, len(found))
    if not taps or not taps[0].addresses:
        raise Broken
    tap, cidr = taps[0], taps[0].addresses[0]
    held = cidr.endswith("/24") and cidr.startswith("10.0.0.")
    yield true("the tap has an address of the subnet", held, f"one of {cast.CIDR}", cidr)
    if stage.fresh:
        yield Took(what="subnet create returned, until its DHCP namespace has an address", seconds=looked.seconds)
    return cast.Network(
        id=network_id,
        segment=segment,
        host=host,
        namespace=inside,
        device=tap.name,
        address=cidr.partition("/")[0],
    )


def server(stage: Stage, network: cast.Network, guests: tuple[cast.Guest, ...]) -> Scene[None]:
    """Looks at the network's dnsmasq, and at what it knows of the guests."""
    listed = stage.on(network.host, "ps", "-ww", "-o", "pid,args", "-C", "dnsmasq")
    line = dhcp.serving(listed.output, network.device)
    said = dhcp.options(line)
    yield listed.marked(network.device)
    yield true("a dnsmasq serves the tap in the namespace", bool(line), f"--interface={network.device}", listed.output)
    yield equal("and not the loopback", "lo", said.get("except-interface"))
    where = said.get("dhcp-hostsfile", f"/var/lib/neutron/dhcp/{network.id}/host")
    shown = stage.on(network.host, "cat", where)
    yield shown.marked(*(guest.mac for guest in guests))
    found = dhcp.reservations(shown.output)
    for guest in guests:
        line_of = found.get(guest.mac)
        text = f"{guest.name}'s MAC address is given {guest.address}"
        yield equal(text, guest.address, line_of.address if line_of else None)


def exchange(stage: Stage, network: cast.Network, guest: cast.Guest) -> Scene[None]:
    """Reboots the guest while tcpdump watches in the namespace."""
    condition = f"ether host {guest.mac} and ( port 67 or port 68 )".split()
    inside = ("ip", "netns", "exec", network.namespace)
    words = ("tcpdump", "-n", "-l", "-i", network.device, "-c", str(_EXCHANGE), *condition)
    with stage.watch(network.host, *inside, *words, ready="listening on") as watch:
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
