"""Stories of many clients at one server or two: nothing is given out twice, and everything comes back."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from process import ServerProcess, StartServers

from support.api import Api
from support.history import ROOM, History

pytestmark = pytest.mark.server

CLIENTS = 8


class Ledger:
    """What clients hold right now; a number held twice is caught in the act."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[object] = set()
        self.most = 0

    def take(self, number: object) -> None:
        with self._lock:
            assert number not in self._held, f"{number} was given out twice"
            self._held.add(number)
            self.most = max(self.most, len(self._held))

    def give_back(self, number: object) -> None:
        with self._lock:
            self._held.remove(number)


def in_random_order(
    api: Api, seed: int, count: int, make: Callable[[Api], str | None], end: Callable[[Api, str], None]
) -> int:
    """Makes `count` objects and deletes them, mixed at random; gives how often the pool was empty."""
    chance = random.Random(seed)
    held: list[str] = []
    made = refused = 0
    while made < count or held:
        if made < count and (not held or chance.random() < 0.6):
            found = make(api)
            if found is None:
                refused += 1
                if held:
                    end(api, held.pop(chance.randrange(len(held))))
            else:
                made += 1
                held.append(found)
        else:
            end(api, held.pop(chance.randrange(len(held))))
    return refused


def by_all_clients(
    servers: list[ServerProcess], count: int, make: Callable[[Api], str | None], end: Callable[[Api, str], None]
) -> int:
    apis = [servers[number % len(servers)].admin() for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        work = [pool.submit(in_random_order, api, seed, count, make, end) for seed, api in enumerate(apis)]
        return sum(w.result() for w in work)


def test_a_pool_of_50_segments_serves_100_networks_of_8_clients_and_is_whole_again(
    start_servers: StartServers,
) -> None:
    servers = start_servers(
        vlan_ranges=[["default", 1000, 1049]], default_quotas={"network": -1, "subnet": -1, "port": -1}
    )
    ledger = Ledger()
    segment_of: dict[str, int] = {}

    def make(api: Api) -> str | None:
        status, body = api.call("POST", "/v2.0/networks", {"network": {"name": "n"}})
        if status == 503:
            assert body["NeutronError"]["type"] == "NoNetworkAvailable"
            return None
        assert status == 201, body
        network = body["network"]
        assert 1000 <= network["provider:segmentation_id"] <= 1049
        ledger.take(network["provider:segmentation_id"])
        segment_of[network["id"]] = network["provider:segmentation_id"]
        return network["id"]

    def end(api: Api, network_id: str) -> None:
        ledger.give_back(segment_of[network_id])  # before: as soon as it is free, another client may have it
        api.delete(f"/v2.0/networks/{network_id}")

    by_all_clients(servers, 13, make, end)

    api = servers[-1].admin()
    assert api.get("/v2.0/networks")["networks"] == []
    all_50 = [api.post("/v2.0/networks", {"network": {}})["network"] for _ in range(50)]
    assert sorted(n["provider:segmentation_id"] for n in all_50) == list(range(1000, 1050))
    status, body = api.call("POST", "/v2.0/networks", {"network": {}})
    assert (status, body["NeutronError"]["type"]) == (503, "NoNetworkAvailable")


def test_the_addresses_of_a_slash_28_are_never_given_twice_and_all_come_back(
    start_servers: StartServers,
) -> None:
    servers = start_servers(default_quotas={"network": -1, "subnet": -1, "port": -1})
    api = servers[0].admin()
    network_id = api.post("/v2.0/networks", {"network": {}})["network"]["id"]
    api.post("/v2.0/subnets", {"subnet": {"network_id": network_id, "ip_version": 4, "cidr": "10.9.0.0/28"}})
    ledger = Ledger()
    address_of: dict[str, str] = {}

    def make(api: Api) -> str | None:
        status, body = api.call("POST", "/v2.0/ports", {"port": {"network_id": network_id}})
        if status == 409:
            assert body["NeutronError"]["type"] == "IpAddressGenerationFailure"
            return None
        assert status == 201, body
        port = body["port"]
        ledger.take(port["fixed_ips"][0]["ip_address"])
        address_of[port["id"]] = port["fixed_ips"][0]["ip_address"]
        return port["id"]

    def end(api: Api, port_id: str) -> None:
        ledger.give_back(address_of[port_id])
        api.delete(f"/v2.0/ports/{port_id}")

    refused = by_all_clients(servers, 20, make, end)

    assert refused > 0, "the pool was never empty, so the test proved little"
    assert ledger.most <= 13
    assert api.get("/v2.0/ports")["ports"] == []
    again = [api.post("/v2.0/ports", {"port": {"network_id": network_id}})["port"] for _ in range(13)]
    assert {p["fixed_ips"][0]["ip_address"] for p in again} == {f"10.9.0.{n}" for n in range(2, 15)}


def test_servers_killed_while_clients_write_keep_every_answer_and_nothing_that_was_refused(
    start_servers: StartServers,
) -> None:
    servers = start_servers(**ROOM)
    history = History()

    with history.written_by([servers[number % len(servers)].admin() for number in range(CLIENTS)]):
        for server in servers:
            history.wait_for_answers(40)
            server.stop(9)
            server.start()
        history.wait_for_answers(10)

    for server in servers:
        history.check(server.admin())
