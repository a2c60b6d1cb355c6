"""What a host looks like when one thing of the blog post's story is otherwise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from golden.stories import BASIC_USE_CASES, DHCP_PORT, IMAGE, NET1, SUBNET1, VM, VM_PORT
from netglass.compile.compiler import compile_host
from netglass.desired.state import DEAD_VLAN, HostState
from netglass.model.resources import FixedIp, Host, LocalVlan, Network, Port, Row, Server, Subnet
from netglass.model.snapshot import Snapshot

OTHER = "6e2f7a10-1111-4797-b7c0-7d420d84040c"


def compiled(
    host: str, *more: Row, without: str = "", change: dict[str, dict[str, Any]] | None = None, **settings: Any
) -> HostState:
    """Compiles the story with some rows changed (by id), one left out, and others on top."""
    rows = []
    for row in BASIC_USE_CASES:
        if row.id == without:
            continue
        changed = msgspec.structs.replace(row, **(change or {}).get(row.id, {}))
        if isinstance(changed, Host):
            changed = msgspec.structs.replace(changed, settings=msgspec.structs.replace(changed.settings, **settings))
        rows.append(changed)
    return compile_host(Snapshot.of([*rows, *more]), host)


def codes(state: HostState) -> list[str]:
    return [diagnostic.code for diagnostic in state.diagnostics]


def devices(state: HostState) -> set[str]:
    return {link.name for link in state.links if link.name.startswith(("tap", "qbr", "qvb", "qvo"))}


CHAIN = {"qbr53903a95-82", "qvb53903a95-82", "qvo53903a95-82"}
TAP = "tap53903a95-82"


def test_a_stopped_server_keeps_its_wiring_and_loses_its_guest() -> None:
    state = compiled("compute1", change={VM: {"power": "stopped"}})
    assert (state.guests, state.guest_boots) == ((), ())
    assert devices(state) == CHAIN
    assert [tag.vlan for tag in state.port_tags] == [3]


def test_a_stopped_server_has_no_tap_to_plug_into_the_switch() -> None:
    state = compiled("compute1", change={VM: {"power": "stopped"}}, firewall_driver="openvswitch")
    assert devices(state) == set()
    assert state.port_tags == ()
    running = compiled("compute1", firewall_driver="openvswitch")
    assert devices(running) == {TAP}
    assert [tag.port for tag in running.port_tags] == [TAP]


def test_a_guest_boots_only_once_all_its_ports_are_active() -> None:
    waiting = compiled("compute1", change={VM_PORT: {"status": "DOWN"}})
    assert [guest.server_id for guest in waiting.guests] == [VM]
    assert waiting.guest_boots == ()
    assert [boot.boot for boot in compiled("compute1").guest_boots] == [1]


@pytest.mark.parametrize("change", [{VM: {"vm_state": "active"}}, {VM_PORT: {"admin_state_up": False}}])
def test_a_guest_that_has_run_or_whose_port_is_meant_to_be_down_is_not_held_back(
    change: dict[str, dict[str, Any]],
) -> None:
    state = compiled("compute1", change={VM_PORT: {"status": "DOWN"} | change.get(VM_PORT, {}), **_but(change)})
    assert len(state.guest_boots) == 1


def _but(change: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row_id: values for row_id, values in change.items() if row_id != VM_PORT}


def test_a_guest_outlives_its_image_but_never_runs_on_one_of_another_sort() -> None:
    assert len(compiled("compute1", without=IMAGE.id).guests) == 1
    other = compiled("compute1", change={IMAGE.id: {"guest": "full"}})
    assert other.guests == ()
    assert codes(other) == ["unsupported-guest"]


@pytest.mark.parametrize("row_id", [VM_PORT, NET1])
@pytest.mark.parametrize("driver", ["iptables_hybrid", "openvswitch"])
def test_a_port_that_is_down_stays_on_the_dead_vlan_and_what_it_sends_is_dropped_and_counted(
    row_id: str, driver: str
) -> None:
    state = compiled("compute1", change={row_id: {"admin_state_up": False}}, firewall_driver=driver)
    device = "qvo53903a95-82" if driver == "iptables_hybrid" else TAP
    assert [(tag.port, tag.vlan) for tag in state.port_tags] == [(device, DEAD_VLAN)]
    drops = [flow for flow in state.flows if flow.match == f'in_port="{device}"']
    assert [(flow.priority, flow.actions) for flow in drops] == [(2, "drop")]


@pytest.mark.parametrize(
    ("code", "change", "without"),
    [
        ("unknown-physical-network", {NET1: {"physical_network": "nowhere"}}, ""),
        ("unsupported-network-type", {NET1: {"network_type": "vxlan"}}, ""),
        ("bad-segment", {NET1: {"segmentation_id": None}}, ""),
        ("bad-segment", {NET1: {"segmentation_id": 4095}}, ""),
        ("bad-local-vlan", {f"compute1/{NET1}": {"vlan": DEAD_VLAN}}, ""),
        ("missing-network", {}, NET1),
        ("network-not-carried", {}, f"compute1/{NET1}"),
    ],
)
def test_a_network_that_the_host_cannot_carry_leaves_its_ports_unwired(
    code: str, change: dict[str, dict[str, Any]], without: str
) -> None:
    state = compiled("compute1", change=change, without=without)
    assert code in codes(state)
    assert [tag.vlan for tag in state.port_tags] == [DEAD_VLAN]
    assert not [flow for flow in state.flows if "mod_vlan_vid" in flow.actions]


@pytest.mark.parametrize("same", [{"vlan": 3}, {"vlan": 4, "segment": 1000}])
def test_of_two_networks_with_one_tag_or_one_segment_only_the_first_is_wired(same: dict[str, int]) -> None:
    network = Network(id=OTHER, physical_network="default", segmentation_id=same.get("segment", 1001))
    tag = LocalVlan(id=f"compute1/{OTHER}", host="compute1", network_id=OTHER, vlan=same["vlan"])
    state = compiled("compute1", network, tag)
    assert codes(state) == ["network-collision"]
    wired = [flow.intent for flow in state.flows if "mod_vlan_vid" in flow.actions]
    assert all(f"network:{NET1}" in intent for intent in wired)
    assert len(wired) == 2


def test_a_port_of_an_outside_compute_service_is_only_tagged() -> None:
    state = compiled("compute1", without=VM)
    assert devices(state) == set()
    assert [(port.name, port.awaited) for port in state.switch_ports if not port.trunk] == [("qvo53903a95-82", True)]
    assert [(tag.port, tag.vlan) for tag in state.port_tags] == [("qvo53903a95-82", 3)]


def test_a_host_without_a_row_is_asked_for_nothing() -> None:
    assert compiled("compute1", without="compute1") == HostState(host="compute1")


def test_the_link_between_the_bridges_takes_the_largest_network() -> None:
    state = compiled("compute1", change={NET1: {"mtu": 9000}})
    assert {link.mtu for link in state.links if link.name.endswith("br-eth2")} == {9000}
    assert {link.mtu for link in state.links if link.name in CHAIN} == {9000}
    assert state.guests[0].nics[0].mtu == 9000


def test_checksums_are_filled_in_by_the_kernel_only_where_the_switch_is_in_user_space() -> None:
    def off(state: HostState) -> set[str]:
        return {link.name for link in state.links if not link.tx_checksum}

    assert off(compiled("compute1")) == {"qvb53903a95-82", "qvo53903a95-82"}
    assert off(compiled("compute1", datapath_type="system")) == set()


def test_ids_that_begin_alike_do_not_share_devices() -> None:
    twin = VM_PORT[:11] + "ffffffff" + VM_PORT[19:]
    port = Port(
        id=twin,
        network_id=NET1,
        mac_address="fa:16:3e:00:00:09",
        device_owner="compute:nova",
        device_id=VM,
        host_id="compute1",
    )
    state = compiled("compute1", port)
    assert "name-collision" in codes(state)
    first = min(VM_PORT, twin)
    assert all(f"port:{first}" in link.intent for link in state.links if link.name in CHAIN)


# --- DHCP


def _dhcp_lines(state: HostState, name: str) -> list[str]:
    return next(file.text for file in state.files if file.path.endswith(f"/{name}")).splitlines()


@pytest.mark.parametrize("change", [{SUBNET1: {"enable_dhcp": False}}, {DHCP_PORT: {"fixed_ips": ()}}])
def test_without_a_subnet_to_serve_there_is_no_dhcp_server(change: dict[str, dict[str, Any]]) -> None:
    state = compiled("control", change=change)
    assert (state.namespaces, state.daemons, state.files) == ((), (), ())


def test_every_port_of_the_network_has_its_line_wherever_it_is() -> None:
    state = compiled("control")
    assert _dhcp_lines(state, "host") == ["fa:16:3e:fe:c7:87,host-10-0-0-3.openstacklocal,10.0.0.3"]
    assert f"port:{VM_PORT}" in state.daemons[0].intent
    assert [(lease.mac, lease.address, lease.server) for lease in state.daemons[0].leases] == [
        ("fa:16:3e:fe:c7:87", "10.0.0.3", "10.0.0.2")
    ]


def test_a_port_whose_line_was_refused_is_not_served_and_the_others_are() -> None:
    port = Port(id=OTHER, network_id=NET1, mac_address="bad,mac", fixed_ips=(FixedIp(SUBNET1, "10.0.0.4"),))
    state = compiled("control", port)
    assert codes(state) == ["refused-text"]
    assert len(_dhcp_lines(state, "host")) == 1
    assert f"port:{OTHER}" not in state.daemons[0].intent


def test_one_dhcp_port_of_a_network_serves_and_the_second_is_told_of() -> None:
    second = Port(
        id=OTHER,
        network_id=NET1,
        mac_address="fa:16:3e:00:00:08",
        device_owner="network:dhcp",
        fixed_ips=(FixedIp(SUBNET1, "10.0.0.9"),),
        host_id="control",
    )
    state = compiled("control", second)
    assert codes(state) == ["second-dhcp-port"]
    assert [daemon.name for daemon in state.daemons] == [f"dnsmasq-{NET1}", f"haproxy-{NET1}"]


def test_all_dhcp_servers_of_a_network_are_nameservers_where_it_has_none() -> None:
    elsewhere = Port(
        id=OTHER,
        network_id=NET1,
        mac_address="fa:16:3e:00:00:08",
        device_owner="network:dhcp",
        fixed_ips=(FixedIp(SUBNET1, "10.0.0.9"),),
        host_id="compute1",
    )
    state = compiled("control", elsewhere)
    assert f"tag:subnet-{SUBNET1},option:dns-server,10.0.0.2,10.0.0.9" in _dhcp_lines(state, "opts")


@pytest.mark.parametrize(
    ("modes", "ranges", "lines"),
    [
        ((None, None), 1, 1),
        (("dhcpv6-stateful", "dhcpv6-stateful"), 1, 1),
        (("dhcpv6-stateless", "dhcpv6-stateless"), 1, 0),
        (("slaac", "slaac"), 0, 0),
        (("slaac", None), 0, 0),
    ],
)
def test_ipv6_addresses_come_from_dhcp_only_where_the_subnet_says_so(
    modes: tuple[str | None, str | None], ranges: int, lines: int
) -> None:
    subnet = Subnet(
        id=OTHER,
        network_id=NET1,
        ip_version=6,
        cidr="2001:db8::/64",
        ipv6_ra_mode=modes[0],
        ipv6_address_mode=modes[1],
    )

    def both(v4: str, v6: str) -> tuple[FixedIp, ...]:
        return FixedIp(SUBNET1, v4), FixedIp(OTHER, v6)

    state = compiled(
        "control",
        subnet,
        change={
            DHCP_PORT: {"fixed_ips": both("10.0.0.2", "2001:db8::2")},
            VM_PORT: {"fixed_ips": both("10.0.0.3", "2001:db8::3")},
        },
    )
    argv = state.daemons[0].argv
    assert sum(word.startswith("--dhcp-range=") and "2001:" in word for word in argv) == ranges
    assert sum("2001:" in line for line in _dhcp_lines(state, "host")) == lines
    assert f"port:{VM_PORT}" in state.daemons[0].intent


def test_a_subnet_that_dnsmasq_would_not_start_with_is_left_out() -> None:
    wide = Subnet(id=OTHER, network_id=NET1, ip_version=6, cidr="2001:db8::/48")
    state = compiled(
        "control",
        wide,
        change={DHCP_PORT: {"fixed_ips": (FixedIp(SUBNET1, "10.0.0.2"), FixedIp(OTHER, "2001:db8::2"))}},
    )
    assert codes(state) == ["refused-text"]
    assert sum(word.startswith("--dhcp-range=") for word in state.daemons[0].argv) == 1


def test_a_server_that_names_a_port_of_another_host_gets_no_nic_for_it() -> None:
    state = compiled("compute1", change={VM_PORT: {"host_id": "control"}})
    assert [guest.nics for guest in state.guests] == [()]
    assert codes(state) == ["missing-port"]


def test_a_server_on_another_host_is_no_guest_here() -> None:
    state = compiled("control", Server(id=OTHER, name="x", flavor_id="f", image_id="i", host="compute1"))
    assert state.guests == ()
