"""Which ports stand on a host, and what of that its server needs to be told."""

from __future__ import annotations

from netglass.agent.standing import guest_changes, owes, port_changes, ports_missing, ports_of
from netglass.desired.state import Daemon, File, GuestBoot, HostState, Link, PortTag, SwitchPort
from netglass.model.protocol import GuestReport
from netglass.model.resources import Port, Server
from netglass.model.snapshot import Snapshot

LINK = Link(owner="plugging", intent=("port:p1", "server:s1"), name="qvop1", form="veth")
TAG = PortTag(owner="plugging", intent=("network:n", "port:p1"), port="qvop1", vlan=1)
FILE = File(owner="dhcp", intent=("network:n", "port:d", "port:p1", "port:p2"), path="/d/host", text="x")
DAEMON = Daemon(
    owner="dhcp", intent=("network:n", "port:d"), name="dnsmasq-n", netns="", argv=("d",), reload_files=("/d/host",)
)
BOOT = GuestBoot(owner="guests", intent=("port:p9", "server:s1"), server_id="s1", boot=1)
STATE = HostState(host="h", links=(LINK,), port_tags=(TAG,), files=(FILE,), daemons=(DAEMON,), guest_boots=(BOOT,))


def _port(name: str, *, host: str = "h", on: tuple[str, ...] = (), owner: str = "compute:nova") -> Port:
    return Port(id=name, network_id="n", mac_address=name, host_id=host, realised_on=on, device_owner=owner)


def test_every_port_that_an_object_was_made_for_counts_but_not_for_its_boot() -> None:
    assert ports_of(STATE) == {"p1", "p2", "d"}


def test_one_missing_object_takes_its_ports_down() -> None:
    assert ports_missing(STATE, {"port_tags": {TAG.key: TAG}, "links": {}}) == {"p1"}


def test_a_guest_that_has_not_booted_holds_up_no_port() -> None:
    assert ports_missing(STATE, {"guest_boots": {BOOT.key: BOOT}}) == frozenset()


def test_a_daemon_that_was_not_told_of_its_files_serves_none_of_their_ports() -> None:
    assert ports_missing(STATE, {"daemons": {DAEMON.key: DAEMON}}) == {"d", "p1", "p2"}


def test_what_somebody_else_has_to_plug_in_is_not_owed_and_all_else_is() -> None:
    theirs = SwitchPort(owner="plugging", intent=("port:p1",), bridge="br-int", name="tapp1", awaited=True)
    waiting = {"switch_ports": {theirs.key: theirs}}
    tag = PortTag(owner="plugging", intent=("port:p1",), port="tapp1", vlan=1)
    other = PortTag(owner="plugging", intent=("port:p2",), port="tapp2", vlan=1)
    assert not owes({})
    assert not owes({**waiting, "port_tags": {tag.key: tag}})
    assert owes({"port_tags": {tag.key: tag}})
    assert owes({**waiting, "port_tags": {tag.key: tag, other.key: other}})


def test_only_what_rows_do_not_say_already_is_told() -> None:
    rows = [_port("new"), _port("known", on=("h",)), _port("broken", on=("h",)), _port("waiting")]
    told = port_changes(Snapshot.of(rows), "h", frozenset({"new", "known"}))
    assert told == (("new",), ("broken",))


def test_a_port_that_has_left_the_host_is_not_its_business() -> None:
    rows = [_port("moved", host="elsewhere", on=("h",))]
    assert port_changes(Snapshot.of(rows), "h", frozenset()) == ((), ())


def test_a_dhcp_host_tells_of_ports_elsewhere_that_it_no_longer_serves() -> None:
    rows = [_port("guest", host="elsewhere", on=("h",)), _port("d", on=("h",), owner="network:dhcp")]
    assert port_changes(Snapshot.of(rows), "h", frozenset({"d"})) == ((), ("guest",))


def _server(**changes: object) -> Server:
    values = {"id": "s1", "name": "s", "flavor_id": "f", "image_id": "i", "host": "h", "boot": 2} | changes
    return Server(**values)  # type: ignore[arg-type]


def _guest(state: str, boot: int = 2) -> dict[str, GuestReport]:
    return {"s1": GuestReport(server_id="s1", boot=boot, state=state)}


def test_a_guest_that_runs_is_told_until_its_row_says_active() -> None:
    building = Snapshot.of([_server()])
    assert [g.state for g in guest_changes(building, "h", _guest("running"))] == ["running"]
    active = Snapshot.of([_server(vm_state="active")])
    assert guest_changes(active, "h", _guest("running")) == ()


def test_a_guest_of_an_older_boot_is_not_told() -> None:
    assert guest_changes(Snapshot.of([_server()]), "h", _guest("running", boot=1)) == ()


def test_a_server_that_shall_stop_and_has_no_guest_any_more_is_stopped() -> None:
    stopping = Snapshot.of([_server(vm_state="active", power="stopped", task_state="powering-off")])
    assert [g.state for g in guest_changes(stopping, "h", {})] == ["stopped"]
    stopped = Snapshot.of([_server(vm_state="stopped", power="stopped")])
    assert guest_changes(stopped, "h", {}) == ()
