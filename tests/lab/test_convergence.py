"""Stories of damage and death: the hosts become right again, and what was right is not touched."""

from __future__ import annotations

import json

import pytest
from cloud import Cloud, until
from labs import TestLab
from story_fixtures import cloud  # noqa: F401 - fixture
from test_first_guest import netglass_diff

pytestmark = pytest.mark.lab

HOSTS = ("control", "compute1", "compute2")
HEALED_WITHIN_S = 2.0


def agent_pid(lab: TestLab, host: str) -> int:
    """Gives the pid of a host's agent as the host sees it: its PID 1 started it; 0 while there is none."""
    for line in lab.on(host, "ps", "-eo", "pid=,ppid=,args=").splitlines():
        pid, parent, words = line.split(maxsplit=2)
        if parent == "1" and "netglass.agent.main" in words:
            return int(pid)
    return 0


def fingerprint(lab: TestLab, host: str) -> str:
    """Gives all of a host that an agent could have changed, with ids of devices and processes, without counters."""
    parts = [
        lab.on(host, "ovs-vsctl", "list", "port"),
        lab.on(host, "ovs-vsctl", "--columns=_uuid,name,type,ofport,external_ids,options", "list", "interface"),
        lab.on(host, "ip", "-o", "link"),
        lab.on(host, "ip", "-o", "addr"),
        *(lab.on(host, "ovs-ofctl", "--no-stats", "dump-flows", b) for b in ("br-int", "br-eth2")),
    ]
    served = [w for w in lab.on(host, "ps", "-eo", "pid=,args=").splitlines() if "dnsmasq" in w or "udhcpc" in w]
    return "\n".join([*parts, *sorted(served)])


def log_lines(lab: TestLab, host: str) -> list[str]:
    return lab.on(host, "cat", "/var/log/netglass/agent.log").splitlines()


@pytest.mark.parametrize("host", HOSTS)
def test_killing_an_agent_loses_no_packet_and_changes_nothing(lab: TestLab, cloud: Cloud, host: str) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24")
    one = cloud.guest("one", network_id, "compute1")
    two = cloud.guest("two", network_id, "compute2")
    until(lambda: not netglass_diff(lab, host), 10, f"{host} is settled")
    pid = until(lambda: agent_pid(lab, host), 10, "an agent")
    before, lines = fingerprint(lab, host), len(log_lines(lab, host))

    with cloud.pinging(one, two.address, each_s=0.01, count=400) as running:
        lab.on(host, "kill", "-9", str(pid))
        until(lambda: agent_pid(lab, host) not in (0, pid), 10, "a new agent")
        said = lambda: [line for line in log_lines(lab, host)[lines:] if "nothing to do" in line]  # noqa: E731
        until(said, 10, "the new agent says: nothing to do")

    assert (running.pings().sent, running.pings().lost) == (400, 0)
    assert fingerprint(lab, host) == before


