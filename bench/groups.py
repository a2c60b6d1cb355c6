"""What security groups cost: a remote group of 1,000 members with 100 ports on one host, and rules on packets' way.

On a lab of its own with a host for each firewall driver, with two guests each: one in the group, and one without port
security that speaks as whom it likes.

build     all members exist; the rule that lets them in is made: from the request until the host has realised it
join      a port is made in the group: from the request until the first packet from its address is let in
leave     it is deleted: from the request until the last one that was
cut       the rule is deleted: from the request until the last packet of an established connection
busy      the last three beside the connections of the packets below, some 60,000 that the kernel still tracks; else
          they are measured when those are forgotten
per port  rules (both families) and flows for each of the local ports
feed      bytes that the host's agent was sent for it
rules     packets a second, each of a connection of its own, and one TCP stream, through 10, 100 and 1,000 rules of
          which the last permits, beside no port security

What is measured is heard by a packet each 4 ms, as a switch in user space takes a core for one each 0.5 ms, and slows
down what it shows.  A round of a host takes half a minute: what is found is told line by line.

    python bench/groups.py [--members 1000] [--ports 100] [--rounds 5] [--seconds 2]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from rich.console import Console
from rich.table import Table

from bench_lab import Api, Figures, keep, lab_up, probe
from netglass.lab import entry
from netglass.lab.places import LabPlace

PROBE = Path(__file__).with_name("groups_probe.py")
DRIVERS = {"hybrid": "iptables_hybrid", "native": "openvswitch"}
PYTHON = ("/usr/bin/python3", "-u", "-c", PROBE.read_text())  # a guest's own
EACH_S, QUIET_S, CALM = 0.004, 0.5, 1000
CONSOLE = Console()
LAB = """
name: groups
segments:
  mgmt: {cidr: 192.168.50.0/24}
  vm: {trunk: true}
management: mgmt
hosts:
  control: {server: true, roles: [network], nics: {eth1: mgmt, eth2: vm}, bridges: {br-eth2: eth2},
            bridge_mappings: {default: br-eth2}}
  hybrid: {roles: [hypervisor], nics: {eth1: mgmt, eth2: vm}, bridges: {br-eth2: eth2},
           bridge_mappings: {default: br-eth2}, firewall_driver: iptables_hybrid}
  native: {roles: [hypervisor], nics: {eth1: mgmt, eth2: vm}, bridges: {br-eth2: eth2},
           bridge_mappings: {default: br-eth2}, firewall_driver: openvswitch}
cloud:
  vlan_ranges: {default: [1000, 1999]}
