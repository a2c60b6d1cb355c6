"""What a partition must leave alone: writes that go on meanwhile, and what is the case once it is over."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import httpx
from cloud import Cloud, Guest, Pings, until
from labs import TestLab
from story_fixtures import api_of
from test_first_guest import netglass_diff

from support.api import Api

_ONE_ONLY = ("qrouter-", "qdhcp-", "snat-")


class Load:
    """An administrator who makes and deletes networks with ports on hosts in turn, until told to stop.

    answered  statuses of all requests, and how often each came; 0: no answer
    """

    def __init__(self, api: Api, hosts: Sequence[str]) -> None:
        self.answered: Counter[int] = Counter()
        self._api = api
        self._hosts = hosts
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Has it write for as long as the block lasts; what it made is gone afterwards."""
        self._thread.start()
        yield self
        self._stopped.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        for network in self._api.get("/v2.0/networks?name=load")["networks"]:
            self._clear(network["id"])

    def _run(self) -> None:
        number = 0
        while not self._stopped.is_set():
            number += 1
            network_id = self._make("network", {"name": "load"})
            if not network_id:
                time.sleep(0.1)
                continue
            subnet = {"network_id": network_id, "ip_version": 4, "cidr": f"10.99.{number % 256}.0/24"}
            self._make("subnet", subnet)
            port = {"network_id": network_id, "binding:host_id": self._hosts[number % len(self._hosts)]}
            port_id = self._make("port", port | {"device_owner": "compute:load", "device_id": "load"})
            if port_id:
                self._call("DELETE", f"/v2.0/ports/{port_id}")
            self._call("DELETE", f"/v2.0/networks/{network_id}")

    def _make(self, kind: str, wanted: dict[str, object]) -> str:
        status, made = self._call("POST", f"/v2.0/{kind}s", {kind: wanted})
        return str(made[kind]["id"]) if status == 201 else ""

    def _call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, dict[str, object]]]:
        try:
            status, value = self._api.call(method, path, body)
        except httpx.TransportError:
            status, value = 0, None
        self.answered[status] += 1
        return status, value or {}

    def _clear(self, network_id: str) -> None:
        for port in self._api.get(f"/v2.0/ports?network_id={network_id}")["ports"]:
            if not port["device_owner"].startswith("network:"):
                self._api.delete(f"/v2.0/ports/{port['id']}")
        self._api.delete(f"/v2.0/networks/{network_id}")


def twice(lab: TestLab, hosts: Sequence[str]) -> list[str]:
    """Gives what only one host may have and two have: namespaces of routers and of DHCP servers."""
    seen = Counter(
        name
        for host in hosts
        for name in {line.split()[0] for line in lab.on(host, "ip", "netns", "list").splitlines() if line}
        if name.startswith(_ONE_ONLY)
    )
    return sorted(name for name, count in seen.items() if count > 1)


def await_right(lab: TestLab, hosts: Sequence[str], within_s: float = 30) -> float:
    """Waits until all hosts are as intent says, with nothing twice; gives how long it took, in seconds."""
    started = time.monotonic()
    # That a host is back is a commit of its own, which may come after all else.
    until(lambda: _realised(lab), within_s, "every host has realised what concerns it and fails at nothing")
    until(lambda: not twice(lab, hosts), within_s, "nothing runs twice")
    took = time.monotonic() - started
    for host in hosts:
        until(lambda host=host: not netglass_diff(lab, host), within_s, f"{host} is as intent says")  # type: ignore[misc]
    return took


def _realised(lab: TestLab) -> bool:
    listed = json.loads(lab.operator("host", "list", "--json").stdout)["hosts"]
    return all(
        one["alive"] and one["realised_revision"] >= one["relevant_revision"] and not one["failing_count"]
        for one in listed
    )


class Traffic:
    """Two guests on two hosts that ping each other a hundred times a second."""

    def __init__(self, lab: TestLab, here: str, there: str) -> None:
        self.cloud = Cloud(lab, api_of(lab, "demo"))
        self.network = self.cloud.network("10.0.1.0/24")
        self.one: Guest = self.cloud.guest("one", self.network, here)
        self.two: Guest = self.cloud.guest("two", self.network, there)

    @contextmanager
    def flowing(self, *more: tuple[Guest, str]) -> Iterator[dict[str, Pings]]:
        """Lets it flow for as long as the block lasts; gives, in the dictionary, how many each way lost in the end.

        more  other guests, and the addresses that they ask
        """
        lost: dict[str, Pings] = {}
        pairs = [(self.one, self.two.address), (self.two, self.one.address), *more]
        with ExitStack() as stack:
            flows = [stack.enter_context(self.cloud.pinging(guest, address)) for guest, address in pairs]
            yield lost
        for (guest, address), flow in zip(pairs, flows, strict=True):
            lost[f"{guest.name} to {address}"] = flow.pings()
