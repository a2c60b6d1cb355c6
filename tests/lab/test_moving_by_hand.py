"""Routers and DHCP that move from one network host to another, by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cloud import Cloud, until
from ipv6_walks import delegated
from labs import TestLab
from story_fixtures import api_of
from test_router_stories import INTERNET, Heard, await_floating, from_client

pytestmark = pytest.mark.lab


@pytest.fixture
def cloud(two_gateways: TestLab) -> Iterator[Cloud]:
    made = Cloud(two_gateways, api_of(two_gateways, "demo"))
    yield made
    made.clear()


def test_a_router_moved_by_hand_serves_from_its_new_host(two_gateways: TestLab, cloud: Cloud) -> None:
    lab, admin = two_gateways, api_of(two_gateways, "admin")
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

    # First, as until then the old host may be the one that answers.
    until(lambda: f"qrouter-{router}" not in lab.on(held, "ip", "netns", "list"), 5, "it has left its old host")
    await_floating(lab, address)
    assert from_client(lab, address).lost == 0
    assert cloud.ping(guest, INTERNET).lost == 0
    assert f"qrouter-{router}" in lab.on(other, "ip", "netns", "list")


def test_ipv6_guests_keep_their_gateway_when_their_router_moves(two_gateways: TestLab, cloud: Cloud) -> None:
    lab, admin = two_gateways, api_of(two_gateways, "admin")
    router = cloud.router()
    network = cloud.ipv6_network(str(next(delegated(cloud, router).subnets(new_prefix=64))), "slaac")
    cloud.join(router, network)
    guest = cloud.guest("vm", network, "compute1")
    until(lambda: from_client(lab, guest.address, 1).received, 5, "the way in")
    heard = Heard(lab, guest.host, guest.tap, "-v", "icmp6", "and", "ip6[40]", "==", "134")

    agents = {a["host"]: a["id"] for a in admin.get("/v2.0/agents?agent_type=L3 agent")["agents"]}
    held = admin.get(f"/v2.0/routers/{router}/l3-agents")["agents"][0]["host"]
    (other,) = agents.keys() - {held}
    assert admin.call("DELETE", f"/v2.0/agents/{agents[held]}/l3-routers/{router}")[0] == 204
    assert admin.call("POST", f"/v2.0/agents/{agents[other]}/l3-routers", {"router_id": router})[0] == 201
    until(lambda: f"qrouter-{router}" not in lab.on(held, "ip", "netns", "list"), 5, "it has left its old host")
    until(lambda: from_client(lab, guest.address, 1).received, 5, "the way in by the other host")
    assert from_client(lab, guest.address, 20).lost == 0

    # The one that left must not say goodbye with the address that the other one speaks with now.
    text = heard.text()
    assert "router advertisement" in text
    assert "router lifetime 0s" not in text, text


def test_dhcp_moved_by_hand_is_served_from_both_hosts_and_then_from_the_new_one(
    two_gateways: TestLab, cloud: Cloud
) -> None:
    lab = two_gateways
    network = cloud.network("10.0.2.0/24")
    cloud.guest("before", network, "compute1")
    agents = {agent["Host"]: agent["ID"] for agent in openstack(lab, "list", "--agent-type", "dhcp")}
    (held,) = (agent["Host"] for agent in openstack(lab, "list", "--network", network))
    (other,) = agents.keys() - {held}

    openstack(lab, "add", "network", "--dhcp", agents[other], network, "--no-format")
    assert {agent["Host"] for agent in openstack(lab, "list", "--network", network)} == {held, other}
    until(lambda: serves(lab, other, network), 5, "the other host serves too")
    assert serves(lab, held, network)
    cloud.guest("both", network, "compute1")

    openstack(lab, "remove", "network", "--dhcp", agents[held], network, "--no-format")
    until(lambda: not serves(lab, held, network), 5, "its old host serves no more")
    last = cloud.guest("after", network, "compute1")
    (server,) = cloud.api.get(f"/v2.0/ports?network_id={network}&device_owner=network:dhcp")["ports"]
    console = cloud.api.post(f"/compute/v2.1/servers/{last.id}/action", {"os-getConsoleOutput": {}})["output"]
    assert f"from {server['fixed_ips'][0]['ip_address']}" in console


def openstack(lab: TestLab, *words: str) -> Any:
    return lab.openstack("network", "agent", *words, user="admin")


def serves(lab: TestLab, host: str, network_id: str) -> bool:
    """Says whether a host runs dnsmasq for a network."""
    return f"/dhcp/{network_id}/" in lab.on(host, "ps", "-eo", "args=")
