"""Throughput and latency of each walk beside the same path made by hand with bare Open vSwitch.

Brings up one lab whose hosts have networks of every type (tests/lab/every_type.yaml).  For each type there are, side by
side on the same hosts, switches and wires:

ours  two networks of that type with light guests on bob and daisy, a router and a floating IP on the network host
bare  two bridges on each host that do NORMAL and nothing else, with one tunnel port (or one access port of the trunk);
      guests in namespaces on veths; a router that is a namespace with two addresses, MASQUERADE and one DNAT

Both guests' networks have the MTU that their type leaves, and the same devices lie on the way: with iptables_hybrid
bare guests are behind Linux bridges too, and a veth pair joins bridges of VLAN and flat networks where ours has one.
What ours has more is what Netglass adds: br-int and br-tun with their tables, and the rules of security groups.  With
--straight bare has neither Linux bridges nor veth pairs: what the devices cost that a user chose is in the ratio then.
Every round measures each walk both ways in turn: a TCP stream for some seconds, then pings.  Prints the medians and
their ratio, then each walk's ratio over all types with its error, and keeps the raw figures under bench/results/.

    python bench/walk_ratio.py [--rounds 5] [--seconds 3] [--type gre …] [--firewall openvswitch] [--straight]
"""

from __future__ import annotations

import argparse
import json
import math
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
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

LAB_FILE = Path(__file__).parent.parent / "tests" / "lab" / "every_type.yaml"
TYPES = ("vlan", "gre", "vxlan", "geneve", "flat")
HOSTS = ("bob", "daisy", "network")
UNDERLAY = {"bob": "192.168.133.112", "daisy": "192.168.133.114", "network": "192.168.133.113"}
INTERNET = "198.51.100.10"
EVERYBODY = "0.0.0.0/0"
PORT = 5201
STREAM = Path(__file__).with_name("stream_probe.py").read_text()
PINGS = 100


@dataclass(frozen=True)
class Walk:
    """One way: whence, as the words that run a command there, and whither.

    side     ours or bare
    address  where the far end answers, as the near end says it
    """

    name: str
    side: str
    near: list[str]
    far: list[str]
    address: str


class Hosts:
    """Commands on the lab's hosts and in its guests."""

    def __init__(self, lab: str) -> None:
        self._place = LabPlace(lab)

    def words(self, host: str) -> list[str]:
        """Gives the words that run a command on a host."""
        return entry.host_words(self._place, host)

    def guest(self, server_id: str) -> list[str]:
        """Gives the words that run a command in a light guest."""
        return entry.guest_words(self._place, server_id)

    def on(self, host: str, text: str) -> str:
        """Runs a command on a host; its words are parted by blanks."""
        return run([*self.words(host), *text.split()])


