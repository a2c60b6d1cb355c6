"""Walks 7, 8 and 9 through tunnels: between networks, to the internet and back, in by a floating IP; and sizes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cloud import Cloud, Pings, until
from labs import TestLab, netglass
from story_fixtures import api_of
from test_router_stories import CLIENT, INTERNET, Heard, await_floating, from_client, pings

pytestmark = pytest.mark.lab

OVERHEAD = {"gre": 42, "vxlan": 50}


@pytest.fixture(scope="module", params=sorted(OVERHEAD))
def tunnelled(request: pytest.FixtureRequest) -> Iterator[tuple[TestLab, str]]:
    """A lab with tunnels of one type, and that type."""
    name = f"w{os.getpid()}{request.param[0]}"
    netglass("lab", "up", request.param, "--lab", name)
    try:
        yield TestLab(name), request.param
    finally:
        netglass("lab", "down", "--lab", name)


@pytest.fixture
def inside(tunnelled: tuple[TestLab, str]) -> Iterator[Cloud]:
    made = Cloud(tunnelled[0], api_of(tunnelled[0], "demo"))
    yield made
    made.clear()


def whole(lab: TestLab, address: str, size: int) -> tuple[Pings, str]:
    """Pings from the client with packets of `size` bytes that must not be cut; gives what came of it."""
    words = ("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", str(size - 28), address)
    said = lab.on("client", *words, check=False)
    lines = [line for line in said.splitlines() if "transmitted" in line]
    return pings(lines[0].replace("errors, ", "")) if lines else Pings(0, 0), said


def test_the_walks_of_routers_lead_through_tunnels(tunnelled: tuple[TestLab, str], inside: Cloud) -> None:
    lab, _ = tunnelled
    red, blue = inside.network("10.0.1.0/24", "red"), inside.network("10.0.2.0/24", "blue")
    one, near = inside.guest("one", red, "bob"), inside.guest("near", blue, "bob")
    far = inside.guest("far", blue, "daisy")
    inside.router(red, blue)
    until(lambda: inside.ping(one, near.address, count=1).received, 5, "the router is there")

    for a, b in ((one, near), (one, far), (far, one)):
        assert inside.ping(a, b.address).lost == 0
    assert inside.ping(one, INTERNET).lost == 0
    address = inside.floating(far.port_id)["floating_ip_address"]
    await_floating(lab, address)
    on_tap = Heard(lab, far.host, far.tap, "icmp")
    assert from_client(lab, address).lost == 0
    assert f"{CLIENT} > {far.address}: ICMP echo request" in on_tap.text()


def test_what_fits_a_tunnel_passes_and_one_byte_more_is_answered(tunnelled: tuple[TestLab, str], inside: Cloud) -> None:
    lab, kind = tunnelled
    fits = 1500 - OVERHEAD[kind]
    network = inside.network("10.0.1.0/24")
    guest = inside.guest("vm", network, "daisy")
    inside.router(network)
    address = inside.floating(guest.port_id)["floating_ip_address"]
    await_floating(lab, address)

    assert whole(lab, address, fits)[0].received == 2
    _, said = whole(lab, address, fits + 1)
    assert f"mtu = {fits}" in said or f"mtu={fits}" in said, said

    lab.on("internet", "sh", "-c", "head -c 104857600 /dev/urandom >/etc/netglass/www/big")
    try:
        sent = lab.on("internet", "sha256sum", "/etc/netglass/www/big").split()[0]
        assert lab.inside(guest.id, "sh", "-c", f"wget -qO- http://{INTERNET}/big | sha256sum").split()[0] == sent
    finally:
        lab.on("internet", "rm", "/etc/netglass/www/big")
