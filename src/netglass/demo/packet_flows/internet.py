"""VMs accessing the internet: guest, tunnel, router, translation, and out by br-ex."""

from __future__ import annotations

from netglass.demo import cast
from netglass.demo.claims import Began, Said, Scene, Shown, equal, true
from netglass.demo.guests import PING, ping
from netglass.demo.packet_flows import deployment
from netglass.demo.packet_flows.deployment import INTERNET_ADDRESS, INTERNET_NAME, NETWORK_NODE, TUNNEL_ADDRESS
from netglass.demo.packet_flows.inter_vm_traffic import GRE, Pair
from netglass.demo.packet_flows.standard_situation import Cloud
from netglass.demo.reading import captures, routing
from netglass.demo.reading.captures import Echo
from netglass.demo.stage import Stage

_TCPDUMP = ("tcpdump", "-n", "-l", "-i")


def play(stage: Stage, cloud: Cloud, guests: Pair) -> Scene[None]:
    """Lets the first guest ping out, watched on the tunnel, in the router and at the other end."""
    guest = guests[0]
    yield Began(title="VMs accessing the internet")
    routes = stage.inside(guest.name, "ip", "route")
    yield routes.marked(f"default via {cast.GATEWAY}")
    yield equal("the guest's default route is an address of qrouter", cast.GATEWAY, routing.next_hop(routes.output))
    yield from _translation(stage, cloud)
    yield Said(
        text="The guest pings a name out there, while tcpdump watches in three places: on eth2 of the network node, in"
        " qrouter, and on the machine that is pinged."
    )
    yield from _watched(stage, cloud, guest)
    page = stage.inside(guest.name, "curl", "-s", f"http://{INTERNET_NAME}/")
    yield page.marked("This is the internet")
    yield true("web pages come back too", "This is the internet" in page.output, "the server's page", page.output)


def _translation(stage: Stage, cloud: Cloud) -> Scene[None]:
    listed = stage.on(NETWORK_NODE, *cloud.in_router("iptables", "-t", "nat", "-S"))
    yield listed.cut(f"-o {cloud.outer} -j SNAT").marked("SNAT", cloud.address, cloud.outer)
    held = any(rule.has(o=cloud.outer, j="SNAT", to_source=cloud.address) for rule in routing.rules(listed.output))
    text = f"what leaves by {cloud.outer} gets the router's own address"
    yield true(text, held, f"-o {cloud.outer} -j SNAT --to-source {cloud.address}", listed.output)


def _watched(stage: Stage, cloud: Cloud, guest: cast.Guest) -> Scene[None]:
    here, there = TUNNEL_ADDRESS[guest.host], TUNNEL_ADDRESS[NETWORK_NODE]
    with (
        stage.watch(NETWORK_NODE, *_TCPDUMP, deployment.TUNNEL_NIC, *GRE, ready="listening on") as tunnel,
        stage.watch(NETWORK_NODE, *cloud.in_router(*_TCPDUMP, "any", "icmp"), ready="listening on") as router,
        stage.watch(deployment.INTERNET, *_TCPDUMP, "eth1", "icmp", ready="listening on") as other_end,
    ):
        pinged = stage.inside(guest.name, *PING, INTERNET_NAME)
        wired = tunnel.result(lambda text: _echoed(text, 1))
        routed = router.result(lambda text: _echoed(text, 2))
        arrived = other_end.result(lambda text: _echoed(text, 1))
    yield from ping(pinged, f"{guest.name} reaches {INTERNET_NAME}")
    yield wired.cut("ICMP").marked(f"key={cloud.network.segment:#x}", f"{here} > {there}")
    inner = "\n".join(captures.carried(wired.output, here, there, cloud.network.segment))
    text = f"1 to 4: br-int and br-tun on {guest.host}, and in GRE by eth2 to eth2 of the network node"
    wanted = f"{guest.address} > {INTERNET_ADDRESS}: ICMP echo request"
    yield true(text, wanted in inner, f"{here} > {there}: GREv0 … {wanted}", wired.output)
    yield from _router(routed, cloud, guest)
    yield arrived.marked(f"{cloud.address} > {INTERNET_ADDRESS}")
    seen = {echo.source for echo in captures.echoes(arrived.output) if echo.kind == "request"}
    yield equal("the other end sees the router's address, and none of the guest's", {cloud.address}, seen)


def _router(routed: Shown, cloud: Cloud, guest: cast.Guest) -> Scene[None]:
    before, after = f"{guest.address} > {INTERNET_ADDRESS}", f"{cloud.address} > {INTERNET_ADDRESS}"
    yield routed.marked(before, after)
    asked = {"kind": "request", "destination": INTERNET_ADDRESS}
    answer = {"kind": "reply", "source": INTERNET_ADDRESS}
    found = captures.echoes(routed.output)
    for text, wanted in (
        (
            f"5, 6: out of GRE and by br-int into qrouter: {before}",
            Echo(device=cloud.inner, source=guest.address, **asked),
        ),
        (f"7: on towards br-ex, translated: {after}", Echo(device=cloud.outer, source=cloud.address, **asked)),
        ("and the answer, translated back", Echo(device=cloud.inner, destination=guest.address, **answer)),
    ):
        yield true(text, wanted in found, f"an echo {wanted.kind} on {wanted.device}", routed.output)


def _echoed(text: str, times: int) -> bool:
    return sum(echo.kind == "reply" for echo in captures.echoes(text)) >= times
