"""Clients that make, change and delete networks, ports, routers, floating IPs and guests without end.

Each object carries the name that its writer gave it and which of its writes it shows, ``load/<life>/<number>``, so that
what is there can be held against what clients were told, whoever died meanwhile.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from support.api import Api
from support.writes import Key, Ledger, Op, Outcome, Write

PREFIX = "load"
JOINED = "joined"
"""What a router's interface is as long as it is there."""
UNKNOWN_STATUS = 504
"""A server says that it cannot tell what became of a write."""

UNSENT = object()
"""In place of an answer: there was nobody to send the write to."""

_SERVERS = "/compute/v2.1/servers"
_TRIES = 40
_GUESTS = 0.4
_ROUTERS = 0.6
_FLOATING = 0.7


class Where(NamedTuple):
    """What the cloud has for clients.

    hosts     that guests run on; none: there are no guests
    external  network of routers' gateways and floating IPs; empty: there are neither
    dhcp      subnets are served, so that there is something to do for hosts
    """

    hosts: tuple[str, ...] = ()
    external: str = ""
    dhcp: bool = True


class Stopped(Exception):
    """The client is to end."""


@dataclass
class Life:
    """Objects that belong together, from the network to the floating IP, in the order in which they were made.

    made  kind -> id, and how to delete it
    """

    name: str
    made: dict[str, tuple[str, str]] = field(default_factory=dict)


class Gate:
    """Lets clients write at a pace, until they are to end."""

    def __init__(self, pace_s: float) -> None:
        self._pace_s = pace_s
        self._stopped = threading.Event()

    def pass_through(self) -> None:
        """Waits for the next write's turn.  Raises Stopped."""
        if self._stopped.wait(self._pace_s):
            raise Stopped

    def stop(self) -> None:
        """Lets clients end before their next write."""
        self._stopped.set()


