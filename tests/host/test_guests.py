"""The applier of light guests, with real namespaces, a real DHCP client and a real DHCP server."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from private import own_network

from netglass.agent.appliers.guests import Guests, read_console
from netglass.agent.appliers.protocol import Work
from netglass.desired.state import Guest, GuestBoot, HostState, Nic
from netglass.host import children, veth
from netglass.host.netlink import Netlink, add_address, set_link
from support.pace import until

pytestmark = pytest.mark.host

TAP = "tapaaaaaaaa-aa"
MAC = "fa:16:3e:00:00:03"


@pytest.fixture(autouse=True)
def network() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "guests"
    yield root
    applier = Guests(root)
    applier.remove("guests", applier.observe(HostState(host="h"))["guests"], _never)


def _never() -> bool:
    return False


def _guest(tmp_path: Path, boot: int = 1, nics: int = 1) -> Guest:
    names = [TAP, "tapbbbbbbbb-bb"][:nics]
    return Guest(
        owner="guests",
        intent=("server:s1",),
        server_id="s1",
        name="web 1",
        hostname="web-1",
        nics=tuple(Nic(tap=tap, mac=MAC[:-1] + str(3 + i), mtu=1450) for i, tap in enumerate(names)),
        boot=boot,
        directory=str(tmp_path / "instances/s1"),
    )


def _boot(boot: int = 1) -> GuestBoot:
    return GuestBoot(owner="guests", intent=("server:s1",), server_id="s1", boot=boot)


def _state(guest: Guest | None = None, boot: GuestBoot | None = None) -> HostState:
    return HostState(host="h", guests=(guest,) if guest else (), guest_boots=(boot,) if boot else ())


def _make(root: Path, guest: Guest) -> int:
    assert Guests(root).apply(Work(kind="guests", add=(guest,))) == []
    return _pid(root)


def _pid(root: Path) -> int:
    state = children.recorded(root / "s1")
    assert state is not None
    return state.pid


def _inside(root: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    entry = ["nsenter", "-t", str(_pid(root)), "-m", "-n", "-u", "-i", "-p", "-r", "-w"]
    return subprocess.run([*entry, *argv], capture_output=True, text=True, timeout=20, check=False)


def test_a_hull_waits_with_its_nics_and_boots_when_told(root: Path, tmp_path: Path) -> None:
    guest = _guest(tmp_path, nics=2)
    _make(root, guest)

    assert Guests(root).observe(_state(guest, _boot())) == {"guests": (guest,), "guest_boots": ()}
    assert Guests(root).seen() == ()
    with closing(Netlink(veth.netns_of(_pid(root)))) as inside:
        devices = {d.name: (d.mac, d.mtu, d.up) for d in inside.devices() if d.name != "lo"}
        assert devices == {"eth0": (MAC, 1450, False), "eth1": ("fa:16:3e:00:00:04", 1450, False)}
        assert inside.tx_checksum("eth0") is False
    with closing(Netlink()) as outside:
        aliases = {d.name: d.alias for d in outside.devices()}
        assert aliases[TAP] == "netglass guests server:s1"

    assert Guests(root).apply(Work(kind="guest_boots", add=(_boot(),))) == []

    until(lambda: " up eth0 eth1" in read_console(guest.directory))
    assert Guests(root).observe(_state(guest, _boot())) == {"guests": (guest,), "guest_boots": (_boot(),)}
    assert [(g.server_id, g.boot, g.state) for g in Guests(root).seen()] == [("s1", 1, "running")]
    assert _inside(root, "hostname").stdout == "web-1\n"


def test_a_boot_is_reported_only_where_it_is_wanted_since_it_cannot_be_taken_back(root: Path, tmp_path: Path) -> None:
    guest = _guest(tmp_path)
    _make(root, guest)
    Guests(root).apply(Work(kind="guest_boots", add=(_boot(),)))

    assert Guests(root).observe(_state(guest))["guest_boots"] == ()


def test_a_guest_sees_programs_of_the_machine_and_nothing_else_of_it(root: Path, tmp_path: Path) -> None:
    _make(root, _guest(tmp_path))
    secret = tmp_path / "secret"
    secret.write_text("of the host")

    assert _inside(root, "cat", str(secret)).returncode != 0
    assert _inside(root, "touch", "/usr/bin/here").returncode != 0
    assert _inside(root, "ls", "/root").stdout == ""
    assert "tcpdump" in _inside(root, "tcpdump", "--version").stdout
    for program in ("ping", "curl", "python3"):
        assert _inside(root, program, "--help").returncode in (0, 2), program
    # Everything that runs in it is numbered from its own PID 1: no process of the machine is there.
    assert _inside(root, "sh", "-c", "readlink /proc/1/exe").stdout == "/usr/bin/busybox\n"
    status = Path(f"/proc/{_pid(root)}/status").read_text()
    effective = int(status.partition("CapEff:\t")[2].split()[0], 16)
    assert effective & 1 << 12  # CAP_NET_ADMIN
    assert not effective & (1 << 21 | 1 << 16 | 1 << 27 | 1 << 22)  # SYS_ADMIN, SYS_MODULE, MKNOD, SYS_BOOT


def test_it_is_no_named_namespace_and_none_of_its_mounts_is_seen_outside(root: Path, tmp_path: Path) -> None:
    before = Path("/proc/self/mountinfo").read_text()
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, check=True).stdout
    _make(root, _guest(tmp_path))

    assert Path("/proc/self/mountinfo").read_text() == before
    assert subprocess.run(["ip", "netns", "list"], capture_output=True, check=True).stdout == names
    assert list((root / "s1/root").iterdir()) == []


def test_removal_kills_it_whole_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    guest = _guest(tmp_path)
    pid = _make(root, guest)
    Guests(root).apply(Work(kind="guest_boots", add=(_boot(),)))
    until(lambda: "udhcpc: started" in read_console(guest.directory))
    namespace = Path(f"/proc/{pid}/ns/pid_for_children").stat().st_ino
    assert len(_processes_in(namespace)) > 1

    assert Guests(root).remove("guests", (guest,), _never) == []

    # Its PID 1 is a zombie until whoever is PID 1 of the machine reaps it.
    until(lambda: _processes_in(namespace) == [])
    assert not veth.exists(TAP)
    assert list(root.iterdir()) == []
    assert not Path(guest.directory).exists()


def _processes_in(namespace: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "ns/pid").stat().st_ino == namespace:
                    found.append(int(entry.name))
            except OSError:
                continue
    return sorted(found)


def test_another_boot_is_another_guest_and_its_console_goes_on(root: Path, tmp_path: Path) -> None:
    old, new = _guest(tmp_path), _guest(tmp_path, boot=2)
    first = _make(root, old)
    Guests(root).apply(Work(kind="guest_boots", add=(_boot(),)))
    until(lambda: " boot 1 web-1" in read_console(old.directory))

    assert Guests(root).apply(Work(kind="guests", change=((old, new),))) == []
    assert Guests(root).apply(Work(kind="guest_boots", add=(_boot(2),))) == []

    until(lambda: " boot 2 web-1" in read_console(old.directory))
    whole = read_console(old.directory)
    assert " boot 1 web-1" in whole
    assert read_console(old.directory, -1) == whole  # as Nova's clients ask for all of it
    assert read_console(old.directory, 1).count("\n") == 1
    assert _pid(root) != first
    assert Guests(root).observe(_state(new, _boot(2))) == {"guests": (new,), "guest_boots": (_boot(2),)}


def test_one_that_has_ended_or_lost_its_tap_is_heard_of_and_made_anew(root: Path, tmp_path: Path) -> None:
    guest = _guest(tmp_path)
    applier = Guests(root)
    applier.apply(Work(kind="guests", add=(guest,)))
    watched = applier.watch()
    os.kill(_pid(root), signal.SIGKILL)

    assert select.select(watched, [], [], 5)[0] == watched
    (dead,) = applier.observe(_state(guest))["guests"]
    assert dead != guest
    assert [g.state for g in applier.seen()] == ["stopped"]

    assert applier.apply(Work(kind="guests", change=((dead, guest),))) == []
    assert applier.observe(_state(guest))["guests"] == (guest,)

    veth.unplug(TAP)
    assert applier.observe(_state(guest))["guests"] != (guest,)


def test_a_hull_that_cannot_be_plugged_is_an_error_with_evidence_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    bad = msgspec.structs.replace(_guest(tmp_path), nics=(Nic(tap="a-name-that-is-too-long", mac=MAC, mtu=1500),))
    applier = Guests(root)

    (error,) = applier.apply(Work(kind="guests", add=(bad,)))

    assert error.key == "s1"
    assert "a-name-that-is-too-long" in error.evidence
    assert [(g.server_id, g.state) for g in applier.seen()] == [("s1", "error")]
    assert applier.observe(_state()) == {"guests": (), "guest_boots": ()}


def test_it_gets_address_mtu_routes_and_names_by_dhcp(root: Path, tmp_path: Path) -> None:
    guest = _guest(tmp_path)
    _make(root, guest)
    with closing(Netlink()) as here:
        index = next(d.index for d in here.devices() if d.name == TAP)
        assert here.apply([set_link(index, up=True), add_address(index, "10.0.0.2/24")]) == [0, 0]
    argv = "dnsmasq -k --conf-file= --no-hosts --no-resolv --port=0 --leasefile-ro --user=root --pid-file= --log-dhcp"
    argv += f" --log-facility=- --interface={TAP} --bind-interfaces --dhcp-range=10.0.0.0,static,120s"
    argv += f" --domain=openstacklocal --dhcp-host={MAC},10.0.0.5 --dhcp-option=6,10.0.0.2 --dhcp-option=26,1400"
    argv += " --dhcp-option=121,169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1"
    server = subprocess.Popen(
        argv.split(),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        while "DHCP, static leases only" not in server.stderr.readline():
            assert server.poll() is None

        Guests(root).apply(Work(kind="guest_boots", add=(_boot(),)))
        until(lambda: " lease eth0 10.0.0.5/24 " in read_console(guest.directory))

        shown = _inside(root, "ip", "-br", "addr", "show", "eth0").stdout
        assert "10.0.0.5/24" in shown
        assert "mtu 1400" in _inside(root, "ip", "link", "show", "eth0").stdout
        routes = _inside(root, "ip", "route").stdout
        assert "default via 10.0.0.1 dev eth0" in routes
        assert "169.254.169.254 via 10.0.0.2 dev eth0" in routes
        names = "search openstacklocal\nnameserver 10.0.0.2\n"
        assert _inside(root, "cat", "/etc/resolv.conf").stdout == names
        # What a second NIC learned is not said twice.
        assert _inside(root, "cp", "/run/resolv.eth0", "/run/resolv.eth1").returncode == 0
        learned = ("interface=eth0", "ip=10.0.0.5", "mask=24", "search=openstacklocal", "dns=10.0.0.2")
        assert _inside(root, "env", *learned, "/etc/netglass/dhcp", "renew").returncode == 0
        assert _inside(root, "cat", "/etc/resolv.conf").stdout == names
        assert _inside(root, "ping", "-c1", "-W1", "10.0.0.2").returncode == 0
    finally:
        server.terminate()
        server.communicate()


def test_of_a_long_console_its_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_bytes(b"".join(b"%09d\n" % number for number in range(100_000)))

    assert read_console(str(tmp_path)).splitlines()[-10_240:] == [f"{n:09d}" for n in range(89_760, 100_000)]
    assert len(read_console(str(tmp_path))) == 102_400
    assert read_console(str(tmp_path), 2) == "000099998\n000099999\n"
