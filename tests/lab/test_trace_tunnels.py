"""What the model says of packets in tunnels is what real switches and real packets do."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cloud import Cloud
from labs import TestLab, netglass
from story_fixtures import admin, cloud  # noqa: F401 - fixtures
from test_trace import _agree, compare_with_switches, netglass_trace, traced

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module", params=["gre", "vxlan"])
def lab(request: pytest.FixtureRequest) -> Iterator[TestLab]:
    """A lab whose br-tun learns (GRE), and one whose br-tun is told (VXLAN)."""
    made = TestLab(f"{request.param[0]}{os.getpid()}")
    try:
        netglass("lab", "up", request.param, "--lab", made.name)
        yield made
    finally:
        netglass("lab", "down", "--lab", made.name)


def test_the_models_verdict_is_the_packets_and_its_hops_are_the_switches(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    ours, theirs = cloud.network("10.0.0.0/24", "ours"), cloud.network("10.0.0.0/24", "theirs")
    one = cloud.guest("one", ours, "bob", "10.0.0.11")
    two = cloud.guest("two", ours, "daisy", "10.0.0.12")
    near = cloud.guest("near", ours, "bob", "10.0.0.13")
    stranger = cloud.guest("stranger", theirs, "daisy", "10.0.0.14")
    pairs = ((one, two), (two, one), (one, near), (two, near), (one, stranger), (stranger, two))
    compared = sum(_agree(lab, cloud, sender, receiver) for sender, receiver in pairs)
    cloud.ping(two, "10.0.0.2")
    compared += compare_with_switches(lab, traced(lab, two.port_id, "dhcp"))
    assert compared > 25

    status, said = netglass_trace(lab, "one", "two", user="demo")
    assert status == 0, said
    assert "br-tun on bob" in said
    assert "from 192.168.133.112 to 192.168.133.114" in said