class Client:
    """One client, with a few lives at a time; `api` is its connection."""

    def __init__(self, number: int, api: Api, where: Where, ledger: Ledger, gate: Gate) -> None:
        self._number = number
        self._where = where
        self._ledger = ledger
        self._gate = gate
        self._dice = random.Random(number)
        self._api = api
        self._begun = 0
        self._writes = 0
        compute = "/compute/v2.1/flavors"
        self._guest = {
            "flavorRef": self._api.get(compute)["flavors"][0]["id"],
            "imageRef": self._api.get("/image/v2/images")["images"][0]["id"],
        }

    def run(self, most: int = 3) -> None:
        """Writes until it is stopped; what is there then stays."""
        lives: list[Life] = []
        try:
            while True:
                if len(lives) < most:
                    lives.append(Life(f"{self._number}-{self._begun}"))
                    self._begun += 1
                    self._begin(lives[-1])
                for _ in range(self._dice.randrange(4)):
                    self._change(self._dice.choice(lives))
                if len(lives) == most:
                    self._end(lives.pop(self._dice.randrange(most)))
        except Stopped:
            return

    # --- lives

    def _begin(self, life: Life) -> None:
        network = self._create(life, "network", {})
        if not network:
            return
        cidr = f"10.{100 + self._number}.{self._begun % 250}.0/24"
        block = {"ip_version": 4, "cidr": cidr, "enable_dhcp": self._where.dhcp}
        subnet = self._create(life, "subnet", {"network_id": network, **block})
        if not subnet:
            return
        host = self._dice.choice(self._where.hosts) if self._where.hosts else ""
        port = self._create(life, "port", {"network_id": network})
        if port and host and self._dice.random() < _GUESTS:
            self._boot(life, port, host)
        if port and self._where.external and self._dice.random() < _ROUTERS:
            self._lead_out(life, subnet, port)

    def _lead_out(self, life: Life, subnet: str, port: str) -> None:
        gateway = {"external_gateway_info": {"network_id": self._where.external}}
        router = self._create(life, "router", gateway)
        if not router:
            return
        path, body = f"/v2.0/routers/{router}", {"subnet_id": subnet}
        key = Key("interface", life.name)
        answered, _ = self._write(key, Op.CREATE, JOINED, ("PUT", f"{path}/add_router_interface", body))
        if answered is not Outcome.REFUSED:
            life.made["interface"] = (subnet, f"{path}/remove_router_interface")
        if answered is Outcome.ANSWERED and self._dice.random() < _FLOATING:
            self._create(life, "floatingip", {"floating_network_id": self._where.external, "port_id": port})

    def _boot(self, life: Life, port: str, host: str) -> None:
        value = self._value(life)
        wanted = {**self._guest, "networks": [{"port": port}], "availability_zone": f"nova:{host}"}
        body = {"server": {"name": value, **wanted}}
        outcome, made = self._write(Key("server", life.name), Op.CREATE, value, ("POST", _SERVERS, body))
        found = (
            str(made["server"]["id"]) if outcome is Outcome.ANSWERED else self._look(outcome, _SERVERS, "name", value)
        )
        if found:
            life.made["server"] = (found, f"{_SERVERS}/{found}")

    def _create(self, life: Life, kind: str, body: dict[str, Any]) -> str:
        """Makes an object; gives its id, empty when it is not there as far as can be told."""
        value, path = self._value(life), f"/v2.0/{kind}s"
        wanted = {kind: {**_named(kind, value), **body}}
        outcome, made = self._write(Key(kind, life.name), Op.CREATE, value, ("POST", path, wanted))
        found = (
            str(made[kind]["id"]) if outcome is Outcome.ANSWERED else self._look(outcome, path, "description", value)
        )
        if found:
            life.made[kind] = (found, f"{path}/{found}")
        return found

    def _look(self, outcome: Outcome, path: str, field: str, value: str) -> str:
        """Gives the id of what nobody was told of; empty when it is not there."""
        for _ in range(_TRIES if outcome is Outcome.UNKNOWN else 0):
            self._gate.pass_through()
            with suppress(httpx.TransportError):
                status, body = self._api.call("GET", path)
                if status == 200:
                    rows = next(value for value in body.values() if isinstance(value, list))
                    return next((str(row["id"]) for row in rows if row[field] == value), "")
        return ""

    def _change(self, life: Life) -> None:
        kinds = [kind for kind in life.made if kind not in ("interface", "server")]
        if not kinds:
            return
        kind = self._dice.choice(kinds)
        _, path = life.made[kind]
        value = self._value(life)
        self._write(Key(kind, life.name), Op.UPDATE, value, ("PUT", path, {kind: _named(kind, value)}))

    def _end(self, life: Life) -> None:
        """Deletes a life; what is refused, as something nobody was told of is in the way, is left with all before."""
        for kind, (found, path) in reversed(life.made.items()):
            request = ("PUT", path, {"subnet_id": found}) if kind == "interface" else ("DELETE", path, None)
            key = Key(kind, life.name)
            outcome, said = self._write(key, Op.DELETE, None, request)
            while outcome is Outcome.UNKNOWN or said is UNSENT:
                outcome, said = self._write(key, Op.DELETE, None, request)
            if outcome is Outcome.REFUSED:
                return

    # --- writes

    def _value(self, life: Life) -> str:
        self._writes += 1
        return f"{PREFIX}/{life.name}/{self._writes}"

    def _write(self, key: Key, op: Op, value: str | None, request: tuple[str, str, Any]) -> tuple[Outcome, Any]:
        self._gate.pass_through()
        outcome, body = self._told(request)
        self._ledger.note(key, Write(op, value, outcome))
        return outcome, body

    def _told(self, request: tuple[str, str, Any]) -> tuple[Outcome, Any]:
        try:
            status, body = self._api.call(*request)
            if status == 401:
                self._api.log_in()
                return Outcome.REFUSED, UNSENT
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._ledger.count(type(error).__name__)
            return Outcome.REFUSED, UNSENT
        except httpx.TransportError as error:
            self._ledger.count(type(error).__name__)
            return Outcome.UNKNOWN, None
        self._ledger.count(_words(status, body))
        if status < 300:
            return Outcome.ANSWERED, body
        return {404: Outcome.MISSING, UNKNOWN_STATUS: Outcome.UNKNOWN}.get(status, Outcome.REFUSED), body


