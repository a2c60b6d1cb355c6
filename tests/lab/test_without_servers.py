"""A network host that has lost everything, and reaches no server: it is as it was, by what it kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cloud import Cloud, until
from labs import TestLab
from story_fixtures import api_of
from test_convergence import agent_pid
from test_moving_by_hand import two_gateways  # noqa: F401 - fixture
from test_router_stories import INTERNET

pytestmark = pytest.mark.lab

HOST = "compute2"
_BOOTED = (
    # What a boot leaves nothing of: the agent's marks, namespaces, and what the switch was told.
    ("rm", "-rf", "/run/netglass/namespaces", "/run/netglass/daemons"),
    ("ovs-vsctl", "del-br", "br-int"),
    ("ovs-vsctl", "del-br", "br-ex"),
)


@pytest.fixture
def no_server(two_gateways: TestLab) -> Iterator[TestLab]:  # noqa: F811
    yield two_gateways
    two_gateways.on(HOST, "ip", "link", "set", "eth1", "up")


def test_a_network_host_that_boots_with_no_server_routes_and_serves_dhcp_again(no_server: TestLab) -> None:
    lab = no_server
    admin, cloud = api_of(lab, "admin"), Cloud(lab, api_of(lab, "demo"))
    agents = {a["host"]: a["id"] for a in admin.get("/v2.0/agents?agent_type=L3 agent")["agents"]}
    network = cloud.network("10.0.1.0/24")
    guest = cloud.guest("vm", network, "compute1")
    router = cloud.router(network)
    admin.call("DELETE", f"/v2.0/agents/{agents['control']}/l3-routers/{router}")
    admin.call("POST", f"/v2.0/agents/{agents[HOST]}/l3-routers", {"router_id": router})
    until(lambda: cloud.ping(guest, INTERNET).lost == 0, 20, "the guest reaches the internet")
    spaces = [name for name in lab.on(HOST, "ip", "netns", "list").split() if name.startswith("q")]
    assert f"qrouter-{router}" in spaces

    lab.on(HOST, "ip", "link", "set", "eth1", "down")
    lab.on(HOST, "kill", "-STOP", str(agent_pid(lab, HOST)))
    for words in (*_BOOTED, *(("ip", "netns", "del", name) for name in spaces)):
        lab.on(HOST, *words)
    assert cloud.ping(guest, INTERNET).received == 0
    lab.on(HOST, "kill", "-9", str(agent_pid(lab, HOST)))

    until(lambda: cloud.ping(guest, INTERNET).lost == 0, 30, "the guest reaches the internet again")
    assert "going by what was kept" in lab.on(HOST, "cat", "/var/log/netglass/agent.log")
