"""The first story: a network, two guests on two hosts, and they talk."""

from __future__ import annotations

import os
import subprocess

import pytest
from cloud import Cloud, until
from labs import NETGLASS, TestLab, netglass
from story_fixtures import admin, cloud  # noqa: F401 - fixtures

from support.api import Api

pytestmark = pytest.mark.lab

HOSTS = ("control", "compute1", "compute2")


def test_two_guests_on_two_hosts_get_their_addresses_by_dhcp_and_reach_each_other(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
    admin: Api,  # noqa: F811
) -> None:
    network_id = cloud.network("10.0.0.0/24", "net1")
    vm1 = cloud.guest("vm1", network_id, "compute1")
    vm2 = cloud.guest("vm2", network_id, "compute2")

    assert cloud.ping(vm1, vm2.address).lost == 0
    assert cloud.ping(vm2, vm1.address).lost == 0
    dhcp = cloud.api.get(f"/v2.0/ports?network_id={network_id}&device_owner=network:dhcp")["ports"][0]
    assert cloud.ping(vm1, dhcp["fixed_ips"][0]["ip_address"]).lost == 0
    assert lab.on("control", "ip", "netns", "exec", f"qdhcp-{network_id}", "ping", "-c1", "-W1", vm2.address)

    until(lambda: cloud.server(vm1.id)["status"] == "ACTIVE", 5, "server vm1 is ACTIVE")
    assert cloud.server(vm1.id)["addresses"]["net1"][0]["addr"] == vm1.address
    assert [p["status"] for p in admin.get(f"/v2.0/ports?network_id={network_id}")["ports"]] == ["ACTIVE"] * 3
    assert lab.inside(vm1.id, "hostname").strip() == "vm1"
    for host in HOSTS:
        assert netglass_diff(lab, host) == ""


def test_a_guest_keeps_its_address_over_stop_start_and_reboot(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.1.0/24")
    guest = cloud.guest("vm", network_id, "compute1")
    action = f"/compute/v2.1/servers/{guest.id}/action"

    cloud.api.post(action, {"os-stop": None})
    until(lambda: cloud.server(guest.id)["status"] == "SHUTOFF", 10, "the guest is off")
    assert guest.tap not in lab.on("compute1", "ip", "-o", "link")
    cloud.api.post(action, {"os-start": None})
    until(lambda: cloud.server(guest.id)["status"] == "ACTIVE", 10, "the guest is on")
    cloud.wait_address(guest)

    def started() -> str:
        """Gives when the guest's init began, in clock ticks (proc_pid_stat(5), field 22)."""
        return " ".join(lab.inside(guest.id, "cat", "/proc/1/stat", check=False).rpartition(")")[2].split()[19:20])

    before = started()
    cloud.api.post(action, {"reboot": {"type": "HARD"}})
    until(
        lambda: lab.inside(guest.id, "stat", "-c", "%Y", "/proc/1", check=False) not in ("", before), 10, "a new init"
    )
    cloud.wait_address(guest)


def test_nothing_of_a_deleted_guest_or_network_is_left_on_the_hosts(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    def look() -> list[list[str]]:
        found = [
            *(names(lab, h) for h in HOSTS),
            *(lab.on(h, "ovs-vsctl", "--no-heading", "--columns=name", "list", "port").split() for h in HOSTS),
            *(flows(lab, h).splitlines() for h in HOSTS),
            lab.on("control", "ip", "netns", "list").split(),
            lab.on("control", "sh", "-c", "ls /var/lib/neutron/dhcp 2>/dev/null || true").split(),
            lab.on("compute1", "sh", "-c", "ls /var/lib/nova/instances 2>/dev/null || true").split(),
        ]
        return [sorted(words) for words in found]

    until(lambda: not any(netglass_diff(lab, host) for host in HOSTS), 10, "what other stories made is gone")
    before = look()
    network_id = cloud.network("10.0.2.0/24")
    cloud.guest("vm", network_id, "compute1")
    assert look() != before
    cloud.clear()
    until(lambda: look() == before, 15, "the hosts are as they were")


def names(lab: TestLab, host: str) -> list[str]:
    return [line.split()[0].split("@")[0] for line in lab.on(host, "ip", "-br", "link").splitlines()]


def flows(lab: TestLab, host: str) -> str:
    return "".join(lab.on(host, "ovs-ofctl", "--no-stats", "dump-flows", bridge) for bridge in ("br-int", "br-eth2"))


def netglass_diff(lab: TestLab, host: str) -> str:
    """Gives what ``netglass diff`` prints for a host that differs from its plan; empty when it does not."""
    done = subprocess.run(
        [NETGLASS, "diff", host, "--json"],
        env=os.environ | lab.environment("admin"),
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_a_host_s_switch_comes_before_its_other_programs(lab: TestLab) -> None:
    for name in ("ovsdb-server", "ovs-vswitchd"):
        pid = lab.on("control", "cat", f"/run/openvswitch/{name}.pid").strip()
        assert set(lab.on("control", "ps", "-L", "-o", "ni=", "-p", pid).split()) == {"-10"}
        assert lab.on("control", "cat", f"/proc/{pid}/autogroup").endswith("nice -10\n")


def test_the_lab_is_healthy(lab: TestLab) -> None:
    assert netglass("lab", "status", "--lab", lab.name).returncode == 0
