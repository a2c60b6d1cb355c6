"""Readers of commands' output, tried on what the real commands printed."""

from __future__ import annotations

from pathlib import Path

from netglass.demo.reading import captures, client, dhcp, links, metadata, routing, switch, tracing

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


SHOWN = """\
    Bridge br-tun
        fail_mode: secure
        Port gre-c0a88572
            Interface gre-c0a88572
                type: gre
                options: {df_default="true", in_key=flow, local_ip="192.168.133.112", remote_ip="192.168.133.114"}
        Port patch-int
            Interface patch-int
                type: patch
                options: {peer=patch-tun}
"""


def test_options_of_switch_ports_are_read_with_and_without_quotes() -> None:
    ports = switch.bridges(SHOWN)["br-tun"]
    assert ports["patch-int"].options == {"peer": "patch-tun"}
    assert ports["gre-c0a88572"].options == {
        "df_default": "true",
        "in_key": "flow",
        "local_ip": "192.168.133.112",
        "remote_ip": "192.168.133.114",
    }


def test_ports_are_numbered_as_openflow_numbers_them() -> None:
    text = " 1(patch-int): addr:76:7c:cb:84:54:f3\n     config:     0\n 12(gre-2): addr:16:14:65:eb:26:8c\n"
    text += " LOCAL(br-tun): addr:1e:5e:83:65:02:4e\n"
    assert switch.numbers(text) == {"patch-int": 1, "gre-2": 12}


WIRE = """\
05:27:01.02 IP 192.168.133.112 > 192.168.133.114: GREv0, key=0x1f, length 106: IP 10.0.0.4 > 10.0.0.3: ICMP echo request
05:27:01.03 qg-818cfad7-87 Out IP 203.0.113.100 > 198.51.100.10: ICMP echo reply, id 37004, seq 1, length 64
05:27:01.04 ARP, Request who-has 10.0.0.3 tell 10.0.0.4, length 28
"""


def test_packets_in_tunnels_are_read_with_key_and_what_is_inside() -> None:
    (found,) = captures.tunnelled(WIRE)
    assert (found.source, found.destination, found.key) == ("192.168.133.112", "192.168.133.114", 0x1F)
    assert captures.carried(WIRE, "192.168.133.112", "192.168.133.114", 31) == (found.inner,)
    assert captures.carried(WIRE, "192.168.133.112", "192.168.133.114", 1) == ()


def test_echoes_say_by_which_device_and_are_seen_in_tunnels() -> None:
    inner, outer = captures.echoes(WIRE)
    assert inner == captures.Echo(kind="request", source="10.0.0.4", destination="10.0.0.3")
    assert outer.device == "qg-818cfad7-87"


def test_rules_are_read_with_negations_and_counters() -> None:
    text = (
        "-P PREROUTING ACCEPT\n"
        "-A snat ! -o qg-1 -m conntrack ! --ctstate DNAT -c 3 180 -j ACCEPT\n"
        "-A snat -o qg-1 -j SNAT --to-source 203.0.113.100 --random-fully\n"
    )
    first, second = routing.rules(text)
    assert first.packets == 3
    assert first.has(o="! qg-1", ctstate="! DNAT", j="ACCEPT")
    assert second.has(o="qg-1", to_source="203.0.113.100")
    assert not second.has(o="qg-2")
    assert second.packets == 0


def test_the_next_hop_is_the_default_routes() -> None:
    assert routing.next_hop("10.0.0.0/24 dev eth0 scope link\ndefault via 10.0.0.1 dev eth0\n") == "10.0.0.1"
    assert routing.next_hop("169.254.169.254 via 10.0.0.1 dev eth0 src 10.0.0.3 uid 0\n    cache\n") == "10.0.0.1"
    assert routing.next_hop("") == ""


def test_listeners_and_processes_meet_by_process_id() -> None:
    listed = (
        "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n"
        'LISTEN 0      256    0.0.0.0:9697       0.0.0.0:*    users:(("haproxy",pid=111,fd=5))\n'
        'LISTEN 0      256    [fe80::a9fe:a9fe]%qr-1:80 [::]:* users:(("haproxy",pid=112,fd=4))\n'
    )
    assert metadata.listeners(listed) == {9697: 111, 80: 112}
    assert metadata.processes("    PID COMMAND\n    111 haproxy -f x.conf\n") == {111: "haproxy -f x.conf"}


def test_the_last_request_for_metadata_is_read_with_its_headers() -> None:
    capture = (
        "..r.GET /netglass/v1/hosts/network/instance?address=10.0.0.3 HTTP/1.1\nX-Other: 1\n\n"
        "a..GET /metadata/latest/meta-data/instance-id HTTP/1.1\nHost: x\nX-Instance-ID: 7\nX-Forwarded-For: 10.0.0.3\n"
    )
    path, headers = metadata.request(capture)
    assert path == "/metadata/latest/meta-data/instance-id"
    assert headers == {"X-Instance-ID": "7", "X-Forwarded-For": "10.0.0.3"}
    assert metadata.request("nothing") == ("", {})
    assert metadata.document('{"uuid":"7"\n"meta":{"role":"web"\n"x":"1"}}') == {
        "uuid": "7",
        "meta": {"role": "web", "x": "1"},
    }
    assert metadata.document("no JSON") == metadata.document("[1]") == {}


def test_a_told_trace_is_read_by_its_numbered_sentences() -> None:
    told = tracing.steps("ICMP echo from a\n  1. br-int on bob gets it.\n 10. The wire takes it.\nDelivered.\n")
    assert told == ("br-int on bob gets it.", "The wire takes it.")
    assert tracing.passes(told, ("The wire", "br-tun on bob", "br-int on bob")) == ("br-int on bob", "The wire")
