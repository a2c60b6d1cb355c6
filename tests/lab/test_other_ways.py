"""The same network by other means: patch ports for veth pairs, no Linux bridge, flat for VLAN, plugged by others."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud import Cloud, until
from labs import TestLab, netglass
from story_fixtures import api_of

pytestmark = pytest.mark.lab

LAB = """
name: ways
segments:
  mgmt: {cidr: 192.168.50.0/24}
  vm: {trunk: true}
management: mgmt
hosts:
  control:
    server: true
    roles: [network]
    nics: {eth1: mgmt, eth2: vm}
    bridges: {br-eth2: eth2}
    bridge_mappings: {default: br-eth2}
    provider_link: patch
  hybrid:
    roles: [hypervisor]
    nics: {eth1: mgmt, eth2: vm}
    bridges: {br-eth2: eth2}
    bridge_mappings: {default: br-eth2}
  native:
    roles: [hypervisor]
    nics: {eth1: mgmt, eth2: vm}
    bridges: {br-eth2: eth2}
    bridge_mappings: {default: br-eth2}
    provider_link: patch
    firewall_driver: openvswitch
cloud:
  vlan_ranges: {default: [1000, 1999]}
"""

RECEIVE = """
import hashlib, socket
connection, _ = socket.create_server(("0.0.0.0", 5000)).accept()
digest = hashlib.sha256()
while chunk := connection.recv(1 << 16):
    digest.update(chunk)
print(digest.hexdigest())
"""
SEND = """
import random, socket, sys
socket.create_connection((sys.argv[1], 5000)).sendall(random.Random(7).randbytes(20_000_000))
"""


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestLab]:
    """A lab whose hosts differ in every setting that a host has."""
    file = Path(tmp_path_factory.mktemp("lab")) / "ways.yaml"
    file.write_text(LAB)
    name = f"w{os.getpid()}"
    netglass("lab", "up", str(file), "--lab", name)
    try:
        yield TestLab(name)
    finally:
        netglass("lab", "down", "--lab", name)


@pytest.fixture
def cloud(ways: TestLab) -> Iterator[Cloud]:
    made = Cloud(ways, api_of(ways, "admin"))
    yield made
    made.clear()


def test_guests_behind_a_linux_bridge_and_straight_on_the_switch_talk_over_veth_and_patch(
    ways: TestLab, cloud: Cloud
) -> None:
    network_id = cloud.network("10.0.0.0/24")
    one = cloud.guest("one", network_id, "hybrid")
    two = cloud.guest("two", network_id, "native")

    assert cloud.ping(one, two.address).lost == 0
    assert one.tap in ways.on("hybrid", "brctl", "show")
    assert two.tap in ways.on("native", "ovs-vsctl", "list-ports", "br-int")
    assert "qbr" not in ways.on("native", "brctl", "show")
    assert "type: patch" in ways.on("native", "ovs-vsctl", "show")


def test_a_flat_network_carries_frames_without_a_tag(ways: TestLab, cloud: Cloud) -> None:
    network_id = cloud.network(
        "10.0.1.0/24", **{"provider:network_type": "flat", "provider:physical_network": "default"}
    )
    one = cloud.guest("one", network_id, "hybrid")
    two = cloud.guest("two", network_id, "native")

    words = ("timeout", "5", "tcpdump", "-Z", "root", "-lnne", "-c", "4", "-i", "eth2", "icmp or (vlan and icmp)")
    with cloud.pinging(one, two.address, each_s=0.1):
        seen = ways.on("hybrid", *words)
    assert two.mac in seen
    assert "802.1Q" not in seen


def test_twenty_megabytes_arrive_as_they_were_sent(ways: TestLab, cloud: Cloud) -> None:
    network_id = cloud.network("10.0.2.0/24")
    one = cloud.guest("one", network_id, "hybrid")
    two = cloud.guest("two", network_id, "native")
    sent = hashlib.sha256(random.Random(7).randbytes(20_000_000)).hexdigest()

    listening = [*ways.to_guest(two.id), "python3", "-c", RECEIVE]
    receiver = subprocess.Popen(listening, stdout=subprocess.PIPE, text=True)
    try:
        until(lambda: ":1388 " in ways.inside(two.id, "cat", "/proc/net/tcp"), 10, "the receiver listens")
        ways.inside(one.id, "python3", "-c", SEND, two.address)
        assert receiver.communicate(timeout=30)[0].strip() == sent
    finally:
        receiver.kill()


@pytest.mark.parametrize(("host", "prefix"), [("hybrid", "qvo"), ("native", "tap")])
def test_a_port_that_somebody_else_plugs_is_wired_and_active(
    ways: TestLab, cloud: Cloud, host: str, prefix: str
) -> None:
    network_id = cloud.network("10.0.3.0/24")
    wish = {"network_id": network_id, "binding:host_id": host, "device_owner": "compute:elsewhere"}
    port = cloud.api.post("/v2.0/ports", {"port": wish})["port"]
    device, inside = prefix + port["id"][:11], "elsewhere"
    try:
        ways.on(host, "ip", "netns", "add", inside)
        ways.on(host, "ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", inside)
        ways.on(host, "ip", "link", "set", device, "up")
        in_guest = ("ip", "netns", "exec", inside)
        ways.on(host, *in_guest, "ip", "link", "set", "eth0", "address", port["mac_address"], "up")
        ids = [f"external_ids:{k}={v}" for k, v in (("iface-id", port["id"]), ("iface-status", "active"))]
        ways.on(host, "ovs-vsctl", "add-port", "br-int", device, "tag=4095", "--", "set", "interface", device, *ids)

        show = lambda: cloud.api.get(f"/v2.0/ports/{port['id']}")["port"]["status"]  # noqa: E731
        until(lambda: show() == "ACTIVE", 5, "the port is ACTIVE")
        client = ("busybox", "udhcpc", "-n", "-q", "-f", "-t", "5", "-i", "eth0", "-s", "/bin/true")
        assert ways.on(host, *in_guest, *client) is not None  # status 0: it got a lease
        assert ways.on(host, "ovs-vsctl", "get", "port", device, "tag").strip() not in ("4095", "[]")
        ways.on(host, *in_guest, "ip", "addr", "add", f"{port['fixed_ips'][0]['ip_address']}/24", "dev", "eth0")
        assert ways.on(host, *in_guest, "ping", "-c1", "-W2", "10.0.3.2")
    finally:
        ways.on(host, "ovs-vsctl", "--if-exists", "del-port", device, check=False)
        ways.on(host, "ip", "netns", "del", inside, check=False)
        cloud.api.delete(f"/v2.0/ports/{port['id']}")
