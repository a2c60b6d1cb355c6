"""What really passes between guests: after damage to their wires, and while a port may pass nothing."""

from __future__ import annotations

import pytest
from a_host_state import bridges, flow, guest_port, state
from an_agent import Agent
from hosted import on_a_host, shell
from wires import captured, plug, reached_within, reaches

from netglass.desired.state import DEAD_VLAN, HostState, PortTag, SwitchPort, Thing

pytestmark = pytest.mark.host

MENDED_WITHIN_S = 2.0


def pair(vlan: int = 1) -> HostState:
    """Gives a host with two guests' ports on a local VLAN."""
    return state(bridges(), guest_port(1, vlan), guest_port(2, vlan))


def over_the_provider() -> HostState:
    """Gives a host with one guest's port on VLAN 1, which is 1001 on the provider bridge, where `outside0` is."""
    base = {"owner": "switching", "intent": ("host:a",)}
    return state(
        bridges(),
        guest_port(1),
        [
            flow("br-int", 3, 'in_port="int-br-eth2",dl_vlan=1001', "mod_vlan_vid:1,NORMAL"),
            flow("br-eth2", 4, 'in_port="phy-br-eth2",dl_vlan=1', "mod_vlan_vid:1001,NORMAL"),
            SwitchPort(**base, bridge="br-eth2", name="outside0"),
            PortTag(**base, port="outside0", vlan=1001),
        ],
    )


def wired(desired: HostState, outside: bool = False) -> Agent:
    agent = Agent()
    plug(2, "outside0") if outside else None
    agent.converge(desired)
    plug(1)
    None if outside else plug(2)
    assert reached_within("guest1", "10.9.0.2", 5)
    return agent


@pytest.mark.parametrize("device", ["qvop1", "qvbp1"])
def test_a_guests_cable_that_is_made_anew_carries_its_frames_again(device: str) -> None:
    @on_a_host
    def on_it() -> None:
        agent = wired(pair())
        shell("ip", "link", "delete", device)
        agent.converge(pair())
        assert reached_within("guest1", "10.9.0.2", MENDED_WITHIN_S)
        assert agent.differs(pair()).empty

    on_it()


@pytest.mark.parametrize("device", ["int-br-eth2", "phy-br-eth2"])
def test_the_cable_to_the_provider_that_is_made_anew_carries_frames_again(device: str) -> None:
    @on_a_host
    def on_it() -> None:
        agent = wired(over_the_provider(), outside=True)
        shell("ip", "link", "delete", device)
        agent.converge(over_the_provider())
        assert reached_within("guest1", "10.9.0.2", MENDED_WITHIN_S)

    on_it()


@on_a_host
def test_an_agent_that_comes_later_sees_a_cable_that_the_switch_has_lost() -> None:
    wired(pair())
    shell("ip", "link", "delete", "qvop1")
    shell("ip", "link", "add", "qvop1", "type", "veth", "peer", "name", "qvbp1")
    shell("ip", "link", "set", "qvop1", "up", "alias", "netglass plugging port:p1", "mtu", "1450")
    shell("ip", "link", "set", "qvbp1", "up", "master", "qbrp1", "alias", "netglass plugging port:p1", "mtu", "1450")
    Agent().converge(pair())
    assert reached_within("guest1", "10.9.0.2", MENDED_WITHIN_S)


@on_a_host
def test_flows_follow_a_port_that_has_got_another_number() -> None:
    agent = wired(over_the_provider(), outside=True)
    shell("ovs-vsctl", "del-port", "int-br-eth2")
    agent.database.run()
    assert not agent.differs(over_the_provider()).empty
    agent.converge(over_the_provider())
    assert reached_within("guest1", "10.9.0.2", MENDED_WITHIN_S)


@on_a_host
def test_ports_on_the_dead_vlan_do_not_reach_each_other_and_live_again_when_they_may() -> None:
    agent = wired(pair())
    agent.converge(pair(DEAD_VLAN))
    with captured("guest2", f"ether src {_mac_in('guest1')}") as frames:
        _send_raw("guest1")
        assert not reaches("guest1", "10.9.0.2")
    assert frames == []
    agent.converge(pair())
    assert reached_within("guest1", "10.9.0.2", MENDED_WITHIN_S)


