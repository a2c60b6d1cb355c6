"""Matches and actions mean what Open vSwitch's manual says."""

from __future__ import annotations

import msgspec
import pytest

from netglass.trace.acting import Action, Learnt, applied, learn, parse_actions
from netglass.trace.fields import Field, Frame, NotUnderstoodError, field_of
from netglass.trace.lookup import decisive
from netglass.trace.making import answer, probe, question
from netglass.trace.matching import matches
from netglass.trace.packet import BROADCAST, Packet

ONE, TWO = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
PING = msgspec.structs.replace(probe("10.0.0.1", "10.0.0.2"), eth_src=ONE, eth_dst=TWO)
TAGGED = msgspec.structs.replace(PING, vlan=5)
KEYED = msgspec.structs.replace(PING, tun_id=7)
WHO = question(ONE, "10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("match", "packet", "expected"),
    [
        ("", PING, True),
        ('in_port="a-b"', PING, True),
        ("in_port=other", PING, False),
        ("dl_vlan=5", TAGGED, True),
        ("dl_vlan=5", PING, False),
        ("dl_vlan=0xffff", PING, True),
        ("vlan_tci=0x0000/0x1fff", PING, True),
        ("vlan_tci=0x0000/0x1fff", TAGGED, False),
        ("dl_dst=00:00:00:00:00:00/01:00:00:00:00:00", PING, True),
        ("dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", WHO, True),
        ("dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", PING, False),
        (f"dl_vlan=5,dl_dst={TWO}", TAGGED, True),
        (f"dl_src={TWO}", PING, False),
        ("tun_id=0x7", KEYED, True),
        ("tun_id=0x7", PING, False),
        (f"arp,dl_dst={BROADCAST},arp_op=1", WHO, True),
        ("arp,arp_tpa=10.0.0.2,arp_op=1", WHO, True),
        ("arp,arp_tpa=10.0.0.3,arp_op=1", WHO, False),
        ("arp", PING, False),
        ("icmp", PING, True),
        ("tcp,tp_dst=80", probe("10.0.0.1", "10.0.0.2", "tcp", 80), True),
        ("tcp,tp_dst=81", probe("10.0.0.1", "10.0.0.2", "tcp", 80), False),
        ("ip,nw_dst=10.0.0.0/24", PING, True),
        ("icmp6,icmpv6_type=135", question(ONE, "fd00::1", "fd00::2"), True),
        ("ipv6,ipv6_dst=fd00::/64", PING, False),
    ],
)
def test_a_match_is_for_the_packets_that_it_says(match: str, packet: Packet, expected: bool) -> None:
    assert matches(match, Frame(packet, "a-b")) is expected


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("ct_state=+trk", True),
        ("ct_state=+est-rel-rpl+trk", False),
        ("ct_state=+new-est+trk", True),
        ("ct_state=-trk", False),
        ("ct_mark=0x1", False),
        ("ct_mark=0", True),
        ("ct_zone=3", True),
        ("reg5=0x7", True),
        ("reg5=0x8/0xf", False),
        ("reg6=0", True),
        ("metadata=0x1", False),
        ("icmp,icmp_type=8,icmp_code=0", True),
        ("ip,nw_ttl=64", True),
    ],
)
def test_a_match_is_for_what_the_switch_noted_beside_the_packet(match: str, expected: bool) -> None:
    frame = Frame(PING, "a", {"reg5": 7, "ct_zone": 3}, frozenset({"trk", "new"}))
    assert matches(match, frame) is expected


def test_what_is_not_understood_is_said_and_never_taken_for_no_match() -> None:
    for match in ("nsh_spi=7", "ct_state=+odd", "nw_src=10.0.0.0.1", "reg5=x"):
        with pytest.raises(NotUnderstoodError):
            matches(match, Frame(PING, "a"))
    with pytest.raises(NotUnderstoodError, match="meter:3"):
        parse_actions("meter:3,NORMAL")


