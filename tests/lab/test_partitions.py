"""Hosts that are cut off from the servers: guests notice nothing, and afterwards all is as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cloud import until
from labs import TestLab
from partitioned import Load, Traffic, await_right
from routed import Routed, last_noted
from scene import INTERNET

pytestmark = pytest.mark.lab

HOSTS = ("control", "compute1", "compute2")
CUT_OFF = "compute2"


@pytest.fixture
def traffic(two_gateways: TestLab) -> Iterator[Traffic]:
    """Guests on both computes; nothing of it is left, and the host not cut off, afterwards."""
    made = Traffic(two_gateways, "compute1", CUT_OFF)
    yield made
    two_gateways.on(CUT_OFF, "ip", "link", "set", "eth1", "up")
    made.cloud.clear()


def test_a_host_that_is_cut_off_until_it_counts_as_away_loses_no_guests_packet_and_catches_up(
    traffic: Traffic, routed: Routed
) -> None:
    """Cuts off a host with guests, DHCP servers and a router, while others are asked for changes on it."""
    lab, host = routed.lab, CUT_OFF
    load = Load(routed.admin, ["compute1", "compute2"])
    routed.move(host)
    until(routed.reaches_internet, 20, "the guest reaches the internet")

    with load.running(), traffic.flowing((routed.guest, INTERNET)) as lost:
        lab.on(host, "ip", "link", "set", "eth1", "down")
        late = traffic.cloud.start("late", traffic.network, host)
        until(lambda: last_noted(lab, host) == "away", 30, f"{host} counts as away")
        assert routed.held_by() == host
        lab.on(host, "ip", "link", "set", "eth1", "up")
        until(lambda: last_noted(lab, host) == "back", 30, f"{host} is back")
    assert routed.held_by() == host
    assert {status for status in load.answered if status >= 500 or not status} == set()
    assert {way: pings.lost for way, pings in lost.items()} == dict.fromkeys(lost, 0)
    until(lambda: traffic.cloud.server(late)["status"] == "ACTIVE", 20, "what was asked for meanwhile is there")
    await_right(lab, HOSTS)
