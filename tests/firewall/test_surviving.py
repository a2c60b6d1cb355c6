"""Groups survive: an agent killed in the middle of an update, another driver, 1,000 rules, a rule that is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec
import pytest

from firewall.cases import ANY, Scene, Shot, guest, packet
from firewall.expected import TCP, UDP, Group, Guest, Rule
from firewall.rows import port_id, rows_of
from firewall.shooting import Range, Verdict
from firewall.site import Station, site
from host.hosted import on_a_host
from netglass.base.ids import part_name, part_of_chain
from netglass.desired.state import Flow, HostState, RuleSet

pytestmark = [pytest.mark.host, pytest.mark.timeout(600)]

DRIVERS = ("iptables_hybrid", "openvswitch")
SENDER, OTHER = guest("sender", 16, "one", "open"), guest("other", 19, "one", "open")
NEAR, FAR = guest("near", 17, "one", "varied"), guest("far", 18, "two", "varied")
GUESTS = (SENDER, NEAR, OTHER, FAR)
STRANGER = "10.0.0.77"
MOMENTS_S = (0.01, 0.03, 0.06, 0.1, 0.2, 0.4)


def _scene(name: str, *rules: Rule) -> Scene:
    """Gives a scene in which two of three receivers have these rules."""
    kinds = ((TCP, 22), (TCP, 80), (UDP, 53))
    shots = [_shot(one, version, *kind) for one in (NEAR, OTHER, FAR) for version in (4, 6) for kind in kinds]
    forged = [replace(_shot(one, 4, UDP, 53), name=f"forged to {one.name}") for one in (NEAR, OTHER, FAR)]
    shots += [replace(one, packet=replace(one.packet, source=STRANGER)) for one in forged]
    return Scene(name, GUESTS, (Group("open", ANY), Group("varied", rules)), tuple(shots))


def _shot(target: Guest, version: int, protocol: int, port: int) -> Shot:
    about = f"v{version} {protocol} {port} to {target.name}"
    return Shot(about, packet(SENDER, target, version, protocol, port), target.name)


CLOSED = _scene("closed")
SERVED = _scene("served", Rule("ingress", 4, TCP, 80, 80), Rule("ingress", 6, UDP))


def _wrong(verdicts: Iterable[Verdict]) -> list[str]:
    return [verdict.text for verdict in verdicts if verdict.expected != verdict.seen]


def _forbidden(scene: Scene, *others: Scene) -> Scene:
    """Gives the shots of a scene that must not arrive in it, nor in the others."""
    never = [s for s in scene.shots if not any(one.model().receives(s.packet, s.target) for one in (scene, *others))]
    return replace(scene, shots=tuple(never))


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_agent_killed_while_it_changes_filters_lets_nothing_forbidden_pass_and_the_next_one_ends_its_work(
    driver: str,
) -> None:
    @on_a_host
    def on_it() -> None:
        with site("one", "two") as hosts:
            shooting = Range(hosts, driver)
            assert _wrong(shooting.play(CLOSED)) == []
            for number, after_s in enumerate(MOMENTS_S):
                scene = (SERVED, CLOSED)[number % 2]
                hosts["one"].killed(rows_of(scene.model(), driver), after_s)
                assert _wrong(shooting.shoot(_forbidden(SERVED, CLOSED))) == [], f"killed after {after_s} s"
                assert _wrong(shooting.play(scene)) == []

    on_it()


def test_a_host_changes_its_driver_with_its_guests_up() -> None:
    @on_a_host
    def on_it() -> None:
        with site("one", "two") as hosts:
            shooting = Range(hosts, DRIVERS[0])
            for driver in (*DRIVERS, *DRIVERS):
                shooting.driver = driver
                assert _wrong(shooting.play(SERVED)) == [], driver
                assert _wrong(shooting.play(CLOSED)) == [], driver

    on_it()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_port_has_a_thousand_rules(driver: str) -> None:
    prefixes = [f"192.0.2.{number}/32" for number in range(111)]
    many = (Rule("ingress", 4, TCP, 1 + n, 1 + n + n % 2, prefix=prefixes[n % 111]) for n in range(0, 2997, 3))
    scene = _scene("a thousand rules", *many, Rule("ingress", 4, UDP, 53, 53))

    @on_a_host
    def on_it() -> None:
        with site("one", "two") as hosts:
            shooting = Range(hosts, driver)
            assert _wrong(shooting.play(scene)) == []
            assert _wrong(shooting.play(SERVED)) == []

    on_it()


def _refused_chain(state: HostState) -> HostState:
    """Adds a rule that the kernel refuses to one port's chain."""
    part = part_name(port_id(NEAR.name))
    return _with_nonsense(state, part, f"neutron-openvswi-i{part}")


def _refused_groups(state: HostState) -> HostState:
    """Adds one to the chain of one port's groups, which others do not have."""
    into = next(rule for one in state.rule_sets for rule in one.rules if rule.startswith(_INTO_NEAR)).split()[-1]
    return _with_nonsense(state, part_of_chain(into), into)


_INTO_NEAR = f"-A neutron-openvswi-i{part_name(port_id(NEAR.name))} -g "


def _with_nonsense(state: HostState, part: str, chain: str) -> HostState:
    where = (4, "filter", part)
    return msgspec.structs.replace(
        state,
        rule_sets=tuple(
            _nonsensical(one, chain) if (one.ip_version, one.table, one.part) == where else one
            for one in state.rule_sets
        ),
    )


def _nonsensical(one: RuleSet, chain: str) -> RuleSet:
    first = next(number for number, rule in enumerate(one.rules) if rule.startswith(f"-A {chain} "))
    rules = (*one.rules[: first + 1], f"-A {chain} -p nonsense -j RETURN", *one.rules[first + 1 :])
    return msgspec.structs.replace(one, rules=rules)


def _refused_flow(state: HostState) -> HostState:
    """Adds a flow that no switch takes."""
    like = next(flow for flow in state.flows if flow.table == 82)
    intent = (f"port:{port_id(NEAR.name)}",)
    bad = msgspec.structs.replace(like, intent=intent, priority=70, match="nonsense=1", actions="drop", port="")
    flows: tuple[Flow, ...] = tuple(sorted((*state.flows, bad), key=lambda flow: flow.key))
    return msgspec.structs.replace(state, flows=flows)


@pytest.mark.parametrize("alter", [_refused_chain, _refused_groups, _refused_flow])
def test_what_the_kernel_or_the_switch_refuses_is_told_and_touches_nobody_else(
    alter: Callable[[HostState], HostState],
) -> None:
    chained = alter is not _refused_flow
    driver = "iptables_hybrid" if chained else "openvswitch"

    @on_a_host
    def on_it() -> None:
        with site("one", "two") as hosts:
            shooting, here = Range(hosts, driver), hosts["one"]
            assert isinstance(here, Station)
            assert _wrong(shooting.play(SERVED)) == []
            here.alter = alter
            failing, waiting = here.attempt(rows_of(SERVED.model(), driver))
            assert any("nonsense" in text for text in failing), failing
            assert (port_id(NEAR.name) in waiting, port_id(OTHER.name) in waiting) == (True, False)
            verdicts = shooting.shoot(SERVED)
            # Of the port whose chain cannot be as it should be, nothing is left that may be wrong.
            closed = [v for v in verdicts if v.shot.target == NEAR.name and v.shot.packet.version == 4 and chained]
            assert not any(verdict.seen for verdict in closed)
            assert _wrong(verdict for verdict in verdicts if verdict not in closed) == []
            here.alter = lambda state: state
            assert _wrong(shooting.play(SERVED)) == []

    on_it()
