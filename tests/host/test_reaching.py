"""Whether a machine is there, as another finds out past both switches."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hosted import on_a_host, shell

from netglass.agent.witness import Witness
from netglass.host.reaching import Neighbour, answers_echo, answers_of
from netglass.model.protocol import Question
from netglass.model.resources import HostSettings

pytestmark = pytest.mark.host

_SOON_S = 1.0
_MAC = bytes.fromhex("fa163e000001")
_ROUTER = Neighbour(0, IPv4Address("203.0.113.9"), _MAC)
_INSIDE = Neighbour(1000, IPv4Address("10.0.1.1"), _MAC)


def _two_machines() -> None:
    """Makes this one, whose NIC is on a bridge, and another, with an address untagged and one in a VLAN."""
    shell("ip", "netns", "add", "other")
    shell("ip", "link", "add", "eth3", "type", "veth", "peer", "name", "far3")
    for bridge, nic in (("br-ex", "eth3"), ("br-far", "far3")):
        shell("ip", "link", "set", nic, "up")
        shell("ovs-vsctl", "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev")
        shell("ovs-vsctl", "add-port", bridge, nic)
    for device, neighbour in (("outside", _ROUTER), ("inside", _INSIDE)):
        tag = [f"tag={neighbour.vlan}"] if neighbour.vlan else []
        shell("ovs-vsctl", "add-port", "br-far", device, *tag, "--", "set", "interface", device, "type=internal")
        shell("ip", "link", "set", device, "netns", "other")
        shell("ip", "-n", "other", "link", "set", device, "address", neighbour.mac.hex(":"))
        shell("ip", "-n", "other", "link", "set", device, "up")
        shell("ip", "-n", "other", "address", "add", f"{neighbour.address}/24", "dev", device)


@on_a_host
def test_an_address_answers_from_the_mac_and_in_the_vlan_that_it_has_and_no_other() -> None:
    _two_machines()
    other_mac = Neighbour(0, _ROUTER.address, bytes.fromhex("fa163e000002"))
    other_vlan = Neighbour(1001, _INSIDE.address, _MAC)
    gone = Neighbour(0, IPv4Address("203.0.113.10"), _MAC)
    assert answers_of("eth3", {_ROUTER, _INSIDE}, _SOON_S) == {_ROUTER, _INSIDE}
    assert answers_of("eth3", {_ROUTER, other_mac, other_vlan, gone}, _SOON_S) == {_ROUTER}


@on_a_host
def test_an_echo_comes_back_from_who_is_there() -> None:
    _two_machines()
    for here, there in (("203.0.113.1", str(_ROUTER.address)), ("fd00::1", "fd00::9")):
        shell("ip", "link", "set", "br-ex", "up")
        shell("ip", "address", "replace", f"{here}/24" if "." in here else f"{here}/64", "dev", "br-ex", "nodad")
        shell("ip", "-n", "other", "address", "replace", "fd00::9/64", "dev", "outside", "nodad")
        assert answers_echo(there, here, _SOON_S)
        assert not answers_echo(there[:-1] + "8", here, 0.5)


@on_a_host
def test_a_witness_says_what_it_sees_what_it_misses_and_nothing_of_what_it_cannot_tell() -> None:
    _two_machines()
    mappings = {"external": "br-ex", "broken": "br-none"}
    nics = {"br-ex": "eth3", "br-none": "eth9"}
    witness = Witness(HostSettings(bridge_mappings=mappings, bridge_nics=nics, local_ip="192.0.2.1"))
    signs = """[{"address": "203.0.113.9", "physical_network": "external", "mac": "fa:16:3e:00:00:01"},
        {"address": "203.0.113.8", "physical_network": "external", "mac": "fa:16:3e:00:00:01"},
        {"address": "203.0.113.7", "physical_network": "broken", "mac": "fa:16:3e:00:00:01"},
        {"address": "203.0.113.6", "physical_network": "elsewhere", "mac": "fa:16:3e:00:00:01"},
        {"address": "192.0.2.2"}]"""
    answer = witness.answer(Question(id="q", ask="signs", arguments={"signs": signs}))
    assert (answer.ok, answer.value) == (True, {"seen": (0,), "missed": (1,)})
    assert not witness.answer(Question(id="q", ask="signs")).ok