class Load:
    """Clients at work, each in a thread of its own, where it logs in."""

    def __init__(self, log_ins: Sequence[Callable[[], Api]], where: Where, pace_s: float = 0.1) -> None:
        self.ledger = Ledger()
        self._gate = Gate(pace_s)
        self._pool = ThreadPoolExecutor(len(log_ins))
        self._there = threading.Barrier(len(log_ins) + 1)
        self._where = where
        self._work: list[Future[None]] = [self._pool.submit(self._run, n, log_in) for n, log_in in enumerate(log_ins)]
        with suppress(threading.BrokenBarrierError):
            self._there.wait()

    def _run(self, number: int, log_in: Callable[[], Api]) -> None:
        try:
            client = Client(number, log_in(), self._where, self.ledger, self._gate)
        except BaseException:
            self._there.abort()
            raise
        self._there.wait()
        client.run()

    def stop(self) -> None:
        """Ends all clients; raises what ended one of them before."""
        self._gate.stop()
        self._pool.shutdown()
        for work in self._work:
            work.result()


def found(api: Api) -> dict[Key, list[str]]:
    """Gives what the clients' objects are now, as the API lists them."""
    there: dict[Key, list[str]] = {}
    routers: dict[str, str] = {}
    for kind in ("network", "subnet", "port", "router", "floatingip"):
        for row in api.get(f"/v2.0/{kind}s")[f"{kind}s"]:
            value = row["description"]
            if value.startswith(f"{PREFIX}/"):
                # Both were written at once, so that one without the other is half a write.
                shown = value if row.get("name", value) == value else f"{value} called {row['name']}"
                there.setdefault(Key(kind, _life(value)), []).append(shown)
                if kind == "router":
                    routers[row["id"]] = _life(value)
    for port in api.get("/v2.0/ports?device_owner=network:router_interface")["ports"]:
        if port["device_id"] in routers:
            there.setdefault(Key("interface", routers[port["device_id"]]), []).append(JOINED)
    for row in api.get(f"{_SERVERS}?all_tenants=1")["servers"]:
        if row["name"].startswith(f"{PREFIX}/"):
            there.setdefault(Key("server", _life(row["name"])), []).append(row["name"])
    return there


def clear(api: Api) -> None:
    """Deletes everything that clients left; whatever is refused is a fault."""
    for row in api.get(f"{_SERVERS}?all_tenants=1")["servers"]:
        if row["name"].startswith(f"{PREFIX}/"):
            api.delete(f"{_SERVERS}/{row['id']}")
    _delete(api, "floatingip")
    routers = {row["id"] for row in _left(api, "router")}
    for port in api.get("/v2.0/ports?device_owner=network:router_interface")["ports"]:
        if port["device_id"] in routers:
            body = {"port_id": port["id"]}
            status, answer = api.call("PUT", f"/v2.0/routers/{port['device_id']}/remove_router_interface", body)
            assert status == 200, answer
    for kind in ("router", "port", "subnet", "network"):
        _delete(api, kind)


def _delete(api: Api, kind: str) -> None:
    for row in _left(api, kind):
        api.delete(f"/v2.0/{kind}s/{row['id']}")


def _left(api: Api, kind: str) -> list[dict[str, Any]]:
    return [row for row in api.get(f"/v2.0/{kind}s")[f"{kind}s"] if row["description"].startswith(f"{PREFIX}/")]


def _named(kind: str, value: str) -> dict[str, str]:
    return {"description": value} if kind == "floatingip" else {"description": value, "name": value}


def _life(value: str) -> str:
    return value.split("/")[1]


def _words(status: int, body: Any) -> str:
    if status < 300:
        return "answered"
    fault = next(iter(body.values())) if isinstance(body, dict) and body else {}
    return f"{status} {fault.get('type', '') if isinstance(fault, dict) else fault}".strip()
