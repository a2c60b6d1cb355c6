"""Matches and actions mean what Open vSwitch's manual says."""

from __future__ import annotations

import msgspec
import pytest

from netglass.trace.acting import Action, applied, learn, parse_actions
from netglass.trace.matching import NotUnderstoodError, matches
from netglass.trace.packet import BROADCAST, Packet, answer, probe, question

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
    assert matches(match, packet, "a-b") is expected


def test_what_is_not_understood_is_said_and_never_taken_for_no_match() -> None:
    with pytest.raises(NotUnderstoodError, match="ct_state"):
        matches("ct_state=+trk", PING, "a")
    with pytest.raises(NotUnderstoodError, match="meter:3"):
        parse_actions("meter:3,NORMAL")


def test_actions_are_read_in_their_order() -> None:
    assert parse_actions('strip_vlan,set_field:0x1->tun_id,output:"gre-1",output:b') == (
        Action("set", "vlan", None),
        Action("set", "tun_id", 1),
        Action("output", value="gre-1"),
        Action("output", value="b"),
    )
    assert parse_actions("mod_vlan_vid:3,resubmit(,10)") == (Action("set", "vlan", 3), Action("goto", value=10))


LEARN = (
    "learn(table=20,hard_timeout=300,priority=1,cookie=0x1,delete_learned,NXM_OF_VLAN_TCI[0..11],"
    "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],"
    "output:NXM_OF_IN_PORT[])"
)


def test_a_learnt_flow_leads_back_to_where_the_sender_is() -> None:
    (action,) = parse_actions(LEARN)
    found = learn(str(action.value), msgspec.structs.replace(TAGGED, tun_id=9), "gre-2")
    assert (found.table, found.priority) == (20, 1)
    assert found.match == f"dl_vlan=5,dl_dst={ONE}"
    assert parse_actions(found.actions) == (
        Action("set", "vlan", None),
        Action("set", "tun_id", 9),
        Action("output", value="gre-2"),
    )


def test_the_arp_responders_actions_turn_a_request_into_its_answer() -> None:
    text = (
        f"move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:{TWO}->eth_src,set_field:2->arp_op,"
        "move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],"
        f"set_field:{TWO}->arp_sha,set_field:10.0.0.2->arp_spa,IN_PORT"
    )
    *setting, last = parse_actions(text)
    packet = WHO
    for action in setting:
        packet = applied(action, packet)
    assert last == Action("back")
    assert packet == answer(WHO, TWO)
