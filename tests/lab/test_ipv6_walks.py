"""The walks in IPv6, every hop seen, on VLAN, GRE and VXLAN; and what else guests are told, and hosts keep."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from captures import Watches
from cloud import until
from ipv6_losses import probes, victims
from ipv6_walks import INTERNET, METADATA, WALKS, make, spaces
from labs import TestLab
from losses import Pace, await_answers, losses
from scene import Places, Scene, scene_on
from test_first_guest import netglass_diff
from test_metadata_walk import said
from test_trace import compare_with_switches, traced
from transfers import transfer
from walks import Walk, walk

pytestmark = pytest.mark.lab

SMALLER = 1300  # bytes, an MTU that every kind of network can have
MEGABYTES = int(os.environ.get("NETGLASS_WALK_MEGABYTES", "5"))  # in each direction; `make walks` moves more

on_each_type = pytest.mark.parametrize("scene", ["gre", "vxlan", "vlan"], indirect=True)


@pytest.fixture(scope="module")
def scene(every: TestLab, request: pytest.FixtureRequest) -> Iterator[Scene]:
    kind: str = request.param
    with scene_on(every, kind, Places(wire="eth4" if kind == "vlan" else "eth2")) as made:
        make(made)
        yield made


@pytest.fixture(scope="module")
def watches(scene: Scene) -> Iterator[Watches]:
    made = Watches(scene.lab, spaces(scene))
    try:
        yield made
    finally:
        made.end()


def paths(scene: Scene) -> Iterator[tuple[str, list[str], list[str], str]]:
    """Gives the walks that TCP can go: name, caller, called, and what is called."""
    lab = scene.lab
    one, three = (lab.to_guest(scene[name].id) for name in ("one", "three"))
    for name in ("two", "three", "four"):
        yield f"one to {name}", one, lab.to_guest(scene[name].id), scene[name].address
    yield "one to the internet", one, lab.to_host("internet"), INTERNET
    yield "the internet to three", lab.to_host("client"), three, scene["three"].address
    inside = ["ip", "netns", "exec", scene.in_dhcp("blue").netns]
    yield "three to qdhcp", three, [*lab.to_host("network"), *inside], scene.dhcp_address("blue")


@on_each_type
def test_tcp_brings_everything_over_every_ipv6_walk_unchanged(scene: Scene) -> None:
    done = {name: transfer(*path, size=MEGABYTES * 10**6) for name, *path in paths(scene)}
    print(f"\n{scene.kind}", *(f"{name}: {found.mbit_s:.0f} Mbit/s" for name, found in done.items()), sep="\n  ")
    assert [name for name, found in done.items() if not found.whole] == []


@on_each_type
def test_ipv6_that_fits_passes_and_one_byte_more_is_answered_and_never_lost_in_silence(scene: Scene) -> None:
    lab, one, mtu = scene.lab, scene["one"], scene.mtu
    for address in (scene["two"].address, scene["three"].address, INTERNET):  # on the wire, routed, outside
        assert " 2 received" in lab.inside(one.id, *sized(mtu, address)), address
        said = lab.inside(one.id, *sized(mtu + 1, address), check=False)
        assert re.search(rf"[Mm]essage too long, mtu[=: ]+{mtu}\b", said), said

    assert " 2 received" in lab.on("client", *sized(mtu, one.address))
    said = lab.on("client", *sized(mtu + 1, one.address), check=False)
    if mtu < 1500:
        assert re.search(rf"From 2001:db8:\S+ .*Packet too big: mtu={mtu}\b", said), said
    else:
        assert f"essage too long, mtu: {mtu}" in said, said


@pytest.mark.parametrize("scene", ["gre"], indirect=True)
def test_every_ipv6_walk_heals_by_itself_whatever_dies(scene: Scene) -> None:
    walks, processes = probes(scene), victims(scene)
    at_once = [
        [v for v in processes if v.name in ("agent", "server")],
        [v for v in processes if v.name not in ("agent", "server", "ovs-vswitchd", "ovsdb-server")],
        [v for v in processes if v.name == "ovs-vswitchd"],
    ]
    for killed in at_once:  # what that costs is measured by bench/process_by_walk.py
        found = losses(scene, walks, killed, Pace(seconds=2, metadata_each_s=0.1))
        print("\n", *killed, *(f"\n  {name}: {loss}" for name, loss in found.items()))
        await_answers(walks)
    for host in (scene.places.network, scene.places.bob, scene.places.daisy):
        until(lambda h=host: not netglass_diff(scene.lab, h), 10, f"{host} is as it is planned")  # type: ignore[misc]


# Last, since what crosses is written down from here on.


@on_each_type
@pytest.mark.parametrize("row", WALKS, ids=str)
def test_an_ipv6_packet_is_seen_at_every_hop_of(row: Walk, scene: Scene, watches: Watches) -> None:
    print(f"\n{row} on {scene.kind}", *walk(scene, watches, row), sep="\n  ")


@on_each_type
def test_guests_make_their_addresses_or_get_them_as_their_subnets_say(scene: Scene) -> None:
    for name, made_of_mac in (("one", True), ("three", False), ("four", True)):
        guest = scene[name]
        assert guest.address.endswith(f"{int(guest.mac[-5:].replace(':', ''), 16):x}") is made_of_mac, guest
        shown = scene.lab.inside(guest.id, "ip", "-6", "route", "show", "default")
        assert re.search(rf"^default via fe80::f816:\S+ dev eth0 .*mtu {scene.mtu}\b", shown), shown
        assert INTERNET in scene.lab.inside(guest.id, "cat", "/etc/resolv.conf")
        until(lambda g=guest: f" metadata {g.id} {g.name} over eth0" in said(scene.ours, g), 15, "it took its name")  # type: ignore[misc]


@on_each_type
def test_one_namespace_answers_for_the_metadata_address_always_the_same(scene: Scene) -> None:
    again = "for n in 1 2 3 4 5 6 7 8 9 10; do ip -6 neigh flush all; curl -sSfg -m 5 -o /dev/null $0 || exit 1; done"
    scene.lab.inside(scene["one"].id, "sh", "-c", again, f"http://[{METADATA}%25eth0]/openstack")


@on_each_type
def test_the_model_says_of_ipv6_packets_what_the_switches_do(scene: Scene) -> None:
    one, three = scene["one"], scene["three"]
    assert scene.ours.ping(one, three.address).lost == 0
    routed = traced(scene.lab, one.port_id, three.port_id)
    assert routed.delivered, routed.why
    assert compare_with_switches(scene.lab, routed) > 4
    assert traced(scene.lab, one.port_id, INTERNET).delivered


@on_each_type
def test_the_death_of_what_advertises_loses_no_packet(scene: Scene) -> None:
    one, three, network = scene["one"], scene["three"], scene.places.network

    def advertiser() -> str:
        listed = scene.lab.on(network, "ps", "-eo", "pid=,user=,args=").splitlines()
        found = [line.split() for line in listed if f"ra/{scene.router}.radvd.conf" in line]
        return next((words[0] for words in found if words[1] == "radvd"), "")

    before = advertiser()
    with scene.ours.pinging(one, three.address, count=200) as calls:
        scene.lab.on(network, "kill", "-9", before)
        until(lambda: advertiser() not in ("", before), 2, "it is started anew")
    assert calls.pings().lost == 0


def sized(size: int, address: str) -> tuple[str, ...]:
    """Gives the words of a ping with packets of `size` bytes that nobody may cut."""
    return ("sh", "-c", f"ping -n -M do -c 2 -i 0.2 -W 1 -s {size - 48} {address} 2>&1")


@on_each_type
def test_guests_obey_the_mtu_that_routers_tell_and_who_does_not_is_told_what_fits(scene: Scene) -> None:
    one, three, lab = scene["one"], scene["three"], scene.lab
    path = f"/v2.0/networks/{scene.networks['red']['id']}"
    began = lab.inside(one.id, "cat", "/run/began")

    def told(mtu: int) -> bool:
        return f" mtu {mtu} " in lab.inside(one.id, "ip", "-6", "route", "show", "default")

    assert scene.admin.call("PUT", path, {"network": {"mtu": SMALLER}})[0] == 200
    until(lambda: told(SMALLER), 10, "the guest was told")
    assert lab.inside(one.id, "cat", "/run/began") == began  # by its router, and not by a new start
    until(lambda: not netglass_diff(lab, scene.places.network), 10, "all is as it is planned")
    assert " 2 received" in lab.on("client", *sized(SMALLER, one.address))
    text = lab.on("client", *sized(SMALLER + 1, one.address), check=False)
    assert re.search(rf"mtu[ =:]+{SMALLER}\b", text), text
    assert transfer(lab.to_guest(three.id), lab.to_guest(one.id), one.address, size=5_000_000).whole
    assert scene.admin.call("PUT", path, {"network": {"mtu": scene.mtu}})[0] == 200
    until(lambda: told(scene.mtu), 10, "the guest was told again")


@on_each_type
def test_a_network_that_the_router_leaves_is_advertised_no_more(scene: Scene) -> None:
    lab, p = scene.lab, scene.places
    for host in (p.network, p.bob):
        until(lambda h=host: not netglass_diff(lab, h), 10, f"{host} is as it is planned")  # type: ignore[misc]

    def advertised() -> int:
        return lab.on(p.network, "cat", f"/var/lib/neutron/ra/{scene.router}.radvd.conf").count("AdvSendAdvert on;")

    assert advertised() == 3
    path = f"/v2.0/routers/{scene.router}/remove_router_interface"
    subnet = scene.ours.subnet_of(scene.networks["green"]["id"])
    assert scene.admin.call("PUT", path, {"subnet_id": subnet})[0] == 200
    until(lambda: advertised() == 2, 5, "the router speaks no more of it")
    assert scene.ours.ping(scene["one"], scene["three"].address).lost == 0
    assert scene.ours.ping(scene["one"], scene["four"].address, count=1).received == 0
