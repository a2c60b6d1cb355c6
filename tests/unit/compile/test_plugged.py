"""Ports that others plug in are known by their iface-id, and called by the names that they were given."""

from __future__ import annotations

import msgspec
import pytest

from netglass.compile.plugged import Found, as_plugged, names_of
from netglass.desired.state import Flow, HostState, PortTag, SwitchPort

USUAL = "tapb2b0f4de-55"
BASE = {"owner": "plugging", "intent": ("port:b2b0f4de",)}
AWAITED = SwitchPort(
    **BASE, bridge="br-int", name=USUAL, external_ids={"iface-id": "b2b0f4de"}, awaited=True, any_name=True
)
OURS = SwitchPort(owner="dhcp", intent=("port:d",), bridge="br-int", name="tapd", type="internal")
TAG = PortTag(**BASE, port=USUAL, vlan=3)


def flow(match: str, actions: str, port: str = USUAL) -> Flow:
    return Flow(**BASE, bridge="br-int", table=0, priority=1, match=match, actions=actions, cookie=1, port=port)


def state(*flows: Flow, awaited: SwitchPort = AWAITED) -> HostState:
    return HostState(host="h", switch_ports=(awaited, OURS), port_tags=(TAG,), flows=flows)


def found(name: str, *, iface_id: str = "b2b0f4de", works: bool = True, tagged: bool = False) -> Found:
    return Found(name=name, bridge="br-int", iface_id=iface_id, works=works, tagged=tagged)


def test_a_port_is_found_by_its_iface_id() -> None:
    assert names_of(state(), [found("vnet7"), found("vnet8", iface_id="another")]) == {USUAL: "vnet7"}
    assert names_of(state(), [found(USUAL)]) == {}
    assert names_of(state(), []) == {}


def test_where_its_filters_stand_before_a_device_of_one_name_no_other_will_do() -> None:
    bridged = msgspec.structs.replace(AWAITED, any_name=False)
    assert names_of(state(awaited=bridged), [found("vnet7")]) == {}


@pytest.mark.parametrize(
    ("interfaces", "chosen"),
    [
        ([found("b"), found("a")], "a"),
        ([found("a"), found("b", tagged=True)], "b"),
        ([found("b", tagged=True), found(USUAL)], None),
        ([found(USUAL, works=False), found("b")], "b"),
    ],
    ids=["the first by name", "the one that is wired", "the usual name", "what works"],
)
def test_of_several_the_same_one_is_taken_whatever_their_order(interfaces: list[Found], chosen: str | None) -> None:
    wanted = {USUAL: chosen} if chosen else {}
    assert names_of(state(), interfaces) == wanted
    assert names_of(state(), interfaces[::-1]) == wanted


@pytest.mark.parametrize("name", ["LOCAL", "normal", "a,b", 'a"b', "a b", "tapd", "x" * 16, ""])
def test_a_name_that_a_flow_could_misread_or_that_is_anothers_is_passed_over(name: str) -> None:
    assert names_of(state(), [found(name)]) == {}


def test_tags_and_flows_follow_the_port_to_its_name() -> None:
    receiving = flow("reg6=0x3", f'strip_vlan,output:"{USUAL}"')
    sending = flow(f'in_port="{USUAL}",dl_src=fa:16:3e:00:00:09', "resubmit(,60)")
    others = flow(f'in_port="{USUAL}x"', "drop", port=f"{USUAL}x")
    named = as_plugged(state(receiving, sending, others), {USUAL: "vnet7"})
    assert [port.name for port in named.switch_ports] == ["tapd", "vnet7"]
    assert [tag.port for tag in named.port_tags] == ["vnet7"]
    assert {(one.match, one.actions, one.port) for one in named.flows} == {
        ("reg6=0x3", "strip_vlan,output:vnet7", "vnet7"),
        ("in_port=vnet7,dl_src=fa:16:3e:00:00:09", "resubmit(,60)", "vnet7"),
        (others.match, "drop", f"{USUAL}x"),
    }
    keys = [one.key for one in named.flows]
    assert keys == sorted(keys)


def test_a_state_in_which_nothing_is_named_anew_is_the_same_one() -> None:
    wanted = state()
    assert as_plugged(wanted, {}) is wanted
