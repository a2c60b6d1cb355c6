"""A router that moves from one network host to another, by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cloud import Cloud, until
from labs import TestLab, netglass
from story_fixtures import api_of
from test_router_stories import INTERNET, await_floating, from_client

from netglass.lab.topology import BUILTIN

pytestmark = pytest.mark.lab


@pytest.fixture
def two_gateways(tmp_path: Path) -> Iterator[TestLab]:
    """A VLAN lab whose second compute host leads outside too."""
    wanted = yaml.safe_load((BUILTIN / "vlan.yaml").read_text())
    wanted["name"] = f"g{os.getpid()}"
    wanted["hosts"]["compute2"] |= {
        "roles": ["hypervisor", "network"],
        "nics": {"eth1": "mgmt", "eth2": "vm", "eth3": "ext"},
        "bridges": {"br-eth2": "eth2", "br-ex": "eth3"},
        "bridge_mappings": {"default": "br-eth2", "external": "br-ex"},
    }
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(wanted))
    netglass("lab", "up", str(path))
    try:
        yield TestLab(wanted["name"])
    finally:
        netglass("lab", "down", wanted["name"])


def test_a_router_moved_by_hand_serves_from_its_new_host(two_gateways: TestLab) -> None:
    lab = two_gateways
    admin, cloud = api_of(lab, "admin"), Cloud(lab, api_of(lab, "demo"))
    network = cloud.network("10.0.1.0/24")
    guest = cloud.guest("vm", network, "compute1")
    router = cloud.router(network)
    address = cloud.floating(guest.port_id)["floating_ip_address"]
    await_floating(lab, address)

    agents = {a["host"]: a["id"] for a in admin.get("/v2.0/agents?agent_type=L3 agent")["agents"]}
    held = admin.get(f"/v2.0/routers/{router}/l3-agents")["agents"][0]["host"]
    (other,) = agents.keys() - {held}
    assert admin.call("DELETE", f"/v2.0/agents/{agents[held]}/l3-routers/{router}")[0] == 204
    assert admin.call("POST", f"/v2.0/agents/{agents[other]}/l3-routers", {"router_id": router})[0] == 201

    await_floating(lab, address)
    assert from_client(lab, address).lost == 0
    assert cloud.ping(guest, INTERNET).lost == 0
    assert f"qrouter-{router}" in lab.on(other, "ip", "netns", "list")
    until(lambda: f"qrouter-{router}" not in lab.on(held, "ip", "netns", "list"), 5, "it has left its old host")
