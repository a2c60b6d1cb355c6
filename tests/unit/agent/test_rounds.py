"""A round makes, then takes away; what fails holds up nothing, and what is left over comes again."""

from __future__ import annotations

import msgspec
from shelf import Shelf

from netglass.agent.retries import Retries
from netglass.agent.rounds import ALL_KINDS, Rounds
from netglass.base.errors import ApplyError
from netglass.desired.state import (
    Address,
    Guest,
    GuestBoot,
    HostState,
    Link,
    Namespace,
    Nic,
    PortTag,
    Route,
    SwitchPort,
    Sysctl,
    Thing,
)

PORT = SwitchPort(owner="plugging", intent=("port:p",), bridge="br-int", name="tap1")
AWAITED = SwitchPort(owner="plugging", intent=("port:q",), bridge="br-int", name="tap2", awaited=True)
TAG = PortTag(owner="plugging", intent=("port:p",), port="tap1", vlan=1)
AWAITED_TAG = PortTag(owner="plugging", intent=("port:q",), port="tap2", vlan=1)
SPACES = tuple(Namespace(owner="dhcp", intent=("network:n",), name=f"qdhcp-{n}") for n in range(3))
STATE = HostState(host="h", namespaces=SPACES, switch_ports=(PORT,), port_tags=(TAG,))
EMPTY = HostState(host="h")


class Machine:
    """Rounds over a shelf, with a clock that stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.shelf = Shelf()
        self.retries = Retries()
        self.rounds = Rounds([self.shelf], self.retries, lambda: self.now)

    def round(self, desired: HostState, hurry: bool = False) -> str:
        made = self.rounds.make(desired, ALL_KINDS)
        removed = self.rounds.remove(lambda: hurry)
        self.look = made.look | removed.look
        return ", ".join(text for text in (made.text, removed.text) if text)


class OnlyLinks(Shelf):
    """A shelf of links, with the things of another."""

    def __init__(self, other: Shelf) -> None:
        super().__init__()
        self.kinds = ("links",)
        self.things = other.things


class GoneDeaf(Shelf):
    """A shelf that goes by what it saw once, as nobody tells it of a change."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, tuple[Thing, ...]] = {}

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        self.seen = self.seen or super().observe(desired)
        return self.seen

    def doubt(self) -> None:
        self.seen = {}


def test_what_is_missing_is_made_in_order_and_then_there_is_nothing_to_do() -> None:
    machine = Machine()
    assert machine.round(STATE) == "namespaces +3, port_tags +1, switch_ports +1"
    assert [kind for _, kind, _ in machine.shelf.steps] == ["namespaces", "switch_ports", "port_tags"]
    assert machine.round(STATE) == ""


def test_looking_changes_nothing_and_knows_what_is_missing() -> None:
    machine = Machine()
    assert machine.rounds.look(STATE, ALL_KINDS) == machine.rounds.known
    assert machine.shelf.steps == []
    assert set(machine.rounds.missing["switch_ports"]) == {"tap1"}
    assert machine.round(STATE) == "namespaces +3, port_tags +1, switch_ports +1"


def test_what_was_changed_is_looked_at_again_and_what_it_disturbs_too() -> None:
    machine = Machine()
    machine.round(STATE)
    assert {"namespaces", "switch_ports", "port_tags", "links", "addresses", "flows"} <= machine.look
    machine.round(STATE)
    assert machine.look == set()


def test_one_that_fails_holds_up_no_other_and_is_tried_again_later() -> None:
    machine = Machine()
    machine.shelf.broken = {"tap1"}
    assert machine.round(STATE) == "namespaces +3"
    assert set(machine.rounds.missing["switch_ports"]) == {"tap1"}
    machine.shelf.broken = set()
    machine.retries.hasten({"links"})
    assert machine.round(STATE) == "port_tags +1, switch_ports +1"
    assert machine.retries.failing() == {}
    assert not any(machine.rounds.missing.values())


def test_one_that_fails_is_not_tried_in_its_pause() -> None:
    machine = Machine()
    machine.round(STATE)
    wanted = HostState(host="h", namespaces=SPACES, switch_ports=(PORT,), port_tags=(TAG,), links=(_link(),))
    machine.shelf.broken = {_link().key}
    machine.round(wanted)
    steps = len(machine.shelf.steps)
    machine.round(wanted)
    assert len(machine.shelf.steps) == steps
    machine.now += 60
    machine.round(wanted)
    assert len(machine.shelf.steps) == steps + 1


def _link() -> Link:
    return Link(owner="plugging", intent=("port:p",), name="qbr1", form="bridge")


def test_what_somebody_else_makes_is_waited_for_and_no_failure() -> None:
    machine = Machine()
    desired = HostState(host="h", switch_ports=(AWAITED,), port_tags=(AWAITED_TAG,))
    assert machine.round(desired) == ""
    assert machine.retries.failing() == {}
    assert set(machine.rounds.missing["switch_ports"]) == {"tap2"}
    machine.shelf.things["switch_ports", "tap2"] = AWAITED
    assert machine.round(desired) == "port_tags +1"
    assert not any(machine.rounds.missing.values())