def run(argv: list[str]) -> str:
    """Runs a command; raises with what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv[-8:])}: {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


class Ours:
    """Networks of one type as users ask for them."""

    def __init__(self, api: Api, hosts: Hosts, kind: str) -> None:
        self._api, self._hosts = api, hosts
        self._image = api("GET", "/image/v2/images")["images"][0]["id"]
        self._flavor = api("GET", "/compute/v2.1/flavors")["flavors"][0]["id"]
        public = api("GET", "/v2.0/networks?router:external=True")["networks"][0]["id"]
        router = {"name": kind, "external_gateway_info": {"network_id": public}}
        self.router: str = api("POST", "/v2.0/routers", {"router": router})["router"]["id"]
        wanted = [("red", "one", "bob"), ("red", "two", "bob"), ("red", "far", "daisy")]
        nets = {"red": self._network(kind, "10.71.1.0/24")}
        if kind != "flat":  # there is but one flat network on a wire
            nets["blue"] = self._network(kind, "10.71.2.0/24")
            wanted += [("blue", "blue", "bob"), ("blue", "blue_far", "daisy")]
        self.mtu: int = api("GET", f"/v2.0/networks/{nets['red']}")["network"]["mtu"]
        made = {name: self._server(name, nets[net], host) for net, name, host in wanted}
        self._guests = {name: self._await(server) for name, server in made.items()}
        port = api("GET", f"/v2.0/ports?device_id={made['one']}")["ports"][0]["id"]
        floating = {"floating_network_id": public, "port_id": port}
        self._floating = api("POST", "/v2.0/floatingips", {"floatingip": floating})["floatingip"]["floating_ip_address"]
        api("GET", "/netglass/v1/wait")

    def walks(self) -> Iterator[Walk]:
        """Gives the walks."""
        one, client = self._guests["one"][0], self._hosts.words("client")
        names = {"two": "same host", "far": "two hosts", "blue": "routed, same host", "blue_far": "routed, two hosts"}
        for guest, name in names.items():
            if guest in self._guests:
                yield Walk(name, "ours", one, *self._guests[guest])
        yield Walk("internet", "ours", one, self._hosts.words("internet"), INTERNET)
        yield Walk("floating IP", "ours", client, one, self._floating)

    def _network(self, kind: str, cidr: str) -> str:
        wanted: Figures = {"name": kind, "provider:network_type": kind}
        if kind in ("vlan", "flat"):
            wanted["provider:physical_network"] = "default"
        made: str = self._api("POST", "/v2.0/networks", {"network": wanted})["network"]["id"]
        subnet = {"network_id": made, "cidr": cidr, "ip_version": 4}
        subnet_id = self._api("POST", "/v2.0/subnets", {"subnet": subnet})["subnet"]["id"]
        self._api("PUT", f"/v2.0/routers/{self.router}/add_router_interface", {"subnet_id": subnet_id})
        return made

    def _server(self, name: str, network_id: str, host: str) -> str:
        wanted = {
            "name": name,
            "imageRef": self._image,
            "flavorRef": self._flavor,
            "networks": [{"uuid": network_id}],
            "availability_zone": f"nova:{host}",
        }
        made: str = self._api("POST", "/compute/v2.1/servers", {"server": wanted})["server"]["id"]
        return made

    def _await(self, server_id: str) -> tuple[list[str], str]:
        end = time.monotonic() + 60
        while self._api("GET", f"/compute/v2.1/servers/{server_id}")["server"]["status"] != "ACTIVE":
            if time.monotonic() > end:
                raise SystemExit(f"server {server_id} did not become ACTIVE in 60 s")
        words = self._hosts.guest(server_id)
        while not (found := re.search(r"inet ([\d.]+)/", run([*words, "ip", "-4", "addr", "show", "dev", "eth0"]))):
            if time.monotonic() > end:
                raise SystemExit(f"server {server_id} has no address after 60 s")
        return words, found[1]

    def end(self) -> None:
        """Deletes what was made."""
        for floating in self._api("GET", "/v2.0/floatingips")["floatingips"]:
            self._api("DELETE", f"/v2.0/floatingips/{floating['id']}")
        for server in self._api("GET", "/compute/v2.1/servers")["servers"]:
            self._api("DELETE", f"/compute/v2.1/servers/{server['id']}")
        inside = f"/v2.0/ports?device_id={self.router}&device_owner=network:router_interface"
        networks = set()
        for port in self._api("GET", inside)["ports"]:
            self._api("PUT", f"/v2.0/routers/{self.router}/remove_router_interface", {"port_id": port["id"]})
            networks.add(port["network_id"])
        self._api("DELETE", f"/v2.0/routers/{self.router}")
        for network_id in networks:
            self._delete(f"/v2.0/networks/{network_id}")

    def _delete(self, path: str) -> None:
        end = time.monotonic() + 30
        while True:
            try:
                self._api("DELETE", path)
            except OSError:  # its guests are still going
                if time.monotonic() > end:
                    raise
            else:
                return


@dataclass(frozen=True)
class Devices:
    """What lies on the way by hand beside switches.

    linux_bridges  between each guest and its switch
    veth_pairs     between the switches of VLAN and flat networks and the one that has the wire
    """

    linux_bridges: bool
    veth_pairs: bool


class Bare:
    """The same by hand."""

    def __init__(self, hosts: Hosts, kind: str, mtu: int, devices: Devices) -> None:
        self._hosts, self._kind, self._mtu, self._devices = hosts, kind, mtu, devices
        self._nets = ("red", "blue") if kind != "flat" else ("red",)
        for number, net in enumerate(self._nets):
            for host in HOSTS:
                self._bridge(host, net, number)
            self._router_leg(net, number)
        self._guest("bob", "one", "red", "10.72.0.11")
        self._guest("bob", "two", "red", "10.72.0.12")
        self._guest("daisy", "far", "red", "10.72.0.13")
        if "blue" in self._nets:
            self._guest("bob", "blue", "blue", "10.72.1.11")
            self._guest("daisy", "blue_far", "blue", "10.72.1.13")
        self._outside()

    def walks(self) -> Iterator[Walk]:
        """Gives the walks."""
        one, client = self._inside("bob", "one"), self._hosts.words("client")
        yield Walk("same host", "bare", one, self._inside("bob", "two"), "10.72.0.12")
        yield Walk("two hosts", "bare", one, self._inside("daisy", "far"), "10.72.0.13")
        if "blue" in self._nets:
            yield Walk("routed, same host", "bare", one, self._inside("bob", "blue"), "10.72.1.11")
            yield Walk("routed, two hosts", "bare", one, self._inside("daisy", "blue_far"), "10.72.1.13")
        yield Walk("internet", "bare", one, self._hosts.words("internet"), INTERNET)
        yield Walk("floating IP", "bare", client, one, "203.0.113.211")

    def _inside(self, host: str, guest: str) -> list[str]:
        return [*self._hosts.words(host), "ip", "netns", "exec", f"bare-{guest}"]

    def _bridge(self, host: str, net: str, number: int) -> None:
        on = self._hosts.on
        on(host, f"ovs-vsctl add-br bare-{net} -- set bridge bare-{net} datapath_type=netdev")
        if self._kind in ("vlan", "flat"):
            tag = f" tag={3001 + number}" if self._kind == "vlan" else ""
            if self._devices.veth_pairs:
                self._veth(host, f"bo-{net}", f"bi-{net}", 1500)
            for bridge, name, tagged, peer in (("br-eth4", "bo", tag, "bi"), (f"bare-{net}", "bi", "", "bo")):
                patch = f" -- set interface {name}-{net} type=patch options:peer={peer}-{net}"
                joint = "" if self._devices.veth_pairs else patch
                on(host, f"ovs-vsctl add-port {bridge} {name}-{net}{tagged}{joint}")
            return
        for peer in HOSTS:
            if peer != host:
                self._tunnel(host, peer, net, number)

    def _tunnel(self, host: str, peer: str, net: str, number: int) -> None:
        name = f"b{number}-{peer}"
        options = f"options:remote_ip={UNDERLAY[peer]} options:local_ip={UNDERLAY[host]} options:key={7001 + number}"
        self._hosts.on(
            host, f"ovs-vsctl add-port bare-{net} {name} -- set interface {name} type={self._kind} {options}"
        )
        # What came out of a tunnel never goes into another: that is all that keeps a full mesh from looping.
        self._hosts.on(host, f"ovs-vsctl set port {name} protected=true")

    def _guest(self, host: str, guest: str, net: str, address: str) -> None:
        on, near, far = self._hosts.on, f"bg-{guest}", f"bf-{guest}"
        on(host, f"ip netns add bare-{guest}")
        if self._devices.linux_bridges:
            bridge, inner, tap = (f"{name}-{guest}" for name in ("bq", "bv", "bt"))
            on(host, f"ip link add {bridge} mtu {self._mtu} type bridge")
            self._veth(host, inner, near, self._mtu)
            self._veth(host, tap, far, self._mtu)
            for device in (inner, tap):
                on(host, f"ip link set {device} master {bridge}")
            on(host, f"ip link set {bridge} up")
        else:
            self._veth(host, near, far, self._mtu)
        on(host, f"ip link set {far} netns bare-{guest}")
        inside = f"ip netns exec bare-{guest} ip"
        on(host, f"{inside} link set {far} up mtu {self._mtu}")
        on(host, f"{inside} addr add {address}/24 dev {far}")
        on(host, f"{inside} route add default via {address.rpartition('.')[0]}.1")
        on(host, f"ovs-vsctl add-port bare-{net} {near}")

    def _veth(self, host: str, one: str, other: str, mtu: int) -> None:
        self._hosts.on(host, f"ip link add {one} mtu {mtu} type veth peer name {other} mtu {mtu}")
        for device in (one, other):
            self._hosts.on(host, f"ethtool -K {device} tx off")
            self._hosts.on(host, f"ip link set {device} up")

    def _router_leg(self, net: str, number: int) -> None:
        on, device = self._hosts.on, f"br-leg{number}"
        if number == 0:
            on("network", "ip netns add bare-router")
            on("network", "ip netns exec bare-router sysctl -qw net.ipv4.ip_forward=1")
        on("network", f"ovs-vsctl add-port bare-{net} {device} -- set interface {device} type=internal")
        self._home("network", device, f"10.72.{number}.1/24", self._mtu)

    def _outside(self) -> None:
        on = self._hosts.on
        on("network", "ovs-vsctl add-port br-ex br-legx -- set interface br-legx type=internal")
        self._home("network", "br-legx", "203.0.113.210/24", 1500)
        inside = "ip netns exec bare-router"
        on("network", f"{inside} ip addr add 203.0.113.211/32 dev br-legx")
        on("network", f"{inside} ip route add default via 203.0.113.1")
        on("network", f"{inside} iptables -t nat -A PREROUTING -d 203.0.113.211/32 -j DNAT --to-destination 10.72.0.11")
        on("network", f"{inside} iptables -t nat -A POSTROUTING -o br-legx -j MASQUERADE")

    def _home(self, host: str, device: str, cidr: str, mtu: int) -> None:
        on = self._hosts.on
        on(host, f"ip link set {device} netns bare-router")
        on(host, f"ip netns exec bare-router ip link set {device} up mtu {mtu}")
        on(host, f"ip netns exec bare-router ip addr add {cidr} dev {device}")

    def end(self) -> None:
        """Takes all of it away."""
        on = self._hosts.on
        for host in HOSTS:
            for net in self._nets:
                on(host, f"ovs-vsctl del-br bare-{net} -- --if-exists del-port br-eth4 bo-{net}")
            for name in on(host, "ip netns list").split():
                if name.startswith("bare-"):
                    on(host, f"ip netns del {name}")
            for name in re.findall(r"^\d+: (b[qvo]-\w+)[@:]", on(host, "ip -o link"), re.MULTILINE):
                # The end of a pair takes the other along.
                run([*self._hosts.words(host), "sh", "-c", f"ip link del {name} 2>/dev/null || true"])
        on("network", "ovs-vsctl del-port br-ex br-legx")


def measure(walk: Walk, seconds: float) -> Figures:
    """Gives TCP throughput (Mbit/s) and the round trip (ms, average of the pings)."""
    taking = [*walk.far, "python3", "-c", STREAM, "take", str(PORT)]
    listening = subprocess.Popen(taking, stdout=subprocess.PIPE, text=True)
    assert listening.stdout is not None
    if listening.stdout.readline() != "listening\n":
        raise SystemExit(f"{walk.name} ({walk.side}): nobody listens")
    run([*walk.near, "python3", "-c", STREAM, "give", walk.address, str(PORT), str(seconds)])
    mbits = json.loads(listening.communicate()[0])
    pings = run([*walk.near, "/bin/ping", "-q", "-c", str(PINGS), "-i", "0.01", walk.address])
    found = re.search(r"= [\d.]+/([\d.]+)/", pings)
    if found is None:
        raise SystemExit(f"{walk.name} ({walk.side}): no answers to pings: {pings}")
    return {"mbits": round(mbits, 1), "ping_ms": float(found[1])}


def rounds(kind: str, walks: list[Walk], count: int, seconds: float) -> list[Figures]:
    """Measures all walks of a type, both ways in turn, so many times."""
    found: list[Figures] = []
    for number in track(range(count), description=kind, transient=True):
        order = sorted(walks, key=lambda walk: (walk.name, (walk.side == "bare") == bool(number % 2)))
        for walk in order:
            found.append({"type": kind, "walk": walk.name, "side": walk.side} | measure(walk, seconds))
    return found


def table(figures: list[Figures]) -> Table:
    """Gives medians and ratios."""
    shown = Table(title="Medians; the ratio is ours to bare")
    for name in ("type", "walk", "ours Mbit/s", "bare Mbit/s", "ratio", "ours ms", "bare ms", "ratio"):
        shown.add_column(name, justify="left" if name in ("type", "walk") else "right")
    for kind, walk in dict.fromkeys((f["type"], f["walk"]) for f in figures):
        cells: list[str] = []
        for unit, places in (("mbits", 0), ("ping_ms", 3)):
            ours, bare = (_median(figures, kind, walk, side, unit) for side in ("ours", "bare"))
            cells += [f"{ours:.{places}f}", f"{bare:.{places}f}", f"{ours / bare:.2f}"]
        shown.add_row(kind, walk, *cells)
    return shown


def pooled(figures: list[Figures]) -> Table:
    """Gives each walk's ratio over all types and rounds: one round alone is off by some 15 %."""
    shown = Table(title="Ours to bare over all types: geometric means of the rounds' ratios, ± standard error")
    for name in ("walk", "pairs", "throughput", "latency"):
        shown.add_column(name, justify="left" if name == "walk" else "right")
    walks = list(dict.fromkeys(f["walk"] for f in figures))
    for name, chosen in [*((walk, [walk]) for walk in walks), ("all", walks)]:
        pairs = [pair for walk in chosen for pair in _pairs([f for f in figures if f["walk"] == walk])]
        if len(pairs) > 1:
            shown.add_row(name, str(len(pairs)), _mean(pairs, "mbits"), _mean(pairs, "ping_ms"))
    return shown


