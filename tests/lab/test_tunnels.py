"""Stories of networks in tunnels: walks 1 to 4, 10, 13 and 14, on each type and with both ways to know peers."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from cloud import Cloud, Guest, Pings, until
from labs import NETGLASS, TestLab, netglass
from story_fixtures import admin, cloud  # noqa: F401 - fixtures
from test_first_guest import netglass_diff
from test_isolation import Capture, neighbour  # noqa: F401 - neighbour is a fixture

from netglass.lab.topology import BUILTIN
from support.api import Api

pytestmark = pytest.mark.lab

HOSTS = ("network", "bob", "daisy")
ADDRESS = {"bob": "192.168.133.112", "network": "192.168.133.113", "daisy": "192.168.133.114"}
OVERHEAD = {"gre": 42, "vxlan": 50, "geneve": 58}

# type, l2_population, IP version of the tunnel network
LABS = [
    ("gre", False, 4),
    ("vxlan", True, 4),
    ("geneve", True, 4),
    ("gre", True, 6),
    ("vxlan", False, 6),
]


class TunnelLab(TestLab):
    """A lab with hosts that have tunnels."""

    kind: str
    populated: bool
    version: int

    __test__ = False

    def address(self, host: str) -> str:
        return ADDRESS[host] if self.version == 4 else f"fd00:133::{ADDRESS[host].rpartition('.')[2]}"

    def tunnels(self, host: str) -> list[tuple[str, str]]:
        """Gives the tunnels that begin on a host: the port and the peer's address."""
        said = self.on(host, "ovs-vsctl", "--format=csv", "--no-headings", "--columns=name,type,options", "list", "int")
        found = []
        for line in said.splitlines():
            name, kind, options = line.split(",", 2)
            if kind == self.kind:
                remote = re.search(r'remote_ip=""?([0-9a-f.:]+)', options)
                assert remote, options
                found.append((name, remote[1]))
        return sorted(found)

    def flows(self, host: str, bridge: str = "br-tun", *, table: int | None = None) -> list[str]:
        """Gives a bridge's flows, ascending as text: the switch tells them in the order of its own tables."""
        where = [] if table is None else [f"table={table}"]
        said = self.on(host, "ovs-ofctl", "--no-stats", "dump-flows", bridge, *where)
        return sorted(line.strip() for line in said.splitlines() if "actions=" in line)


@pytest.fixture(scope="module", params=LABS, ids=lambda p: f"{p[0]}-{'populated' if p[1] else 'learning'}-ipv{p[2]}")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TunnelLab]:
    """One of the labs that come with Netglass, or the same with the other setting."""
    kind, populated, version = request.param
    text = yaml.safe_load((BUILTIN / f"{kind}.yaml").read_text())
    if version == 6:
        text["cloud"]["overlay_ip_version"] = 6
    for name in HOSTS:
        text["hosts"][name]["l2_population"] = populated
        if version == 6:
            text["hosts"][name]["tunnel_address"] = f"fd00:133::{ADDRESS[name].rpartition('.')[2]}/64"
    path: Path = tmp_path_factory.mktemp("lab") / "lab.yaml"
    path.write_text(yaml.safe_dump(text))
    made = TunnelLab(f"u{os.getpid()}")
    for field, value in (("kind", kind), ("populated", populated), ("version", version)):
        object.__setattr__(made, field, value)
    netglass("lab", "up", str(path), "--lab", made.name)
    try:
        yield made
    finally:
        netglass("lab", "down", "--lab", made.name)