def test_applying_in_vain_ends_in_a_failure_and_not_in_a_spin() -> None:
    machine = Machine()
    machine.shelf.deaf = {"tap1"}
    for _ in range(8):
        machine.round(STATE)
    tried = [step for step in machine.shelf.steps if step[1] == "port_tags"]
    assert 3 <= len(tried) <= 5
    assert ("port_tags", "tap1") in machine.retries.failing()
    assert set(machine.rounds.missing["port_tags"]) == {"tap1"}


def test_what_is_set_on_a_device_that_cannot_be_made_waits_with_it() -> None:
    bridge = _link()
    setting = Sysctl(owner="plugging", intent=("port:p",), netns="", name="net/ipv4/conf/qbr1/arp_ignore", value="8")
    state = HostState(host="h", links=(bridge,), sysctls=(setting,))
    machine = Machine()
    machine.shelf.broken = {bridge.key}  # as somebody else's device has its name
    machine.shelf.things["sysctls", setting.key] = setting

    assert [machine.round(state) for _ in range(4)] == [""] * 4
    assert machine.shelf.steps == [("apply", "links", (bridge.key,))]

    machine.shelf.broken = set()
    machine.now += 60
    assert machine.round(state) == "links +1, sysctls +1"


def test_taking_away_gives_way_and_goes_on_where_it_stopped() -> None:
    machine = Machine()
    machine.round(STATE)
    said = [machine.round(EMPTY, hurry=True) for _ in range(8)]
    assert machine.shelf.things == {}
    assert said[-1] == ""
    removed = [kind for verb, kind, _ in machine.shelf.steps if verb == "remove"]
    assert removed == ["port_tags", "switch_ports", "namespaces", "namespaces", "namespaces"]


def test_what_is_left_over_counts_until_its_own_kind_is_looked_at_again() -> None:
    machine = Machine()
    machine.round(STATE)
    machine.rounds.look(EMPTY, ALL_KINDS)
    assert machine.rounds.surplus == 5
    machine.rounds.look(EMPTY, {"flows"})
    assert machine.rounds.surplus == 5
    machine.round(EMPTY)
    machine.rounds.look(EMPTY, ALL_KINDS)
    assert machine.rounds.surplus == 0


def test_what_was_not_reached_is_looked_at_again_though_nothing_of_it_was_changed() -> None:
    machine = Machine()
    machine.round(STATE)
    machine.round(EMPTY, hurry=True)
    assert {"port_tags", "switch_ports", "namespaces"} <= machine.look


def test_one_that_cannot_be_removed_holds_up_no_other() -> None:
    machine = Machine()
    machine.round(STATE)
    machine.shelf.broken = {"qdhcp-1"}
    machine.round(EMPTY)
    assert set(machine.shelf.things) == {("namespaces", "qdhcp-1")}
    assert set(machine.retries.failing()) == {("namespaces", "qdhcp-1")}


def test_what_cannot_be_read_is_left_alone_and_keeps_its_standing() -> None:
    machine = Machine()
    machine.round(STATE)
    machine.shelf.dead = True
    steps = len(machine.shelf.steps)
    machine.round(EMPTY)
    assert len(machine.shelf.steps) == steps
    assert not any(machine.rounds.missing.values())
    assert ("links", "all") in machine.retries.failing()
    machine.shelf.dead = False
    machine.round(STATE)
    assert machine.retries.failing() == {}


def test_programs_that_read_run_while_others_are_read() -> None:
    said: list[str] = []

    class Slow(OnlyLinks):
        def ask(self, desired: HostState) -> None:
            said.append("asked")

        def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
            said.append("links")
            return super().observe(desired)

    class Quick(Shelf):
        def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
            said.append("routes")
            return {"routes": super().observe(desired)["routes"]}

    quick = Quick()
    quick.kinds = ("routes",)
    Rounds([quick, Slow(quick)], Retries()).look(EMPTY, ALL_KINDS)
    assert said == ["asked", "routes", "links"]


def test_one_that_cannot_ask_is_left_alone_and_holds_up_no_other() -> None:
    class Dumb(OnlyLinks):
        def ask(self, desired: HostState) -> None:
            raise ApplyError("links", "all", "nobody answers")

    quick = Shelf()
    quick.kinds = ("routes",)
    retries = Retries()
    assert "links" not in Rounds([Dumb(quick), quick], retries).look(EMPTY, ALL_KINDS)
    assert set(retries.failing()) == {("links", "all")}


def test_before_the_first_look_nothing_is_known() -> None:
    machine = Machine()
    machine.shelf.dead = True
    machine.round(STATE)
    assert machine.rounds.known == set()


def test_a_removal_in_slices_is_told_once_and_whole() -> None:
    machine = Machine()
    desired = HostState(host="h", namespaces=SPACES)
    machine.round(desired)
    said = [machine.round(EMPTY, hurry=hurry) for hurry in (True, True, False)]
    assert said == ["", "", "namespaces -3"]


