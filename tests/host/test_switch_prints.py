"""The switch prints our flows back as we wrote them: what makes comparing by text right."""

from __future__ import annotations

import pytest

from golden.stories import STORIES
from host.hosted import on_a_host, shell
from netglass.agent.appliers.flows import Flows
from netglass.compile.compiler import compile_host
from netglass.desired.state import Bridge, Flow, HostState
from netglass.host.openflow import commit_bundles, dump_flows
from netglass.host.ovsdb import Database
from netglass.model.resources import Host
from netglass.model.snapshot import Snapshot
from netglass.pipeline.cookies import MARK, MASK
from netglass.pipeline.flows import UNTAGGED, Match, actions, set_vlan
from netglass.pipeline.ports import with_names, with_numbers
from netglass.pipeline.text import parse_dump, render_add, render_delete
from support.pace import until

pytestmark = pytest.mark.host

ODD_NAMES = ("eth2", "A1", "9eth", "tap_x", "a.b", "br-x", "LOCAL-x")


def make_bridge(name: str, ports: set[str]) -> None:
    protocols = ",".join(Bridge(owner="", intent=(), name=name, datapath_type="netdev").protocols)
    settings = ("datapath_type=netdev", "fail_mode=secure", f"protocols={protocols}")
    shell("ovs-vsctl", "add-br", name, "--", "set", "Bridge", name, *settings)
    for port in sorted(ports):
        shell("ovs-vsctl", "add-port", name, port, "--", "set", "Interface", port, "type=internal")


def plug(port: str, *settings: str) -> None:
    shell("ovs-vsctl", "add-port", "br-int", port, "--", "set", "Interface", port, *settings)


def flow(match: Match, doing: str, priority: int) -> Flow:
    return Flow(
        owner="switching",
        intent=("network:1",),
        bridge="br-int",
        table=0,
        priority=priority,
        match=match.text(),
        actions=doing,
        cookie=MARK | priority,
    )


def read_back(bridge: str) -> set[tuple[int, int, str, str, int]]:
    lines = dump_flows([bridge], MARK, MASK)()[bridge]
    assert isinstance(lines, list)
    names = {number: name for name, number in numbers(bridge).items()}
    return {tuple(entry) for entry in parse_dump(with_names(line, names) for line in lines)}


def numbers(bridge: str) -> dict[str, int]:
    database = Database()
    database.await_ready(5)
    found = {port.name: port.ofport for port in database.ports().values() if port.bridge == bridge}
    database.close()
    return found


def texts(flows: list[Flow]) -> set[tuple[int, int, str, str, int]]:
    return {(f.table, f.priority, f.match, f.actions, f.cookie) for f in flows}


def commit(bridge: str, lines: list[str]) -> None:
    known = numbers(bridge)
    output = commit_bundles({bridge: [with_numbers(line, known) for line in lines]})[bridge]
    assert output.ok, output.evidence


@on_a_host
def test_the_stories_flows_come_back_as_they_were_written() -> None:
    for rows in STORIES.values():
        snapshot = Snapshot.of(rows)
        for host in snapshot.all(Host):
            state = compile_host(snapshot, host.id)
            for bridge in state.bridges:
                named = {p.name for p in state.switch_ports if p.bridge == bridge.name}
                make_bridge(bridge.name, named)
                flows = [flow for flow in state.flows if flow.bridge == bridge.name]
                commit(bridge.name, [render_add(flow) for flow in flows])
                assert read_back(bridge.name) == texts(flows)
            for bridge in state.bridges:
                shell("ovs-vsctl", "del-br", bridge.name)


@on_a_host
def test_every_form_of_match_and_action_comes_back_whatever_the_ports_name() -> None:
    make_bridge("br-int", set(ODD_NAMES))
    flows = [flow(Match(), "NORMAL", 32768), flow(Match(vlan=4095), "drop", 65535)]
    for number, name in enumerate(ODD_NAMES):
        flows += [
            flow(Match(in_port=name), "drop", 10 + number),
            flow(Match(in_port=name, vlan=number + 1), actions(set_vlan(4094), "NORMAL"), 20 + number),
            flow(Match(in_port=name, vlan=UNTAGGED), actions(set_vlan(1), "NORMAL"), 30 + number),
            flow(Match(in_port=name, vlan=number + 1), actions("strip_vlan", "NORMAL"), 40 + number),
        ]
    commit("br-int", [render_add(flow) for flow in flows])
    assert read_back("br-int") == texts(flows)
    shown = shell("ovs-ofctl", "dump-flows", "br-int")
    assert "actions=mod_vlan_vid:4094,NORMAL" in shown
    assert "actions=strip_vlan,NORMAL" in shown


@on_a_host
def test_deleting_takes_ours_and_leaves_what_is_somebody_elses() -> None:
    make_bridge("br-int", {"eth2"})
    ours = [flow(Match(in_port="eth2", vlan=5), actions(set_vlan(7), "NORMAL"), 4), flow(Match(), "NORMAL", 1)]
    shell("ovs-ofctl", "add-flow", "br-int", "cookie=0x5,priority=9,in_port=eth2,actions=drop")
    commit("br-int", [render_add(flow) for flow in ours])
    shell("ovs-ofctl", "add-flow", "br-int", "cookie=0x5,priority=1,actions=drop")  # in the place of one of ours
    commit("br-int", [render_delete(flow) for flow in ours])
    assert read_back("br-int") == set()
    left = shell("ovs-ofctl", "dump-flows", "br-int")
    assert left.count("cookie=0x5") == 2


@on_a_host
def test_a_flow_that_was_tampered_with_does_not_look_like_ours() -> None:
    make_bridge("br-int", {"eth2"})
    wanted = flow(Match(in_port="eth2", vlan=5), actions(set_vlan(7), "NORMAL"), 4)
    for tampered in ("mod_vlan_vid:8,NORMAL", "push_vlan:0x8100,set_field:4103->vlan_vid,NORMAL", "drop"):
        line = f"cookie={wanted.cookie:#x},priority=4,in_port=eth2,dl_vlan=5,actions={tampered}"
        shell("ovs-ofctl", "-O", "OpenFlow15", "add-flow", "br-int", line)
        (found,) = read_back("br-int")
        assert found[:3] == (0, 4, wanted.match)
        assert found[3] != wanted.actions
    commit("br-int", [render_add(wanted)])
    assert read_back("br-int") == texts([wanted])
    shell("ovs-ofctl", "add-flow", "br-int", f"idle_timeout=60,{render_add(wanted).removeprefix('add ')}")
    assert read_back("br-int") != texts([wanted])


@on_a_host
def test_a_flow_is_read_by_its_ports_name_as_soon_as_the_port_comes_and_by_its_number_when_it_goes() -> None:
    make_bridge("br-int", {"tap1"})
    shell("ovs-ofctl", "-O", "OpenFlow15", "add-flow", "br-int", f"cookie={MARK:#x},in_port=77,actions=NORMAL")
    database = Database()
    database.await_ready(5)
    flows = Flows(database)

    def matches() -> set[str]:
        database.run()
        return {found.match for found in flows.observe(HostState(host="a"))["flows"] if isinstance(found, Flow)}

    until(lambda: matches() == {"in_port=77"}, 5)
    plug("tap2", "type=internal")
    assert matches() == {"in_port=77"}
    plug("tap77", "type=internal", "ofport_request=77")
    until(lambda: matches() == {"in_port=tap77"}, 5)
    shell("ovs-vsctl", "del-port", "br-int", "tap77")
    until(lambda: matches() == {"in_port=77"}, 5)
