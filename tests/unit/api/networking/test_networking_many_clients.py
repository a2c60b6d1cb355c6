"""Eight clients at once on pools that are too small for all of them: nothing twice, and everything reclaimed."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from networking_cloud import Cloud

from netglass.model.caller import CloudSettings
from support.clients import Client

CLIENTS = 8
TURNS = 25  # each client's objects, made and deleted in an order of its own
HELD = 9  # most that one client has at a time: eight of them want more than there is


def _run(cloud: Cloud, make: Callable[[Client], Any], path: str, refused: tuple[int, str]) -> int:
    """Has every client make and delete; gives how many were made.  Nothing may be refused but as `refused` says."""
    name = path.rstrip("s")

    def one(seed: int) -> int:
        chance, held, made = random.Random(seed), list[str](), 0
        with cloud.as_("admin") as client:
            while made < TURNS or held:
                if made < TURNS and len(held) < HELD and (not held or chance.random() < 0.7):
                    answer = make(client)
                    if answer.status_code == 201:
                        held.append(answer.json()[name]["id"])
                        made += 1
                        continue
                    assert (answer.status_code, answer.json()["NeutronError"]["type"]) == refused, answer.text
                if held:
                    gone = held.pop(chance.randrange(len(held)))
                    assert client.delete(f"/v2.0/{path}/{gone}").status_code == 204
        return made

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(one, range(CLIENTS)))


def _never_twice(cloud: Cloud, kind: str, numbers: Callable[[Any], list[Any]]) -> list[str]:
    """Watches every commit; gives a list that fills with what two objects held at one revision."""
    held: dict[Any, str] = {}
    twice: list[str] = []

    def watch(commit: Any) -> None:
        for change in commit.changes:
            if change.kind != kind:
                continue
            for number in numbers(change.before) if change.before is not None else []:
                held.pop(number, None)
            for number in numbers(change.after) if change.after is not None else []:
                if number in held:
                    twice.append(f"{number} by {held[number]} and {change.id}")
                held[number] = change.id

    cloud.store.subscribe(watch)
    return twice


def test_no_segment_is_given_twice_and_all_come_back(database_url: str) -> None:
    cloud = Cloud(database_url, CloudSettings(vlan_ranges=(("default", 1000, 1049),), default_quotas={"network": -1}))
    twice = _never_twice(cloud, "network", lambda network: [network.segmentation_id])
    made = _run(
        cloud,
        lambda client: client.post("/v2.0/networks", json={"network": {}}),
        "networks",
        (503, "NoNetworkAvailable"),
    )
    assert made == CLIENTS * TURNS
    assert twice == []
    assert cloud.store.snapshot.used("segments", ("vlan", "default")) == ()
    with cloud.as_("admin") as admin:
        answers = [admin.post("/v2.0/networks", json={"network": {}}) for _ in range(51)]
    assert [answer.status_code for answer in answers] == [201] * 50 + [503]
    cloud.store.close()


def test_no_address_is_given_twice_and_all_come_back(database_url: str) -> None:
    cloud = Cloud(database_url, CloudSettings(default_quotas=dict.fromkeys(("network", "subnet", "port"), -1)))
    with cloud.as_("admin") as admin:
        network = admin.post("/v2.0/networks", json={"network": {}}).json()["network"]["id"]
        cidr = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/28"}
        subnet = admin.post("/v2.0/subnets", json={"subnet": cidr}).json()["subnet"]["id"]
    twice = _never_twice(cloud, "port", lambda port: [port.mac_address, *(f.ip_address for f in port.fixed_ips)])
    body = {"port": {"network_id": network}}
    made = _run(
        cloud, lambda client: client.post("/v2.0/ports", json=body), "ports", (409, "IpAddressGenerationFailure")
    )
    assert made == CLIENTS * TURNS
    assert twice == []
    assert cloud.store.snapshot.used("addresses", subnet) == ()
    with cloud.as_("admin") as admin:
        answers = [admin.post("/v2.0/ports", json=body) for _ in range(14)]
    assert [answer.status_code for answer in answers] == [201] * 13 + [409]
    cloud.store.close()
