"""What the model says of packets that routers pass on and translate is what real packets do."""

from __future__ import annotations

import pytest
from cloud import Cloud
from labs import TestLab
from story_fixtures import admin, cloud  # noqa: F401 - fixtures
from test_router_stories import INTERNET, await_floating
from test_trace import compare_with_switches, netglass_trace, traced

from netglass.trace.result import Nat, hops_of

pytestmark = pytest.mark.lab


def test_the_models_verdict_on_routed_packets_is_the_packets(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    red, blue = cloud.network("10.0.5.0/24", "red"), cloud.network("10.0.6.0/24", "blue")
    alone = cloud.network("10.0.7.0/24", "alone")
    cloud.router(red, blue)
    one = cloud.guest("one", red, "compute1")
    two = cloud.guest("two", blue, "compute2")
    lonely = cloud.guest("lonely", alone, "compute1")
    compared = 0
    for sender, receiver in ((one, two), (two, one), (one, lonely), (lonely, one)):
        real = cloud.ping(sender, receiver.address).lost == 0
        trace = traced(lab, sender.port_id, receiver.port_id)
        assert trace.delivered is real, trace.why
        compared += compare_with_switches(lab, trace)
    assert compared > 10

    assert cloud.ping(one, INTERNET).lost == 0
    outward = traced(lab, one.port_id, INTERNET)
    assert outward.delivered
    compare_with_switches(lab, outward)
    status, said = netglass_trace(lab, "one", INTERNET, "--objects", user="demo")
    assert status == 0, said
    assert "--to-source 203.0.113." in said

    address = cloud.floating(two.port_id)["floating_ip_address"]
    await_floating(lab, address)
    inward = traced(lab, "outside", address)
    assert inward.delivered
    steps = [step for start in inward.hops for hop in hops_of(start) for step in hop.steps]
    (turned,) = [step.changed for step in steps if isinstance(step, Nat)]
    assert [(one.field, one.before, one.after) for one in turned] == [("ip_dst", address, two.address)]
    compare_with_switches(lab, inward)