def test_guests_reach_each_other_and_their_dhcp_server_on_one_host_and_over_the_tunnel(
    lab: TunnelLab,
    cloud: Cloud,  # noqa: F811
    admin: Api,  # noqa: F811
) -> None:
    network_id = cloud.network("10.0.0.0/24", "net1")
    one = cloud.guest("one", network_id, "bob")
    two = cloud.guest("two", network_id, "daisy")
    near = cloud.guest("near", network_id, "bob")

    assert cloud.ping(one, two.address).lost == 0
    assert cloud.ping(two, one.address).lost == 0
    assert cloud.ping(one, near.address).lost == 0
    dhcp = admin.get(f"/v2.0/ports?network_id={network_id}&device_owner=network:dhcp")["ports"][0]
    assert dhcp["binding:host_id"] == "network"
    assert cloud.ping(two, dhcp["fixed_ips"][0]["ip_address"]).lost == 0
    assert lab.on("network", "ip", "netns", "exec", f"qdhcp-{network_id}", "ping", "-c1", "-W1", two.address)

    shown = admin.get(f"/v2.0/networks/{network_id}")["network"]
    assert (shown["provider:network_type"], shown["provider:segmentation_id"]) == (lab.kind, 1)
    assert shown["provider:physical_network"] is None
    for host in HOSTS:
        assert netglass_diff(lab, host) == ""


