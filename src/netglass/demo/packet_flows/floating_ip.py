"""The way back in, which the course leaves out: somebody on the internet calls a guest by its floating IP."""

from __future__ import annotations

from netglass.demo import cast
from netglass.demo.claims import Began, Broken, Said, Scene, Shown, Took, equal, true
from netglass.demo.guests import PING, ping
from netglass.demo.objects import chosen
from netglass.demo.packet_flows import deployment
from netglass.demo.packet_flows.deployment import CLIENT, CLIENT_ADDRESS, NETWORK_NODE
from netglass.demo.packet_flows.inter_vm_traffic import Pair
from netglass.demo.packet_flows.standard_situation import Cloud
from netglass.demo.reading import captures, client, links, routing
from netglass.demo.reading.captures import Echo
from netglass.demo.stage import Stage

_COLUMNS = ("fixed_ip_address", "floating_ip_address", "port_id")
_ONE = ("ping", "-c", "1", "-W", "1")


def play(stage: Stage, cloud: Cloud, guests: Pair) -> Scene[None]:
    """Gives the second guest a floating IP, and has the client outside ping it.

    Raises Broken when there is no floating IP.
    """
    guest = guests[1]
    yield Began(title="The internet accessing VMs: a floating IP")
    yield Said(
        text=f"{guest.name} gets an address of the external network. Its own stays as it is: qrouter translates."
    )
    floating = yield from _floating(stage, guest)
    answered = stage.until(lambda: stage.on(CLIENT, *_ONE, floating), lambda shown: links.pings(shown.output) == (1, 1))
    if stage.fresh:
        yield Took(what=f"floating ip create returned, until {guest.name} answered a call", seconds=answered.seconds)
    yield from _rules(stage, cloud, guest, floating)
    words = cloud.in_router("tcpdump", "-n", "-l", "-i", "any", "icmp")
    with stage.watch(NETWORK_NODE, *words, ready="listening on") as watch:
        pinged = stage.on(CLIENT, *PING, floating)
        seen = watch.result(lambda text: sum(echo.kind == "reply" for echo in captures.echoes(text)) >= 2)
    yield from ping(pinged, f"the client reaches {guest.name} by it")
    yield from _called(seen, cloud, guest, floating)


def _floating(stage: Stage, guest: cast.Guest) -> Scene[str]:
    if not stage.fresh:
        columns = chosen("Floating IP Address", "Fixed IP Address")
        listed = stage.client("demo", "floating", "ip", "list", "--port", guest.port, *columns)
        if rows := client.rows(listed.output):
            yield listed
            return rows[0]["Floating IP Address"]
    words = ("floating", "ip", "create", "--port", guest.port, deployment.PUBLIC, *chosen(*_COLUMNS))
    made = stage.client("demo", *words)
    said = client.fields(made.output)
    floating = said.get("floating_ip_address", "")
    yield made.marked(floating, guest.address)
    yield equal(f"it leads to {guest.name}", guest.address, said.get("fixed_ip_address"))
    if not floating:
        raise Broken
    return floating


def _rules(stage: Stage, cloud: Cloud, guest: cast.Guest, floating: str) -> Scene[None]:
    listed = stage.on(NETWORK_NODE, *cloud.in_router("iptables", "-t", "nat", "-S"))
    yield listed.cut(f"{floating}/32 -j DNAT", f"{guest.address}/32 -j SNAT").marked("DNAT", "SNAT", floating)
    found = routing.rules(listed.output)
    held = any(rule.has(d=f"{floating}/32", j="DNAT", to_destination=guest.address) for rule in found)
    yield true(f"what comes for it goes to {guest.name}", held, f"-d {floating}/32 -j DNAT", listed.output)
    held = any(rule.has(s=f"{guest.address}/32", j="SNAT", to_source=floating) for rule in found)
    yield true(f"what {guest.name} sends out bears it", held, f"-s {guest.address}/32 -j SNAT", listed.output)


def _called(seen: Shown, cloud: Cloud, guest: cast.Guest, floating: str) -> Scene[None]:
    yield seen.marked(f"{CLIENT_ADDRESS} > {floating}", f"{CLIENT_ADDRESS} > {guest.address}")
    found = captures.echoes(seen.output)
    outer = Echo(kind="request", source=CLIENT_ADDRESS, destination=floating, device=cloud.outer)
    inner = Echo(kind="request", source=CLIENT_ADDRESS, destination=guest.address, device=cloud.inner)
    yield true("the call comes in by qg-… for the floating IP", outer in found, str(outer), seen.output)
    text = f"and goes on by qr-… for {guest.name}'s own, which sees who calls"
    yield true(text, inner in found, str(inner), seen.output)
