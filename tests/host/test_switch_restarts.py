"""A switch that died and came back, as the agent finds it."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest
from hosted import kill_switch, on_a_host, shell, start_switch

from netglass.agent.appliers.flows import Flows
from netglass.agent.appliers.links import Links
from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.protocol import NotThere, Work
from netglass.agent.appliers.switch import Switch
from netglass.agent.senses import Senses
from netglass.desired.state import Bridge, Flow, HostState, SwitchPort
from netglass.host.conversations import Conversations
from netglass.host.ovsdb import Database
from netglass.pipeline.cookies import MARK
from netglass.pipeline.flows import Match
from netglass.pipeline.text import render_add
from support.pace import until

pytestmark = pytest.mark.host

BRIDGES = ("br-back", "br-bare")


def _flow(bridge: str, priority: int) -> Flow:
    return Flow(
        owner="switching",
        intent=("network:1",),
        bridge=bridge,
        table=0,
        priority=priority,
        match=Match(in_port=f"p-{bridge}").text(),
        actions="NORMAL",
        cookie=MARK | priority,
    )


def _wanted() -> HostState:
    bridges = tuple(Bridge(owner="", intent=(), name=name, datapath_type="netdev") for name in BRIDGES)
    flows = tuple(_flow(name, priority) for name in BRIDGES for priority in (1, 2))
    return HostState(host="one", bridges=bridges, flows=tuple(sorted(flows, key=lambda flow: flow.key)))


def _made() -> Database:
    for bridge in _wanted().bridges:
        settings = ("datapath_type=netdev", "fail_mode=secure", f"protocols={','.join(bridge.protocols)}")
        shell("ovs-vsctl", "add-br", bridge.name, "--", "set", "Bridge", bridge.name, *settings)
        port = f"p-{bridge.name}"
        shell("ovs-vsctl", "add-port", bridge.name, port, "--", "set", "Interface", port, "type=internal")
    database = Database()
    database.await_ready(5)
    return database


def _answers(flows: Flows) -> bool:
    try:
        flows.observe(_wanted())
    except NotThere:
        return False
    return True


@on_a_host
def test_flows_that_somebody_brought_back_are_seen_and_those_that_are_gone_are_missed() -> None:
    flows, wanted = Flows(_made()), _wanted()
    assert flows.observe(wanted)["flows"] == ()
    assert flows.apply(Work(kind="flows", add=wanted.flows)) == []
    assert flows.observe(wanted)["flows"] == wanted.flows
    kill_switch()
    until(lambda: not _answers(flows))
    start_switch()
    back = _flow("br-back", 2)
    shell("ovs-ofctl", "-O", "OpenFlow15", "add-flow", "br-back", render_add(back).removeprefix("add "))
    assert flows.observe(wanted)["flows"] == (), "a bridge that was made anew counts as empty, unasked"
    assert flows.observe(wanted)["flows"] == (back,)


@on_a_host
def test_a_bridge_that_lives_is_asked_though_the_news_of_it_ended() -> None:
    flows, wanted = Flows(_made()), _wanted()
    flows.observe(wanted)
    assert flows.apply(Work(kind="flows", add=wanted.flows)) == []
    assert flows.observe(wanted)["flows"] == wanted.flows
    listening = flows.watch()
    for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        if "monitor" in Path(f"/proc/{child}/cmdline").read_text():
            os.kill(int(child), signal.SIGKILL)
    for fd in listening:
        select.select([fd], [], [])
    shell("ovs-ofctl", "del-flows", "br-back")
    assert flows.observe(wanted)["flows"] == tuple(flow for flow in wanted.flows if flow.bridge == "br-bare")


@on_a_host
def test_who_doubts_asks_a_bridge_that_was_made_anew() -> None:
    flows, wanted = Flows(_made()), _wanted()
    flows.observe(wanted)
    assert flows.apply(Work(kind="flows", add=wanted.flows)) == []
    flows.observe(wanted)
    kill_switch()
    until(lambda: not _answers(flows))
    start_switch()
    back = _flow("br-back", 2)
    shell("ovs-ofctl", "-O", "OpenFlow15", "add-flow", "br-back", render_add(back).removeprefix("add "))
    flows.doubt()
    assert flows.observe(wanted)["flows"] == (back,)


@on_a_host
def test_a_bridge_that_can_be_asked_again_is_news_though_nothing_in_the_database_changed() -> None:
    database = _made()
    senses = Senses(database, ())
    kill_switch()
    senses.listen([])
    while senses.wait(0.2):
        pass
    start_switch()
    heard: set[str] = set()
    until(lambda: "flows" in heard or heard.update(senses.wait(0.1)))
    senses.close()


@on_a_host
def test_a_device_that_a_switch_left_as_it_died_before_its_port_went_is_taken_away() -> None:
    database, conversations = _made(), Conversations()
    switch, links = Switch(database, conversations), Links(NamespaceMarks(Path("/run/marks")), conversations)
    port = SwitchPort(owner="dhcp", intent=("port:1",), bridge="br-back", name="tap-left", type="internal")
    assert switch.apply(Work(kind="switch_ports", add=(port,))) == []
    kill_switch()
    switch.remove("switch_ports", (port,), lambda: False)  # it waits in vain for the switch to follow
    start_switch()
    database.run()
    assert "tap-left" not in database.ports()
    left = links.observe(HostState(host="one"))["links"]
    assert [link.key for link in left] == ["/tap-left"]
    assert links.remove("links", left, lambda: False) == []
    assert "tap-left" not in shell("ip", "link")