def test_failing_to_remove_does_not_hasten_itself() -> None:
    machine = Machine()
    machine.round(STATE)
    machine.shelf.broken = {"qdhcp-0", "qdhcp-1", "qdhcp-2", "tap1"}
    machine.round(EMPTY)
    steps = len(machine.shelf.steps)
    assert machine.look == set()
    machine.round(EMPTY)
    assert len(machine.shelf.steps) == steps


def test_a_guest_made_anew_boots_only_after_its_new_tap_is_wired() -> None:
    machine = Machine()
    tap = Link(owner="plugging", intent=("port:p",), name="tap1", form="tap", master="qbr1")

    def desired(boot: int) -> HostState:
        nics = (Nic(tap="tap1", mac="fa:16:3e:00:00:01", mtu=1450),)
        base = {"owner": "guests", "intent": ("server:s",), "server_id": "s", "boot": boot}
        guest = Guest(**base, name="s", hostname="s", nics=nics, directory="/s")
        return HostState(host="h", links=(tap,), guests=(guest,), guest_boots=(GuestBoot(**base),))

    for boot in (1, 2):
        machine.shelf.steps.clear()
        machine.round(desired(boot))
        assert [kind for _, kind, _ in machine.shelf.steps] == ["guests", "links", "guest_boots"]


def test_a_guest_made_anew_boots_only_after_its_port_is_plugged_and_tagged_again() -> None:
    machine = Machine()
    tap = Link(owner="plugging", intent=("port:p",), name="tap1", form="tap")

    def desired(boot: int) -> HostState:
        nics = (Nic(tap="tap1", mac="fa:16:3e:00:00:01", mtu=1450),)
        base = {"owner": "guests", "intent": ("server:s",), "server_id": "s", "boot": boot}
        guest = Guest(**base, name="s", hostname="s", nics=nics, directory="/s")
        state = HostState(host="h", links=(tap,), switch_ports=(PORT,), port_tags=(TAG,))
        return msgspec.structs.replace(state, guests=(guest,), guest_boots=(GuestBoot(**base),))

    machine.round(desired(1))
    machine.shelf.steps.clear()
    machine.round(desired(2))
    assert [kind for _, kind, _ in machine.shelf.steps] == [
        "guests",
        "links",
        "switch_ports",
        "port_tags",
        "guest_boots",
    ]


def test_a_tap_that_is_gone_makes_the_guests_be_looked_at() -> None:
    machine = Machine()
    tap = Link(owner="plugging", intent=("port:p",), name="tap1", form="tap")
    rounds = Rounds([OnlyLinks(machine.shelf)], Retries(), lambda: machine.now)
    assert "guests" in rounds.make(HostState(host="h", links=(tap,)), {"links"}).look


def test_a_device_made_anew_gets_its_addresses_routes_and_settings_in_the_same_round() -> None:
    because = {"owner": "routing", "intent": ("router:r",), "netns": "qrouter-r"}
    device, other = (Link(**because, name=name, form="internal") for name in ("qg-1", "qr-2"))
    settings = tuple(Sysctl(**because, name=f"net/ipv6/conf/{name}/accept_ra", value="0") for name in ("qg-1", "qr-2"))
    state = HostState(
        host="h",
        links=(device, other),
        sysctls=settings,
        addresses=(
            Address(**because, device="qg-1", cidr="203.0.113.5/24"),
            Address(**because, device="qr-2", cidr="10.0.0.1/24"),
        ),
        routes=(Route(**because, destination="0.0.0.0/0", via="203.0.113.1", device="qg-1"),),
    )
    machine = Machine()
    machine.round(state)
    machine.shelf.steps.clear()
    del machine.shelf.things["links", device.key]  # a dead one is not seen; its addresses are, until it goes

    machine.round(state)

    assert machine.shelf.steps == [
        ("apply", "links", (device.key,)),
        ("apply", "sysctls", (settings[0].key,)),
        ("apply", "addresses", (state.addresses[0].key,)),
        ("apply", "routes", (state.routes[0].key,)),
    ]


def test_what_nobody_told_of_is_found_by_a_look_that_doubts_and_by_whoever_asks_what_differs() -> None:
    shelf = GoneDeaf()
    rounds = Rounds([shelf], Retries())
    rounds.make(STATE, ALL_KINDS)
    rounds.doubt()
    rounds.look(STATE, ALL_KINDS)
    del shelf.things["port_tags", "tap1"]
    rounds.look(STATE, ALL_KINDS)
    assert rounds.missing["port_tags"] == {}
    assert [part.kind for part in rounds.compare(STATE, ALL_KINDS).kinds] == ["port_tags"]
    rounds.look(STATE, ALL_KINDS)
    assert set(rounds.missing["port_tags"]) == {"tap1"}
    shelf.things["port_tags", "tap1"] = TAG
    rounds.doubt()
    rounds.look(STATE, ALL_KINDS)
    assert rounds.missing["port_tags"] == {}
