"""The appliers of kernel and switch together, on a real kernel and a real Open vSwitch."""

from __future__ import annotations

import os
import signal
import time
from ipaddress import IPv6Address

import pytest
from a_host_state import bridges, flow, guest_port, mac, network, state
from an_agent import Agent, until
from hosted import kill_switch, on_a_host, shell, start_switch

from netglass.desired.diff import Plan
from netglass.desired.state import Address, PortTag, SwitchPort

pytestmark = pytest.mark.host

FULL = state(bridges(), network(1), network(2), guest_port(1), guest_port(2))


@on_a_host
def test_a_host_is_wired_from_nothing_in_one_round_and_nothing_differs_afterwards() -> None:
    agent = Agent()
    agent.once(FULL)
    assert agent.retries.failing() == {}
    assert Plan(host="a") == agent.differs(FULL)


@on_a_host
def test_operators_see_what_they_expect() -> None:
    Agent().once(FULL)
    assert "qdhcp-n1" in shell("ip", "netns")
    address = shell("ip", "-n", "qdhcp-n1", "address", "show", "tapdhcp1")
    assert "inet 10.0.1.2/24 brd 10.0.1.255" in address
    assert "inet6 fd00:1::2/64" in address
    assert "mtu 1450" in address
    assert "fa:16:3e:00:d0:01" in address
    assert "default via 10.0.1.1 dev tapdhcp1" in shell("ip", "-n", "qdhcp-n1", "route")
    assert shell("ovs-vsctl", "get", "Port", "tapdhcp1", "tag").strip() == "1"
    assert "p1" in shell("ovs-vsctl", "get", "Interface", "qvop1", "external_ids:iface-id")
    flows = shell("ovs-ofctl", "dump-flows", "br-int")
    assert "dl_vlan=1001 actions=mod_vlan_vid:1,NORMAL" in flows
    assert "netglass plugging port:p1" in shell("ip", "link", "show", "qvop1")
    assert "tx-checksumming: off" in shell("ethtool", "-k", "qvop1")
    assert "peer_ifindex" in shell("ethtool", "-S", "int-br-eth2")


@on_a_host
def test_an_agent_that_was_killed_finds_everything_and_changes_nothing() -> None:
    Agent().once(FULL)
    before = shell("ip", "link") + shell("ovs-ofctl", "dump-flows", "br-int", "--no-stats")
    rows = shell("ovs-vsctl", "get", "Open_vSwitch", ".", "next_cfg")
    assert Agent().once(FULL) == ""
    assert before == shell("ip", "link") + shell("ovs-ofctl", "dump-flows", "br-int", "--no-stats")
    assert rows == shell("ovs-vsctl", "get", "Open_vSwitch", ".", "next_cfg")


@on_a_host
def test_whatever_step_an_agent_is_killed_at_the_next_one_finishes() -> None:
    for milliseconds in (3, 10, 20, 30, 45, 60, 90, 140):
        child = os.fork()
        if child == 0:
            Agent().once(FULL)
            os._exit(0)
        time.sleep(milliseconds / 1000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        Agent().converge(FULL)
        Agent().converge(state())
        assert "qvop1" not in shell("ip", "link")


@on_a_host
def test_what_is_not_wanted_any_more_goes_and_the_rest_stays() -> None:
    agent = Agent()
    agent.once(FULL)
    agent.converge(state(bridges(), network(1), guest_port(1)))
    assert "qdhcp-n2" not in shell("ip", "netns")
    links = shell("ip", "link")
    assert "qvop2" not in links
    assert "qvop1" in links
    assert "tapdhcp2" not in shell("ovs-vsctl", "list-ports", "br-int")
    assert "dl_vlan=1002" not in shell("ovs-ofctl", "dump-flows", "br-int")


@on_a_host
def test_a_link_local_address_of_ours_goes_and_the_kernels_own_stays() -> None:
    def shown() -> list[str]:
        lines = shell("ip", "-n", "qdhcp-n1", "-o", "-6", "address", "show", "dev", "tapdhcp1").splitlines()
        return sorted(line.split()[3] for line in lines)

    base = {"owner": "metadata", "intent": ("network:n1",)}
    served = Address(**base, netns="qdhcp-n1", device="tapdhcp1", cidr="fe80::a9fe:a9fe/64")
    agent = Agent()
    agent.converge(state(bridges(), network(1), [served]))
    assert shown() == ["fd00:1::2/64", "fe80::a9fe:a9fe/64", f"{eui64(mac(0xD001))}/64"]

    agent.converge(state(bridges(), network(1)))

    assert shown() == ["fd00:1::2/64", f"{eui64(mac(0xD001))}/64"]


def eui64(hardware: str) -> str:
    """Gives the link-local address that the kernel makes of a MAC (RFC 4291, appendix A)."""
    octets = bytes.fromhex(hardware.replace(":", ""))
    half = bytes((octets[0] ^ 2, *octets[1:3], 0xFF, 0xFE, *octets[3:]))
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + half))


