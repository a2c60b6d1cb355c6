"""Launches guests, and lets them and others ping."""

from __future__ import annotations

from functools import partial

from netglass.demo import cast
from netglass.demo.claims import Broken, Said, Scene, Shown, Took, equal, true, within
from netglass.demo.reading import client, links
from netglass.demo.stage import Stage

PING = ("ping", "-c", "3", "-i", "0.2", "-W", "1")

ADDRESSES = ("ip", "addr", "show", "eth0")
"""Shows a guest's addresses."""

_PORT_COLUMNS = ("-c", "ID", "-c", "MAC Address", "-c", "Status")  # its addresses would not fit on a page
_SERVER_COLUMNS = ("-c", "id", "-c", "name", "-c", "status", "-c", "OS-EXT-AZ:availability_zone")

Wanted = tuple[tuple[str, str], ...]
"""Names of guests, and the host of each."""


def launch(stage: Stage, wanted: Wanted) -> Scene[tuple[cast.Guest, ...]]:
    """Launches guests on the network and waits for their addresses.

    Raises Broken when one has no address.
    """
    made = yield from _create(stage, wanted)
    yield from _addresses(stage, wanted, made)
    return (yield from _listed(stage, wanted))


def ping(shown: Shown, text: str) -> Scene[None]:
    """Claims that all echo requests were answered."""
    sent, received = links.pings(shown.output)
    yield shown.marked(f"{received} received", "0% packet loss")
    yield true(text, sent > 0 and sent == received, "every request answered", f"{received} of {sent} answered")


def has_address(shown: Shown) -> bool:
    """Says whether a guest's ``ip addr`` shows an address."""
    return bool(links.assigned(shown.output))


def _create(stage: Stage, guests: Wanted) -> Scene[bool]:
    there = () if stage.fresh else client.rows(stage.client("demo", "server", "list").output)
    wanted = []
    for name, host in guests:
        old = [row for row in there if row["Name"] == name]
        if len(old) == 1 and old[0]["Status"] == "ACTIVE":
            yield Said(text=f"{name} is there from the last run.")
            continue
        for row in old:
            yield stage.client("demo", "server", "delete", "--wait", row["ID"])
        asked = ("--image", "light", "--flavor", "nano", "--network", cast.NETWORK)
        zone = ("--availability-zone", f"nova:{host}")
        wanted.append(("demo", "server", "create", *asked, *zone, name, *_SERVER_COLUMNS))
    let_in, *servers = stage.clients(_let_in(stage), *wanted)
    yield Said(
        text="Their ports are in the project's default group, which lets in what its own members send."
        " Pings shall come in from anywhere:"
    )
    yield let_in.marked("icmp", "0.0.0.0/0")
    found = ("ingress", "icmp", "0.0.0.0/0")
    yield within("the group says so", found, let_in.output.split())
    for shown in servers:
        yield shown
        made = client.fields(shown.output)
        yield true(f"{made.get('name', 'the server')} is being made", "id" in made, "a server with an id", shown.output)
        if "id" not in made:
            raise Broken
    return bool(wanted)


def _let_in(stage: Stage) -> tuple[str, ...]:
    """Gives the words that let pings in, or show that the last run has let them in."""
    listing = ("demo", "security", "group", "rule", "list", "default", "--protocol", "icmp", "--ingress")
    columns = ("-c", "IP Protocol", "-c", "IP Range", "-c", "Direction")
    if not stage.fresh and client.rows(stage.client(*listing).output):
        return (*listing, *columns)
    rule = ("demo", "security", "group", "rule", "create", "--protocol", "icmp", "default")
    return (*rule, "-c", "direction", "-c", "protocol", "-c", "remote_ip_prefix")


def _addresses(stage: Stage, guests: Wanted, made: bool) -> Scene[None]:
    for name, _ in guests:
        shown = stage.until(partial(stage.inside, name, *ADDRESSES), has_address)
        found = links.assigned(shown.output)
        yield shown.marked(*found)
        yield true(f"{name} got an address by DHCP", bool(found), f"an address of {cast.CIDR}", found)
        if made:
            yield Took(what=f"server create returned, until {name} has its address", seconds=shown.seconds)
        if not found:
            raise Broken


def _listed(stage: Stage, guests: Wanted) -> Scene[tuple[cast.Guest, ...]]:
    ports_asked = ("demo", "port", "list", "--network", cast.NETWORK, *_PORT_COLUMNS)
    servers, ports = stage.clients(("demo", "server", "list"), ports_asked)
    yield servers.marked("ACTIVE")
    listed = {row["Name"]: row for row in client.rows(servers.output)}
    inside = {name: stage.inside(name, *ADDRESSES).output for name, _ in guests}
    for name, _ in guests:
        row = listed.get(name, {})
        yield equal(f"{name} is ACTIVE", "ACTIVE", row.get("Status"))
        # A floating IP stands there too, after the address on the network.
        addresses = client.addresses_on(row.get("Networks", ""), cast.NETWORK)[:1]
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
            id=listed.get(name, {}).get("ID", ""),
            name=name,
            host=host,
            port=port_of[macs[name]]["ID"],
            mac=macs[name],
            address=links.assigned(inside[name])[0],
        )
        for name, host in guests
    )


def _mac(output: str) -> str:
    device = links.devices(output).get("eth0")
    return device.mac if device else ""
