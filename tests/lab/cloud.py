"""A cloud on a lab, for stories: objects made through the API, guests seen from inside and from their hosts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import Any, TypeVar

from labs import TestLab

from support.api import Api
from support.pace import until as until

T = TypeVar("T")
_UNDER_WAY = 20  # packets that may be on their way when a ping is stopped


@dataclass(frozen=True)
class Guest:
    """A light guest with one NIC."""

    id: str
    name: str
    host: str
    port_id: str
    mac: str
    address: str
    network_id: str = ""

    @property
    def tap(self) -> str:
        return "tap" + self.port_id[:11]


@dataclass(frozen=True)
class Pings:
    """How many were sent and came back."""

    sent: int
    received: int

    @property
    def lost(self) -> int:
        return self.sent - self.received


class Cloud:
    """What one project makes; `clear` takes it away again.

    Its default group lets everything in, so that a story about wires is not one about filters; with `guarded`, it lets
    in what default groups let in.
    """

    def __init__(self, lab: TestLab, api: Api, *, guarded: bool = False) -> None:
        self.lab = lab
        self.api = api
        if not guarded:
            self._let_everything_in()
        self._undo: list[tuple[str, str, Any]] = []
        compute = "/compute/v2.1"
        self._flavor = api.get(f"{compute}/flavors")["flavors"][0]["id"]
        self._image = api.get("/image/v2/images")["images"][0]["id"]

    def _let_everything_in(self) -> None:
        path = f"/v2.0/security-groups?name=default&project_id={self.api.project_id}"
        (group,) = self.api.get(path)["security_groups"]
        for ethertype in ("IPv4", "IPv6"):
            rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": ethertype}
            status, answer = self.api.call("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})
            assert status in (201, 409), answer  # 409: another cloud of the project did so before

    def network(self, cidr: str, name: str = "net", **attributes: Any) -> str:
        """Makes a network with one subnet; gives the network's id."""
        made = self.api.post("/v2.0/networks", {"network": {"name": name, **attributes}})["network"]
        self._undo.append(("DELETE", f"/v2.0/networks/{made['id']}", None))
        version = 6 if ":" in cidr else 4
        self.api.post("/v2.0/subnets", {"subnet": {"network_id": made["id"], "ip_version": version, "cidr": cidr}})
        return str(made["id"])

    def ipv6_network(self, cidr: str, mode: str, name: str = "six", **attributes: Any) -> str:
        """Makes a network with one IPv6 subnet, whose guests get their addresses as `mode` says; gives its id."""
        made = self.api.post("/v2.0/networks", {"network": {"name": name}})["network"]
        self._undo.append(("DELETE", f"/v2.0/networks/{made['id']}", None))
        modes = {"ipv6_ra_mode": mode, "ipv6_address_mode": mode}
        wanted = {"network_id": made["id"], "ip_version": 6, "cidr": cidr, **modes, **attributes}
        self.api.post("/v2.0/subnets", {"subnet": wanted})
        return str(made["id"])

    def subnet_of(self, network_id: str) -> str:
        """Gives the id of a network's first subnet."""
        return str(self.api.get(f"/v2.0/subnets?network_id={network_id}")["subnets"][0]["id"])

    def public(self) -> str:
        """Gives the id of the external network that the lab made."""
        return str(self.api.get("/v2.0/networks?router:external=True&name=public")["networks"][0]["id"])

    def router(self, *networks: str, outside: bool = True, name: str = "router") -> str:
        """Makes a router that joins networks, with a gateway on the external network; gives its id."""
        wanted: dict[str, Any] = {"name": name}
        if outside:
            wanted["external_gateway_info"] = {"network_id": self.public()}
        made = str(self.api.post("/v2.0/routers", {"router": wanted})["router"]["id"])
        self._undo.append(("DELETE", f"/v2.0/routers/{made}", None))
        for network_id in networks:
            self.join(made, network_id)
        return made

    def join(self, router_id: str, network_id: str) -> None:
        """Gives a router an interface on a network's first subnet."""
        body = {"subnet_id": self.subnet_of(network_id)}
        status, answer = self.api.call("PUT", f"/v2.0/routers/{router_id}/add_router_interface", body)
        assert status == 200, answer
        self._undo.append(("PUT", f"/v2.0/routers/{router_id}/remove_router_interface", body))

    def floating(self, port_id: str = "", network_id: str = "") -> dict[str, Any]:
        """Takes a floating IP of `public` or another network, for a port where one is named; gives it as shown."""
        wanted = {"floating_network_id": network_id or self.public(), **({"port_id": port_id} if port_id else {})}
        made: dict[str, Any] = self.api.post("/v2.0/floatingips", {"floatingip": wanted})["floatingip"]
        self._undo.append(("DELETE", f"/v2.0/floatingips/{made['id']}", None))
        return made

    def aim(self, floating_id: str, port_id: str | None) -> None:
        """Gives a floating IP to another port, or to none."""
        status, answer = self.api.call("PUT", f"/v2.0/floatingips/{floating_id}", {"floatingip": {"port_id": port_id}})
        assert status == 200, answer

    def start(self, name: str, network_id: str, host: str, address: str = "") -> str:
        """Asks for a guest; gives the server's id at once."""
        nic = {"uuid": network_id, **({"fixed_ip": address} if address else {})}
        wanted = {
            "name": name,
            "imageRef": self._image,
            "flavorRef": self._flavor,
            "networks": [nic],
            "availability_zone": f"nova:{host}",
        }
        made = self.api.post("/compute/v2.1/servers", {"server": wanted})["server"]
        self._undo.append(("DELETE", f"/compute/v2.1/servers/{made['id']}", None))
        return str(made["id"])

    def guest(self, name: str, network_id: str, host: str, address: str = "") -> Guest:
        """Makes a guest and waits until it has its address."""
        guest = self.guest_of(self.start(name, network_id, host, address), name, host)
        self.wait_address(guest)
        return guest

    def guest_of(self, server_id: str, name: str, host: str) -> Guest:
        """Gives the guest of a server, which need not run yet."""
        port = self.api.get(f"/v2.0/ports?device_id={server_id}")["ports"][0]
        address = port["fixed_ips"][0]["ip_address"]
        return Guest(server_id, name, host, port["id"], port["mac_address"], address, port["network_id"])

    def wait_address(self, guest: Guest, within_s: float = 15) -> None:
        """Waits until the guest itself says that it has the address of its port."""
        show = ("ip", "-o", "addr", "show", "dev", "eth0")
        until(
            lambda: f" {guest.address}/" in self.lab.inside(guest.id, *show, check=False),
            within_s,
            f"guest {guest.name} has {guest.address}",
        )

    def server(self, server_id: str) -> dict[str, Any]:
        """Shows a server."""
        found: dict[str, Any] = self.api.get(f"/compute/v2.1/servers/{server_id}")["server"]
        return found

    def ping(self, guest: Guest, address: str, count: int = 3, each_s: float = 0.1) -> Pings:
        """Pings from inside a guest."""
        with self.pinging(guest, address, each_s, count) as running:
            pass
        return running.pings()

    @contextmanager
    def pinging(self, guest: Guest, address: str, each_s: float = 0.01, count: int = 0) -> Iterator[Pinging]:
        """Pings for as long as the block lasts (or `count` times, which is waited for)."""
        words = ("ping", "-n", "-i", str(each_s), "-W", "1", *(("-c", str(count)) if count else ()), address)
        argv = [*self.lab.to_guest(guest.id), *words]
        running = Pinging(argv, words)
        try:
            yield running
        finally:
            if not count:
                self.lab.inside(guest.id, "kill", "-INT", *running.pids(self.lab, guest))
            running.end()

    def undo(self, method: str, path: str, body: Any = None) -> None:
        """Has something more undone by `clear`."""
        self._undo.append((method, path, body))

    def clear(self) -> None:
        """Deletes all that was made, the newest first."""
        for method, path, body in reversed(self._undo):
            self.api.call(method, path, body)
        self._undo.clear()


