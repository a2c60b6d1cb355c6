"""Extra routes: two routers of a project that know the way to each other's networks."""

from __future__ import annotations

import pytest
from cloud import Cloud, until
from labs import TestLab
from story_fixtures import cloud  # noqa: F401 - a fixture
from test_router_stories import in_router, settled

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
