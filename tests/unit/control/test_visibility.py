from __future__ import annotations

import pytest
from deciding import ADMIN, ALICE, BOB, COMPUTE1, CONTROL, Cloud, refused

from netglass.control.availability import network_zones
from netglass.control.tags import decide_add_tag, decide_drop_tag, decide_set_tags
from netglass.control.visibility import may_delete, may_update, visible
from netglass.model.caller import Caller
from netglass.model.resources import Host, Server

NOBODY = Caller(user_id="u", roles=("member",))


def test_a_project_sees_its_own_and_what_is_shared() -> None:
    cloud = Cloud()
    private, shared = cloud.network(), cloud.network(shared=True)
    hidden, seen = cloud.subnet(private), cloud.subnet(shared)
    alices, bobs = cloud.port(shared), cloud.port(shared, BOB)
    rows = [private, shared, hidden, seen, alices, bobs]

    def see(caller: Caller) -> list[bool]:
        return [visible(caller, row, cloud.snapshot) for row in rows]

    assert see(ALICE) == [True] * 6
    assert see(ADMIN) == [True] * 6
    assert see(BOB) == [False, True, False, True, False, True]
    assert see(NOBODY) == [False, True, False, True, False, False]


def test_who_may_change_and_delete_is_narrower() -> None:
    cloud = Cloud()
    network = cloud.network(shared=True)
    subnet, foreign = cloud.subnet(network), cloud.subnet(network, "10.1.0.0/24", ADMIN)
    alices, bobs = cloud.port(network), cloud.port(network, BOB)
    rows = [network, subnet, foreign, alices, bobs]
    assert [may_update(ALICE, r, cloud.snapshot) for r in rows] == [True, True, True, True, False]
    assert [may_delete(ALICE, r, cloud.snapshot) for r in rows] == [True] * 5
    assert [may_update(BOB, r, cloud.snapshot) for r in rows] == [False, False, False, False, True]
    assert [may_delete(BOB, r, cloud.snapshot) for r in rows] == [False, False, False, False, True]
    assert all(may_update(ADMIN, r, cloud.snapshot) for r in rows)


def test_what_belongs_to_no_project_is_nobodys() -> None:
    server = Server(id="s", name="s", flavor_id="f", image_id="i")
    assert not visible(NOBODY, server, Cloud().snapshot)
    assert visible(ADMIN, server, Cloud().snapshot)


def test_nothing_is_made_without_a_project() -> None:
    with refused("HTTPBadRequest", 400, "not scoped to a project"):
        Cloud().network(Caller(roles=("admin",)))


def test_tags_are_set_added_and_taken_away() -> None:
    cloud = Cloud()
    network = cloud.network()
    tagged = cloud.decide(lambda d: decide_set_tags(d, network, ["b", "a", "b"]))
    assert tagged.tags == ("a", "b")
    tagged = cloud.decide(lambda d: decide_add_tag(d, tagged, "c"))
    assert cloud.decide(lambda d: decide_add_tag(d, tagged, "c")) == tagged
    tagged = cloud.decide(lambda d: decide_drop_tag(d, tagged, "a"))
    assert tagged.tags == ("b", "c")
    with refused("TagNotFound", 404, "Tag a could not be found."):
        cloud.decide(lambda d: decide_drop_tag(d, tagged, "a"))
    with refused("InvalidInput", 400, "Tag"):
        cloud.decide(lambda d: decide_add_tag(d, tagged, "x" * 256))
    with refused("NetworkNotFound", 404):
        cloud.decide(lambda d: decide_set_tags(d, tagged, []), BOB)


@pytest.mark.parametrize(
    ("enabled", "expected"), [(True, {"b": True, "nova": True}), (False, {"b": False, "nova": True})]
)
def test_zones_are_those_of_network_hosts(enabled: bool, expected: dict[str, bool]) -> None:
    other = Host(id="x", roles=("network",), availability_zone="b", enabled=enabled)
    hidden = Host(id="y", roles=("hypervisor",), availability_zone="c")
    assert network_zones(Cloud(CONTROL, COMPUTE1, other, hidden).snapshot) == expected
