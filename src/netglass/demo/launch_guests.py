"""Use case 2: launch two guests on different hosts, and follow the wire from each to the NIC."""

from __future__ import annotations

from functools import partial

from netglass.base.ids import qbr_name, qvb_name, qvo_name, tap_name
from netglass.demo import cast
from netglass.demo.claims import Began, Broken, Said, Scene, Shown, Took, equal, true, within
from netglass.demo.create_network import rewriting, veth_pair
from netglass.demo.reading import client, links, switch
from netglass.demo.stage import Stage

_PORT_COLUMNS = ("-c", "ID", "-c", "MAC Address", "-c", "Status")  # its addresses would not fit on a page
_SERVER_COLUMNS = ("-c", "id", "-c", "name", "-c", "status", "-c", "OS-EXT-AZ:availability_zone")


def play(stage: Stage) -> Scene[tuple[cast.Guest, ...]]:
    """Launches the guests, waits for their addresses, looks at their hosts, and lets them ping each other.

    Raises Broken when a guest has no address.
    """
    yield Began(title="Use case 2: launch guests")
    yield Said(text="Two guests, each on a compute host of its own.")
    made = yield from _create(stage)
    yield from _addresses(stage, made)
    guests = yield from _listed(stage)
    for guest in guests:
        yield from _wire(stage, guest)
    yield Said(text="End to end, both ways:")
    first, second = guests
    yield from ping(stage.inside(first.name, *PING, second.address), f"{first.name} reaches {second.name}")
    yield from ping(stage.inside(second.name, *PING, first.address), f"{second.name} reaches {first.name}")
    return guests


PING = ("ping", "-c", "3", "-i", "0.2", "-W", "1")


def ping(shown: Shown, text: str) -> Scene[None]:
    """Claims that all echo requests were answered."""
    sent, received = links.pings(shown.output)
    yield shown.marked(f"{received} received", "0% packet loss")
    yield true(text, sent > 0 and sent == received, "every request answered", f"{received} of {sent} answered")


def _create(stage: Stage) -> Scene[bool]:
    there = () if stage.fresh else client.rows(stage.client("demo", "server", "list").output)
    wanted = []
    for name, host in cast.GUESTS:
        old = [row for row in there if row["Name"] == name]
        if len(old) == 1 and old[0]["Status"] == "ACTIVE":
            yield Said(text=f"{name} is there from the last run.")
            continue
        for row in old:
            yield stage.client("demo", "server", "delete", "--wait", row["ID"])
        asked = ("--image", "light", "--flavor", "nano", "--network", cast.NETWORK)
        wanted.append(("server", "create", *asked, "--availability-zone", f"nova:{host}", name, *_SERVER_COLUMNS))
    for shown in stage.clients("demo", *wanted):
        yield shown
        made = client.fields(shown.output)
        yield true(f"{made.get('name', 'the server')} is being made", "id" in made, "a server with an id", shown.output)
        if "id" not in made:
            raise Broken
    return bool(wanted)


def _addresses(stage: Stage, made: bool) -> Scene[None]:
    for name, _ in cast.GUESTS:
        shown = stage.until(partial(stage.inside, name, *ADDRESSES), has_address)
        found = links.assigned(shown.output)
        yield shown.marked(*found)
        yield true(f"{name} got an address by DHCP", bool(found), f"an address of {cast.CIDR}", found)
        if made:
            yield Took(what=f"server create returned, until {name} has its address", seconds=shown.seconds)
        if not found:
            raise Broken


ADDRESSES = ("ip", "addr", "show", "eth0")
"""Shows a guest's addresses."""


def has_address(shown: Shown) -> bool:
    """Says whether a guest's ``ip addr`` shows an address."""
    return bool(links.assigned(shown.output))


def _listed(stage: Stage) -> Scene[tuple[cast.Guest, ...]]:
    servers, ports = stage.clients(
        "demo", ("server", "list"), ("port", "list", "--network", cast.NETWORK, *_PORT_COLUMNS)
    )
    yield servers.marked("ACTIVE")
    listed = {row["Name"]: row for row in client.rows(servers.output)}
    inside = {name: stage.inside(name, *ADDRESSES).output for name, _ in cast.GUESTS}
    for name, _ in cast.GUESTS:
        row = listed.get(name, {})
        yield equal(f"{name} is ACTIVE", "ACTIVE", row.get("Status"))
        addresses = client.addresses_on(row.get("Networks", ""), cast.NETWORK)
        yield equal(f"the API gives the address that {name} has", addresses, links.assigned(inside[name]))
    macs = {name: _mac(output) for name, output in inside.items()}
    yield ports.marked(*macs.values())
    port_of = {port["MAC Address"]: port for port in client.rows(ports.output)}
    yield within("each guest has the MAC address of one of the network's ports", macs.values(), port_of)
    if not set(macs.values()) <= set(port_of):
        raise Broken
    yield equal("whose ports are all ACTIVE", {"ACTIVE"}, {port["Status"] for port in port_of.values()})
    return tuple(
        cast.Guest(
            name=name,
            host=host,
            port=port_of[macs[name]]["ID"],
            mac=macs[name],
            address=links.assigned(inside[name])[0],
        )
        for name, host in cast.GUESTS
    )


def _mac(output: str) -> str:
    device = links.devices(output).get("eth0")
    return device.mac if device else ""


def _wire(stage: Stage, guest: cast.Guest) -> Scene[None]:
    tap, qbr, qvb, qvo = (name(guest.port) for name in (tap_name, qbr_name, qvb_name, qvo_name))
    yield Said(text=f"{guest.name} on {guest.host}: {tap} → {qbr} → {qvb} → {qvo} → br-int → {cast.NIC_BRIDGE}.")
    bridged = stage.on(guest.host, "brctl", "show")
    yield bridged.marked(tap, qbr, qvb)
    found = links.bridge_ports(bridged.output).get(qbr, ())
    yield equal("its Linux bridge holds the guest's tap and one veth end", sorted((tap, qvb)), sorted(found))
    shown = stage.on(guest.host, "ovs-vsctl", "show")
    yield shown.marked(qvo)
    port = switch.bridges(shown.output).get("br-int", {}).get(qvo)
    tag = port.tag if port and port.tag is not None else 0
    held = 1 <= tag <= 4094
    yield true("the other end is on br-int, with the local VLAN tag", held, f"{qvo} with tag 1 to 4094", port)
    if not held:
        raise Broken
    if guest.name == cast.GUESTS[0][0]:  # once is enough to see it
        yield from veth_pair(stage, guest.host)
    yield from rewriting(stage, guest.host, tag)
