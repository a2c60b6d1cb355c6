"""How soon a router routes, and what a restart of a network host's agent costs.

Brings up the GRE lab under another name, with one guest on bob.  Then, round by round:

router        a router with a gateway is made and joined to the guest's network; from the first request to the first
              answer that the guest gets from the internet
floating IP   one is made for the guest in one request; from the request to the first answer that a client outside gets
restart       with many routers up, the agent of the network host is killed (-9) while the guest pings the internet at
              100 packets a second; until the next agent says that there is nothing to do, and the packets lost

Prints a table and keeps the raw figures under bench/results/.

    python bench/routing.py [--rounds 10] [--routers 50] [--lab NAME: one that is up]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench_lab import NETGLASS, Api, Figures, keep, lab_up, let_everything_in, netglass, probe

PROBE = Path(__file__).with_name("routing_probe.py")
WIRING_PROBE = Path(__file__).with_name("wiring_probe.py")
INTERNET = "198.51.100.10"
NETWORK_HOST = "network"
MOST_S = 20.0
PACKETS, EACH_S = 600, 0.01


class Bench:
    """A lab with a guest, whose network comes by a router or does not."""

    def __init__(self, lab: str, api: Api) -> None:
        self.lab, self.api = lab, api
        self.public = api("GET", "/v2.0/networks?router:external=True")["networks"][0]["id"]
        self.network_id, self.subnet_id = self._network("10.60.0.0/24")
        project = api("GET", f"/v2.0/networks/{self.network_id}")["network"]["project_id"]
        unlimited = dict.fromkeys(("network", "subnet", "port", "router", "floatingip"), -1)
        api("PUT", f"/v2.0/quotas/{project}", {"quota": unlimited})
        let_everything_in(api)
        self.guest, self.port_id = self._guest()
        self.routers: list[tuple[str, str]] = []

    def _network(self, cidr: str) -> tuple[str, str]:
        made = self.api("POST", "/v2.0/networks", {"network": {"name": "bench"}})["network"]["id"]
        subnet = {"network_id": made, "cidr": cidr, "ip_version": 4}
        return made, self.api("POST", "/v2.0/subnets", {"subnet": subnet})["subnet"]["id"]

    def _guest(self) -> tuple[str, str]:
        wanted = {
            "name": "bench",
            "imageRef": self.api("GET", "/image/v2/images")["images"][0]["id"],
            "flavorRef": self.api("GET", "/compute/v2.1/flavors")["flavors"][0]["id"],
            "networks": [{"uuid": self.network_id}],
            "availability_zone": "nova:bob",
        }
        made = self.api("POST", "/compute/v2.1/servers", {"server": wanted})["server"]["id"]
        end = time.monotonic() + 30
        while self.api("GET", f"/compute/v2.1/servers/{made}")["server"]["status"] != "ACTIVE":
            if time.monotonic() > end:
                raise SystemExit("the guest did not become ACTIVE in 30 s")
        while "default" not in netglass("lab", "guest", "--lab", self.lab, made, "--", "ip", "route"):
            if time.monotonic() > end:
                raise SystemExit("the guest has no default route after 30 s")
        return made, self.api("GET", f"/v2.0/ports?device_id={made}")["ports"][0]["id"]

    def make_router(self, subnet_id: str) -> str:
        """Makes a router with a gateway and joins it to a subnet."""
        wanted = {"name": "bench", "external_gateway_info": {"network_id": self.public}}
        made: str = self.api("POST", "/v2.0/routers", {"router": wanted})["router"]["id"]
        self.api("PUT", f"/v2.0/routers/{made}/add_router_interface", {"subnet_id": subnet_id})
        return made

    def drop_router(self, router_id: str, subnet_id: str) -> None:
        """Takes a router away, and waits until its host has."""
        self.api("PUT", f"/v2.0/routers/{router_id}/remove_router_interface", {"subnet_id": subnet_id})
        self.api("DELETE", f"/v2.0/routers/{router_id}")
        self.wait()

    def wait(self) -> None:
        """Waits until the network host has realised everything."""
        self.api("GET", f"/netglass/v1/wait?host={NETWORK_HOST}&timeout=120")

    def router_round(self) -> Figures:
        """Gives how long a new router takes, in milliseconds; the router goes again."""
        with self._asking("guest", self.guest, address=INTERNET, device="eth0", seconds=MOST_S) as answered:
            begun = time.monotonic()
            router_id = self.make_router(self.subnet_id)
            asked = time.monotonic()
        figures = {"answered_ms": _ms(begun, answered), "requests_ms": _ms(begun, [asked])}
        self.drop_router(router_id, self.subnet_id)
        return figures

    def floating_round(self) -> Figures:
        """Gives how long a floating IP takes, in milliseconds; it goes again.  The guest must have a router."""
        address = self._free_address()
        with self._asking("exec", "client", address=address, device="eth1", seconds=MOST_S) as answered:
            wanted = {"floating_network_id": self.public, "port_id": self.port_id, "floating_ip_address": address}
            begun = time.monotonic()
            made = self.api("POST", "/v2.0/floatingips", {"floatingip": wanted})["floatingip"]["id"]
            asked = time.monotonic()
        self.api("DELETE", f"/v2.0/floatingips/{made}")
        self.wait()
        return {"answered_ms": _ms(begun, answered), "requests_ms": _ms(begun, [asked])}

    def _free_address(self) -> str:
        made = self.api("POST", "/v2.0/floatingips", {"floatingip": {"floating_network_id": self.public}})["floatingip"]
        self.api("DELETE", f"/v2.0/floatingips/{made['id']}")
        address: str = made["floating_ip_address"]
        # The provider's router asks for the address's MAC once a second; here, every 10 ms.
        for name, value in (("retrans_time_ms", "10"), ("mcast_solicit", "1000")):
            key = f"net.ipv4.neigh.eth1.{name}={value}"
            netglass("lab", "exec", "--lab", self.lab, "provider", "--", "sysctl", "-qw", key)
        return address

    def restart(self, routers: int) -> Figures:
        """Kills the network host's agent among so many routers, while the guest pings through one of them."""
        for number in track(range(routers), description=f"making {routers} routers", transient=True):
            _, subnet_id = self._network(f"10.61.{number}.0/24")
            self.routers.append((self.make_router(subnet_id), subnet_id))
        self.wait()
        with self._asking("guest", self.guest, "count", address=INTERNET, count=PACKETS, each_s=EACH_S) as seen:
            restart = probe(self.lab, NETWORK_HOST, WIRING_PROBE, "restart")
        return restart | {"routers": routers, "lost": seen[0]["lost"], "sent": seen[0]["sent"]}

    @contextmanager
    def _asking(self, verb: str, where: str, what: str = "first", **arguments: Any) -> Iterator[list[Any]]:
        """Runs the probe meanwhile; what it saw is in the list afterwards."""
        # By its text: a guest does not see the bench's files.
        program = ["/usr/bin/python3", "-c", PROBE.read_text(), what]
        argv = [NETGLASS, "lab", verb, "--lab", self.lab, where, "--", *program]
        running = subprocess.Popen([*argv, json.dumps(arguments)], stdout=subprocess.PIPE, text=True)
        assert running.stdout is not None
        if running.stdout.readline().strip() != "asking":
            raise SystemExit(f"the probe does not run in {where}")
        seen: list[Any] = []
        yield seen
        found = json.loads(running.communicate()[0])
        seen.append(found["answered"] if what == "first" else found)


