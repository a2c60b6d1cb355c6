"""Laws of compiling and comparing, over small clouds with and without contradictions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from random import Random

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from laws.strategies import HOSTS, any_clouds, broken_clouds, clouds, host_names, snapshot_of, snapshots
from netglass.compile.compiler import compile_host
from netglass.compile.relevant import relevant_rows
from netglass.desired.diff import Plan, plan, settled
from netglass.desired.order import MAKING, REMOVING, making, removing
from netglass.desired.state import DEAD_VLAN, KINDS, OWNERS, Guest, HostState, Thing
from netglass.desired.text import render_plan, render_state
from netglass.model.changes import Change
from netglass.model.resources import ROW_TYPES, Host, Row
from netglass.model.snapshot import Snapshot
from netglass.pipeline.cookies import unpack_cookie

# --- compiling


@given(st.lists(any_clouds(), min_size=1, max_size=4), host_names)
def test_what_a_host_must_look_like_depends_on_no_history(history: list[list[Row]], host: str) -> None:
    reached = Snapshot.empty()
    for revision, rows in enumerate(history, 1):
        reached = _turned_into(reached, snapshot_of(rows), revision)
        compile_host(reached, host)
    assert compile_host(reached, host) == compile_host(snapshot_of(history[-1]), host)


@given(any_clouds(), host_names, st.lists(st.randoms(use_true_random=False), min_size=1, max_size=4))
def test_what_is_remembered_of_other_intent_changes_no_answer(rows: list[Row], host: str, parts: list[Random]) -> None:
    for random in parts:
        part = [row for row in rows if random.random() < 0.8]
        copies = [msgspec.convert(msgspec.to_builtins(row), type(row)) for row in part]  # of which nothing is known
        assert compile_host(snapshot_of(part), host) == compile_host(snapshot_of(copies), host)


@given(any_clouds(), host_names, st.randoms(use_true_random=False))
def test_the_order_of_rows_means_nothing(rows: list[Row], host: str, random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert compile_host(snapshot_of(shuffled), host) == compile_host(snapshot_of(rows), host)


@given(snapshots(), host_names)
def test_a_host_needs_no_more_than_it_is_sent(snapshot: Snapshot, host: str) -> None:
    sent = snapshot_of(relevant_rows(snapshot, host).values())
    assert compile_host(sent, host) == compile_host(snapshot, host)


@given(snapshots(), host_names)
def test_without_intent_a_host_is_left_with_what_its_own_row_asks_for(snapshot: Snapshot, host: str) -> None:
    row = snapshot.get(Host, host)
    alone = compile_host(snapshot_of([row] if row else []), host)
    assert compile_host(Snapshot.empty(), host) == HostState(host=host)
    assert {thing.owner for thing in _things(alone)} <= {"switching", "tunnels"}
    assert {ref for thing in _things(alone) for ref in thing.intent} <= {f"host:{host}"}


@given(snapshots(), host_names)
def test_every_object_says_who_wants_it_and_why(snapshot: Snapshot, host: str) -> None:
    rows = {f"{t.kind}:{row.id}" for t in ROW_TYPES for row in snapshot.all(t)}
    for thing in _things(compile_host(snapshot, host)):
        assert thing.owner in OWNERS
        assert thing.intent
        assert list(thing.intent) == sorted(set(thing.intent))
        assert set(thing.intent) <= rows


@given(snapshots(), host_names)
def test_each_key_is_there_once_and_in_order(snapshot: Snapshot, host: str) -> None:
    state = compile_host(snapshot, host)
    for kind in KINDS:
        keys = [thing.key for thing in state.things(kind.kind)]
        assert keys == sorted(set(keys))


@given(snapshots(), host_names)
def test_every_packet_has_a_flow_and_every_flow_an_end(snapshot: Snapshot, host: str) -> None:
    state = compile_host(snapshot, host)
    for bridge in state.bridges:
        mine = [flow for flow in state.flows if flow.bridge == bridge.name]
        for table in {flow.table for flow in mine} | {0}:
            rest = [flow for flow in mine if flow.table == table and flow.match == ""]
            classified = bridge.name == "br-tun" and table == 1  # unicast and multicast are all that there is
            assert len(rest) == (0 if classified else 1)
            assert all(flow.priority <= other.priority for flow in rest for other in mine if other.table == table)
    tables = {(flow.bridge, flow.table) for flow in state.flows}
    for flow in state.flows:
        last = re.split(r",(?![^(]*\))", flow.actions)[-1]
        onward = re.fullmatch(r"resubmit\(,(\d+)\)", last)
        assert onward or last in ("drop", "NORMAL", "IN_PORT") or last.startswith("output:")
        assert not onward or (int(onward[1]) > flow.table and (flow.bridge, int(onward[1])) in tables)
        cookie = unpack_cookie(flow.cookie)
        assert cookie is not None
        assert OWNERS[cookie.feature] == flow.owner
        assert flow.bridge in {bridge.name for bridge in state.bridges}


@given(snapshots(), host_names)
def test_two_networks_never_meet_on_a_switch(snapshot: Snapshot, host: str) -> None:
    state = compile_host(snapshot, host)
    networks_by_tag: dict[int, set[str]] = defaultdict(set)
    for tag in state.port_tags:
        networks_by_tag[tag.vlan] |= {ref for ref in tag.intent if ref.startswith("network:")}
    assert all(len(found) == 1 for tag, found in networks_by_tag.items() if tag != DEAD_VLAN)
    translations: dict[tuple[str, str], set[str]] = defaultdict(set)
    for flow in state.flows:
        if "mod_vlan_vid" in flow.actions:
            translations[(flow.bridge, flow.actions)] |= {ref for ref in flow.intent if ref.startswith("network:")}
    by_bridge = {key: found for key, found in translations.items() if key[0] != "br-int"}
    assert all(len(found) == 1 for found in by_bridge.values())


@given(snapshots(), host_names)
def test_a_tag_leaves_by_one_tunnel_id_alone_and_never_back_into_a_tunnel(snapshot: Snapshot, host: str) -> None:
    state = compile_host(snapshot, host)
    kinds = {port.name: port.type for port in state.switch_ports}
    ways = defaultdict(set)
    for flow in (flow for flow in state.flows if flow.bridge == "br-tun"):
        number = re.search(r"set_field:(0x[0-9a-f]+)->tun_id", flow.actions)
        leaving = {kinds[name] for name in re.findall(r'output:"([^"]+)"', flow.actions)}
        if flow.table in (2, 3, 4, 10):
            assert leaving <= {"patch"}
        if number:
            ways[re.findall(r"dl_vlan=(\d+)", flow.match)[0]] |= {(kind, number[1]) for kind in leaving}
    assert all(len(found) == 1 for found in ways.values())


@given(clouds())
def test_tunnels_of_a_consistent_cloud_are_there_at_both_ends_or_at_none(rows: list[Row]) -> None:
    snapshot, found = snapshot_of(rows), set()
    for host in HOSTS:
        state = compile_host(snapshot, host)
        assert len({port.name for port in state.switch_ports if port.ofport}) <= 1
        for port in state.switch_ports:
            if "remote_ip" in port.options:
                found.add((port.type, port.options["local_ip"], port.options["remote_ip"]))
    assert {(kind, remote, local) for kind, local, remote in found} == found


@given(snapshots(), host_names)
def test_nothing_refers_to_what_is_not_there(snapshot: Snapshot, host: str) -> None:
    state = compile_host(snapshot, host)
    spaces = {namespace.name for namespace in state.namespaces} | {""}
    devices = {(link.netns, link.name) for link in state.links}
    ports = {port.name for port in state.switch_ports}
    made = {nic.tap for guest in state.guests for nic in guest.nics}
    assert {tag.port for tag in state.port_tags} <= ports
    named = {name for flow in state.flows for name in re.findall(r'output:"([^"]+)"', flow.actions)}
    named |= {name for flow in state.flows for name in re.findall(r'in_port="([^"]+)"', flow.match)}
    assert named <= ports
    assert {port.bridge for port in state.switch_ports} <= {bridge.name for bridge in state.bridges}
    assert {link.netns for link in state.links} <= spaces
    assert {(a.netns, a.device) for a in state.addresses} <= devices
    assert {(r.netns, r.device) for r in state.routes} <= devices
    assert {("", link.master) for link in state.links if link.master} <= devices
    assert {("", link.peer) for link in state.links if link.peer} <= devices
    assert {link.name for link in state.links if link.form == "tap"} <= made
    assert {daemon.netns for daemon in state.daemons} <= spaces
    paths = {file.path for file in state.files}
    assert all(set(daemon.reload_files) <= paths for daemon in state.daemons)
    assert {boot.server_id for boot in state.guest_boots} <= {guest.server_id for guest in state.guests}


@given(broken_clouds(), host_names)
def test_no_hostile_text_reaches_dnsmasq_or_the_switch(rows: list[Row], host: str) -> None:
    state = compile_host(snapshot_of(rows), host)
    for flow in state.flows:
        assert re.fullmatch(r'[0-9a-zA-Z_=,:."/-]*', flow.match)
        assert re.fullmatch(r'[0-9a-zA-Z_=,:."/()\[\]>-]*', flow.actions)
    for port in state.switch_ports:
        assert all(value.isprintable() and value.isascii() for value in port.options.values())
    for daemon in state.daemons:
        assert all(argument.isprintable() and argument.isascii() for argument in daemon.argv)
    for file in state.files:
        name = file.path.rpartition("/")[2]
        lines = file.text.splitlines()
        assert file.text == "".join(f"{line}\n" for line in lines)
        assert all(line.isascii() and line.expandtabs().isprintable() for line in lines)
        if "/ns-metadata-proxy/" in file.path:
            continue  # haproxy's words, among which quotes are: compile.haproxy refuses what is none
        assert all(not set(line) & set("\"'\\#`") for line in lines)
        assert all(len(line.split(",")) in (3, 4) for line in lines if name == "host")
        assert all(line.startswith("tag:") for line in lines if name == "opts")


@given(snapshots(), host_names)
def test_a_port_whose_row_or_network_is_down_passes_no_frame(snapshot: Snapshot, host: str) -> None:
    down = {f"port:{port.id}" for port in snapshot.rows("ports_by_host", host) if not port.admin_state_up}
    for tag in compile_host(snapshot, host).port_tags:
        assert tag.vlan == DEAD_VLAN or not down & set(tag.intent)


# --- comparing


@given(clouds(), clouds(), host_names)
def test_applying_a_plan_gives_what_was_wanted(wanted: list[Row], found: list[Row], host: str) -> None:
    desired, observed = compile_host(snapshot_of(wanted), host), _seen(compile_host(snapshot_of(found), host))
    difference = plan(desired, observed)
    reached = _applied(observed, difference)
    again = plan(desired, reached)
    assert again.empty
    awaited = {thing.key for part in again.kinds for thing in part.awaiting}
    assert awaited == {thing.key for part in difference.kinds for thing in part.awaiting}
    for kind in KINDS:
        if kind.kind not in ("sysctls", "links", "switch_ports", "port_tags"):
            assert _all_but(awaited, reached.things(kind.kind)) == _all_but(awaited, desired.things(kind.kind))
    assert _applied(reached, again) == reached


def _all_but(awaited: set[str], things: Iterable[Thing]) -> dict[str, tuple[object, ...]]:
    """Gives what matters of things, by key, but of those that wait for a port that somebody else has to plug."""
    return {thing.key: _facts(thing) for thing in things if thing.key not in awaited}


@given(snapshots(), host_names)
def test_what_is_as_it_must_be_gives_no_plan(snapshot: Snapshot, host: str) -> None:
    desired = compile_host(snapshot, host)
    same = msgspec.convert(msgspec.to_builtins(desired), HostState)
    difference = plan(desired, same)
    assert difference == Plan(host=host)
    assert difference.empty
    assert settled(desired, difference) == {
        ref for thing in _things(desired) for ref in thing.intent if ref.startswith("port:")
    }


@given(snapshots(), host_names)
def test_who_wants_it_and_why_are_no_difference(snapshot: Snapshot, host: str) -> None:
    desired = compile_host(snapshot, host)
    anonymous = {
        kind.kind: tuple(msgspec.structs.replace(t, owner="", intent=("?",)) for t in desired.things(kind.kind))
        for kind in KINDS
    }
    assert plan(desired, msgspec.structs.replace(desired, **anonymous)).empty


@given(clouds(), clouds(), host_names)
def test_every_difference_has_its_turn_once(wanted: list[Row], found: list[Row], host: str) -> None:
    difference = plan(compile_host(snapshot_of(wanted), host), compile_host(snapshot_of(found), host))
    steps = list(making(difference))
    made = [(t.kind, t.key) for step in steps for t in (*step.add, *(after for _, after in step.change))]
    gone = [(kind, t.key) for kind, things in removing(difference) for t in things]
    expected = [
        (part.kind, t.key) for part in difference.kinds for t in (*part.add, *(after for _, after in part.change))
    ]
    assert sorted(made) == sorted(expected)
    assert sorted(gone) == sorted((part.kind, t.key) for part in difference.kinds for t in part.delete)


def test_every_kind_has_a_turn() -> None:
    assert {stage.kind for stage in MAKING} == {kind.kind for kind in KINDS}
    assert sorted(REMOVING) == sorted(kind.kind for kind in KINDS)


@given(clouds(), host_names, st.data())
def test_a_port_is_settled_when_nothing_of_it_is_missing(rows: list[Row], host: str, data: st.DataObject) -> None:
    desired = compile_host(snapshot_of(rows), host)
    things = [thing for thing in _things(desired) if thing.kind != "sysctls"]
    assume(things)
    lost = data.draw(st.sampled_from(things))
    left = tuple(thing for thing in desired.things(lost.kind) if thing is not lost)
    observed = msgspec.structs.replace(desired, **{lost.kind: left})
    everything = settled(desired, plan(desired, desired))
    assert settled(desired, plan(desired, observed)) == everything - set(lost.intent)


@given(clouds(), clouds(), host_names)
@settings(max_examples=30)
def test_equal_states_have_equal_texts_and_different_ones_do_not(one: list[Row], other: list[Row], host: str) -> None:
    first, second = compile_host(snapshot_of(one), host), compile_host(snapshot_of(other), host)
    assert (render_state(first) == render_state(second)) == (first == second)
    assert bool(render_plan(plan(first, second))) == bool(plan(first, second).kinds)


# --- a machine in a dozen lines


def _things(state: HostState) -> list[Thing]:
    return [thing for kind in KINDS for thing in state.things(kind.kind)]


def _facts(thing: Thing) -> tuple[object, ...]:
    return tuple(getattr(thing, name) for name in thing.__struct_fields__ if name not in _without(thing))


def _without(thing: Thing) -> set[str]:
    return {"owner", "intent"} | ({"name"} if isinstance(thing, Guest) else set())


def _seen(state: HostState) -> HostState:
    """What appliers see of others' objects is what is there; here, none of them is."""
    links = tuple(link for link in state.links if not link.awaited)
    ports = tuple(port for port in state.switch_ports if not port.awaited)
    names = {port.name for port in ports}
    tags = tuple(tag for tag in state.port_tags if tag.port in names)
    return msgspec.structs.replace(state, links=links, switch_ports=ports, port_tags=tags)


def _applied(observed: HostState, difference: Plan) -> HostState:
    """Does a plan step by step, in its order, on a machine that does just what it is told."""
    things = {kind.kind: {t.key: t for t in observed.things(kind.kind)} for kind in KINDS}
    for step in making(difference):
        for thing in (*step.add, *(after for _, after in step.change)):
            things[step.kind][thing.key] = thing
    for kind, doomed in removing(difference):
        for thing in doomed:
            del things[kind][thing.key]
    ascending = {kind: tuple(found[key] for key in sorted(found)) for kind, found in things.items()}
    return HostState(host=difference.host, **ascending)  # type: ignore[arg-type]


def _turned_into(before: Snapshot, after: Snapshot, revision: int) -> Snapshot:
    changes = []
    for row_type in ROW_TYPES:
        old = {row.id: row for row in before.all(row_type)}
        new = {row.id: row for row in after.all(row_type)}
        for row_id in old.keys() | new.keys():
            if old.get(row_id) != new.get(row_id):
                changes.append(Change(row_type.kind, row_id, old.get(row_id), new.get(row_id)))
    return before.apply(changes, revision)