"""


class Guest:
    """A light guest."""

    def __init__(self, lab: str, server_id: str, port: Figures) -> None:
        self._place, self._id = LabPlace(lab), server_id
        self.port_id: str = port["id"]
        self.mac: str = port["mac_address"]
        self.address: str = port["fixed_ips"][0]["ip_address"]

    def words(self, *argv: str) -> list[str]:
        """Gives the words that run a command inside."""
        return [*entry.guest_words(self._place, self._id), *argv]

    def run(self, *argv: str) -> str:
        """Runs a command inside."""
        return subprocess.run(self.words(*argv), check=True, capture_output=True, text=True, timeout=120).stdout

    def probe(self, verb: str, **arguments: Any) -> Figures:
        """Runs the probe inside; gives what it measured."""
        found: Figures = json.loads(self.run(*PYTHON, verb, json.dumps(arguments)).splitlines()[-1])
        return found

    @contextlib.contextmanager
    def probing(self, verb: str, **arguments: Any) -> Iterator[subprocess.Popen[str]]:
        """Has the probe run inside, once it said its first line, until the end of the block."""
        argv = self.words(*PYTHON, verb, json.dumps(arguments))
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise SystemExit(f"{verb} did not start")
            yield process
        finally:
            process.communicate()


class Bench:
    """One host with two guests and a group."""

    def __init__(self, lab: str, api: Api, host: str) -> None:
        self.lab, self.api, self.host, self.driver = lab, api, host, DRIVERS[host]
        self.network = api("POST", "/v2.0/networks", {"network": {"name": host}})["network"]["id"]
        subnet = {"network_id": self.network, "cidr": "10.64.0.0/16", "ip_version": 4}
        self.subnet = api("POST", "/v2.0/subnets", {"subnet": subnet})["subnet"]["id"]
        self.group = self._group("many")
        self.member, self.stranger = self._guest("member"), self._guest("stranger")
        off = {"port_security_enabled": False, "security_groups": []}
        api("PUT", f"/v2.0/ports/{self.stranger.port_id}", {"port": off})
        api("PUT", f"/v2.0/ports/{self.member.port_id}", {"port": {"security_groups": [self.group]}})
        self.made: list[str] = []
        self.local: list[str] = []

    def _group(self, name: str) -> str:
        made: str = self.api("POST", "/v2.0/security-groups", {"security_group": {"name": name}})["security_group"][
            "id"
        ]
        return made

    def _guest(self, name: str) -> Guest:
        wanted = {
            "name": f"{name}-{self.host}",
            "imageRef": self.api("GET", "/image/v2/images")["images"][0]["id"],
            "flavorRef": self.api("GET", "/compute/v2.1/flavors")["flavors"][0]["id"],
            "networks": [{"uuid": self.network}],
            "availability_zone": f"nova:{self.host}",
        }
        made = self.api("POST", "/compute/v2.1/servers", {"server": wanted})["server"]["id"]
        end = time.monotonic() + 120
        while self.api("GET", f"/compute/v2.1/servers/{made}")["server"]["status"] != "ACTIVE":
            if time.monotonic() > end:
                raise SystemExit(f"{name} on {self.host} did not become ACTIVE in 120 s")
        port = self.api("GET", f"/v2.0/ports?device_id={made}")["ports"][0]
        guest = Guest(self.lab, made, port)
        while guest.address not in guest.run("ip", "-4", "addr", "show", "dev", "eth0"):
            if time.monotonic() > end:
                raise SystemExit(f"{name} on {self.host} has no address after 120 s")
        return guest

    def realised(self) -> None:
        """Waits until the host has become what was asked for."""
        end = time.monotonic() + 300
        while True:
            try:
                self.api("GET", f"/netglass/v1/wait?host={self.host}&timeout=60")
            except HTTPError as error:
                if error.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > end:
                    raise
                CONSOLE.print(error.read().decode(), style="dim", highlight=False)
            else:
                return

    def rule(self, group: str = "", **said: Any) -> str:
        """Adds a rule; gives its id."""
        rule = {"security_group_id": group or self.group, "direction": "ingress", "ethertype": "IPv4", **said}
        made: str = self.api("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})[
            "security_group_rule"
        ]["id"]
        return made

    def no_rule(self, rule: str) -> None:
        """Takes a rule away."""
        self.api("DELETE", f"/v2.0/security-group-rules/{rule}")

    # --- many members

    def fill(self, members: int, local: int) -> None:
        """Makes so many members, some of them on the host."""
        for first in range(0, members, 100):
            here = min(100, max(0, local - first))
            wanted = {"network_id": self.network, "security_groups": [self.group], "device_owner": "compute:bench"}
            bound = wanted | {"binding:host_id": self.host, "device_id": "bench"}
            ports = [bound] * here + [wanted] * (min(100, members - first) - here)
            made = [port["id"] for port in self.api("POST", "/v2.0/ports", {"ports": ports})["ports"]]
            self.made += made
            self.local += made[:here]
        probe(self.lab, self.host, PROBE, "plug", ports=self.local, driver=self.driver)
        self.realised()

    def costs(self) -> Figures:
        """Gives what the group's rule costs to build, and what stands on the host for each local port."""
        bare, sent = self._counted(), self._sent()
        started = time.monotonic()
        self.rule(remote_group_id=self.group)
        asked = time.monotonic() - started
        self.realised()
        built, after = time.monotonic() - started, self._counted()
        return {
            "build_s": round(built, 3),
            "build_request_s": round(asked, 3),
            "build_bytes": self._sent() - sent,
            "rules_per_port": round(after["rules"] / len(self.local), 2),
            "flows_per_port": round(after["flows"] / len(self.local), 2),
            "before_the_rule": bare,
            "with_the_rule": after,
        }

    def _counted(self) -> Figures:
        return probe(self.lab, self.host, PROBE, "count", driver=self.driver)

    def _sent(self) -> int:
        found: int = self._read()["bytes"]
        return found

    def _read(self) -> Figures:
        return probe(self.lab, self.host, PROBE, "read")

    def rounds(self, count: int) -> list[Figures]:
        """Has a member join and leave, and its connection cut, so many times; milliseconds, and bytes on the feed."""
        with self.member.probing("hear", quiet_s=QUIET_S) as hearing:
            found = []
            for number in range(count):
                found.append(self._round(hearing, f"10.64.200.{10 + number}"))
                self._say(found[-1])
            return found

    def _say(self, found: Figures) -> None:
        words = ", ".join(f"{key} {value}" for key, value in found.items())
        CONSOLE.print(f"{self.host}: {words}", style="dim", highlight=False)

    def _round(self, hearing: subprocess.Popen[str], address: str) -> Figures:
        self.member.run("ip", "neigh", "replace", address, "lladdr", self.stranger.mac, "dev", "eth0")
        say = {"source": address, "target": self.member.address, "each_s": EACH_S}
        with self.stranger.probing("say", **say):
            tracked = self._read()["tracked"]
            joined, port, sent = self._joins(hearing, address)
            left = self._ends(hearing, f"/v2.0/ports/{port}")
            again, port, _ = self._joins(hearing, address)
            known = self.api("GET", f"/v2.0/security-group-rules?security_group_id={self.group}&direction=ingress")
            (rule,) = (one["id"] for one in known["security_group_rules"])
            cut = self._ends(hearing, f"/v2.0/security-group-rules/{rule}")
        self.api("DELETE", f"/v2.0/ports/{port}")
        self.rule(remote_group_id=self.group)
        self.realised()
        return {"join_ms": [joined, again], "leave_ms": left, "cut_ms": cut, "join_bytes": sent, "tracked": tracked}

    def _joins(self, hearing: subprocess.Popen[str], address: str) -> tuple[float, str, int]:
        before = self._sent()
        self._ask(hearing, "first")
        fixed = [{"subnet_id": self.subnet, "ip_address": address}]
        wanted = {"network_id": self.network, "security_groups": [self.group], "fixed_ips": fixed}
        started = time.monotonic()
        port = self.api("POST", "/v2.0/ports", {"port": wanted})["port"]["id"]
        came = self._told(hearing)
        return round(1000 * (came - started), 1), port, self._sent() - before

    def _ends(self, hearing: subprocess.Popen[str], path: str) -> float:
        time.sleep(0.2)  # the connection is established by now, and goes on
        started = time.monotonic()
        self.api("DELETE", path)
        self._ask(hearing, "last")
        return round(1000 * max(0.0, self._told(hearing) - started), 1)

    def _ask(self, hearing: subprocess.Popen[str], word: str) -> None:
        assert hearing.stdin is not None
        hearing.stdin.write(f"{word}\n")
        hearing.stdin.flush()

    def _told(self, hearing: subprocess.Popen[str]) -> float:
        assert hearing.stdout is not None
        return float(hearing.stdout.readline())

    def calm(self) -> None:
        """Waits until the kernel has forgotten the connections of one packet that went through rules."""
        end = time.monotonic() + 300
        while (tracked := self._read()["tracked"]) > CALM:
            if time.monotonic() > end:
                raise SystemExit(f"{self.host} still tracks {tracked} connections after 300 s")

    def clear(self) -> None:
        """Takes the members away."""
        probe(self.lab, self.host, PROBE, "unplug", ports=self.local, driver=self.driver)
        for port in self.made:
            self.api("DELETE", f"/v2.0/ports/{port}")
        self.realised()

    # --- rules on the way

    def through(self, counts: list[int], seconds: float, rounds: int) -> list[Figures]:
        """Measures beside no port security, in turn, how fast packets and a stream pass so many rules."""
        groups = {0: ""} | {count: self._long(count) for count in counts}
        found = []
        for _ in range(rounds):
            for count, group in groups.items():
                wanted = {"port_security_enabled": bool(group), "security_groups": [group] if group else []}
                self.api("PUT", f"/v2.0/ports/{self.member.port_id}", {"port": wanted})
                self.realised()
                found.append({"rules": count} | self._speed(seconds))
                self._say(found[-1])
        return found

    def _long(self, count: int) -> str:
        """Makes a group of so many rules, the last of which lets everybody in; no two ports are one range."""
        group = self._group(f"{count} rules")
        rules = [
            {
                "security_group_id": group,
                "direction": "ingress",
                "ethertype": "IPv4",
                "protocol": "tcp",
                "port_range_min": 1 + 2 * number,
                "port_range_max": 1 + 2 * number,
                "remote_ip_prefix": "192.0.2.0/24",
            }
            for number in range(count - 1)
        ]
        for first in range(0, len(rules), 100):
            self.api("POST", "/v2.0/security-group-rules", {"security_group_rules": rules[first : first + 100]})
        self.rule(group, remote_ip_prefix="10.64.0.0/16", protocol="udp")
        self.rule(group, remote_ip_prefix="10.64.0.0/16", protocol="tcp")
        return group

    def _speed(self, seconds: float) -> Figures:
        before = self.member.probe("got")["packets"]
        ends = {"source": self.stranger.address, "target": self.member.address}
        sent = self.stranger.probe("spray", **ends, seconds=seconds)
        packets = (self.member.probe("got")["packets"] - before) / sent["seconds"]
        with self.member.probing("sink", port=5201) as sink:
            self.stranger.run(
                *PYTHON,
                "pour",
                json.dumps({"target": self.member.address, "port": 5201, "seconds": seconds}),
            )
            assert sink.stdout is not None
            taken = json.loads(sink.stdout.readline())
        return {"packets_s": round(packets), "mbits": round(taken["bytes"] * 8 / taken["seconds"] / 1e6, 1)}


