"""A lab comes, is what it says, mends itself, and goes without a trace."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from labs import NETGLASS, TestLab, netglass
from machine import left_behind, look, namespaces_of, processes_in

from netglass.host.children import alive
from netglass.lab.places import LabPlace
from support.pace import until

pytestmark = pytest.mark.lab

NAME = f"l{os.getpid()}"


@pytest.fixture
def place() -> Iterator[LabPlace]:
    """A name for a lab; whatever a test makes of it is taken down."""
    place = LabPlace(NAME)
    yield place
    if place.root.exists():
        netglass("lab", "down", "--lab", NAME)


def _up(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return netglass("lab", "up", *(words or ("vlan", "--lab", NAME)), check=check)


def _pids(place: LabPlace) -> dict[str, int]:
    return {directory.name: child.pid for directory, child in place.children().items()}


def test_down_leaves_nothing_of_what_up_and_its_hosts_made(place: LabPlace) -> None:
    before = look(NAME)
    _up()
    pids = _pids(place)
    world = {"provider", "internet", "client"}
    assert pids.keys() == {"fabric", "control", "compute1", "compute2"} | world
    own = set().union(*(namespaces_of(pid) for pid in pids.values())) - namespaces_of(os.getpid())
    assert len(own) == len(pids) * 5
    inside = TestLab(NAME)
    inside.on("compute1", "ip", "netns", "add", "of-the-host")
    inside.on("compute1", "sh", "-c", "touch /etc/x /run/x /var/lib/x /var/log/x; sleep 1000 >/dev/null 2>&1 &")
    inside.on("compute1", "iptables", "-A", "INPUT", "-j", "ACCEPT")
    inside.on("compute1", "sysctl", "-w", "net.ipv4.ip_forward=1")
    assert left_behind(before, look(NAME)).keys() == {"links", "addresses", "routes", "files", "settings"}
    assert len(processes_in(own)) > 10

    netglass("lab", "down", "--lab", NAME)

    assert left_behind(before, look(NAME)) == {}
    # The hosts' PID 1 are zombies until whoever is PID 1 of the machine reaps them.
    until(lambda: processes_in(own) == {})


def test_up_twice_changes_nothing_and_waits_until_it_is_ready(place: LabPlace) -> None:
    _up()
    before = _pids(place)

    again = _up("vlan", "--lab", NAME, "--json")

    assert _pids(place) == before
    assert json.loads(again.stdout)["seconds"] < 2
    assert json.loads(netglass("lab", "status", "--lab", NAME, "--json").stdout)[0]["lab"] == NAME


def test_an_up_that_was_killed_can_be_repeated_or_taken_down(place: LabPlace) -> None:
    before = look(NAME)
    for after_s in (0.30, 0.38, 0.46, 0.6):
        going = subprocess.Popen(
            [NETGLASS, "lab", "up", "vlan", "--lab", NAME], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(after_s)  # wherever it is by then
        going.kill()
        going.wait()
        if place.root.exists():
            netglass("lab", "down", "--lab", NAME)
        assert left_behind(before, look(NAME)) == {}
    going = subprocess.Popen(
        [NETGLASS, "lab", "up", "vlan", "--lab", NAME], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until((place.root / "lab.json").exists)
    going.kill()
    going.wait()

    _up()

    assert netglass("lab", "status", "--lab", NAME).returncode == 0


def test_two_labs_are_up_at_once_and_know_nothing_of_each_other(place: LabPlace) -> None:
    other = LabPlace(f"m{os.getpid()}")
    _up()
    try:
        _up("vlan", "--lab", other.name)
        one, two = (json.loads(netglass("lab", "env", "--lab", p.name, "--json").stdout) for p in (place, other))
        assert one["OS_AUTH_URL"] != two["OS_AUTH_URL"]
        assert one["OS_PASSWORD"] != two["OS_PASSWORD"]
        both = {found["lab"] for found in json.loads(netglass("lab", "status", "--json", check=False).stdout)}
        assert both >= {NAME, other.name}
        netglass("lab", "down", NAME)
        assert netglass("lab", "status", "--lab", other.name).returncode == 0
    finally:
        netglass("lab", "down", "--lab", other.name)


def test_secrets_are_for_root_alone(place: LabPlace) -> None:
    _up()

    assert stat.S_IMODE(place.root.stat().st_mode) == 0o700
    passwords = [json.loads(netglass("lab", "env", "--lab", NAME, "--user", user, "--json").stdout) for user in USERS]
    for path in place.root.rglob("*"):
        if path.is_file() and any(p["OS_PASSWORD"].encode() in path.read_bytes() for p in passwords):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for pid in processes_in(namespaces_of(_pids(place)["control"]) - namespaces_of(os.getpid())):
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert not [p for p in passwords if p["OS_PASSWORD"].encode() in line]


USERS = ("admin", "demo")


def test_a_host_starts_what_died_again(lab: TestLab) -> None:
    for pid_file in ("/run/openvswitch/ovsdb-server.pid", "/run/openvswitch/ovs-vswitchd.pid"):
        first = lab.on("compute2", "cat", pid_file)
        lab.on("compute2", "kill", "-9", first.strip())
        until(lambda file=pid_file, old=first: lab.on("compute2", "cat", file, check=False) not in ("", old))  # type: ignore[misc]
    assert "ovs_version" in lab.on("compute2", "ovs-vsctl", "--timeout=10", "show")


def test_pid_1_reaps_orphans(lab: TestLab) -> None:
    lab.on("compute2", "sh", "-c", "(sleep 0.01 &) ; sleep 0.1")
    until(lambda: "Z" not in lab.on("compute2", "ps", "-e", "-o", "state=").split(), 5)


def test_a_host_that_died_is_seen_and_made_again_with_what_it_had_on_disk(place: LabPlace) -> None:
    _up()
    host = TestLab(NAME)
    host.on("compute1", "sh", "-c", "echo kept > /var/lib/netglass/mine; echo kept > /etc/mine")
    (child,) = (c for d, c in place.children().items() if d.name == "compute1")
    os.kill(child.pid, signal.SIGKILL)
    until(lambda: not alive(child))

    down = netglass("lab", "status", "--lab", NAME, check=False)
    assert down.returncode == 1
    assert "down" in down.stdout
    refused = netglass("lab", "exec", "--lab", NAME, "compute1", "--", "true", check=False)
    assert "lab up" in refused.stderr

    _up()
    assert host.on("compute1", "cat", "/var/lib/netglass/mine", "/etc/mine") == "kept\nkept\n"


def test_inside_a_host_its_own_commands_need_no_flags(lab: TestLab) -> None:
    assert lab.on("compute1", "hostname") == "compute1\n"
    assert lab.on("compute1", "ip", "netns", "list") == ""
    assert "Bridge br-int" in lab.on("compute1", "ovs-vsctl", "show").replace('"', "")
    assert "actions=" in lab.on("compute1", "ovs-ofctl", "dump-flows", "br-int")
    assert "peer_ifindex" in lab.on("compute1", "ethtool", "-S", "int-br-eth2")
    lab.on("compute1", "brctl", "addbr", "qbrtest")
    assert "qbrtest\t\t8000." in lab.on("compute1", "brctl", "show")
    lab.on("compute1", "brctl", "delbr", "qbrtest")
    assert "ovs-vswitchd" in lab.on("compute1", "ps", "-e", "-o", "args")
    assert "1 received" in lab.on("compute1", "ping", "-c1", "-W2", "control")
    assert "1 packet captured" in _capture(lab)
    # Nothing of the machine's state, and nothing of another host's.
    machine = Path("/proc/self/net/dev").read_text()
    assert f"ngl-{lab.name}" in machine
    assert f"ngl-{lab.name}" not in lab.on("control", "cat", "/proc/net/dev")


def _capture(lab: TestLab) -> str:
    return lab.on("compute1", "sh", "-c", "ping -i 0.1 -c 50 control >/dev/null & tcpdump -ni eth1 -c1 icmp 2>&1")


def test_a_commands_status_and_input_are_its_own(lab: TestLab) -> None:
    assert (
        netglass("lab", "exec", "--lab", lab.name, "control", "--", "sh", "-c", "exit 7", check=False).returncode == 7
    )
    words = [NETGLASS, "lab", "exec", "--lab", lab.name, "control", "--", "cat"]
    assert subprocess.run(words, input="said\n", capture_output=True, text=True, check=True).stdout == "said\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("exec", "nowhere", "--", "true"), "has no host 'nowhere'; it has control, compute1, compute2"),
        (("guest", "nobody", "--", "true"), "has no guest 'nobody'"),
        (("env", "--user", "nobody"), "has no user 'nobody'"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(lab: TestLab, words: tuple[str, ...], said: str) -> None:
    refused = netglass("lab", words[0], "--lab", lab.name, *words[1:], check=False)
    assert refused.returncode == 2
    assert said in refused.stderr


def test_a_lab_from_another_description_is_not_mixed_with_the_one_that_is_up(place: LabPlace, tmp_path: Path) -> None:
    _up()
    text = Path(__file__).parents[2].joinpath("src/netglass/lab/builtin/vlan.yaml").read_text()
    other = tmp_path / "other.yaml"
    other.write_text(text.replace("name: vlan", f"name: {NAME}").replace("[1000, 1999]", "[2000, 2999]"))

    refused = _up(str(other), check=False)

    assert refused.returncode == 2
    assert "another description" in refused.stderr
