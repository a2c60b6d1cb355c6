"""Extra routes: two routers of a project that know the way to each other's networks."""

from __future__ import annotations

import pytest
from cloud import Cloud, until
from labs import TestLab
from story_fixtures import cloud  # noqa: F401 - a fixture
from test_router_stories import INTERNET, in_router, settled

pytestmark = pytest.mark.lab


def test_guests_meet_over_two_routers_by_extra_routes_added_and_taken_away_one_by_one(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    red, blue = cloud.network("10.0.1.0/24", "red"), cloud.network("10.0.2.0/24", "blue")
    transit = cloud.network("10.0.9.0/24", "transit")
    first = cloud.router(red, transit, outside=False, name="first")
    second = cloud.router(blue, outside=False, name="second")
    wanted = {"network_id": transit, "fixed_ips": [{"ip_address": "10.0.9.7"}]}
    port = cloud.api.post("/v2.0/ports", {"port": wanted})["port"]["id"]
    status, answer = cloud.api.call("PUT", f"/v2.0/routers/{second}/add_router_interface", {"port_id": port})
    assert status == 200, answer
    cloud._undo.append(("PUT", f"/v2.0/routers/{second}/remove_router_interface", {"port_id": port}))
    one, two = cloud.guest("one", red, "compute1"), cloud.guest("two", blue, "compute2")
    assert cloud.ping(one, two.address).received == 0

    for router, destination, hop in ((first, "10.0.2.0/24", "10.0.9.7"), (second, "10.0.1.0/24", "10.0.9.1")):
        route = f"destination={destination},gateway={hop}"
        lab.openstack("router", "add", "route", "--route", route, router)
        cloud._undo.append(("PUT", f"/v2.0/routers/{router}", {"router": {"routes": []}}))
    until(lambda: cloud.ping(one, two.address, count=1).received, 5, "they meet")
    assert (cloud.ping(one, two.address).lost, cloud.ping(two, one.address).lost) == (0, 0)
    assert "ttl=62" in lab.inside(one.id, "ping", "-n", "-c", "1", two.address)
    settled(lab)

    lab.openstack("router", "remove", "route", "--route", "destination=10.0.2.0/24,gateway=10.0.9.7", first)
    until(lambda: "10.0.2.0/24" not in in_router(lab, first, "ip", "route"), 5, "the route is gone")
    assert cloud.ping(one, two.address).received == 0


def test_routes_to_everywhere_and_to_the_routers_own_networks_come_and_go_and_harm_nothing(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    red, blue = cloud.network("10.0.1.0/24", "red"), cloud.network("10.0.2.0/24", "blue")
    router = cloud.router(red, blue)
    one, two = cloud.guest("one", red, "compute1"), cloud.guest("two", blue, "compute2")
    until(lambda: cloud.ping(one, INTERNET, count=1).received, 5, "the way out")
    before = in_router(lab, router, "ip", "route")

    own = [{"destination": cidr, "nexthop": two.address} for cidr in ("10.0.1.0/24", "10.0.2.0/24", "203.0.113.0/24")]
    everywhere = {"destination": "0.0.0.0/0", "nexthop": two.address}
    for routes, default in ((own, "via 203.0.113.1 "), ([*own, everywhere], f"via {two.address} "), ([], "via 203.")):
        assert cloud.api.call("PUT", f"/v2.0/routers/{router}", {"router": {"routes": routes}})[0] == 200
        until(lambda d=default: f"default {d}" in in_router(lab, router, "ip", "route"), 5, default)  # type: ignore[misc]
        settled(lab)
        assert cloud.ping(one, two.address).lost == 0
    assert cloud.ping(one, INTERNET).lost == 0
    assert in_router(lab, router, "ip", "route") == before
