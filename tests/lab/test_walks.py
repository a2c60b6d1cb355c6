"""The walks of DATAPLANE.md as a table: each on the types of networks that it must be shown on, every hop seen."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from captures import Watches
from cloud import Guest, until
from labs import TestLab
from losses import Pace, lost_twice, probes, victims
from scene import CLIENT, INTERNET, Places, Scene, scene_on
from test_first_guest import netglass_diff
from test_router_stories import Heard
from transfers import transfer
from walks import TWO_HOSTS, WALKS, Walk, crossed, walk

pytestmark = pytest.mark.lab

# In each direction; `make walks` moves more.
MEGABYTES = int(os.environ.get("NETGLASS_WALK_MEGABYTES", "5"))

TUNNELS_AND_VLAN = ["gre", "vxlan", "vlan"]
EVERY_TYPE = [*TUNNELS_AND_VLAN, "geneve", "flat"]


@pytest.fixture(scope="module")
def scene(every: TestLab, request: pytest.FixtureRequest) -> Iterator[Scene]:
    kind: str = request.param
    with scene_on(every, kind, Places(wire="eth4" if kind in ("vlan", "flat") else "eth2")) as made:
        if kind in TUNNELS_AND_VLAN:
            made.make()
        else:
            made.make_small()
        yield made


@pytest.fixture(scope="module")
def watches(scene: Scene) -> Iterator[Watches]:
    made = Watches(scene.lab, scene.spaces)
    try:
        yield made
    finally:
        made.end()


def paths(scene: Scene) -> Iterator[tuple[str, list[str], list[str], str]]:
    """Gives the walks that TCP can go: name, caller, called, and what is called."""
    lab, one, far = scene.lab, scene["one"], scene["far"]
    from_one = lab.to_guest(one.id)
    for name in ("near", "far", "beside", "other"):
        if name in scene.guests:
            yield f"one to {name}", from_one, lab.to_guest(scene[name].id), scene[name].address
    if "uno" in scene.guests:
        uno, due = scene["uno"], scene["due"]
        yield "the other project's uno to due", lab.to_guest(uno.id), lab.to_guest(due.id), due.address
    yield "one to the internet", from_one, lab.to_host("internet"), INTERNET
    yield "client to a floating IP", lab.to_host("client"), lab.to_guest(far.id), scene.floating()
    inside = ["ip", "netns", "exec", scene.in_dhcp("red").netns]
    yield "far to qdhcp", lab.to_guest(far.id), [*lab.to_host("network"), *inside], scene.dhcp_address("red")


@pytest.mark.parametrize("scene", EVERY_TYPE, indirect=True)
def test_tcp_brings_everything_over_every_walk_unchanged(scene: Scene) -> None:
    done = {name: transfer(*path, size=MEGABYTES * 10**6) for name, *path in paths(scene)}
    print(f"\n{scene.kind}", *(f"{name}: {found.mbit_s:.0f} Mbit/s" for name, found in done.items()), sep="\n  ")
    assert [name for name, found in done.items() if not found.whole] == []


def sized(size: int, address: str, cut: str = "do") -> tuple[str, ...]:
    """Gives the words of a ping with packets of `size` bytes; `cut`: do, they must not be cut, or dont, they may."""
    ping = f"ping -n -M {cut} -c 2 -i 0.1 -W 1 -s {size - 28} {address} 2>&1"
    return ("sh", "-c", ping)


@pytest.mark.parametrize("scene", EVERY_TYPE, indirect=True)
def test_what_fits_passes_and_one_byte_more_is_answered_and_never_lost_in_silence(scene: Scene) -> None:
    lab, one, far, mtu, p = scene.lab, scene["one"], scene["far"], scene.mtu, scene.places
    assert {network["mtu"] for network in scene.networks.values()} == {mtu}
    for where, argv, device, wanted in devices(scene):
        shown = lab.inside(where, *argv) if where == one.id else lab.on(where, *argv)
        assert f" {device}" in shown
        assert f" mtu {wanted} " in shown, shown

    assert " 2 received" in lab.inside(one.id, *sized(mtu, far.address))
    said = lab.inside(one.id, *sized(mtu + 1, far.address), check=False)
    assert f"message too long, mtu={mtu}" in said, said

    address = scene.floating()
    assert " 2 received" in lab.on("client", *sized(mtu, address))
    said = lab.on("client", *sized(mtu + 1, address), check=False)
    if mtu < 1500:
        assert f"From {scene.outer_address()}" in said or f"From {address}" in said, said
        assert f"(mtu = {mtu})" in said, said
        lab.on("client", "ip", "route", "flush", "cache")
        assert " 2 received" in lab.on("client", *sized(1500, address, "dont"))
    else:
        assert f"message too long, mtu={mtu}" in said, said
    assert not netglass_diff(lab, p.network)


def devices(scene: Scene) -> Iterator[tuple[str, tuple[str, ...], str, int]]:
    """Gives every device on the way, and the MTU that it must have: where, what shows it, its name, bytes."""
    one, network = scene["one"], scene.places.network
    yield one.id, ("ip", "link", "show", "dev", "eth0"), "eth0", scene.mtu
    for prefix in ("tap", "qbr", "qvb", "qvo"):
        device = prefix + one.port_id[:11]
        yield one.host, ("ip", "link", "show", "dev", device), device, scene.mtu
    served = "tap" + str(scene.port("network:dhcp", "red")["id"])[:11]
    for space, device, mtu in (
        (scene.in_dhcp("red"), served, scene.mtu),
        (scene.in_router, scene.qr("red"), scene.mtu),
        (scene.in_router, scene.qg(), 1500),
    ):
        yield network, ("ip", "-n", space.netns, "link", "show", "dev", device), device, mtu


@pytest.mark.parametrize("scene", TUNNELS_AND_VLAN, indirect=True)
def test_a_chosen_floating_ip_is_announced_moves_and_goes(scene: Scene) -> None:
    lab, near, other = scene.lab, scene["near"], scene["other"]
    chosen = "203.0.113.177"
    wish = {"floating_network_id": scene.ours.public(), "floating_ip_address": chosen}
    heard = Heard(lab, "provider", "eth1", "arp", "and", "host", chosen)
    made = scene.admin.post("/v2.0/floatingips", {"floatingip": wish})["floatingip"]
    scene.ours.undo("DELETE", f"/v2.0/floatingips/{made['id']}")
    assert (made["floating_ip_address"], made["port_id"]) == (chosen, None)
    assert not scene.answers(chosen)

    # To a guest on another network of the router, and on another host.
    for guest, other_guest in ((near, other), (other, near)):
        before = echoes(scene, guest)
        scene.ours.aim(made["id"], guest.port_id)
        until(lambda g=guest, n=before: scene.answers(chosen) and echoes(scene, g) > n, 5, "the new guest answers")  # type: ignore[misc]
        at_guest, elsewhere = (Heard(lab, g.host, g.tap, "icmp", "and", "src", CLIENT) for g in (guest, other_guest))
        assert " 5 received" in lab.on("client", "ping", "-n", "-c", "5", "-i", "0.05", "-W", "1", chosen)
        assert at_guest.text().count(f"{CLIENT} > {guest.address}: ICMP echo request") == 5
        assert "echo request" not in elsewhere.text()
    scene.ours.aim(made["id"], None)
    until(lambda: not scene.answers(chosen), 5, f"{chosen} answers no more")
    said = heard.text()
    assert f"Request who-has {chosen} tell {chosen}" in said, said
    assert f"Reply {chosen} is-at" in said, said


def echoes(scene: Scene, guest: Guest) -> int:
    """Gives how many echo requests a guest has received."""
    icmp = [
        line.split()
        for line in scene.lab.inside(guest.id, "cat", "/proc/net/snmp").splitlines()
        if line.startswith("Icmp:")
    ]
    return int(dict(zip(*icmp, strict=True))["InEchos"])


@pytest.mark.parametrize("scene", ["gre"], indirect=True)
def test_a_process_that_dies_costs_only_the_walks_that_need_it_and_those_for_a_moment(scene: Scene) -> None:
    walks, processes = probes(scene), victims(scene)
    at_once = [
        [v for v in processes if v.name in ("agent", "server")],
        [v for v in processes if v.name in ("dnsmasq", "haproxy-router", "haproxy-qdhcp", "metadata-agent")],
        [v for v in processes if v.name == "ovs-vswitchd" and v.host == scene.places.bob],
        [v for v in processes if v.name == "ovs-vswitchd"],
    ]
    pace = Pace(seconds=4.5, metadata_each_s=0.05)
    assert [wrong for killed in at_once for wrong in lost_twice(scene, walks, killed, pace)] == []
    for host in (scene.places.network, scene.places.bob, scene.places.daisy):
        until(lambda h=host: not netglass_diff(scene.lab, h), 10, f"{host} is as it is planned")  # type: ignore[misc]


# Last, since what crosses is written down from here on.


@pytest.mark.parametrize("row", WALKS, ids=str)
@pytest.mark.parametrize("scene", TUNNELS_AND_VLAN, indirect=True)
def test_a_packet_is_seen_at_every_hop_of(row: Walk, scene: Scene, watches: Watches) -> None:
    since = time.time()
    print(f"\n{row} on {scene.kind}", *walk(scene, watches, row), sep="\n  ")
    if row.number == "13":
        assert crossed(scene, watches, since) == []


@pytest.mark.parametrize("scene", EVERY_TYPE, indirect=True)
def test_a_packet_between_two_hosts_is_seen_at_every_hop(scene: Scene, watches: Watches) -> None:
    print(f"\n{scene.kind}", *walk(scene, watches, TWO_HOSTS), sep="\n  ")
