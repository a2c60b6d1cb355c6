"""Whatever an operator's slip or a crash takes away is put right within two seconds, without an alarm."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hosted import kill_switch, on_a_host, shell, start_switch
from one_host import on_one_host
from whole_agent import whole_agent

from golden.stories import DHCP_PORT, NET1, VM, VM_PORT
from netglass.base.ids import qbr_name, qvb_name, qvo_name, tap_name
from netglass.host import children
from support.pace import stretched

pytestmark = pytest.mark.host

HEALED_WITHIN_S = 2.0
NETNS = f"qdhcp-{NET1}"
DHCP_TAP = tap_name(DHCP_PORT)
HOST_FILE = f"/var/lib/neutron/dhcp/{NET1}/host"


def _switch_dies() -> None:
    kill_switch()
    start_switch()


def _command(*argv: str) -> Callable[[], object]:
    return lambda: shell(*argv)


class Damage(NamedTuple):
    """What is done to the host, whether the agent may say above INFO what it saw of it, and when all is well again."""

    done: Callable[[], object]
    loud: bool = False
    within_s: float = HEALED_WITHIN_S


QVO, QVB, QBR, TAP = qvo_name(VM_PORT), qvb_name(VM_PORT), qbr_name(VM_PORT), tap_name(VM_PORT)
DAMAGES = {
    "the DHCP namespace is deleted": Damage(_command("ip", "netns", "delete", NETNS), within_s=1.0),
    "the DHCP tap is deleted": Damage(_command("ip", "-n", NETNS, "link", "delete", DHCP_TAP)),
    "the DHCP tap is off": Damage(_command("ip", "-n", NETNS, "link", "set", DHCP_TAP, "down")),
    "the DHCP tap is unplugged": Damage(_command("ovs-vsctl", "del-port", DHCP_TAP)),
    "its MTU is another": Damage(_command("ip", "-n", NETNS, "link", "set", DHCP_TAP, "mtu", "1300")),
    "its MAC is another": Damage(_command("ip", "-n", NETNS, "link", "set", DHCP_TAP, "address", "fa:16:3e:99:99:99")),
    "its address is gone": Damage(_command("ip", "-n", NETNS, "address", "flush", "dev", DHCP_TAP)),
    "its address is another": Damage(_command("ip", "-n", NETNS, "address", "add", "10.0.0.3/24", "dev", DHCP_TAP)),
    "its route is gone": Damage(_command("ip", "-n", NETNS, "route", "delete", "default")),
    "its network has no route": Damage(_command("ip", "-n", NETNS, "route", "delete", "10.0.0.0/24")),
    "its network has another route": Damage(
        _command("ip", "-n", NETNS, "route", "replace", "10.0.0.0/24", "dev", DHCP_TAP, "mtu", "1000")
    ),
    "its link-local network has no route": Damage(
        _command("ip", "-n", NETNS, "-6", "route", "delete", "fe80::/64", "dev", DHCP_TAP)
    ),
    # Loud: it may have just been started, and what ends at once is told.
    "dnsmasq is dead": Damage(lambda: shell("kill", "-9", shell("ip", "netns", "pids", NETNS).split()[0]), loud=True),
    "dnsmasq's host file is empty": Damage(lambda: Path(HOST_FILE).write_text("")),
    "dnsmasq's files are gone": Damage(lambda: shell("mv", str(Path(HOST_FILE).parent), "/var/lib/neutron/gone")),
    "the switch dies": Damage(_switch_dies, loud=True),
    "br-int is deleted": Damage(_command("ovs-vsctl", "del-br", "br-int")),
    "br-eth2 is deleted": Damage(_command("ovs-vsctl", "del-br", "br-eth2")),
    "all flows are deleted": Damage(_command("ovs-ofctl", "del-flows", "br-int")),
    "the qbr is deleted": Damage(_command("ip", "link", "delete", QBR)),
    "the guest's cable is deleted": Damage(_command("ip", "link", "delete", QVB)),
    "the guest's tap is deleted": Damage(_command("ip", "link", "delete", TAP)),
    "the guest's tap is off its bridge": Damage(_command("ip", "link", "set", TAP, "nomaster")),
    "the guest's port is on another VLAN": Damage(_command("ovs-vsctl", "set", "Port", QVO, "tag=7")),
    "the cable to the provider is deleted": Damage(_command("ip", "link", "delete", "int-br-eth2")),
    "the NIC is unplugged": Damage(_command("ovs-vsctl", "del-port", "eth2")),
}

NATIVE = {
    "the guest's tap is deleted": Damage(_command("ip", "link", "delete", TAP)),
    "the guest is dead": Damage(lambda: shell("kill", "-9", str(guest_pid()))),
    "the guest's port is unplugged": Damage(_command("ovs-vsctl", "del-port", TAP)),
}


@pytest.mark.parametrize(("driver", "damages"), [("iptables_hybrid", DAMAGES), ("openvswitch", NATIVE)])
def test_damage_is_put_right_in_time_and_without_an_alarm(driver: str, damages: dict[str, Damage]) -> None:
    @on_a_host
    def on_it() -> None:
        shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "wall2")
        shell("ip", "link", "set", "wall2", "up")
        with whole_agent("all", on_one_host(driver)) as agent:
            agent.await_settled(10, guest_is_served)
            agent.warnings()
            wrong: list[str] = []
            for name, damage in damages.items():
                damage.done()
                seconds = agent.await_settled(10, guest_is_served)
                said = agent.warnings()
                if seconds > stretched(damage.within_s):
                    wrong.append(f"{name}: took {seconds:.2f} s")
                if said and not damage.loud:
                    wrong.append(f"{name}: {said}")
                print(f"{seconds:.2f} s {name} {said}", flush=True)
            assert wrong == [], "\n".join(wrong)

    on_it()


def guest_is_served() -> bool:
    """Says whether the guest gets an answer from its DHCP server's address, and the servers there listen."""
    pid = guest_pid()
    if not pid or "10.0.0.3" not in Path(HOST_FILE).read_text():
        return False
    listening = shell("ip", "netns", "exec", NETNS, "ss", "-Hltn")
    if "169.254.169.254:80" not in listening or "[fe80::a9fe:a9fe]" not in listening:
        return False
    argv = ("nsenter", f"--target={pid}", "--net", "ping", "-c1", "-W0.1", "10.0.0.2")
    return subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode == 0


def guest_pid() -> int:
    state = children.recorded(Path("/run/netglass/guests") / VM)
    return state.pid if state is not None else 0