def _pairs(figures: list[Figures]) -> list[tuple[Figures, Figures]]:
    """Gives ours beside bare, round by round, of one walk."""
    kinds = dict.fromkeys(f["type"] for f in figures)
    sides = ([[f for f in figures if (f["type"], f["side"]) == (kind, s)] for s in ("ours", "bare")] for kind in kinds)
    return [pair for ours, bare in sides for pair in zip(ours, bare, strict=True)]


def _mean(pairs: list[tuple[Figures, Figures]], unit: str) -> str:
    logs = [math.log(ours[unit] / bare[unit]) for ours, bare in pairs]
    error = math.exp(statistics.stdev(logs) / math.sqrt(len(logs))) - 1
    return f"{math.exp(statistics.mean(logs)):.3f} ± {error:.3f}"


def _median(figures: list[Figures], kind: str, walk: str, side: str, unit: str) -> float:
    wanted = (kind, walk, side)
    return float(statistics.median(f[unit] for f in figures if (f["type"], f["walk"], f["side"]) == wanted))


def _lab_file(firewall: str) -> str:
    topology: Any = yaml.safe_load(LAB_FILE.read_text())
    for host in topology["hosts"].values():
        if "hypervisor" in host.get("roles", ()):
            host["firewall_driver"] = firewall
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
        yaml.safe_dump(topology, file)
    return file.name