def _ms(begun: float, ended: list[float | None]) -> float | None:
    return None if ended[0] is None else round((ended[0] - begun) * 1000, 2)


def table(rows: dict[str, list[Figures]]) -> Table:
    """Gives the times of routers and floating IPs."""
    shown = Table(title="From the first request, milliseconds")
    for name in ("", "rounds", "median", "p90", "most", "of it the requests", "never"):
        shown.add_column(name, justify="right")
    for what, rounds in rows.items():
        times = sorted(r["answered_ms"] for r in rounds if r["answered_ms"] is not None)
        cells = [statistics.median(times), times[int(len(times) * 0.9) - 1], times[-1]] if times else []
        requests = statistics.median(r["requests_ms"] for r in rounds)
        never = str(len(rounds) - len(times))
        shown.add_row(what, str(len(rounds)), *(f"{cell:.0f}" for cell in (*cells, requests)), never)
    return shown


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--routers", type=int, default=50)
    parser.add_argument("--lab", help="a lab that is up; without it, one is brought up and taken down")
    options = parser.parse_args()
    console = Console()
    with lab_up(options.lab, "routing", "gre") as lab:
        bench = Bench(lab, Api(lab))
        rows = {"router, to the internet": [bench.router_round() for _ in range(options.rounds)]}
        bench.make_router(bench.subnet_id)
        bench.wait()
        rows["floating IP, from outside"] = [bench.floating_round() for _ in range(options.rounds)]
        console.print(table(rows))
        restart = bench.restart(options.routers)
        console.print(
            f"Restart of the network host's agent with {restart['routers']} routers: all read"
            f" {restart['from_start_ms']:.0f} ms after its start, {restart['from_kill_ms']:.0f} ms after SIGKILL;"
            f" {restart['lost']} of {restart['sent']} packets lost"
        )
    keep("routing", {"rounds": rows, "restart": restart})


if __name__ == "__main__":
    main()
