"""A port that somebody else plugs in is found by its iface-id, whatever its device is called, whenever it comes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hosted import on_a_host, shell
from one_host import GROUP, on_one_host
from whole_agent import WholeAgent, whole_agent

from golden.stories import NET1, SUBNET1
from netglass.base.ids import qvo_name, tap_name
from netglass.model.resources import FixedIp, Port, Row

pytestmark = pytest.mark.host

PORT = "b2b0f4de-5521-4c55-8a3d-000000000009"
MAC, ADDRESS, SERVER = "fa:16:3e:00:00:09", "10.0.0.9", "10.0.0.2"
DRIVERS = {"iptables_hybrid": qvo_name(PORT), "openvswitch": tap_name(PORT)}
SOON_S = 10.0


def with_an_outside_port(driver: str) -> list[Row]:
    """Gives a cloud on one host, on which somebody else runs a guest."""
    port = Port(
        id=PORT,
        network_id=NET1,
        mac_address=MAC,
        device_owner="compute:elsewhere",
        device_id="theirs",
        fixed_ips=(FixedIp(SUBNET1, ADDRESS),),
        host_id="all",
        port_security_enabled=False,  # a guarded one has a bridge before the switch, or is named by flows
    )
    return [*on_one_host(driver), port]


def plug(device: str, guest: str, iface_id: str = PORT, of_mac: str = MAC) -> None:
    """Makes a guest out of a namespace, and plugs it in as a compute service does."""
    shell("ip", "netns", "add", guest)
    shell("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", guest)
    shell("ip", "-n", guest, "link", "set", "eth0", "address", of_mac, "up")
    shell("ip", "link", "set", device, "up")
    ids = [f"external_ids:{key}={value}" for key, value in (("iface-id", iface_id), ("vm-id", "theirs"))]
    mac = f'external_ids:attached-mac="{of_mac}"'
    shell("ovs-vsctl", "add-port", "br-int", device, "--", "set", "Interface", device, *ids, mac)


def unplug(device: str, guest: str) -> None:
    shell("ovs-vsctl", "del-port", "br-int", device)
    shell("ip", "netns", "delete", guest)
    subprocess.run(["ip", "link", "delete", device], capture_output=True, check=False)  # its end is gone as a rule


def gets_its_address(guest: str) -> bool:
    """Says whether a guest's DHCP client is given the port's address, and with it reaches the server."""
    client = ("busybox", "udhcpc", "-n", "-q", "-f", "-t", "2", "-T", "1", "-i", "eth0", "-s", "/bin/true")
    said = subprocess.run(["ip", "netns", "exec", guest, *client], capture_output=True, text=True, check=False)
    if ADDRESS not in said.stderr + said.stdout:
        return False
    shell("ip", "-n", guest, "address", "replace", f"{ADDRESS}/24", "dev", "eth0")
    return reaches(guest)


def reaches(guest: str, address: str = SERVER) -> bool:
    argv = ("ip", "netns", "exec", guest, "ping", "-c1", "-W0.3", address)
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def vlan(device: str) -> str:
    return shell("ovs-vsctl", "get", "Port", device, "tag").strip()


def on_both(story: Callable[[WholeAgent, str], None]) -> None:
    """Plays a story on a host of each driver, whose name for the port's device it is told."""
    for driver, name in DRIVERS.items():

        @on_a_host
        def on_it(driver: str = driver, name: str = name) -> None:
            shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "wall2")
            with whole_agent("all", with_an_outside_port(driver)) as agent:
                agent.await_settled(SOON_S, lambda: Path(f"/var/run/netns/qdhcp-{NET1}").exists())
                story(agent, name)

        on_it()


def test_a_port_is_wired_under_any_name_and_again_after_it_was_away() -> None:
    def story(agent: WholeAgent, usual: str) -> None:
        for device, guest in ((usual, "first"), ("vm-9.eth0", "second"), ("vnet9", "third")):
            plug(device, guest)
            agent.await_settled(SOON_S, lambda guest=guest: gets_its_address(guest))  # type: ignore[misc]
            unplug(device, guest)
        assert not [text for _, text in agent.said if text.startswith("healed")]

    on_both(story)


def test_of_two_interfaces_with_one_iface_id_a_single_one_is_wired() -> None:
    def story(agent: WholeAgent, usual: str) -> None:
        plug("vnet1", "first")
        agent.await_settled(SOON_S, lambda: gets_its_address("first"))
        plug("vnet0", "second")
        agent.await_settled(SOON_S, lambda: any("more than once" in text for _, text in agent.said))
        assert reaches("first")
        assert vlan("vnet0") == "[]"
        assert not gets_its_address("second")
        unplug("vnet1", "first")
        agent.await_settled(SOON_S, lambda: gets_its_address("second"))

    on_both(story)


def test_a_device_of_the_usual_name_without_the_ports_iface_id_is_left_alone() -> None:
    def story(agent: WholeAgent, usual: str) -> None:
        plug(usual, "stranger", iface_id="another")
        plug("vnet0", "guest")
        agent.await_settled(SOON_S, lambda: gets_its_address("guest"))
        assert vlan(usual) == "[]"
        assert not gets_its_address("stranger")

    on_both(story)


def test_an_interface_may_be_there_before_the_port_is_bound() -> None:
    @on_a_host
    def on_it() -> None:
        shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "wall2")
        shell("ovs-vsctl", "add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev")
        plug("vnet0", "early")
        with whole_agent("all", with_an_outside_port("openvswitch")) as agent:
            agent.await_settled(SOON_S, lambda: gets_its_address("early"))

    on_it()


def test_a_port_without_port_security_and_a_guarded_one_of_its_host_reach_each_other() -> None:
    guarded = Port(
        id="c2b0f4de-5521-4c55-8a3d-000000000008",
        network_id=NET1,
        mac_address="fa:16:3e:00:00:08",
        device_owner="compute:elsewhere",
        device_id="also theirs",
        fixed_ips=(FixedIp(SUBNET1, "10.0.0.8"),),
        host_id="all",
        security_group_ids=(GROUP.id,),
    )

    @on_a_host
    def on_it() -> None:
        shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "wall2")
        with whole_agent("all", [*with_an_outside_port("openvswitch"), guarded]) as agent:
            agent.await_settled(SOON_S, lambda: Path(f"/var/run/netns/qdhcp-{NET1}").exists())
            plug("vnet8", "guarded", guarded.id, guarded.mac_address)
            shell("ip", "-n", "guarded", "address", "add", "10.0.0.8/24", "dev", "eth0")
            plug("vnet9", "open")
            agent.await_settled(SOON_S, lambda: gets_its_address("open"))
            agent.await_settled(SOON_S, lambda: reaches("open", "10.0.0.8"))
            assert reaches("guarded", ADDRESS)

    on_it()
