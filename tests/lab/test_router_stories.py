"""Stories of routers: between networks, to the internet and back, and in from it by floating IPs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cloud import Cloud, Guest, Pinging, Pings, end_project, new_project, until
from labs import AT_ONCE, TestLab
from story_fixtures import admin, cloud  # noqa: F401 - fixtures
from test_convergence import agent_pid, log_lines
from test_first_guest import netglass_diff

from support.api import Api

pytestmark = pytest.mark.lab

INTERNET, CLIENT = "198.51.100.10", "198.51.100.20"
HEALED_WITHIN_S = 2.0


class Heard:
    """Packets seen on a device of a host, or of a namespace there, from when this was made until `text` is asked."""

    def __init__(self, lab: TestLab, host: str, device: str, *what: str, netns: str = "") -> None:
        self._words = ("tcpdump", *AT_ONCE, "-Z", "root", "-lnn", "-i", device, *what)
        self._lab, self._host = lab, host
        argv = [*lab.to_host(host), *(("ip", "netns", "exec", netns) if netns else ()), *self._words]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        while "listening on" not in self._process.stderr.readline():
            assert self._process.poll() is None, "tcpdump ended"

    def text(self) -> str:
        mine = " ".join(self._words)
        for line in self._lab.on(self._host, "ps", "-eo", "pid=,args=").splitlines():
            if line.split(maxsplit=1)[1].strip() == mine:
                self._lab.on(self._host, "kill", "-INT", line.split()[0])
        return self._process.communicate(timeout=20)[0]


def pings(said: str) -> Pings:
    match = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert match, said
    return Pings(int(match[1]), int(match[2]))


def from_client(lab: TestLab, address: str, count: int = 5) -> Pings:
    words = ("ping", "-n", "-q", "-i", "0.05", "-W", "1", "-c", str(count), address)
    return pings(lab.on("client", *words, check=False))


def await_floating(lab: TestLab, address: str, within_s: float = 20) -> None:
    until(lambda: from_client(lab, address, 1).received, within_s, f"{address} answers")


@contextmanager
def calling(lab: TestLab, address: str, count: int = 0) -> Iterator[Pinging]:
    """Pings an address from the client, a hundred times a second, for as long as the block lasts (or `count` times)."""
    words = ("ping", "-n", "-i", "0.01", "-W", "1", *(("-c", str(count)) if count else ()), address)
    argv = [*lab.to_host("client"), *words]
    running = Pinging(argv, words)
    try:
        yield running
    finally:
        for line in lab.on("client", "ps", "-eo", "pid=,args=").splitlines():
            if not count and line.split(maxsplit=1)[1].strip() == " ".join(words):
                lab.on("client", "kill", "-INT", line.split()[0])
        running.end()


def in_router(lab: TestLab, router_id: str, *argv: str, check: bool = True) -> str:
    return lab.on("control", "ip", "netns", "exec", f"qrouter-{router_id}", *argv, check=check)


def settled(lab: TestLab) -> None:
    for host in ("control", "compute1", "compute2"):
        until(lambda host=host: not netglass_diff(lab, host), 10, f"{host} is as it is planned")


def test_guests_on_two_networks_meet_at_a_router_on_one_host_and_on_two(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    red, blue = cloud.network("10.0.1.0/24", "red"), cloud.network("10.0.2.0/24", "blue")
    one = cloud.guest("one", red, "compute1")
    near = cloud.guest("near", blue, "compute1")
    far = cloud.guest("far", blue, "compute2")
    assert cloud.ping(one, near.address).received == 0

    router = cloud.router(red, blue, outside=False)

    until(lambda: cloud.ping(one, near.address, count=1).received, 5, "the router is there")
    for a, b in ((one, near), (near, one), (one, far), (far, one)):
        assert cloud.ping(a, b.address).lost == 0
    assert re.search(r"ttl=63\b", lab.inside(one.id, "ping", "-n", "-c", "1", far.address))
    states = cloud.api.get(f"/v2.0/ports?device_id={router}")["ports"]
    assert [port["status"] for port in states] == ["ACTIVE", "ACTIVE"]
    settled(lab)


def test_a_network_too_small_for_ipv6_is_served_like_any_other_and_harms_none(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    red, small = cloud.network("10.0.1.0/24", "red"), cloud.network("10.0.2.0/24", "small", mtu=576)
    cloud.router(red, small, outside=False)
    one, two = cloud.guest("one", red, "compute1"), cloud.guest("two", small, "compute2")
    assert " mtu 576 " in lab.inside(two.id, "ip", "link", "show", "dev", "eth0")
    until(lambda: cloud.ping(one, two.address, count=1).received, 5, "the router is there")
    for guest in (one, two):
        url = "http://169.254.169.254/openstack/latest/meta_data.json"
        assert guest.id in lab.inside(guest.id, "curl", "-sSf", "-m", "10", url)
    settled(lab)

    for mtu in (1400, 1000):  # the devices gain IPv6, and lose it
        assert cloud.api.call("PUT", f"/v2.0/networks/{small}", {"network": {"mtu": mtu}})[0] == 200
        settled(lab)
        assert lab.operator("wait", "--timeout", "20").returncode == 0
        assert cloud.ping(one, two.address).lost == 0


def test_the_internet_calls_a_guest_by_its_floating_ip_and_the_guest_sees_who_calls(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    network = cloud.network("10.0.1.0/24")
    guest = cloud.guest("vm", network, "compute1")
    cloud.router(network)
    floating = cloud.floating(guest.port_id)
    address = floating["floating_ip_address"]
    await_floating(lab, address)

    on_tap = Heard(lab, guest.host, guest.tap, "icmp")
    assert from_client(lab, address).lost == 0
    assert f"{CLIENT} > {guest.address}: ICMP echo request" in on_tap.text()
    at_internet = Heard(lab, "internet", "eth1", "icmp")
    assert cloud.ping(guest, INTERNET).lost == 0
    assert f"{address} > {INTERNET}: ICMP echo request" in at_internet.text()
    assert cloud.api.get(f"/v2.0/floatingips/{floating['id']}")["floatingip"]["status"] == "ACTIVE"

    cloud.aim(floating["id"], None)
    until(lambda: not from_client(lab, address, 1).received, 5, "nobody answers any more")
    settled(lab)


def test_a_guest_calls_another_by_its_floating_ip_through_their_own_router(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network = cloud.network("10.0.1.0/24")
    one, two = cloud.guest("one", network, "compute1"), cloud.guest("two", network, "compute2")
    cloud.router(network)
    address = cloud.floating(two.port_id)["floating_ip_address"]
    until(lambda: cloud.ping(one, address, count=1).received, 5, "it answers")
    assert cloud.ping(one, address).lost == 0


def test_a_floating_ip_moves_to_another_guest_while_somebody_calls(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network = cloud.network("10.0.1.0/24")
    one, two = cloud.guest("one", network, "compute1"), cloud.guest("two", network, "compute2")
    cloud.router(network)
    floating = cloud.floating(one.port_id)
    await_floating(lab, floating["floating_ip_address"])

    with calling(lab, floating["floating_ip_address"]):
        cloud.aim(floating["id"], two.port_id)
        at_two = Heard(lab, two.host, two.tap, "icmp", "and", "src", CLIENT)
        until(lambda: from_client(lab, floating["floating_ip_address"], 1).received, 5, "it answers again")
        at_one = Heard(lab, one.host, one.tap, "icmp", "and", "src", CLIENT)
        assert from_client(lab, floating["floating_ip_address"], 10).lost == 0
    # The call that began before the move is led to the new guest too.
    assert len({line.split(" id ")[1].split(",")[0] for line in at_two.text().splitlines() if " id " in line}) >= 2
    assert at_one.text().strip() == ""


def test_a_floating_ip_that_moves_to_another_router_is_found_there(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    red, blue = cloud.network("10.0.1.0/24", "red"), cloud.network("10.0.2.0/24", "blue")
    one, two = cloud.guest("one", red, "compute1"), cloud.guest("two", blue, "compute2")
    cloud.router(red, name="first")
    cloud.router(blue, name="second")
    floating = cloud.floating(one.port_id)
    address = floating["floating_ip_address"]
    await_floating(lab, address)

    cloud.aim(floating["id"], two.port_id)

    # The provider's router knows the address at the first router's MAC; it is told of the second one.
    until(lambda: from_client(lab, address, 1).received, 4, "it answers at the other router")
    assert from_client(lab, address).lost == 0


def test_two_projects_with_equal_addresses_go_out_and_are_called_each_by_their_own_router(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
    admin: Api,  # noqa: F811
) -> None:
    url = lab.environment("admin")["OS_AUTH_URL"].split("/identity")[0]
    neighbour = Cloud(lab, new_project(admin, url, "next-door"))
    try:
        guests: list[tuple[Cloud, Guest, str]] = []
        for who, host in ((cloud, "compute1"), (neighbour, "compute1")):
            network = who.network("10.0.1.0/24")
            guest = who.guest("vm", network, host, "10.0.1.11")
            who.router(network)
            guests.append((who, guest, who.floating(guest.port_id)["floating_ip_address"]))
        for who, guest, address in guests:
            await_floating(lab, address)
            assert who.ping(guest, INTERNET).lost == 0
            on_tap = {other.id: Heard(lab, other.host, other.tap, "icmp") for _, other, _ in guests}
            assert from_client(lab, address).lost == 0
            for other_id, heard in on_tap.items():
                assert ("ICMP echo request" in heard.text()) == (other_id == guest.id)
        assert neighbour.api.get("/v2.0/routers")["routers"] != cloud.api.get("/v2.0/routers")["routers"]
    finally:
        neighbour.clear()
        end_project(admin, neighbour.api, "next-door")


def test_killing_the_agent_of_the_routers_loses_no_packet(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network = cloud.network("10.0.1.0/24")
    guest = cloud.guest("vm", network, "compute1")
    router = cloud.router(network)
    address = cloud.floating(guest.port_id)["floating_ip_address"]
    await_floating(lab, address)
    settled(lab)
    before, lines, pid = (
        in_router(lab, router, "iptables-save"),
        len(log_lines(lab, "control")),
        agent_pid(lab, "control"),
    )

    # Counted, so that the last one is not cut off on its way.
    with calling(lab, address, count=300) as called, cloud.pinging(guest, INTERNET, count=300) as calls:
        lab.on("control", "kill", "-9", str(pid))
        until(lambda: agent_pid(lab, "control") not in (0, pid), 10, "a new agent")
        said = lambda: [line for line in log_lines(lab, "control")[lines:] if "nothing to do" in line]  # noqa: E731
        until(said, 10, "the new agent says: nothing to do")

    for running in (called, calls):
        assert running.pings().sent > 50
        assert running.pings().lost == 0
    rules = [line for line in before.splitlines() if not line.startswith("#")]
    assert [line for line in in_router(lab, router, "iptables-save").splitlines() if not line.startswith("#")] == rules


def test_broken_rules_addresses_and_routes_of_a_router_are_mended_and_foreign_rules_stay(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    network = cloud.network("10.0.1.0/24")
    guest = cloud.guest("vm", network, "compute1")
    router = cloud.router(network)
    address = cloud.floating(guest.port_id)["floating_ip_address"]
    await_floating(lab, address)
    device = "qg-" + cloud_gateway_port(lab, router)

    def rules() -> list[str]:
        return sorted(line for line in in_router(lab, router, "iptables-save").splitlines() if line[0] in "-:*")

    in_router(lab, router, "iptables", "-t", "nat", "-N", "somebodys")
    in_router(lab, router, "iptables", "-t", "nat", "-I", "PREROUTING", "-s", "192.0.2.1/32", "-j", "somebodys")
    wanted = [re.sub(r"\[.*", "", line) for line in rules()]
    for damage in (
        ("iptables", "-t", "nat", "-F", "neutron-l3-agent-PREROUTING"),
        ("iptables", "-t", "nat", "-D", "POSTROUTING", "-j", "neutron-postrouting-bottom"),
        ("iptables", "-t", "nat", "-I", "neutron-l3-agent-snat", "-j", "ACCEPT"),
        ("ip", "addr", "del", f"{address}/32", "dev", device),
        ("ip", "route", "del", "default"),
    ):
        in_router(lab, router, *damage)
        until(lambda: [re.sub(r"\[.*", "", line) for line in rules()] == wanted, HEALED_WITHIN_S, f"mended: {damage}")
        until(lambda: "default" in in_router(lab, router, "ip", "route"), HEALED_WITHIN_S, "the route")
        until(lambda: address in in_router(lab, router, "ip", "addr"), HEALED_WITHIN_S, "the address")
        assert from_client(lab, address).lost == 0
    lab.on("control", "ip", "netns", "delete", f"qrouter-{router}")
    until(lambda: from_client(lab, address, 1).received, 10, "a whole new router")


def cloud_gateway_port(lab: TestLab, router: str) -> str:
    return re.findall(r"qg-(\S{11})", in_router(lab, router, "ip", "-o", "link"))[0]


def test_nothing_of_a_deleted_router_is_left(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    def look() -> list[list[str]]:
        ports = lab.on("control", "ovs-vsctl", "--no-heading", "--columns=name", "list", "port").split()
        links = [line.split()[0].split("@")[0] for line in lab.on("control", "ip", "-br", "link").splitlines()]
        return [sorted(words) for words in (ports, links, lab.on("control", "ip", "netns", "list").split())]

    settled(lab)  # what other stories made is gone
    before = look()
    network = cloud.network("10.0.1.0/24")
    guest = cloud.guest("vm", network, "compute1")
    cloud.router(network)
    await_floating(lab, cloud.floating(guest.port_id)["floating_ip_address"])
    cloud.clear()
    until(lambda: look() == before, 15, "the host is as it was")
