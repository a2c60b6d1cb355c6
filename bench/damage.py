"""Damages hosts at random and measures how soon each damage is healed.

Brings up a GRE and a VLAN lab, each with two guests of a network with a router on the damaged hosts, and two
bystanders that ping each other at 100 packets a second all the time.  Then draws damages out of damage_kinds.yaml: each
is done by the host's own commands, and is healed when the same reading gives what it gave before.  Prints for each kind
how often it was drawn, how many were healed within `MOST_S`, p50 and p99 of the seconds, and what bystanders lost.

Damage to what bystanders share with the damaged port (a whole bridge, all flows of one) is `shared`: their packets have
to stop while there is nothing to carry them, so that losses are counted apart.

    python bench/damage.py [--count 200] [--seed 1] [--lab gre --lab vlan]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench_lab import Api, Figures, keep, lab_up
from netglass.lab import entry
from netglass.lab.places import LabPlace

KINDS = Path(__file__).with_name("damage_kinds.yaml")
PROBE = Path(__file__).with_name("routing_probe.py")
MOST_S = 10.0
EACH_S = 0.01


@dataclass(frozen=True)
class Place:
    """One lab with what is damaged on it.

    roles   what the kinds call hosts: guest (where the damaged guest runs), network (where its router does)
    names   what the kinds' commands may name: ports, namespaces, bridges, …
    """

    lab: str
    roles: dict[str, str]
    names: dict[str, str]
    bystander: str
    beside: str


@dataclass(frozen=True)
class Kind:
    """One kind of damage.

    where   the role of the host
    harm    what is done, a shell line with the place's names in braces
    read    what tells whether it is healed, likewise
    shared  bystanders cannot but feel it
    needs   only on labs that have this name
    """

    name: str
    where: str
    harm: str
    read: str
    shared: bool = False
    needs: str = ""


def kinds() -> list[Kind]:
    """Reads the table of kinds."""
    return [Kind(**row) for row in yaml.safe_load(KINDS.read_text())]


class Hosts:
    """Shell lines on a lab's hosts."""

    def __init__(self, lab: str) -> None:
        self._place = LabPlace(lab)
        self._words: dict[str, list[str]] = {}

    def on(self, host: str, line: str) -> tuple[int, str]:
        """Runs a line; gives its status and what it printed."""
        words = self._words.setdefault(host, entry.host_words(self._place, host))
        done = subprocess.run([*words, "sh", "-c", line], capture_output=True, text=True, check=False, timeout=30)
        return done.returncode, done.stdout

    def guest(self, server_id: str) -> list[str]:
        """Gives the words that run a command in a light guest."""
        return entry.guest_words(self._place, server_id)


_ROLES = {
    "gre": ({"guest": "bob", "network": "network"}, "daisy"),
    "vlan": ({"guest": "compute1", "network": "control"}, "compute2"),
}
_COOKIE = "ovs-ofctl dump-flows br-int | grep -o 'cookie=0x[0-9a-f]*' | head -1"