@on_a_host
def test_nothing_of_ours_is_left_and_nothing_foreign_is_touched_when_nothing_is_wanted() -> None:
    shell("ip", "netns", "add", "qdhcp-foreign")
    shell("ip", "link", "add", "foreign0", "type", "veth", "peer", "name", "foreign1")
    shell("ovs-vsctl", "add-br", "br-foreign", "--", "set", "Bridge", "br-foreign", "datapath_type=netdev")
    shell("ovs-vsctl", "add-port", "br-foreign", "foreign0")
    shell("ovs-ofctl", "add-flow", "br-foreign", "cookie=7,priority=9,dl_vlan=9,actions=drop")
    before = shell("ip", "-br", "link"), shell("ovs-vsctl", "show"), shell("ip", "netns")
    agent = Agent()
    agent.once(FULL)
    shell("ovs-ofctl", "add-flow", "br-int", "cookie=7,priority=9,dl_vlan=9,actions=drop")
    assert agent.once(FULL) == ""
    assert "cookie=0x7" in shell("ovs-ofctl", "dump-flows", "br-int")
    agent.converge(state())
    assert before == (shell("ip", "-br", "link"), shell("ovs-vsctl", "show"), shell("ip", "netns"))
    assert "cookie=0x7" in shell("ovs-ofctl", "dump-flows", "br-foreign")


@on_a_host
def test_a_bridge_that_was_there_before_is_used_and_never_deleted() -> None:
    shell("ovs-vsctl", "add-br", "br-eth2", "--", "set", "Bridge", "br-eth2", "datapath_type=netdev")
    agent = Agent()
    agent.converge(FULL)
    assert "phy-br-eth2" in shell("ovs-vsctl", "list-ports", "br-eth2")
    agent.converge(state())
    assert shell("ovs-vsctl", "list-br").split() == ["br-eth2"]
    assert "cookie=0x4e47" not in shell("ovs-ofctl", "dump-flows", "br-eth2")


@on_a_host
def test_damage_is_mended() -> None:
    agent = Agent()
    agent.once(FULL)
    damage = [
        ("ovs-ofctl", "del-flows", "br-int"),
        ("ovs-ofctl", "--strict", "mod-flows", "br-eth2", "table=0,priority=1,actions=drop"),
        ("ovs-vsctl", "set", "Port", "qvop1", "tag=7"),
        ("ovs-vsctl", "clear", "Port", "tapdhcp1", "tag"),
        ("ovs-vsctl", "del-port", "qvop2"),
        ("ovs-vsctl", "del-br", "br-eth2"),
        ("ip", "link", "set", "qvbp1", "nomaster"),
        ("ip", "link", "set", "qvop1", "down"),
        ("ip", "link", "set", "qbrp1", "mtu", "1300"),
        ("ip", "link", "delete", "qvbp2"),
        ("ip", "link", "delete", "qbrp2"),
        ("ip", "-n", "qdhcp-n1", "address", "delete", "10.0.1.2/24", "dev", "tapdhcp1"),
        ("ip", "-n", "qdhcp-n1", "address", "add", "10.9.9.9/24", "dev", "tapdhcp1"),
        ("ip", "-n", "qdhcp-n1", "route", "replace", "default", "dev", "tapdhcp1"),
        ("ip", "-n", "qdhcp-n2", "link", "set", "tapdhcp2", "address", "fa:16:3e:99:99:99"),
        ("ip", "netns", "delete", "qdhcp-n2"),
        ("ethtool", "-K", "qvop1", "tx", "on"),
        ("sysctl", "-w", "net.ipv6.conf.qvop1.disable_ipv6=0"),
    ]
    for argv in damage:
        shell(*argv)
        until(lambda: not agent.differs(FULL).empty, agent.hear)
        agent.converge(FULL)


