"""Readers of commands' output, tried on what the real commands printed."""

from __future__ import annotations

from pathlib import Path

from netglass.demo.reading import client, dhcp, links, switch

RECORDED = Path(__file__).parent / "recorded"
NETWORK = "5f833617-6179-4797-b7c0-7d420d84040c"
TAP = "tap26c9b807-7c"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def test_namespaces_are_read_without_their_numbers() -> None:
    assert links.namespaces(recorded("netns")) == ("guest", f"qdhcp-{NETWORK}")


def test_devices_have_their_addresses_without_link_local_ones() -> None:
    found = links.devices(recorded("ipaddr"))
    assert set(found) == {"lo", TAP}
    assert found[TAP].addresses == ("10.0.0.2/24",)
    assert found[TAP].mac == "fa:16:3e:1d:5c:81"
    assert found[TAP].mtu == 1500
    assert found[TAP].up


def test_a_veth_end_is_named_without_its_peer() -> None:
    guest = links.devices(recorded("ipaddr_guest"))["eth0"]
    assert guest.addresses == ("10.0.0.5/24",)
    assert not links.devices(recorded("ipaddr_guest"))["lo"].up


def test_ethtool_and_ip_link_agree_on_the_peer() -> None:
    assert links.peer_index(recorded("ethtool")) == links.devices(recorded("iplink"))["phy-br-eth2"].index
    assert links.peer_index("no stats available\n") is None


def test_brctl_lists_further_ports_on_lines_of_their_own() -> None:
    assert links.bridge_ports(recorded("brctl")) == {"qbr53903a95-82": ("qvb53903a95-82", "tap53903a95-82")}


def test_brctl_without_bridges_or_ports_gives_none() -> None:
    head = recorded("brctl").splitlines()[0]
    assert links.bridge_ports(head) == {}
    assert links.bridge_ports(head + "\nqbr1\t\t8000.52116fc5b2d7\tno\t\t\n") == {"qbr1": ()}


def test_pings_of_either_program_are_counted() -> None:
    assert links.pings(recorded("ping")) == (2, 2)
    assert links.pings(recorded("bbping")) == (2, 2)
    assert links.pings(recorded("ping_lost")) == (2, 0)
    assert links.pings("ping: connect: Network is unreachable\n") == (0, 0)


def test_switch_ports_have_tag_and_type() -> None:
    found = switch.bridges(recorded("vsctl"))
    assert set(found) == {"br-int", "br-eth2"}
    assert found["br-int"][TAP] == switch.SwitchPort(tag=1, type="internal")
    assert found["br-int"]["int-br-eth2"] == switch.SwitchPort()
    assert set(found["br-eth2"]) == {"eth2", "phy-br-eth2", "br-eth2"}


def test_names_in_quotes_are_read_as_names() -> None:
    text = 'Bridge "br-eth2"\n  Port "eth2"\n    tag: 3\n    Interface "eth2"\n'
    assert switch.bridges(text) == {"br-eth2": {"eth2": switch.SwitchPort(tag=3)}}


def test_flows_are_read_with_match_actions_and_packets() -> None:
    rewriting, dropping, rest = switch.flows(recorded("flows_eth2"))
    assert rewriting.match == {"in_port": "2", "dl_vlan": "1"}
    assert rewriting.actions == "mod_vlan_vid:1000,NORMAL"
    assert (rewriting.priority, rewriting.packets) == (4, 22)
    assert dropping.actions == "drop"
    assert rest.match == {}


def test_rewrites_are_those_of_the_port_asked_for() -> None:
    dumped = switch.flows(recorded("flows_eth2"))
    assert switch.rewrites(dumped, ("2", "phy-br-eth2")) == {1: 1000}
    assert switch.rewrites(dumped, ("1", "eth2")) == {}
    assert switch.drops_the_rest(dumped, ("2",))
    assert not switch.drops_the_rest(dumped, ("1",))


def test_names_on_a_terminal_are_read_as_numbers_are() -> None:
    line = ' cookie=0x1, duration=1s, table=0, n_packets=0, n_bytes=0, in_port="int-br-eth2",dl_vlan=1000 '
    dumped = switch.flows(line + "actions=mod_vlan_vid:1,resubmit(,60)")
    assert switch.rewrites(dumped, ("int-br-eth2",)) == {1000: 1}
    assert dumped[0].priority == 32768


def test_dhcp_frames_say_who_asked_and_who_answered() -> None:
    found = dhcp.frames(recorded("tcpdump"))
    assert [f.kind for f in found] == ["Request", "Reply", "Request", "Reply"]
    assert {f.mac for f in found if f.kind == "Request"} == {"fa:16:3e:fe:c7:87"}
    assert {f.source for f in found if f.kind == "Reply"} == {"10.0.0.2"}


def test_a_host_file_maps_mac_to_address() -> None:
    found = dhcp.reservations(recorded("host"))
    assert found["fa:16:3e:fe:c7:87"].address == "10.0.0.5"
    assert dhcp.reservations("\n") == {}


def test_dnsmasq_is_found_by_the_device_it_serves() -> None:
    line = dhcp.serving(recorded("ps"), TAP)
    assert dhcp.options(line)["except-interface"] == "lo"
    assert "no-hosts" in dhcp.options(line)
    assert dhcp.serving(recorded("ps"), "tap0") == ""


def test_tables_of_the_client_are_read_by_their_headings() -> None:
    table = "note\n+----+---+\n| ID | Name |\n+---+---+\n| 1 | net1 |\n| 2 |  |\n+---+---+\n"
    assert client.rows(table) == ({"ID": "1", "Name": "net1"}, {"ID": "2", "Name": ""})
    assert client.rows("\n") == ()
    assert client.fields("| Field | Value |\n| id | 7 |\n| name | |\n") == {"id": "7", "name": ""}


def test_addresses_are_read_out_of_cells() -> None:
    assert client.addresses_on("net1=10.0.0.5, 10.0.0.6; net2=10.0.0.7", "net1") == ("10.0.0.5", "10.0.0.6")
    assert client.addresses_on("", "net1") == ()