def furnish(lab: str, topology: str, hosts: Hosts, api: Api) -> Place:
    """Makes networks, router and guests on a lab; gives what its things are called."""
    roles = {"gre": {"guest": "bob", "network": "network"}, "vlan": {"guest": "compute1", "network": "control"}}[
        topology
    ]
    other = {"gre": "daisy", "vlan": "compute2"}[topology]
    image = api("GET", "/image/v2/images")["images"][0]["id"]
    flavor = api("GET", "/compute/v2.1/flavors")["flavors"][0]["id"]
    public = api("GET", "/v2.0/networks?router:external=True")["networks"][0]["id"]

    def network(name: str, cidr: str) -> tuple[str, str]:
        made = api("POST", "/v2.0/networks", {"network": {"name": name}})["network"]["id"]
        subnet = {"network_id": made, "cidr": cidr, "ip_version": 4}
        return made, api("POST", "/v2.0/subnets", {"subnet": subnet})["subnet"]["id"]

    def server(name: str, network_id: str, host: str) -> str:
        wanted = {"name": name, "imageRef": image, "flavorRef": flavor, "networks": [{"uuid": network_id}]}
        wanted["availability_zone"] = f"nova:{host}"
        made: str = api("POST", "/compute/v2.1/servers", {"server": wanted})["server"]["id"]
        return made

    hit, subnet_id = network("hit", "10.81.1.0/24")
    calm, _ = network("calm", "10.81.2.0/24")
    router = api("POST", "/v2.0/routers", {"router": {"name": "r", "external_gateway_info": {"network_id": public}}})
    router_id = router["router"]["id"]
    api("PUT", f"/v2.0/routers/{router_id}/add_router_interface", {"subnet_id": subnet_id})
    made = [server("hit", hit, roles["guest"]), server("far", hit, other)]
    calm_ones = [server("calm", calm, roles["guest"]), server("beside", calm, roles["guest"])]
    _settle(api, [*made, *calm_ones])
    names = _names(api, hosts, roles, hit, router_id, made[0])
    beside = api("GET", f"/v2.0/ports?device_id={calm_ones[1]}")["ports"][0]["fixed_ips"][0]["ip_address"]
    return Place(lab, roles, names, calm_ones[0], beside)


def _settle(api: Api, servers: list[str]) -> None:
    end = time.monotonic() + 60
    while any(api("GET", f"/compute/v2.1/servers/{one}")["server"]["status"] != "ACTIVE" for one in servers):
        if time.monotonic() > end:
            raise SystemExit("the guests did not become ACTIVE in 60 s")
    api("GET", "/netglass/v1/wait?timeout=60")


def _names(api: Api, hosts: Hosts, roles: dict[str, str], hit: str, router_id: str, server_id: str) -> dict[str, str]:
    def port(query: str) -> str:
        found: str = api("GET", f"/v2.0/ports?{query}")["ports"][0]["id"]
        return found[:11]

    p = port(f"device_id={server_id}")
    network = api("GET", f"/v2.0/networks/{hit}")["network"]
    guest = roles["guest"]
    names = {
        "qvo": f"qvo{p}", "qvb": f"qvb{p}", "qbr": f"qbr{p}", "tap": f"tap{p}",
        "qr": "qr-" + port(f"device_id={router_id}&device_owner=network:router_interface"),
        "qg": "qg-" + port(f"device_id={router_id}&device_owner=network:router_gateway"),
        "dhcp_tap": "tap" + port(f"network_id={hit}&device_owner=network:dhcp"),
        "qrouter": f"qrouter-{router_id}", "qdhcp": f"qdhcp-{hit}", "router": router_id,
        "dhcp": f"/var/lib/neutron/dhcp/{hit}", "integration": "br-int",
        "segment": str(network["provider:segmentation_id"]),
        "tag": hosts.on(guest, f"ovs-vsctl get port qvo{p} tag")[1].strip(),
        "cookie": hosts.on(guest, _COOKIE)[1].strip()[7:],
    }  # fmt: skip
    if network["provider:network_type"] == "vlan":
        return names | {"provider": "br-eth2", "phy": "phy-br-eth2", "int": "int-br-eth2"}
    gre = hosts.on(guest, "ovs-vsctl list-ports br-tun | grep ^gre-")[1].split()[0]
    segment = f"{network['provider:segmentation_id']:#x}"
    return names | {"tunnel": "br-tun", "gre": gre, "segment": segment}


def strike(hosts: Hosts, place: Place, kind: Kind) -> Figures:
    """Does one damage and waits until it is healed."""
    host = place.roles[kind.where]
    read = kind.read.format(**place.names)
    begun = time.monotonic()
    # What the damage before disturbed beside what was read of it, such as a bridge's flows, may just be coming back.
    while (before := hosts.on(host, read)) and (before[0] != 0 or not before[1].strip()):
        if time.monotonic() - begun > MOST_S:
            raise SystemExit(f"{kind.name}: {read!r} on {host} of {place.lab} gives nothing to compare with: {before}")
    begun = time.monotonic()
    status, _ = hosts.on(host, kind.harm.format(**place.names))
    done = time.monotonic()
    felt = hosts.on(host, read) != before
    while (now := hosts.on(host, read)) != before and time.monotonic() - done < MOST_S:
        felt = True
    healed = now == before
    figures = {"kind": kind.name, "lab": place.lab, "harmed": status == 0, "seen": felt, "healed": healed}
    return figures | {"seconds": round(time.monotonic() - begun, 3)}