@on_a_host
def test_a_tag_changed_by_hand_lets_nothing_through_longer_than_a_round() -> None:
    agent = Agent()
    agent.once(FULL)
    shell("ovs-vsctl", "set", "Port", "qvop1", "tag=2")
    until(lambda: not agent.differs(FULL).empty, agent.hear)
    assert agent.once(FULL) == "port_tags ~1"


@on_a_host
def test_a_dead_switch_is_healed_once_it_is_back() -> None:
    agent = Agent()
    agent.once(FULL)
    kill_switch()
    until(lambda: ("flows", "br-eth2") in agent.retries.failing(), lambda: agent.once(FULL))
    start_switch()
    until(lambda: agent.differs(FULL).empty, lambda: agent.once(FULL))
    assert "tapdhcp1" not in shell("ip", "link")
    assert "inet 10.0.1.2/24" in shell("ip", "-n", "qdhcp-n1", "address", "show", "tapdhcp1")
    shell("ip", "-n", "qdhcp-n1", "link", "set", "tapdhcp1", "up")


@on_a_host
def test_a_new_port_is_on_the_dead_vlan_until_it_gets_its_tag() -> None:
    agent = Agent()
    without_tag = [thing for thing in guest_port(1) if not isinstance(thing, PortTag)]
    agent.once(state(bridges(), without_tag))
    assert shell("ovs-vsctl", "get", "Port", "qvop1", "tag").strip() == "4095"
    assert shell("ovs-vsctl", "get", "Port", "int-br-eth2", "tag").strip() == "[]"


@on_a_host
def test_a_bad_object_holds_up_no_other() -> None:
    agent = Agent()
    bad = flow("br-int", 5, "in_port=nosuchport", "drop")
    wrong = PortTag(owner="plugging", intent=("port:p9",), port="qvop1", vlan=70000)
    good = [thing for thing in guest_port(1) if not isinstance(thing, PortTag)]
    desired = state(bridges(), network(1), good, guest_port(2), [bad, wrong])
    agent.once(desired)
    assert set(agent.retries.failing()) == {("flows", bad.key), ("port_tags", "qvop1")}
    assert "nosuchport" in agent.retries.failing()["flows", bad.key][0]
    assert shell("ovs-vsctl", "get", "Port", "qvop2", "tag").strip() == "1"


@on_a_host
def test_a_port_that_somebody_else_plugs_is_awaited_and_then_only_tagged() -> None:
    base = {"owner": "plugging", "intent": ("port:p5",)}
    awaited = [
        SwitchPort(**base, bridge="br-int", name="tapp5", external_ids={"iface-id": "p5"}, awaited=True),
        PortTag(**base, port="tapp5", vlan=1),
    ]
    desired = state(bridges(), awaited)
    agent = Agent()
    agent.once(desired)
    assert agent.retries.failing() == {}
    assert set(agent.rounds.missing["switch_ports"]) == {"tapp5"}
    shell("ip", "link", "add", "tapp5", "type", "veth", "peer", "name", "eth0p5")
    plug = ("ovs-vsctl", "add-port", "br-int", "tapp5", "--", "set", "Interface", "tapp5", "external_ids:iface-id=p5")
    shell(*plug)
    assert agent.once(desired) == "port_tags ~1"
    assert not any(agent.rounds.missing.values())
    agent.converge(state(bridges()))
    assert shell("ovs-vsctl", "get", "Port", "tapp5", "tag").strip() == "4095"


@on_a_host
def test_a_hundred_ports_are_wired_in_one_round() -> None:
    few = state(bridges(), network(1))
    many = state(bridges(), network(1), *(guest_port(number) for number in range(100)))
    agent = Agent()
    agent.once(few)
    agent.once(many)
    assert agent.differs(many).empty