def group_table(found: dict[str, Figures]) -> Table:
    """Gives what the group costs."""
    shown = Table(title="A remote group: medians")
    names = (
        "host",
        "build s",
        "build bytes",
        "join ms",
        "leave ms",
        "cut ms",
        "join bytes",
        "rules/port",
        "flows/port",
    )
    for name in names:
        shown.add_column(name, justify="right")
    for host, one in found.items():
        costs = one["costs"]
        built, beside = (costs["build_s"], costs["build_bytes"]), (costs["rules_per_port"], costs["flows_per_port"])
        shown.add_row(host, *(f"{cell:g}" for cell in (*built, *_medians(one["rounds"]), *beside)))
        if busy := one["busy_rounds"]:
            tracked = max(each["tracked"] for each in busy)
            shown.add_row(f"beside {tracked} tracked", "", "", *(f"{cell:g}" for cell in _medians(busy)), "", "")
    return shown


def _medians(rounds: list[Figures]) -> tuple[float, ...]:
    joins = [ms for each in rounds for ms in each["join_ms"]]
    others = (statistics.median(each[key] for each in rounds) for key in ("leave_ms", "cut_ms", "join_bytes"))
    return (statistics.median(joins), *others)


def speed_table(found: dict[str, Figures]) -> Table:
    """Gives how fast rules are passed."""
    shown = Table(title="Through rules: medians, and as ratios to no port security")
    for name in ("host", "rules", "packets/s", "ratio", "Mbit/s", "ratio"):
        shown.add_column(name, justify="right")
    for host, one in found.items():
        bare: dict[str, float] = {}
        for count in sorted({figures["rules"] for figures in one["through"]}):
            same = [figures for figures in one["through"] if figures["rules"] == count]
            middle = {key: statistics.median(f[key] for f in same) for key in ("packets_s", "mbits")}
            bare = bare or middle
            cells = [c for key, value in middle.items() for c in (f"{value:.0f}", f"{value / bare[key]:.2f}")]
            shown.add_row(host, str(count or "none"), *cells)
    return shown


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, default=1000)
    parser.add_argument("--ports", type=int, default=100, help="of the members, so many are on the host")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--lab", help="a lab of this topology that is up; without it, one is brought up and taken down")
    options = parser.parse_args()
    found: dict[str, Figures] = {}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as topology:
        topology.write(LAB)
        topology.flush()
        with lab_up(options.lab, "groups", topology.name) as lab:
            api = Api(lab)
            project = api("GET", "/v2.0/security-groups")["security_groups"][0]["project_id"]
            quota = dict.fromkeys(("port", "network", "subnet", "security_group", "security_group_rule"), -1)
            for one in {project, *(g["project_id"] for g in api("GET", "/v2.0/security-groups")["security_groups"])}:
                api("PUT", f"/v2.0/quotas/{one}", {"quota": quota})
            for host in DRIVERS:
                bench = Bench(lab, api, host)
                found[host] = {"through": bench.through([10, 100, 1000], options.seconds, options.rounds)}
                api("PUT", f"/v2.0/ports/{bench.member.port_id}", {"port": {"security_groups": [bench.group]}})
                bench.fill(options.members, options.ports)
                found[host]["costs"] = bench.costs()
                # They are forgotten after 30 s, and are none of the kernel's where the switch tracks by itself.
                found[host]["busy_rounds"] = [r for r in bench.rounds(options.rounds) if r["tracked"] > CALM]
                bench.calm()
                found[host]["rounds"] = bench.rounds(options.rounds)
                bench.clear()
    CONSOLE.print(group_table(found))
    CONSOLE.print(speed_table(found))
    keep("groups", {"members": options.members, "ports": options.ports, "hosts": found})


if __name__ == "__main__":
    main()
