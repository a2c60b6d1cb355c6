"""What we write for dnsmasq, a real dnsmasq takes: a client gets what intent says, and nothing ends the server."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from golden.stories import BASIC_USE_CASES, NET1, SUBNET1, VM_PORT
from host.hosted import on_a_host, shell
from netglass.compile.compiler import compile_host
from netglass.desired.state import Daemon, HostState
from netglass.model.resources import DhcpOption, FixedIp, HostRoute, Port, Row, Subnet
from netglass.model.snapshot import Snapshot

pytestmark = pytest.mark.host

NETNS = f"qdhcp-{NET1}"
SCRIPT = '#!/bin/sh\n[ "$1" != bound ] || env\n'
OPTIONS = (
    DhcpOption("ntp-server", "10.0.0.8,10.0.0.9"),
    DhcpOption("no-such-option", "x"),  # dnsmasq leaves out what it does not know
    DhcpOption("router", "rubbish"),
    DhcpOption("bootfile-name", "x\ndhcp-script=/bin/sh"),
)


def story(**vm: object) -> HostState:
    """Compiles the blog post's control host, with a second subnet, routes, and the VM's port as wanted."""
    second = Subnet(id="other-subnet", network_id=NET1, cidr="10.9.0.0/24", enable_dhcp=False)
    rows: list[Row] = [second]
    for row in BASIC_USE_CASES:
        if isinstance(row, Subnet):
            rows.append(msgspec.structs.replace(row, host_routes=(HostRoute("203.0.113.0/24", "10.0.0.9"),)))
        elif row.id == VM_PORT:
            rows.append(msgspec.structs.replace(row, **vm))
        else:
            rows.append(row)
    return compile_host(Snapshot.of(rows), "control")


def write(state: HostState) -> Daemon:
    for file in state.files:
        Path(file.path).parent.mkdir(parents=True, exist_ok=True)
        Path(file.path).write_text(file.text)
    return state.daemons[0]


def make_wire(state: HostState) -> None:
    """Joins the server's namespace and a client's; the device has the name that the server listens on."""
    (tap,) = [link for link in state.links if link.form == "internal"]
    for netns in (NETNS, "client"):
        shell("ip", "netns", "add", netns)
    one = ("ip", "link", "add", tap.name, "netns", NETNS, "address", tap.mac, "type", "veth")
    shell(*one, "peer", "name", "eth0", "netns", "client")
    for netns, device in ((NETNS, "lo"), (NETNS, tap.name), ("client", "eth0")):
        shell("ip", "-n", netns, "link", "set", device, "up")
    for address in state.addresses:
        shell("ip", "-n", NETNS, "addr", "add", address.cidr, "dev", tap.name)
    Path("/run/udhcpc").write_text(SCRIPT)
    Path("/run/udhcpc").chmod(0o755)


@contextmanager
def running(daemon: Daemon) -> Iterator[subprocess.Popen[str]]:
    log = Path("/run/dnsmasq.log")
    with log.open("a") as output:
        process = subprocess.Popen(["ip", "netns", "exec", NETNS, *daemon.argv], stderr=output, text=True)
    try:
        yield process
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(10)


def lease(mac: str = "fa:16:3e:fe:c7:87") -> dict[str, str]:
    """Asks as a guest of that MAC does, and gives what it was told; empty when nobody answered."""
    shell("ip", "-n", "client", "link", "set", "eth0", "address", mac)
    asked = [word for name in ("mtu", "staticroutes", "ntpsrv", "249") for word in ("-O", name)]
    client = ["busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-t", "5", "-T", "1", "-s", "/run/udhcpc", *asked]
    done = subprocess.run(
        ["ip", "netns", "exec", "client", *client], capture_output=True, text=True, check=False, timeout=30
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


@on_a_host
def test_a_client_is_told_what_intent_says_and_wrong_values_cost_only_themselves() -> None:
    state = story(extra_dhcp_opts=OPTIONS)
    make_wire(state)
    with running(write(state)):
        told = lease()
    assert told["ip"] == "10.0.0.3"
    assert told["hostname"] == "host-10-0-0-3"
    assert told["domain"] == "openstacklocal"
    assert (told["router"], told["dns"], told["mtu"]) == ("10.0.0.1", "10.0.0.2", "1500")
    assert told["lease"] == "86400"
    assert (
        told["staticroutes"]
        == "203.0.113.0/24 10.0.0.9 169.254.169.254/32 10.0.0.2 10.9.0.0/24 0.0.0.0 0.0.0.0/0 10.0.0.1"
    )
    assert told["ntpsrv"] == "10.0.0.8 10.0.0.9"


@on_a_host
def test_signals_and_restarts_cost_no_client_its_address() -> None:
    state = story(extra_dhcp_opts=OPTIONS)
    make_wire(state)
    daemon = write(state)
    with running(daemon) as process:
        for _ in range(3):
            assert lease()["ip"] == "10.0.0.3"
            process.send_signal(signal.SIGHUP)
        assert lease()["ip"] == "10.0.0.3"
    with running(daemon):  # knows of no lease
        assert lease()["ip"] == "10.0.0.3"


@on_a_host
def test_whoever_has_no_port_gets_no_address() -> None:
    state = story()
    make_wire(state)
    with running(write(state)):
        assert lease("fa:16:3e:00:00:99") == {}
        assert lease()["ip"] == "10.0.0.3"


@on_a_host
def test_a_changed_file_and_a_signal_are_enough_for_a_new_port() -> None:
    state = story()
    make_wire(state)
    port = Port(id="new", network_id=NET1, mac_address="fa:16:3e:00:00:99", fixed_ips=(FixedIp(SUBNET1, "10.0.0.4"),))
    with running(write(state)) as process:
        assert lease()["ip"] == "10.0.0.3"
        more = compile_host(Snapshot.of([*BASIC_USE_CASES, port]), "control")
        assert write(more).argv == state.daemons[0].argv
        process.send_signal(signal.SIGHUP)
        assert lease("fa:16:3e:00:00:99")["ip"] == "10.0.0.4"


@on_a_host
def test_the_server_resolves_its_own_networks_names_and_refuses_all_others() -> None:
    state = story()
    make_wire(state)
    question = (
        "import socket,struct,sys\n"
        "name=b''.join(bytes([len(p)])+p.encode() for p in sys.argv[1].split('.'))\n"
        "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(5)\n"
        "s.sendto(struct.pack('>HHHHHH',7,256,1,0,0,0)+name+b'\\0\\0\\1\\0\\1',('10.0.0.2',53))\n"
        "r=s.recv(512); print(r[3]&15, struct.unpack('>H',r[6:8])[0])\n"
    )
    with running(write(state)):
        told = lease()
        shell("ip", "-n", "client", "addr", "add", f"{told['ip']}/24", "dev", "eth0")
        ask = ("ip", "netns", "exec", "client", "python3", "-c", question)
        assert shell(*ask, "host-10-0-0-3.openstacklocal").split() == ["0", "1"]
        assert shell(*ask, "example.com").split() == ["5", "0"]  # REFUSED
