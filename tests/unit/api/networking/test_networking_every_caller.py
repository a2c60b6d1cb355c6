"""Every operation, asked by everybody: generated, so that no verb, tag or nested path is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from every_request import Ask, every_ask, of_the_cloud, things_of
from networking_cloud import Cloud, made

from netglass.api.networking.policy import POLICY, admin
from netglass.api.networking.resources import RESOURCES
from netglass.model.caller import CloudSettings
from support.clients import Client

ASKS = tuple(every_ask())
OF_THE_CLOUD = ("agents", "dhcp-agents", "default-security-group-rules", "extensions")
NOT_THERE = "6b2f7f2e-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Stage:
    """A cloud in which alice and bob have one of everything each."""

    cloud: Cloud
    alice: dict[str, str]
    bob: dict[str, str]
    public: str

    def ask(self, ask: Ask, who: str, ids: dict[str, str]) -> tuple[int, str]:
        """Sends a request that must change nothing when it is refused; gives its status and the type of its fault."""
        before = self.cloud.store.snapshot
        answer = ask.send(self.cloud.as_(who), ids)
        assert answer.status_code < 400 or self.cloud.store.snapshot is before, ask
        text = answer.json()["NeutronError"]["type"] if answer.status_code >= 400 and answer.content else ""
        return answer.status_code, text


def staged(database_url: str) -> Stage:
    cloud = Cloud(database_url, CloudSettings(flat_networks=("external",)))
    cloud.register("control", "network")
    operator = cloud.as_("admin")
    public = made(operator, "networks", "network", **{"name": "public", "router:external": True})["id"]
    made(operator, "subnets", "subnet", network_id=public, ip_version=4, cidr="203.0.113.0/24", enable_dhcp=False)
    shared = of_the_cloud(cloud)
    return Stage(cloud, things_of(cloud, "alice", public) | shared, things_of(cloud, "bob", public) | shared, public)


@pytest.fixture(scope="module")
def stage(module_database_url: str) -> Iterator[Stage]:
    """For requests that change nothing."""
    made_stage = staged(module_database_url)
    yield made_stage
    made_stage.cloud.store.close()


def test_without_a_token_nothing_is_answered(stage: Stage) -> None:
    before = stage.cloud.store.snapshot
    answers = {str(ask): ask.send(stage.cloud.client, stage.alice).status_code for ask in ASKS}
    assert {ask: status for ask, status in answers.items() if status != 401} == {}
    assert stage.cloud.store.snapshot is before


def test_to_another_project_a_thing_is_as_if_it_were_not_there(stage: Stage) -> None:
    told = {}
    for ask in ASKS:
        if secret := set(ask.names) - {*OF_THE_CLOUD, "tag"}:
            there = stage.ask(ask, "bob", stage.alice)
            made_up = stage.ask(ask, "bob", stage.alice | dict.fromkeys(secret, NOT_THERE))
            if there[0] not in (403, 404) or there != made_up:
                told[str(ask)] = (there, made_up)
    assert told == {}


def test_whoever_may_only_read_changes_nothing(stage: Stage) -> None:
    found = {str(ask): stage.ask(ask, "rita", stage.alice)[0] for ask in ASKS if ask.method != "GET"}
    hidden = dict.fromkeys(("PUT /v2.0/agents/{agents}", "DELETE /v2.0/agents/{agents}"), 404)
    assert found == dict.fromkeys(found, 403) | hidden


@pytest.mark.parametrize("who", ["alice", "rita", "bob", "admin"])
def test_reading_writes_nothing(stage: Stage, who: str) -> None:
    """CVE-2022-3277: a list of nobody's groups must not make any."""
    before, client = stage.cloud.store.snapshot, stage.cloud.as_(who)
    for ask in ASKS:
        for query in ("", "?project_id=nobody&tenant_id=nobody"):
            if ask.method == "GET":
                answer = client.get(ask.path.format(**stage.alice) + query)
                assert answer.status_code < 500
                assert stage.cloud.store.snapshot is before, ask


@pytest.mark.parametrize("who", ["bob", "admin"])
def test_a_child_is_found_beneath_its_own_parent_only(stage: Stage, who: str) -> None:
    nested = [ask for ask in ASKS if len(set(ask.names) - {"tag"}) > 1]
    found = {}
    for ask in nested:
        own_parent = {ask.names[0]: stage.bob[ask.names[0]]}
        found[str(ask)] = stage.ask(ask, who, stage.alice | own_parent)[0]
    of_agents = {ask: status for ask, status in found.items() if "agents" in ask}
    assert found.keys() - of_agents.keys()
    assert found == dict.fromkeys(found, 404) | of_agents
    assert who == "admin" or set(of_agents.values()) == {403}


def test_each_of_these_requests_is_one_that_an_administrator_may_make(database_url: str) -> None:
    """Else the refusals above might be for another reason."""
    stage = staged(database_url)
    # Deletions last: what lies beneath before what it lies beneath, and what refers to things before them.
    deletions = [ask for ask in reversed(ASKS) if ask.method == "DELETE"]
    others = [ask for ask in ASKS if ask.method != "DELETE"]
    order = [
        *sorted(others, key=lambda ask: ask.method != "GET"),
        *sorted(deletions, key=lambda ask: -ask.path.count("/")),
    ]
    found = {str(ask): stage.ask(ask, "admin", stage.alice) for ask in order}
    assert {ask: one for ask, one in found.items() if one[0] >= 400 and one[0] != 409} == {}
    assert sum(status == 409 for status, _ in found.values()) < len(found) // 10
    stage.cloud.store.close()


GUARDED = [
    (resource, attribute)
    for resource in RESOURCES
    for attribute in resource.attributes
    if "update" in attribute.guards and POLICY[resource.rule("update", attribute.name)] is admin
]


@pytest.mark.parametrize(("resource", "attribute"), GUARDED, ids=lambda one: one.name)
def test_an_administrators_attribute_is_not_put_back_to_its_default_by_others(
    stage: Stage, alice_of: Client, resource: Any, attribute: Any
) -> None:
    """CVE-2014-6414: neither its default nor the value that it has already."""
    path = f"/v2.0/{resource.path or resource.collection}/{stage.alice[resource.path or resource.collection]}"
    now = stage.cloud.as_("admin").get(path).json()[resource.name].get(attribute.name)
    before = stage.cloud.store.snapshot
    for value in (attribute.default, now):
        answer = alice_of.put(path, json={resource.name: {attribute.name: value}})
        assert answer.status_code in (400, 403), (attribute.name, value)
    given = alice_of.put(path, json={resource.name: {attribute.name: now}})
    assert given.status_code == 403
    assert stage.cloud.store.snapshot is before


@pytest.fixture
def alice_of(stage: Stage) -> Client:
    return stage.cloud.as_("alice")
