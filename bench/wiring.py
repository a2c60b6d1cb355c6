"""How fast a plugged interface is wired: it appears, its tag and flows are in, DHCP answers, the port is ACTIVE.

Brings up a lab of its own (the VLAN lab under another name), and on its host compute1 plugs interfaces as an outside
compute service would: 1, 10 and 100 at once.  `wiring_probe` runs on that host, listens to the switch's database for
the tags, speaks DHCP on the far ends of the interfaces, and asks the API for the ports' status; all times are from the
moment before the interfaces are put on the switch.  Then agents are killed and must find everything in place, and idle
hosts are watched.  Prints a table and keeps the raw figures under bench/results/.

    python bench/wiring.py [--ports 1 --ports 10 --ports 100] [--rounds 3] [--lab NAME: one that is up]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench_lab import Api, Figures, keep, lab_up, netglass, probe

PROBE = Path(__file__).with_name("wiring_probe.py")
HYPERVISOR, DHCP_HOST = "compute1", "control"
IDLE_S = 30
SEGMENT_CIDR = "10.77.0.0/16"


def management_url(lab: str) -> str:
    """Gives the API's URL as the lab's hosts reach it: the one in their agents' configuration."""
    text = netglass("lab", "exec", "--lab", lab, HYPERVISOR, "--", "cat", "/etc/netglass/agent.toml")
    line = next(line for line in text.splitlines() if line.startswith("server"))
    return line.split('"')[1]


class Bench:
    """One network on a lab, and ports that are plugged into it."""

    def __init__(self, lab: str, api: Api) -> None:
        self.lab, self.api = lab, api
        self.network_id: str = api("POST", "/v2.0/networks", {"network": {"name": "wiring"}})["network"]["id"]
        subnet = {"network_id": self.network_id, "cidr": SEGMENT_CIDR, "ip_version": 4}
        api("POST", "/v2.0/subnets", {"subnet": subnet})
        self.url = management_url(lab)
        self._until(lambda: all(port["status"] == "ACTIVE" for port in self._ports()) and bool(self._ports()), 10)

    def round(self, count: int, *, keep: bool = False) -> Figures:
        """Plugs `count` interfaces at once; gives the times, in milliseconds since just before, ascending."""
        made = self._make(count)
        figures = probe(
            self.lab,
            HYPERVISOR,
            PROBE,
            "plug",
            ports=[{"id": p["id"], "mac": p["mac_address"], "ip": p["fixed_ips"][0]["ip_address"]} for p in made],
            url=f"{self.url}/v2.0/ports?network_id={self.network_id}&fields=id&fields=status",
            token=self.api.token,
        )
        if not keep:
            self.clear(made)
        return figures | {"ports": count}

    def _make(self, count: int) -> list[dict[str, Any]]:
        wanted = {
            "network_id": self.network_id,
            "binding:host_id": HYPERVISOR,
            "device_owner": "compute:bench",
            "device_id": "bench",
        }
        made: list[dict[str, Any]] = self.api("POST", "/v2.0/ports", {"ports": [wanted] * count})["ports"]
        netglass_wait(self.api)
        return made

    def clear(self, made: list[dict[str, Any]]) -> None:
        """Unplugs and deletes ports."""
        probe(self.lab, HYPERVISOR, PROBE, "unplug", ports=[port["id"] for port in made])
        for port in made:
            self.api("DELETE", f"/v2.0/ports/{port['id']}")
        netglass_wait(self.api)

    def restart(self, host: str) -> Figures:
        """Kills a host's agent with SIGKILL; gives how long the next one took to find everything."""
        return probe(self.lab, host, PROBE, "restart") | {"host": host}

    def idle(self) -> list[Figures]:
        """Watches agents that have nothing to do."""
        return [
            probe(self.lab, host, PROBE, "idle", seconds=IDLE_S) | {"host": host} for host in (HYPERVISOR, DHCP_HOST)
        ]

    def all_ports(self) -> list[dict[str, Any]]:
        """Gives the ports that this bench has plugged."""
        return [port for port in self._ports() if port["device_owner"] == "compute:bench"]

    def end(self) -> None:
        """Deletes what is left."""
        made = self.all_ports()
        if made:
            self.clear(made)
        self.api("DELETE", f"/v2.0/networks/{self.network_id}")

    def _ports(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api("GET", f"/v2.0/ports?network_id={self.network_id}")["ports"]
        return found

    def _until(self, reached: Any, most_s: float) -> None:
        end = time.monotonic() + most_s
        while not reached():
            if time.monotonic() > end:
                raise SystemExit("the network's DHCP port did not become ACTIVE")


def netglass_wait(api: Api) -> None:
    """Waits until the DHCP host has realised all that was committed; guests' ports wait for their interfaces."""
    api("GET", f"/netglass/v1/wait?host={DHCP_HOST}")


def table(rounds: list[Figures]) -> Table:
    """Gives the wiring times: for each number of ports the median round, and of it the last port."""
    shown = Table(title="From the interface's appearance, milliseconds: median of the rounds, last of the ports")
    for name in ("ports", "rounds", "tag and flows in", "DHCP answers", "ACTIVE"):
        shown.add_column(name, justify="right")
    for count in sorted({figures["ports"] for figures in rounds}):
        same = [figures for figures in rounds if figures["ports"] == count]
        cells = [f"{statistics.median(max(f[key]) for f in same):.0f}" for key in ("tagged", "answered", "active")]
        shown.add_row(str(count), str(len(same)), *cells)
    return shown


def agents(restarts: list[Figures], idles: list[Figures], ports: int) -> Table:
    """Gives what agents take."""
    shown = Table(title=f"Agents with {ports} ports")
    for name in ("host", "restart: all read, ms", "from SIGKILL, ms", "idle, % of a core", "resident, MB"):
        shown.add_column(name, justify="right")
    for restart, idle in zip(restarts, idles, strict=True):
        cells = (restart["from_start_ms"], restart["from_kill_ms"], idle["percent"], idle["rss_mb"])
        shown.add_row(restart["host"], *(f"{value:.2f}" if value < 10 else f"{value:.0f}" for value in cells))
    return shown


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ports", type=int, action="append", help="how many at once; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lab", help="a lab that is up; without it, one is brought up and taken down")
    options = parser.parse_args()
    counts = options.ports or [1, 10, 100]
    console = Console()
    with lab_up(options.lab, "wiring", "vlan") as lab:
        bench = Bench(lab, Api(lab))
        rounds = [bench.round(count) for count in counts for _ in range(options.rounds)]
        console.print(table(rounds))
        bench.round(max(counts), keep=True)
        restarts = [bench.restart(host) for host in (HYPERVISOR, DHCP_HOST)]
        idles = bench.idle()
        console.print(agents(restarts, idles, max(counts)))
        bench.end()
    keep("wiring", {"rounds": rounds, "restarts": restarts, "idle": idles})


if __name__ == "__main__":
    main()
