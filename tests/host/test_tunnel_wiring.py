"""Tunnels and bridges with addresses, on a real kernel and a real Open vSwitch."""

from __future__ import annotations

import pytest
from an_agent import Agent
from hosted import on_a_host, shell

from golden.tunnel_stories import PACKET_FLOWS, POPULATED
from netglass.compile.compiler import compile_host
from netglass.desired.diff import Plan
from netglass.desired.state import HostState
from netglass.model.resources import Row
from netglass.model.snapshot import Snapshot

pytestmark = pytest.mark.host


def wanted(rows: list[Row], host: str = "bob") -> HostState:
    return compile_host(Snapshot.of(rows), host)


def plug_nic(*addresses: str) -> None:
    shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "far2")
    for device in ("eth2", "far2"):
        shell("ip", "link", "set", device, "up")
    for address in addresses:
        shell("ip", "address", "add", address, "dev", "eth2")


@pytest.mark.parametrize("story", ["packet_flows", "populated"])
def test_a_host_with_tunnels_is_wired_and_nothing_differs_afterwards(story: str) -> None:
    rows = PACKET_FLOWS if story == "packet_flows" else POPULATED

    @on_a_host
    def wired() -> None:
        plug_nic()
        agent = Agent()
        agent.converge(wanted(rows))
        left = [part for part in agent.differs(wanted(rows)).kinds if part.add or part.change or part.delete]
        assert left == []
        assert shell("ovs-vsctl", "get", "Interface", "patch-int", "ofport").strip() == "1"

    wired()


@on_a_host
def test_the_nics_address_moves_to_the_bridge_and_others_stay() -> None:
    plug_nic("192.168.133.112/24", "192.0.2.7/24")
    agent = Agent()
    agent.converge(wanted(PACKET_FLOWS))
    assert "192.168.133.112/24" in shell("ip", "-br", "address", "show", "dev", "br-eth2")
    left = shell("ip", "-br", "address", "show", "dev", "eth2")
    assert "192.168.133.112" not in left
    assert "192.0.2.7/24" in left
    assert "192.168.133.0/24 dev br-eth2" in shell("ip", "route")


@on_a_host
def test_a_patch_whose_other_end_was_changed_is_right_again_also_when_the_switch_has_given_it_up() -> None:
    plug_nic()
    Agent().converge(wanted(PACKET_FLOWS))
    shell("ovs-vsctl", "set", "Interface", "patch-int", "options:peer=nowhere")  # waits until the switch has followed
    assert "nowhere" in shell("ovs-vsctl", "get", "Interface", "patch-int", "error")
    Agent().converge(wanted(PACKET_FLOWS))
    ends = ("patch-int", "patch-tun")
    assert [shell("ovs-vsctl", "get", "Interface", end, "error").strip() for end in ends] == ["[]", "[]"]


@on_a_host
def test_patch_int_gets_its_number_back_and_flows_follow() -> None:
    plug_nic()
    agent = Agent()
    agent.converge(wanted(PACKET_FLOWS))
    shell("ovs-vsctl", "set", "Interface", "patch-int", "ofport_request=9")
    assert shell("ovs-vsctl", "get", "Interface", "patch-int", "ofport").strip() == "9"
    agent.converge(wanted(PACKET_FLOWS))
    assert shell("ovs-vsctl", "get", "Interface", "patch-int", "ofport").strip() == "1"
    assert "output:1" in shell("ovs-ofctl", "dump-flows", "br-tun", "table=10")


@on_a_host
def test_nothing_is_left_of_tunnels_and_of_what_was_learnt_when_nothing_is_wanted() -> None:
    plug_nic()
    before = shell("ip", "-o", "link").count("\n")
    agent = Agent()
    agent.converge(wanted(PACKET_FLOWS))
    agent.converge(HostState(host="bob"))
    assert shell("ovs-vsctl", "list-br") == ""
    assert Plan(host="bob") == agent.differs(HostState(host="bob"))
    names = [line.split(":")[1].strip() for line in shell("ip", "-o", "link").splitlines()]
    assert not {"br-eth2", "br-tun", "br-int"} & set(names)
    assert len(names) - before <= 1  # ovs-netdev, which the switch keeps
