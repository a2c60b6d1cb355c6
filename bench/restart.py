"""What restarts cost: of an agent with many ports or routers, and of ovs-vswitchd with guests on veth pairs.

Brings up the VLAN lab under another name, with a guest on each compute.  On compute1 interfaces are plugged as an
outside compute service would (`wiring_probe`), and on the network host routers are made.  Meanwhile guests ping at 100
packets a second:

ovs-vswitchd  with `--switch-ports` ports on compute1 it is killed (-9), and its guest asks the one on compute2
ports         with `--ports` ports the agent of compute1 is killed, and the same guest asks
routers       with `--routers` routers the agent of the network host is killed, and the guest asks the internet

Of agents it tells how long after its start the next one says that there is nothing to do (it fails when one changes
something), and of all the packets lost.  A part of which there are to be 0 is left out.  Prints a table and keeps the
raw figures under bench/results/.

    python bench/restart.py [--ports 300] [--switch-ports 100] [--routers 50] [--rounds 3] [--lab NAME: one that is up]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench_lab import NETGLASS, Api, Figures, keep, lab_up, netglass, probe

WIRING = Path(__file__).with_name("wiring_probe.py")
PACKETS = Path(__file__).with_name("routing_probe.py")
HERE, THERE, NETWORK_HOST = "compute1", "compute2", "control"
INTERNET = "198.51.100.10"
SECONDS, EACH_S = 12, 0.01
AT_ONCE = 50


class Bench:
    """A lab with a router, a guest on each compute, and as many ports and routers more as are asked for."""

    def __init__(self, lab: str, api: Api) -> None:
        self.lab, self.api = lab, api
        self.public = api("GET", "/v2.0/networks?router:external=True")["networks"][0]["id"]
        self.network_id, subnet_id = self._network("10.70.0.0/16")
        project = api("GET", f"/v2.0/networks/{self.network_id}")["network"]["project_id"]
        api("PUT", f"/v2.0/quotas/{project}", {"quota": dict.fromkeys(("network", "subnet", "port", "router"), -1)})
        self._open_default_group(project)
        self.make_router(subnet_id)
        self.guest, _ = self._guest("here", HERE)
        _, self.address = self._guest("there", THERE)
        self.ports = 0
        self.routers = 1

    def plug(self, count: int) -> None:
        """Has compute1 carry so many plugged ports in all."""
        while self.ports < count:
            wanted = {
                "network_id": self.network_id,
                "binding:host_id": HERE,
                "device_owner": "compute:bench",
                "device_id": "bench",
            }
            made = self.api("POST", "/v2.0/ports", {"ports": [wanted] * min(AT_ONCE, count - self.ports)})["ports"]
            plugged = [{"id": p["id"], "mac": p["mac_address"], "ip": ""} for p in made]
            probe(self.lab, HERE, WIRING, "wire", ports=plugged, first=self.ports)
            self.ports += len(made)
        self.wait()

    def route(self, count: int) -> None:
        """Has the network host carry so many routers in all."""
        while self.routers < count:
            _, subnet_id = self._network(f"10.71.{self.routers}.0/24")
            self.make_router(subnet_id)
        self.wait()

    def make_router(self, subnet_id: str) -> None:
        """Makes a router with a gateway and joins it to a subnet."""
        wanted = {"name": "bench", "external_gateway_info": {"network_id": self.public}}
        made: str = self.api("POST", "/v2.0/routers", {"router": wanted})["router"]["id"]
        self.api("PUT", f"/v2.0/routers/{made}/add_router_interface", {"subnet_id": subnet_id})
        self.routers = getattr(self, "routers", 0) + 1

    def wait(self) -> None:
        """Waits until every host has realised everything."""
        self.api("GET", "/netglass/v1/wait?timeout=280")

    def restart(self, host: str, address: str) -> Figures:
        """Kills a host's agent while a guest asks an address."""
        with self._asking(address) as seen:
            figures = probe(self.lab, host, WIRING, "restart")
        return figures | seen

    def blink(self) -> Figures:
        """Kills compute1's ovs-vswitchd while a guest asks the other."""
        with self._asking(self.address) as seen:
            figures = probe(self.lab, HERE, WIRING, "blink")
        self.wait()
        return figures | seen

    @contextmanager
    def _asking(self, address: str) -> Iterator[Figures]:
        """Has the guest ask for `SECONDS`; what was sent and lost is there afterwards."""
        asked = json.dumps({"address": address, "count": round(SECONDS / EACH_S), "each_s": EACH_S})
        program = ["/usr/bin/python3", "-c", PACKETS.read_text(), "count", asked]
        running = subprocess.Popen(
            [NETGLASS, "lab", "guest", "--lab", self.lab, self.guest, "--", *program], stdout=subprocess.PIPE, text=True
        )
        assert running.stdout is not None
        if running.stdout.readline().strip() != "asking":
            raise SystemExit("the guest cannot ping")
        time.sleep(1)  # so that what is lost at the start would show
        seen: Figures = {}
        yield seen
        seen |= json.loads(running.communicate()[0])

    def _network(self, cidr: str) -> tuple[str, str]:
        made = self.api("POST", "/v2.0/networks", {"network": {"name": "bench"}})["network"]["id"]
        subnet = {"network_id": made, "cidr": cidr, "ip_version": 4}
        return made, self.api("POST", "/v2.0/subnets", {"subnet": subnet})["subnet"]["id"]

    def _open_default_group(self, project: str) -> None:
        path = f"/v2.0/security-groups?name=default&project_id={project}"
        group = self.api("GET", path)["security_groups"][0]["id"]
        rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "icmp"}
        self.api("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})

    def _guest(self, name: str, host: str) -> tuple[str, str]:
        wanted = {
            "name": name,
            "imageRef": self.api("GET", "/image/v2/images")["images"][0]["id"],
            "flavorRef": self.api("GET", "/compute/v2.1/flavors")["flavors"][0]["id"],
            "networks": [{"uuid": self.network_id}],
            "availability_zone": f"nova:{host}",
        }
        made = self.api("POST", "/compute/v2.1/servers", {"server": wanted})["server"]["id"]
        end = time.monotonic() + 60
        while self.api("GET", f"/compute/v2.1/servers/{made}")["server"]["status"] != "ACTIVE":
            if time.monotonic() > end:
                raise SystemExit("the guest did not become ACTIVE in 60 s")
        while "default" not in netglass("lab", "guest", "--lab", self.lab, made, "--", "ip", "route"):
            if time.monotonic() > end:
                raise SystemExit("the guest has no default route after 60 s")
        port = self.api("GET", f"/v2.0/ports?device_id={made}")["ports"][0]
        return made, port["fixed_ips"][0]["ip_address"]


def table(rows: dict[str, list[Figures]]) -> Table:
    """Gives a row for each round."""
    shown = Table(title="Restarts under 100 packets a second")
    for name in ("killed", "all read after its start, ms", "after SIGKILL, ms", "lost", "sent"):
        shown.add_column(name, justify="right")
    for what, rounds in rows.items():
        for found in rounds:
            started = found.get("from_start_ms")
            killed = found.get("from_kill_ms", found.get("another_ms", 0.0))
            cells = ("" if started is None else f"{started:.0f}", f"{killed:.0f}", str(found["lost"]))
            shown.add_row(what, *cells, str(found["sent"]))
    return shown


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ports", type=int, default=300)
    parser.add_argument("--switch-ports", type=int, default=100)
    parser.add_argument("--routers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lab", help="a lab that is up; without it, one is brought up and taken down")
    options = parser.parse_args()
    rounds, rows = range(options.rounds), dict[str, list[Any]]()
    with lab_up(options.lab, "restart", "vlan") as lab:
        bench = Bench(lab, Api(lab))
        if options.switch_ports:
            bench.plug(options.switch_ports)
            rows[f"ovs-vswitchd, {options.switch_ports} ports"] = [bench.blink() for _ in rounds]
        if options.ports:
            bench.plug(options.ports)
            rows[f"agent, {options.ports} ports"] = [bench.restart(HERE, bench.address) for _ in rounds]
        if options.routers:
            bench.route(options.routers)
            rows[f"agent, {options.routers} routers"] = [bench.restart(NETWORK_HOST, INTERNET) for _ in rounds]
    Console().print(table(rows))
    keep("restart", {"rounds": rows})


if __name__ == "__main__":
    main()