class Pinging:
    """A ping at work in a guest.

    argv   what starts it
    words  its command line inside
    """

    def __init__(self, argv: Sequence[str], words: tuple[str, ...]) -> None:
        # Into a file: a pipe that nobody reads is full after a thousand answers, and then it asks no more.
        self._output = TemporaryFile("w+")  # noqa: SIM115 - until `end`
        self._process = subprocess.Popen(argv, stdout=self._output, stderr=subprocess.STDOUT)
        self._words = words
        self._said = ""

    def pids(self, lab: TestLab, guest: Guest) -> list[str]:
        """Gives the ping's process id inside the guest, found by its whole command line."""
        listing = lab.inside(guest.id, "ps", "-eo", "pid=,args=")
        mine = " ".join(self._words)
        return [line.split()[0] for line in listing.splitlines() if line.split(maxsplit=1)[1].strip() == mine]

    def end(self) -> None:
        """Waits until it ends, and reads what it said."""
        self._process.wait(timeout=60)
        with self._output:
            self._output.seek(0)
            self._said = self._output.read()

    def pings(self) -> Pings:
        """Counts; one that was still on its way when the ping was stopped is neither sent nor lost."""
        answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl=", self._said)}
        match = re.search(r"(\d+) packets transmitted", self._said)
        assert match, self._said
        sent, last = int(match[1]), max(answered, default=0)
        under_way = "-c" not in self._words and sent - last < _UNDER_WAY
        return Pings(last if under_way else sent, len(answered))


def new_project(admin: Api, url: str, name: str) -> Api:
    """Makes a project with one user who is a member there; gives that user's client."""
    password = f"secret-of-{name}"
    project = admin.post("/identity/v3/projects", {"project": {"name": name}})["project"]["id"]
    user = admin.post("/identity/v3/users", {"user": {"name": name, "password": password}})["user"]["id"]
    roles = admin.get("/identity/v3/roles?name=member")["roles"]
    status, body = admin.call("PUT", f"/identity/v3/projects/{project}/users/{user}/roles/{roles[0]['id']}")
    assert status == 204, body
    return Api(url, name, password, name)


def end_project(admin: Api, api: Api, name: str) -> None:
    """Deletes what `new_project` made."""
    with suppress(IndexError):
        admin.delete(f"/identity/v3/users/{admin.get(f'/identity/v3/users?name={name}')['users'][0]['id']}")
    admin.delete(f"/identity/v3/projects/{api.project_id}")
