"""The tracer says of guests' packets what the firewall's model says, on both drivers, and names the rule."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator

import pytest

from firewall.cases import ANY, Scene, Shot, conversation_scenes, guest, rule_scenes
from firewall.expected import ICMP, ICMP6, TCP, UDP, Group, Rule
from firewall.rows import named, port_id, rows_of
from netglass.model.snapshot import Snapshot
from netglass.trace.model import Wish, trace_model
from netglass.trace.result import Drop, Filter, Trace, hops_of, leaves_of
from netglass.trace.telling import sections

DRIVERS = ("iptables_hybrid", "openvswitch")
_EVERY = 1 if os.environ.get("NETGLASS_ALL_CASES") else 23
_PROTOCOLS = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp"}


def _traceable(scene: Scene) -> Iterator[Shot]:
    yield from (shot for shot in scene.shots if shot.packet.protocol in _PROTOCOLS)


def _wish(shot: Shot, *, one_way: bool = True) -> Wish:
    protocol = _PROTOCOLS[shot.packet.protocol]
    port = None if protocol == "icmp" else shot.packet.second
    return Wish(port_id(shot.packet.sender), f"{shot.packet.destination}@one", protocol, port, one_way=one_way)


def _reasons(trace: Trace) -> list[str]:
    steps = [step for hop in hops_of(trace.hops[0]) for step in hop.steps]
    return [step.text for step in steps if isinstance(step, Filter | Drop)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_the_tracer_says_of_rules_is_what_frames_do(driver: str) -> None:
    wrong = []
    for scene in itertools.islice(rule_scenes(), 0, None, _EVERY):
        snapshot = Snapshot.of(rows_of(scene.model(), driver))
        for shot in _traceable(scene):
            trace = trace_model(snapshot, _wish(shot))
            if trace.unknown or trace.delivered is not scene.model().receives(shot.packet, shot.target):
                wrong.append(f"{scene.name} | {shot.name} | delivered: {trace.delivered}: {trace.why}")
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_answer_passes_by_the_connection_that_it_is_of(driver: str) -> None:
    for scene in conversation_scenes():
        snapshot = Snapshot.of(rows_of(scene.model(), driver))
        tracked = "untracked" not in scene.name
        for shot in _traceable(scene):
            if shot.name.endswith("what opens"):
                trace = trace_model(snapshot, _wish(shot, one_way=False))
                assert trace.delivered, scene.name
                assert trace.reply is not None
                assert trace.reply.delivered is tracked, f"{scene.name}: {trace.reply.why}"


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_rule_that_lets_a_packet_pass_is_named(driver: str) -> None:
    web = Rule("ingress", 4, TCP, 80, 81, prefix="10.0.0.0/24")
    groups = (Group("open", ANY), Group("served", (web, Rule("ingress", 4, UDP))))
    scene = Scene("", (guest("a", 16, "one", "open"), guest("b", 17, "two", "served")), groups, ())
    snapshot = Snapshot.of(rows_of(scene.model(), driver))
    trace = trace_model(snapshot, Wish(port_id("a"), port_id("b"), "tcp", 81, one_way=True))
    rule = named("rule", named("group", "served"), repr(web))
    text = f"lets it pass by rule {rule} (ingress IPv4 6 80..81 remote 10.0.0.0/24) of security group served"
    assert _reasons(trace)[-1] == text
    (section,) = sections(trace)
    assert any(text in line.text for line in section.lines)
    assert any(f"security_group_rule:{rule}" in why for line in section.lines for why in line.why)
    assert "(egress IPv4 any) of security group open" in _reasons(trace)[0]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("port", [80, 82])
def test_of_many_rules_alike_the_one_that_lets_a_packet_pass_is_named(driver: str, port: int) -> None:
    apart = [Rule("ingress", 4, TCP, low, low, prefix="10.0.0.0/24") for low in range(2, 20, 2)]
    prefixes = (*(f"192.0.2.{number}/32" for number in range(9)), "10.0.0.0/8")
    rules = [*apart, *(Rule("ingress", 4, TCP, 80, 80, prefix=prefix) for prefix in prefixes)]
    rules += [Rule("ingress", 4, TCP, 82, 82, prefix="10.0.0.0/24")]
    groups = (Group("open", ANY), Group("served", tuple(rules)))
    scene = Scene("", (guest("a", 16, "one", "open"), guest("b", 17, "two", "served")), groups, ())
    trace = trace_model(
        Snapshot.of(rows_of(scene.model(), driver)), Wish(port_id("a"), port_id("b"), "tcp", port, one_way=True)
    )
    rule = named("rule", named("group", "served"), repr(rules[-2 if port == 80 else -1]))
    assert _reasons(trace)[-1].startswith(f"lets it pass by rule {rule} (ingress IPv4 6 {port} remote 10.0.0.0/")


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_groups_that_let_a_packet_not_pass_are_named(driver: str) -> None:
    groups = (Group("open", ANY), Group("mute"), Group("deaf", (Rule("egress"),)))
    guests = (
        guest("a", 16, "one", "open"),
        guest("b", 17, "one", "mute", "deaf"),
        guest("c", 18, "two", "mute"),
        guest("d", 19, "two"),
    )
    snapshot = Snapshot.of(rows_of(Scene("", guests, groups, ()).model(), driver))
    for source, destination, text in (
        ("a", "b", "no rule of its groups deaf and mute lets it in"),
        ("a", "c", "no rule of security group mute lets it in"),
        ("c", "a", "no rule of security group mute lets it out"),
        ("d", "a", "no rule, as the port has no security group, lets it out"),
    ):
        trace = trace_model(snapshot, Wish(port_id(source), port_id(destination), "icmp", one_way=True))
        (last,) = [leaf for _, leaf in leaves_of(trace.hops[0], own=True)]
        assert isinstance(last, Drop)
        assert (last.code, last.text) == ("security-group", text)
        assert any(intent.startswith("port:") for intent in last.intent)