def test_a_deleted_flow_a_changed_tag_and_a_dead_dnsmasq_are_put_right_within_two_seconds(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    network_id = cloud.network("10.0.0.0/24")
    guest = cloud.guest("vm", network_id, "compute1")
    qvo = "qvo" + guest.port_id[:11]

    def flows() -> list[str]:
        return sorted(lab.on("compute1", "ovs-ofctl", "--no-stats", "dump-flows", "br-int").splitlines())

    wanted, lines = flows(), len(log_lines(lab, "compute1"))
    lab.on("compute1", "ovs-ofctl", "del-flows", "br-int", "in_port=int-br-eth2")
    until(lambda: flows() == wanted, HEALED_WITHIN_S, "the flows are back")
    until(lambda: any("flows" in line for line in log_lines(lab, "compute1")[lines:]), 2, "the agent says so")

    tag = lab.on("compute1", "ovs-vsctl", "get", "port", qvo, "tag")
    lab.on("compute1", "ovs-vsctl", "set", "port", qvo, "tag=777")
    until(lambda: lab.on("compute1", "ovs-vsctl", "get", "port", qvo, "tag") == tag, HEALED_WITHIN_S, "the tag is back")

    pid_file = f"/var/lib/neutron/dhcp/{network_id}/pid"
    pid = lab.on("control", "cat", pid_file).strip()
    lab.on("control", "kill", "-9", pid)

    def alive() -> bool:
        now = lab.on("control", "cat", pid_file, check=False).strip()
        return now not in ("", pid) and "dnsmasq" in lab.on("control", "ps", "-o", "args=", "-p", now, check=False)

    until(alive, HEALED_WITHIN_S, "dnsmasq runs again")
    cloud.guest("late", network_id, "compute2")
    _healings_are_told(lab, qvo)


def _healings_are_told(lab: TestLab, qvo: str) -> None:
    told = lab.operator("history", "--healed", "--json").stdout
    healed = [(one["host"], one["kind"], one["was"]) for one in json.loads(told)["healed"]]
    assert ("compute1", "flows", "missing") in healed
    assert ("compute1", "port_tags") in [(host, kind) for host, kind, was in healed if "777" in was]
    assert ("control", "daemons") in [(host, kind) for host, kind, _ in healed]
    assert qvo in lab.operator("history", "--healed").stdout


def test_a_paused_host_is_left_as_it_is_until_it_is_resumed(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    network_id = cloud.network("10.0.0.0/24")
    guest = cloud.guest("vm", network_id, "compute1")
    tag = ("get", "port", "qvo" + guest.port_id[:11], "tag")
    right = lab.on("compute1", "ovs-vsctl", *tag)
    assert lab.operator("wait", "--host", "compute1").returncode == 0

    assert lab.operator("host", "pause", "compute1").returncode == 0
    until(lambda: "paused" in log_lines(lab, "compute1")[-1], 5, "the agent has heard of it")
    lab.on("compute1", "ovs-vsctl", "set", "port", tag[2], "tag=777")
    late = cloud.start("late", network_id, "compute1")
    drift = until(lambda: netglass_diff(lab, "compute1"), 5, "netglass diff shows the drift")
    assert lab.on("compute1", "ovs-vsctl", *tag).strip() == "777"
    assert lab.operator("wait", "--host", "compute1", "--timeout", "1").returncode == 1
    assert (tag[2] in drift, cloud.server(late)["status"]) == (True, "BUILD")
    lab.on("compute1", "kill", "-9", str(agent_pid(lab, "compute1")))
    assert "paused" in lab.operator("host", "list").stdout

    assert lab.operator("host", "resume", "compute1").returncode == 0
    until(lambda: lab.on("compute1", "ovs-vsctl", *tag) == right, 5, "the tag is right again")
    until(lambda: cloud.server(late)["status"] == "ACTIVE", 15, "the guest asked for meanwhile is there")
    assert lab.operator("wait", "--host", "compute1").returncode == 0


def test_what_is_not_ours_is_never_touched(lab: TestLab, cloud: Cloud) -> None:  # noqa: F811
    host = "compute1"
    pid = until(lambda: agent_pid(lab, host), 10, "an agent")
    lab.on(host, "ovs-ofctl", "add-flow", "br-int", "cookie=0xbeef,priority=7,dl_src=02:00:00:00:00:01,actions=drop")
    lab.on(host, "ovs-vsctl", "add-br", "br-foreign", "--", "set", "bridge", "br-foreign", "datapath_type=netdev")
    lab.on(host, "ip", "netns", "add", "qdhcp-of-somebody")
    lab.on(host, "ip", "link", "add", "tapforeign", "type", "veth", "peer", "name", "qvoforeign")
    try:
        cloud.guest("vm", cloud.network("10.0.0.0/24"), host)
        lab.on(host, "kill", "-9", str(pid))
        cloud.guest("vm2", cloud.network("10.0.1.0/24"), host)
        cloud.clear()
        until(lambda: "qvo" not in lab.on(host, "ovs-vsctl", "list-ports", "br-int"), 10, "the guests' ports are gone")

        assert "0xbeef" in lab.on(host, "ovs-ofctl", "dump-flows", "br-int")
        assert "br-foreign" in lab.on(host, "ovs-vsctl", "list-br")
        assert "qdhcp-of-somebody" in lab.on(host, "ip", "netns", "list")
        assert "tapforeign" in lab.on(host, "ip", "-o", "link")
    finally:
        lab.on(host, "ovs-ofctl", "del-flows", "br-int", "cookie=0xbeef/-1")
        lab.on(host, "ovs-vsctl", "del-br", "br-foreign")
        lab.on(host, "ip", "netns", "del", "qdhcp-of-somebody")
        lab.on(host, "ip", "link", "del", "tapforeign")
