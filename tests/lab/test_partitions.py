"""Hosts that are cut off from the servers: guests notice nothing, and afterwards all is as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cloud import until
from labs import TestLab
from partitioned import Load, Traffic, await_right
from story_fixtures import api_of
from test_away_hosts import Routed

pytestmark = pytest.mark.lab

HOSTS = ("control", "compute1", "compute2")


@pytest.fixture
def traffic(two_gateways: TestLab) -> Iterator[Traffic]:
    """Guests on both computes; nothing of it is left, and no host cut off, afterwards."""
    made = Traffic(two_gateways, "compute1", "compute2")
    yield made
    for host in HOSTS[1:]:
        two_gateways.on(host, "ip", "link", "set", "eth1", "up")
    made.cloud.clear()


def test_a_host_that_is_cut_off_until_it_counts_as_away_loses_no_guests_packet_and_catches_up(
    two_gateways: TestLab, traffic: Traffic
) -> None:
    """Cuts off a host with guests, DHCP servers and routers, while others are asked for changes on it."""
    lab, host = two_gateways, "compute2"
    admin = api_of(lab, "admin")
    load = Load(admin, ["compute1", "compute2"])

    def away() -> bool:
        return any(one["name"] == host and not one["alive"] for one in admin.get("/netglass/v1/hosts")["hosts"])

    with load.running(), traffic.flowing() as lost:
        lab.on(host, "ip", "link", "set", "eth1", "down")
        late = traffic.cloud.start("late", traffic.network, host)
        until(away, 30, f"{host} counts as away")
        lab.on(host, "ip", "link", "set", "eth1", "up")
        until(lambda: not away(), 30, f"{host} is heard of again")
    assert {status for status in load.answered if status >= 500 or not status} == set()
    assert {way: pings.lost for way, pings in lost.items()} == dict.fromkeys(lost, 0)
    until(lambda: traffic.cloud.server(late)["status"] == "ACTIVE", 20, "what was asked for meanwhile is there")
    await_right(lab, HOSTS)


def test_a_router_whose_host_is_cut_off_is_taken_over_and_on_one_host_again_in_the_end(two_gateways: TestLab) -> None:
    """The host is alive, but no server knows: another takes its router, and both have it for a while."""
    lab, host = two_gateways, "compute2"
    routed = Routed(lab)
    try:
        routed.move(host)
        until(routed.reaches_internet, 20, "the guest reaches the internet")
        lab.on(host, "ip", "link", "set", "eth1", "down")
        until(lambda: routed.held_by() == "control", 30, "another host has the router")
        until(lambda: f"qrouter-{routed.router}" in routed.spaces("control"), 20, "it is there")
        lab.on(host, "ip", "link", "set", "eth1", "up")
        until(lambda: routed.spaces(host) == set(), 30, "the host that is back has it no longer")
        await_right(lab, HOSTS)
        until(routed.reaches_internet, 20, "the guest reaches the internet")
    finally:
        lab.on(host, "ip", "link", "set", "eth1", "up")
        routed.cloud.clear()