def test_actions_are_read_in_their_order() -> None:
    assert parse_actions('strip_vlan,set_field:0x1->tun_id,output:"gre-1",output:b') == (
        Action("untag"),
        Action("set", Field("tun_id", "number"), 1),
        Action("output", value="gre-1"),
        Action("output", value="b"),
    )
    vlan = Field("vlan", "vlan")
    assert parse_actions("mod_vlan_vid:3,resubmit(,10)") == (Action("set", vlan, 3), Action("goto", value=10))
    nested = "ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark)),drop"
    assert [action.verb for action in parse_actions(nested)] == ["track", "drop"]


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("load:0x5->NXM_NX_REG5[]", {"reg5": 5, "reg6": 0x1234}),
        ("set_field:0x5->reg5", {"reg5": 5, "reg6": 0x1234}),
        ("load:0xff->NXM_NX_REG6[0..7]", {"reg6": 0x12FF}),
        ("move:NXM_NX_REG6[8..15]->NXM_NX_REG7[]", {"reg6": 0x1234, "reg7": 0x12}),
        ("move:NXM_OF_VLAN_TCI[0..11]->NXM_NX_REG8[0..11]", {"reg6": 0x1234, "reg8": 5}),
    ],
)
def test_registers_hold_what_is_put_into_their_bits(text: str, notes: dict[str, int]) -> None:
    (action,) = parse_actions(text)
    assert applied(action, Frame(TAGGED, "a", {"reg6": 0x1234})).notes == notes


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        (f"mod_dl_dst:{ONE}", "eth_dst", ONE),
        ("load:0xfa163e000001->NXM_OF_ETH_DST[]", "eth_dst", ONE),
        ("set_field:10.9.9.9->ip_dst", "ip_dst", "10.9.9.9"),
        ("mod_nw_src:10.9.9.9", "ip_src", "10.9.9.9"),
        ("dec_ttl", "ttl", 63),
        ("load:0->NXM_OF_VLAN_TCI[]", "vlan", None),
        ("set_field:4103->vlan_vid", "vlan", 7),
    ],
)
def test_fields_of_the_packet_are_set_whatever_they_are_called(text: str, field: str, value: object) -> None:
    (action,) = parse_actions(text)
    assert getattr(applied(action, Frame(TAGGED, "a")).packet, field) == value


def test_a_conjunction_stands_for_all_combinations_of_its_dimensions() -> None:
    def flow(match: str, actions: str, priority: int = 9) -> Learnt:
        return Learnt(0, priority, match, actions)

    flows = [
        flow("ip,nw_src=10.0.0.1", "conjunction(3,1/2)"),
        flow("ip,nw_src=10.0.0.9", "conjunction(3,1/2)"),
        flow("ip,nw_dst=10.0.0.2", "conjunction(3,2/2)"),
        flow("ip,conj_id=3", "output:a"),
        flow("", "drop", 1),
    ]
    chosen = decisive(flows, Frame(PING, "a"))
    assert chosen is not None
    assert chosen.flow.actions == "output:a"
    other = msgspec.structs.replace(PING, ip_dst="10.0.0.7")
    chosen = decisive(flows, Frame(other, "a"))
    assert chosen is not None
    assert chosen.flow.actions == "drop"


LEARN = (
    "learn(table=20,hard_timeout=300,priority=1,cookie=0x1,delete_learned,NXM_OF_VLAN_TCI[0..11],"
    "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],"
    "output:NXM_OF_IN_PORT[])"
)


def test_a_learnt_flow_leads_back_to_where_the_sender_is() -> None:
    (action,) = parse_actions(LEARN)
    found = learn(str(action.value), Frame(msgspec.structs.replace(TAGGED, tun_id=9), "gre-2"))
    assert (found.table, found.priority) == (20, 1)
    assert found.match == f"dl_vlan=5,dl_dst={ONE}"
    assert parse_actions(found.actions) == (
        Action("untag"),
        Action("set", field_of("tun_id"), 9),
        Action("output", value="gre-2"),
    )


def test_the_arp_responders_actions_turn_a_request_into_its_answer() -> None:
    text = (
        f"move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:{TWO}->eth_src,set_field:2->arp_op,"
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
        f"set_field:{TWO}->arp_sha,set_field:10.0.0.2->arp_spa,IN_PORT"
    )
    *setting, last = parse_actions(text)
    frame = Frame(WHO, "a")
    for action in setting:
        frame = applied(action, frame)
    assert last == Action("back")
    assert frame.packet == answer(WHO, TWO)