@on_a_host
def test_ports_that_are_not_wired_yet_do_not_reach_each_other() -> None:
    agent = wired(pair())
    for port in ("qvop1", "qvop2"):
        shell("ovs-vsctl", "del-port", port)
    untagged = state(bridges(), [thing for n in (1, 2) for thing in guest_port(n) if not isinstance(thing, PortTag)])
    agent.converge(untagged)
    with captured("guest2", f"ether src {_mac_in('guest1')}") as frames:
        _send_raw("guest1")
        assert not reaches("guest1", "10.9.0.2")
    assert frames == []
    agent.converge(pair())
    assert reached_within("guest1", "10.9.0.2", MENDED_WITHIN_S)


@on_a_host
def test_a_port_that_is_half_dead_is_seen_and_put_right() -> None:
    agent = wired(pair())
    shell("ovs-vsctl", "set", "Port", "qvop1", "vlan_mode=trunk", "trunks=4095")
    assert not agent.differs(pair()).empty
    agent.converge(pair())
    assert reached_within("guest1", "10.9.0.2", MENDED_WITHIN_S)
    agent.converge(pair(DEAD_VLAN))
    shell("ovs-vsctl", "clear", "Port", "qvop1", "vlan_mode", "--", "clear", "Port", "qvop1", "trunks")
    assert not agent.differs(pair(DEAD_VLAN)).empty
    shell("ovs-vsctl", "set", "Port", "int-br-eth2", "trunks=7")
    agent.converge(pair(DEAD_VLAN))
    assert shell("ovs-vsctl", "get", "Port", "int-br-eth2", "trunks").strip() == "[]"


@on_a_host
def test_somebody_elses_ports_are_dead_to_each_other_once_we_say_so() -> None:
    def plugged(vlan: int) -> list[Thing]:
        things: list[Thing] = []
        for number in (1, 2):
            base = {"owner": "plugging", "intent": (f"port:p{number}",)}
            things.append(SwitchPort(**base, bridge="br-int", name=f"tapp{number}", awaited=True))
            things.append(PortTag(**base, port=f"tapp{number}", vlan=vlan))
        return things

    agent = Agent()
    agent.converge(state(bridges()))
    for number in (1, 2):
        plug(number, f"tapp{number}")
        shell("ovs-vsctl", "add-port", "br-int", f"tapp{number}")
    agent.converge(state(bridges(), plugged(3)))
    assert reached_within("guest1", "10.9.0.2", MENDED_WITHIN_S)
    for dead in (state(bridges(), plugged(DEAD_VLAN)), state(bridges())):
        agent.converge(state(bridges(), plugged(3)))
        agent.converge(dead)
        with captured("guest2", f"ether src {_mac_in('guest1')}") as frames:
            _send_raw("guest1")
            assert not reaches("guest1", "10.9.0.2")
        assert frames == []


def _mac_in(netns: str) -> str:
    return shell("ip", "netns", "exec", netns, "cat", "/sys/class/net/eth0/address").strip()


def _send_raw(netns: str) -> None:
    """Sends broadcasts as a guest would that knows the tag: untagged, tagged 4095, and tagged 0 in front of it."""
    program = (
        "import socket,sys\n"
        "wire=socket.socket(socket.AF_PACKET,socket.SOCK_RAW); wire.bind(('eth0',0))\n"
        "own=bytes.fromhex(open('/sys/class/net/eth0/address').read().strip().replace(':',''))\n"
        "for tags in ('', '81000fff', '81000000', '8100000081000fff', '81000fff81000001'):\n"
        "    wire.send(b'\\xff'*6+own+bytes.fromhex(tags+'88b5')+bytes(50))\n"
    )
    shell("ip", "netns", "exec", netns, "/usr/bin/python3", "-c", program)
