from __future__ import annotations

import msgspec

from netglass.desired.diff import Plan, plan, settled
from netglass.desired.order import making, removing
from netglass.desired.state import Daemon, Guest, HostState, Link, Nic, PortTag, SwitchPort, Sysctl
from netglass.desired.text import render_plan

WHY = {"owner": "plugging", "intent": ("port:1",)}
VETH = Link(**WHY, name="qvo1", form="veth", peer="qvb1")
TAP = Link(**WHY, name="tap1", form="tap", master="qbr1")
INTERNAL = Link(owner="dhcp", intent=("network:1", "port:2"), netns="qdhcp-1", name="tap2", form="internal")
PORT = SwitchPort(**WHY, bridge="br-int", name="qvo1")
TAG = PortTag(**WHY, port="qvo1", vlan=3)
EMPTY = HostState(host="h")


def state(**kinds: object) -> HostState:
    return msgspec.structs.replace(EMPTY, **{name: (thing,) for name, thing in kinds.items()})


def test_what_is_missing_is_added_and_what_is_surplus_deleted() -> None:
    difference = plan(state(links=VETH), state(links=INTERNAL))
    assert difference.of("links").add == (VETH,)
    assert difference.of("links").delete == (INTERNAL,)
    assert difference.counts() == {"add": 1, "change": 0, "delete": 1, "awaiting": 0}
    assert not difference.empty
    assert difference.pending == {"port:1"}


def test_what_is_otherwise_is_changed_whole() -> None:
    found = msgspec.structs.replace(VETH, mtu=1400, owner="", intent=("?",))
    assert plan(state(links=VETH), state(links=found)).of("links").change == ((found, VETH),)


def test_what_somebody_else_makes_is_waited_for_and_never_deleted() -> None:
    difference = plan(state(links=TAP), EMPTY)
    assert difference.of("links").awaiting == (TAP,)
    assert difference.empty
    assert difference.pending == {"port:1"}
    assert plan(EMPTY, state(links=TAP)) == Plan(host="h")
    loose = msgspec.structs.replace(TAP, master="")
    assert plan(state(links=TAP), state(links=loose)).of("links").change == ((loose, TAP),)


def test_the_tag_of_an_awaited_port_is_waited_for_with_it() -> None:
    awaited = msgspec.structs.replace(PORT, awaited=True)
    wanted = state(switch_ports=awaited, port_tags=TAG)
    assert plan(wanted, EMPTY).of("port_tags").awaiting == (TAG,)
    assert plan(wanted, state(switch_ports=awaited)).of("port_tags").add == (TAG,)
    assert plan(state(switch_ports=PORT, port_tags=TAG), EMPTY).of("port_tags").add == (TAG,)


def test_a_device_that_has_an_awaited_ports_name_and_is_not_it_gets_no_tag() -> None:
    wanted = state(switch_ports=msgspec.structs.replace(PORT, awaited=True), port_tags=TAG)
    strangers = msgspec.structs.replace(TAG, vlan=0)
    found = plan(wanted, state(port_tags=strangers)).of("port_tags")
    assert (found.awaiting, found.change, found.add) == ((TAG,), (), ())


def test_a_setting_goes_with_its_device_and_is_never_deleted() -> None:
    assert plan(EMPTY, state(sysctls=Sysctl(**WHY, netns="", name="a", value="1"))) == Plan(host="h")


def test_a_guest_runs_on_when_its_server_is_renamed_or_its_networks_mtu_changes() -> None:
    guest = Guest(
        owner="guests",
        intent=("server:1",),
        server_id="1",
        name="old",
        hostname="old",
        nics=(Nic(tap="tap1", mac="fa:16:3e:00:00:01", mtu=1500),),
        boot=1,
        directory="/x/1",
    )
    assert plan(state(guests=msgspec.structs.replace(guest, name="new")), state(guests=guest)).empty
    smaller = (msgspec.structs.replace(guest.nics[0], mtu=1400),)
    assert plan(state(guests=msgspec.structs.replace(guest, nics=smaller)), state(guests=guest)).empty
    other = (msgspec.structs.replace(guest.nics[0], mac="fa:16:3e:00:00:02"),)
    assert not plan(state(guests=msgspec.structs.replace(guest, nics=other)), state(guests=guest)).empty
    assert not plan(state(guests=msgspec.structs.replace(guest, boot=2)), state(guests=guest)).empty


def test_what_nothing_is_wanted_for_is_never_settled() -> None:
    assert settled(EMPTY, plan(EMPTY, EMPTY)) == frozenset()
    assert settled(state(links=VETH), plan(state(links=VETH), state(links=VETH))) == {"port:1"}
    assert settled(state(links=VETH), plan(state(links=VETH), EMPTY)) == frozenset()


def test_devices_are_made_before_what_plugs_them_in_and_internal_ones_moved_after_it() -> None:
    wanted = msgspec.structs.replace(EMPTY, links=(INTERNAL, VETH), switch_ports=(PORT,), port_tags=(TAG,))
    steps = [(step.kind, [thing.key for thing in step.add]) for step in making(plan(wanted, EMPTY))]
    assert steps == [
        ("links", ["/qvo1"]),
        ("switch_ports", ["qvo1"]),
        ("links", ["qdhcp-1/tap2"]),
        ("port_tags", ["qvo1"]),
    ]
    gone = [kind for kind, _ in removing(plan(EMPTY, wanted))]
    assert gone == ["port_tags", "switch_ports", "links"]


def test_a_routers_port_is_let_through_before_daemons_start_and_what_they_serve_after() -> None:
    routers = msgspec.structs.replace(TAG, owner="routing", port="qr-1")
    daemon = Daemon(owner="dhcp", intent=("network:1",), name="dnsmasq-1", netns="", argv=("dnsmasq", "-k"))
    wanted = msgspec.structs.replace(EMPTY, port_tags=(TAG, routers), daemons=(daemon,))
    steps = [(step.kind, [thing.key for thing in step.add]) for step in making(plan(wanted, EMPTY))]
    assert steps == [("port_tags", ["qr-1"]), ("daemons", ["dnsmasq-1"]), ("port_tags", ["qvo1"])]


def test_a_difference_reads_as_what_is_to_be_done() -> None:
    daemon = Daemon(owner="dhcp", intent=("network:1",), name="dnsmasq-1", netns="", argv=("dnsmasq", "-k"))
    other = msgspec.structs.replace(daemon, argv=("dnsmasq",))
    wanted = msgspec.structs.replace(EMPTY, links=(TAP, VETH), daemons=(daemon,))
    found = msgspec.structs.replace(EMPTY, daemons=(other,), port_tags=(TAG,))
    assert render_plan(plan(wanted, found), lambda ref: ref.upper()) == (
        "+ links qvo1 form=veth peer=qvb1  # plugging PORT:1\n"
        "? links tap1  # plugging PORT:1\n"
        "- port_tags qvo1  # plugging PORT:1\n"
        "~ daemons dnsmasq-1 argv: [dnsmasq] -> [dnsmasq, -k]  # dhcp NETWORK:1\n"
    )
