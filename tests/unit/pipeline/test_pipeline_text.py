"""Dump lines here are what Open vSwitch 3.1 printed (see tests/host/test_switch_prints.py for the switch itself)."""

from __future__ import annotations

import pytest

from netglass.desired.state import Flow
from netglass.pipeline.flows import UNTAGGED, Match, actions, set_vlan
from netglass.pipeline.text import Entry, parse_dump, parse_flow, render_add, render_delete

COOKIE = 0x4E47000000000001


def _flow(match: str, actions: str, priority: int = 4, table: int = 0) -> Flow:
    return Flow(
        owner="switching",
        intent=("network:n",),
        bridge="br-int",
        table=table,
        priority=priority,
        match=match,
        actions=actions,
        cookie=COOKIE,
    )


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (
            ' cookie=0x4e47000000000001, priority=4,in_port="int-br-eth2",dl_vlan=1 '
            "actions=set_field:5096->vlan_vid,NORMAL",
            Entry(0, 4, 'in_port="int-br-eth2",dl_vlan=1', "mod_vlan_vid:1000,NORMAL", COOKIE),
        ),
        (
            ' cookie=0x4e47000000000001, priority=5,in_port="tap_x.y",vlan_tci=0x0000/0x1fff '
            "actions=push_vlan:0x8100,set_field:4103->vlan_vid,NORMAL",
            Entry(0, 5, 'in_port="tap_x.y",vlan_tci=0x0000/0x1fff', "mod_vlan_vid:7,NORMAL", COOKIE),
        ),
        (
            " cookie=0x4e47000000000001, priority=5,in_port=eth2,dl_vlan=1 actions=pop_vlan,NORMAL",
            Entry(0, 5, "in_port=eth2,dl_vlan=1", "strip_vlan,NORMAL", COOKIE),
        ),
        (" cookie=0x4e47000000000001, priority=1 actions=NORMAL", Entry(0, 1, "", "NORMAL", COOKIE)),
        (" cookie=0x4e47000000000001, actions=NORMAL", Entry(0, 32768, "", "NORMAL", COOKIE)),
        (' cookie=0x1, tcp,in_port="1abc-def" actions=NORMAL', Entry(0, 32768, 'tcp,in_port="1abc-def"', "NORMAL", 1)),
        (" cookie=0x0, table=24, priority=0 actions=drop", Entry(24, 0, "", "drop", 0)),
        (" cookie=0x0, table=0, reset_counts priority=500 actions=drop", Entry(0, 500, "", "drop reset_counts", 0)),
        (
            " cookie=0x0, table=0, idle_timeout=9, send_flow_rem reset_counts priority=5,tcp actions=drop",
            Entry(0, 5, "tcp", "drop idle_timeout=9 send_flow_rem reset_counts", 0),
        ),
        (" cookie=0x0, table=4, hard_timeout=100, actions=NORMAL", Entry(4, 32768, "", "NORMAL hard_timeout=100", 0)),
        (
            " cookie=0x0, table=3, idle_timeout=100, send_flow_rem importance=4, priority=3,tcp actions=NORMAL",
            Entry(3, 3, "tcp", "NORMAL idle_timeout=100 send_flow_rem importance=4", 0),
        ),
    ],
)
def test_a_dumped_line_is_read_as_the_flow_that_it_is(line: str, entry: Entry) -> None:
    assert parse_flow(line) == entry


@pytest.mark.parametrize(
    ("match", "printed"),
    [
        ("dl_vlan=1", "push_vlan:0x8100,set_field:5096->vlan_vid,NORMAL"),  # a second tag on top
        ("", "push_vlan:0x8100,set_field:5096->vlan_vid,NORMAL"),
        ("vlan_tci=0x0000/0x1fff", "set_field:5096->vlan_vid,NORMAL"),
        ("dl_vlan=1", "set_field:1000->vlan_vid,NORMAL"),  # takes the tag's presence away
    ],
)
def test_actions_that_mean_something_else_never_look_like_ours(match: str, printed: str) -> None:
    assert parse_flow(f" cookie=0x0, priority=1{',' if match else ''}{match} actions={printed}").actions == printed


def test_what_is_no_flow_is_passed_over_in_a_dump() -> None:
    assert parse_dump(["OFPST_FLOW reply (OF1.5) (xid=0x4):", " cookie=0x0, priority=1 actions=drop"]) == [
        Entry(0, 1, "", "drop", 0)
    ]
    with pytest.raises(ValueError, match="no flow"):
        parse_flow("OFPST_FLOW reply (OF1.5) (xid=0x4):")


def test_lines_of_a_bundle_name_everything_that_a_flow_is() -> None:
    flow = _flow('in_port="int-br-eth2",dl_vlan=1000', "mod_vlan_vid:1,NORMAL", priority=3)
    assert render_add(flow) == (
        'add cookie=0x4e47000000000001,table=0,priority=3,in_port="int-br-eth2",dl_vlan=1000 '
        "actions=mod_vlan_vid:1,NORMAL"
    )
    assert render_delete(_flow("", "NORMAL", priority=1)) == (
        "delete_strict cookie=0x4e47000000000001/-1,table=0,priority=1"
    )


@pytest.mark.parametrize(
    ("match", "text"),
    [
        (Match(), ""),
        (Match(vlan=4095), "dl_vlan=4095"),
        (Match(in_port="phy-br-eth2", vlan=3), 'in_port="phy-br-eth2",dl_vlan=3'),
        (Match(in_port="eth2"), "in_port=eth2"),
        (Match(in_port="tap_x"), 'in_port="tap_x"'),
        (Match(in_port="9eth", vlan=UNTAGGED), 'in_port="9eth",vlan_tci=0x0000/0x1fff'),
    ],
)
def test_a_match_is_written_as_the_switch_prints_it(match: Match, text: str) -> None:
    assert match.text() == text


def test_no_action_is_a_drop() -> None:
    assert actions() == "drop"
    assert actions(set_vlan(7), "NORMAL") == "mod_vlan_vid:7,NORMAL"