def test_a_network_has_its_tunnels_only_where_it_is_and_only_while_it_is(
    lab: TunnelLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    def peers(host: str) -> list[str]:
        return [address for _, address in lab.tunnels(host)]

    def settled(**wanted: list[str]) -> bool:
        return all(sorted(peers(h)) == sorted(lab.address(a) for a in there) for h, there in wanted.items())

    until(lambda: settled(bob=[], daisy=[], network=[]), 15, "no host has a tunnel while there is no network")
    before = {host: (lab.flows(host), lab.flows(host, "br-int")) for host in HOSTS}
    first = cloud.network("10.0.0.0/24", "first")
    cloud.guest("one", first, "bob")
    until(lambda: settled(bob=["network"], daisy=[], network=["bob"]), 5, "bob and the DHCP host have a tunnel")
    second = cloud.network("10.0.1.0/24", "second")
    cloud.guest("two", second, "daisy")
    until(lambda: settled(bob=["network"], daisy=["network"], network=["bob", "daisy"]), 5, "daisy has one too")
    far = cloud.guest("far", first, "daisy")
    until(lambda: settled(bob=["daisy", "network"], daisy=["bob", "network"]), 5, "bob and daisy share a network")
    assert cloud.ping(far, "10.0.0.1").received == 0  # nobody has it: it floods, and nothing is harmed
    cloud.clear()
    until(lambda: settled(bob=[], daisy=[], network=[]), 15, "the tunnels are gone with their networks")
    until(lambda: all((lab.flows(h), lab.flows(h, "br-int")) == before[h] for h in HOSTS), 15, "and so are all flows")


def test_the_course_s_commands_show_what_the_course_explains(lab: TunnelLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24", "net1")
    one, two = cloud.guest("one", network_id, "bob"), cloud.guest("two", network_id, "daisy")
    assert cloud.ping(one, two.address).lost == 0

    shown = in_shell(lab, "daisy", "ovs-vsctl show")
    tunnel = next(name for name, peer in lab.tunnels("daisy") if peer == lab.address("bob"))
    assert re.search(
        rf"""Port {tunnel}\n +Interface {tunnel}\n +type: {lab.kind}\n +options: \{{df_default="true", in_key=flow,"""
        rf""" local_ip="{lab.address("daisy")}", out_key=flow, remote_ip="{lab.address("bob")}"\}}""",
        shown,
    ), shown
    assert re.search(r"Interface patch-tun\n +type: patch\n +options: \{peer=patch-int\}", shown)
    assert re.search(r"Interface patch-int\n +type: patch\n +options: \{peer=patch-tun\}", shown)
    tag = int(lab.on("daisy", "ovs-vsctl", "get", "port", f"qvo{two.port_id[:11]}", "tag"))
    assert re.search(rf"Port qvo{two.port_id[:11]}\n +tag: {tag}\n +Interface qvo{two.port_id[:11]}\n", shown), shown

    shown = in_shell(lab, "daisy", "ovs-ofctl show br-tun")
    assert re.search(r"^ 1\(patch-int\): addr:", shown, re.MULTILINE), shown
    assert re.search(rf"^ \d+\({tunnel}\): addr:", shown, re.MULTILINE), shown
    shown = in_shell(lab, "daisy", "ovs-ofctl dump-flows br-tun")
    table = {"gre": 2, "vxlan": 3, "geneve": 4}[lab.kind]
    into = re.search(
        rf"table={table}, n_packets=(\d+), .*priority=1,tun_id=0x1 actions=mod_vlan_vid:{tag},resubmit\(,10\)", shown
    )
    assert into, shown
    assert int(into[1]) > 0
    assert re.search(rf"table=10, n_packets=[1-9].*priority=1,dl_vlan={tag} actions=.*output:1$", shown, re.MULTILINE)
    assert ("actions=learn(table=20,hard_timeout=300,priority=1" in shown) is not lab.populated
    unicast = [f for f in lab.flows("daisy", table=20) if one.mac in f]
    assert len(unicast) == 1, unicast
    assert f"priority={2 if lab.populated else 1}" in unicast[0]


def in_shell(lab: TestLab, host: str, command: str) -> str:
    """Types a command into ``netglass lab shell``; gives what it printed."""
    argv = [NETGLASS, "lab", "shell", host, "--lab", lab.name]
    done = subprocess.run(argv, input=f"{command}\n", capture_output=True, text=True, timeout=30, check=False)
    assert f"root@{host}:" in done.stderr, done.stderr
    return done.stdout


def test_what_populated_hosts_know_is_never_flooded(lab: TunnelLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24", "net1")
    one = cloud.guest("one", network_id, "bob")
    two = cloud.guest("two", network_id, "daisy")
    watched = Capture(lab, two)
    lab.inside(one.id, "ip", "neigh", "flush", "all")
    dhcp = cloud.api.get(f"/v2.0/ports?network_id={network_id}&device_owner=network:dhcp")["ports"][0]
    assert cloud.ping(one, dhcp["fixed_ips"][0]["ip_address"]).lost == 0
    lab.inside(one.id, "arping", "-c", "1", "-w", "1", "-I", "eth0", two.address, check=False)
    assert cloud.ping(one, two.address).lost == 0
    asked = [line for line in watched.text().splitlines() if "ARP" in line and "who-has" in line and one.mac in line]
    broadcast = [line for line in asked if "ff:ff:ff:ff:ff:ff" in line]

    assert bool(broadcast) is not lab.populated, broadcast


def test_two_projects_with_the_same_addresses_share_tunnels_and_nothing_crosses(
    lab: TunnelLab,
    cloud: Cloud,  # noqa: F811
    neighbour: Cloud,  # noqa: F811
) -> None:
    ours, theirs = cloud.network("10.0.0.0/24", "ours"), neighbour.network("10.0.0.0/24", "theirs")
    one = cloud.guest("one", ours, "bob", "10.0.0.11")
    two = cloud.guest("two", ours, "daisy", "10.0.0.12")
    due = neighbour.guest("due", theirs, "daisy", "10.0.0.12")  # other tags on daisy than on bob
    uno = neighbour.guest("uno", theirs, "bob", "10.0.0.11")

    captures = {guest.name: Capture(lab, guest) for guest in (one, two, uno, due)}
    assert cloud.ping(one, "10.0.0.12", count=20, each_s=0.02).lost == 0
    assert neighbour.ping(uno, "10.0.0.12", count=20, each_s=0.02).lost == 0
    for asking in (one, uno):
        lab.inside(asking.id, "ping", "-b", "-c", "5", "-i", "0.02", "-W", "1", "10.0.0.255", check=False)
        lab.inside(asking.id, "ip", "neigh", "replace", "10.0.0.99", "lladdr", "fa:16:3e:99:99:99", "dev", "eth0")
        lab.inside(asking.id, "ping", "-c", "5", "-i", "0.02", "-W", "1", "10.0.0.99", check=False)

    frames = {name: capture.text() for name, capture in captures.items()}
    for mine, others in (((one, two), (uno, due)), ((uno, due), (one, two))):
        for guest in mine:
            assert all(friend.mac in frames[guest.name] for friend in mine), "the capture saw nothing"
            assert "fa:16:3e:99:99:99" in frames[mine[1].name], "the unknown frame did not flood its own network"
            assert not any(other.mac in frames[guest.name] for other in others), frames[guest.name]


def test_a_tag_that_is_used_again_never_leads_into_the_network_that_had_it(
    lab: TunnelLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    first = cloud.network("10.0.0.0/24", "first")
    near, far = cloud.guest("near", first, "bob"), cloud.guest("far", first, "daisy")
    assert cloud.ping(near, far.address).lost == 0
    assert any(far.mac in flow for flow in lab.flows("bob", table=20))
    cloud.api.call("DELETE", f"/compute/v2.1/servers/{near.id}")
    until(lambda: not any(far.mac in flow for flow in lab.flows("bob", table=20)), 10, "bob forgets who was in first")
    second = cloud.network("10.0.0.0/24", "second")
    other = cloud.guest("other", second, "bob")
    watched = Capture(lab, far)
    lab.inside(other.id, "ip", "neigh", "replace", "10.0.0.99", "lladdr", far.mac, "dev", "eth0")
    assert cloud.ping(other, "10.0.0.99", count=10).received == 0
    assert other.mac not in watched.text()


def test_the_largest_packet_passes_whole_and_one_byte_more_is_refused_where_it_begins(
    lab: TunnelLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    network_id = cloud.network("10.0.0.0/24", "net1")
    one, two = cloud.guest("one", network_id, "bob"), cloud.guest("two", network_id, "daisy")
    mtu = 1500 - OVERHEAD[lab.kind] - (20 if lab.version == 6 else 0)
    assert cloud.api.get(f"/v2.0/networks/{network_id}")["network"]["mtu"] == mtu
    for guest in (one, two):
        assert f" mtu {mtu} " in lab.inside(guest.id, "ip", "link", "show", "dev", "eth0")
        for device in (guest.tap, *(f"{prefix}{guest.port_id[:11]}" for prefix in ("qbr", "qvb", "qvo"))):
            assert f" mtu {mtu} " in lab.on(guest.host, "ip", "link", "show", "dev", device)

    assert whole(lab, one, two.address, mtu).lost == 0
    assert whole(lab, two, one.address, mtu).lost == 0
    said = lab.inside(one.id, *ping(two.address, mtu + 1), check=False)
    assert f"message too long, mtu={mtu}" in said or "100% packet loss" in said, said


def ping(address: str, size: int) -> tuple[str, ...]:
    """Gives the words of a ping with packets of just `size` bytes that nobody may cut."""
    return ("sh", "-c", f"ping -M do -c 3 -i 0.1 -W 1 -s {size - 28} {address} 2>&1")


def whole(lab: TunnelLab, guest: Guest, address: str, size: int) -> Pings:
    said = lab.inside(guest.id, *ping(address, size), check=False)
    match = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert match, said
    return Pings(int(match[1]), int(match[2]))


SEND = """
import hashlib, socket, sys
rest = int(sys.argv[2]); block = bytes(range(256)) * 256; digest = hashlib.sha256()
with socket.create_connection((sys.argv[1], 5001), timeout=20) as made:
    while rest:
        part = block[:rest]; made.sendall(part); digest.update(part); rest -= len(part)
print(digest.hexdigest())
"""
TAKE = """
import hashlib, socket
with socket.create_server(("0.0.0.0", 5001)) as waiting:
    print("listening", flush=True)
    taken, _ = waiting.accept(); digest = hashlib.sha256()
    while part := taken.recv(1 << 16): digest.update(part)
print(digest.hexdigest())
"""


def test_tcp_brings_twenty_megabytes_over_unchanged(
    lab: TunnelLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    network_id = cloud.network("10.0.0.0/24", "net1")
    one, two = cloud.guest("one", network_id, "bob"), cloud.guest("two", network_id, "daisy")
    argv = [*lab.to_guest(two.id), "python3", "-c", TAKE]
    taking = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert taking.stdout is not None
    assert taking.stdout.readline() == "listening\n"
    sent = lab.inside(one.id, "python3", "-c", SEND, two.address, str(20_000_000)).strip()
    received, _ = taking.communicate(timeout=60)

    assert received.strip() == sent == hashlib.sha256((bytes(range(256)) * 80_000)[:20_000_000]).hexdigest()