def calm(hosts: Hosts, place: Place, seconds: float) -> subprocess.Popen[str]:
    """Starts the bystander's pings for so long."""
    arguments = {"address": place.beside, "count": round(seconds / EACH_S), "each_s": EACH_S}
    program = ["/usr/bin/python3", "-c", PROBE.read_text(), "count", json.dumps(arguments)]
    running = subprocess.Popen([*hosts.guest(place.bystander), *program], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    if running.stdout.readline().strip() != "asking":
        raise SystemExit("the bystander cannot ping")
    return running


def settled(api: Api) -> Callable[[], Any]:
    """Gives what waits until all hosts are as they must be again."""
    return lambda: api("GET", "/netglass/v1/wait?timeout=30")


def run(topology: str, count: int, dice: random.Random) -> tuple[list[Figures], list[Figures]]:
    """Damages one lab so many times; gives what became of each, and what bystanders lost."""
    with lab_up(None, f"damage-{topology}", topology) as lab:
        hosts, api = Hosts(lab), Api(lab)
        place = furnish(lab, topology, hosts, api)
        there = [kind for kind in kinds() if not kind.needs or kind.needs in place.names]
        drawn = [*there, *dice.choices(there, k=max(0, count - len(there)))][:count]
        dice.shuffle(drawn)
        struck, losses = [], []
        for shared in (False, True):
            part = [kind for kind in drawn if kind.shared is shared]
            for start in range(0, len(part), 10):
                pinging = calm(hosts, place, 20.0)
                for kind in track(part[start : start + 10], description=f"{topology}", transient=True):
                    struck.append(strike(hosts, place, kind))
                    settled(api)()
                said = json.loads(pinging.communicate()[0])
                losses.append({"lab": topology, "shared": shared} | said)
    return struck, losses


def table(struck: list[Figures]) -> Table:
    """Gives how soon each kind was healed."""
    shown = Table(title="From the damage to the same reading as before, seconds")
    for name in ("kind", "drawn", "seen", "healed", "p50", "p99"):
        shown.add_column(name, justify="left" if name == "kind" else "right")
    by_kind: dict[str, list[Figures]] = defaultdict(list)
    for one in struck:
        by_kind[one["kind"]].append(one)
    for name, found in [*sorted(by_kind.items()), ("all", struck)]:
        times = sorted(one["seconds"] for one in found)
        p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
        cells = (len(found), sum(one["seen"] for one in found), sum(one["healed"] for one in found))
        shown.add_row(name, *map(str, cells), f"{statistics.median(times):.2f}", f"{p99:.2f}")
    return shown


def main() -> int:
    """Damages, prints, keeps; gives 1 when something was not healed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="over all labs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lab", action="append", choices=("gre", "vlan"))
    options = parser.parse_args()
    labs = options.lab or ["gre", "vlan"]
    dice = random.Random(options.seed)
    struck, losses = [], []
    for topology in labs:
        found, lost = run(topology, options.count // len(labs), dice)
        struck += found
        losses += lost
    console = Console()
    console.print(table(struck))
    for shared, words in ((False, "damage to what they do not share"), (True, "damage to what they share")):
        among = [one for one in losses if one["shared"] is shared]
        sent, gone = sum(one["sent"] for one in among), sum(one["lost"] for one in among)
        console.print(f"Bystanders lost {gone} of {sent} packets under {words}")
    keep("damage", {"seed": options.seed, "struck": struck, "bystanders": losses})
    return 0 if all(one["healed"] and one["harmed"] for one in struck) else 1


if __name__ == "__main__":
    sys.exit(main())