def main() -> None:
    """Measures, prints, keeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--type", action="append", choices=TYPES, help="only this; may be repeated")
    parser.add_argument("--firewall", default="iptables_hybrid", choices=("iptables_hybrid", "openvswitch"))
    parser.add_argument("--straight", action="store_true", help="no Linux bridges and veth pairs by hand")
    options = parser.parse_args()
    devices = Devices(options.firewall == "iptables_hybrid" and not options.straight, not options.straight)
    topology = _lab_file(options.firewall)
    figures: list[Figures] = []
    try:
        with lab_up(None, "ratio", topology) as lab:
            api, hosts = Api(lab), Hosts(lab)
            _let_in(api)
            for kind in options.type or TYPES:
                ours = Ours(api, hosts, kind)
                bare = Bare(hosts, kind, ours.mtu, devices)
                figures += rounds(kind, [*ours.walks(), *bare.walks()], options.rounds, options.seconds)
                bare.end()
                ours.end()
    finally:
        Path(topology).unlink()
    Console().print(table(figures))
    Console().print(pooled(figures))
    keep("walk-ratio", {"firewall": options.firewall, "straight": options.straight, "figures": figures})


def _let_in(api: Api) -> None:
    """Has the project's default group let everybody in: a group that filters is measured, not one that drops."""
    project = api("GET", "/v2.0/security-groups?name=default")["security_groups"]
    for group in project:
        rule = {
            "security_group_id": group["id"],
            "direction": "ingress",
            "ethertype": "IPv4",
            "remote_ip_prefix": EVERYBODY,
        }
        api("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})


if __name__ == "__main__":
    main()
