"""A network host that is away, from the servers only or from everybody, and what becomes of its routers and DHCP."""

from __future__ import annotations

import pytest
from cloud import until
from routed import Routed, last_noted
from scene import INTERNET
from test_convergence import agent_pid

pytestmark = pytest.mark.lab

HOST = "compute2"
_BOOTED = (
    # What a boot leaves nothing of: the agent's marks, and what the switch was told.
    ("rm", "-rf", "/run/netglass/namespaces", "/run/netglass/daemons"),
    ("ovs-vsctl", "del-br", "br-int"),
    ("ovs-vsctl", "del-br", "br-ex"),
)


def test_a_network_host_that_boots_with_no_server_routes_again(routed: Routed) -> None:
    lab = routed.lab
    routed.move(HOST)
    until(routed.reaches_internet, 20, "the guest reaches the internet")
    spaces = routed.spaces(HOST)

    lab.on(HOST, "ip", "link", "set", "eth1", "down")
    lab.on(HOST, "kill", "-STOP", str(agent_pid(lab, HOST)))
    for words in (*_BOOTED, *(("ip", "netns", "del", name) for name in spaces)):
        lab.on(HOST, *words)
    assert routed.cloud.ping(routed.guest, INTERNET).received == 0
    lab.on(HOST, "kill", "-9", str(agent_pid(lab, HOST)))

    until(routed.reaches_internet, 30, "the guest reaches the internet again")
    assert "going by what was kept" in lab.on(HOST, "cat", "/var/log/netglass/agent.log")


def test_a_router_works_on_without_its_agent_and_when_its_host_is_dead_another_has_it_and_nothing_runs_twice(
    routed: Routed,
) -> None:
    lab = routed.lab
    routed.move(HOST)
    until(routed.reaches_internet, 20, "the guest reaches the internet")
    servers = routed.dhcp_hosts()

    pid = str(agent_pid(lab, HOST))
    lab.on(HOST, "kill", "-STOP", pid)
    with routed.cloud.pinging(routed.guest, INTERNET) as pinging:
        until(lambda: last_noted(lab, HOST) == "away", 25, "the host counts as away")
        assert routed.held_by() == HOST
    assert pinging.pings().lost == 0
    assert routed.dhcp_hosts() == servers | {"control"}

    for nic in ("eth1", "eth2", "eth3"):
        lab.on(HOST, "ip", "link", "set", nic, "down")
    assert not routed.reaches_internet()
    until(lambda: routed.held_by() == "control", 15, "another host carries the router")
    until(routed.reaches_internet, 10, "the guest reaches the internet again")
    assert "away" in lab.operator("host", "list").stdout
    assert routed.spaces("control") == {f"qrouter-{routed.router}", f"qdhcp-{routed.network}"}

    for nic in ("eth1", "eth2", "eth3"):
        lab.on(HOST, "ip", "link", "set", nic, "up")
    lab.on(HOST, "kill", "-CONT", pid)
    until(lambda: routed.spaces(HOST) == set(), 20, "the host that is back does nothing of it")
    assert routed.held_by() == "control"
    until(routed.reaches_internet, 5, "the world knows again where the router is")


def test_what_a_host_did_that_died_with_its_agent_another_does_after_fifteen_seconds_and_a_few(routed: Routed) -> None:
    lab = routed.lab
    routed.move(HOST)
    pid = str(agent_pid(lab, HOST))
    lab.on(HOST, "kill", "-STOP", pid)  # it would put the NICs up again, as they belong to bridges
    for nic in ("eth1", "eth2"):  # not eth3: a router that no guest reaches is dead for all that the world sees of it
        lab.on(HOST, "ip", "link", "set", nic, "down")
    until(lambda: routed.held_by() == "control", 22, "another host carries the router")
    until(routed.reaches_internet, 10, "the guest reaches the internet again")
    lab.on(HOST, "kill", "-CONT", pid)
