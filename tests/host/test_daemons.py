"""The applier of daemons, with real processes."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from netglass.agent.appliers.daemons import Daemons
from netglass.agent.appliers.protocol import NotThere, Work
from netglass.desired.state import Daemon, File, HostState, Lease
from netglass.host import children, namespaces
from netglass.host.netlink import Netlink, add_address, delete_link, new_bridge, new_veth, set_link
from support.pace import until

pytestmark = pytest.mark.host

# Says so when it has read its file, at start and after each SIGHUP.
_READER = """
import signal, sys
def read(*_):
    print("read", open(sys.argv[1]).read(), flush=True)
signal.signal(signal.SIGHUP, read)
read()
while True:
    signal.pause()
"""

# Says five megabytes, then a line for each SIGHUP.
_TALKER = """
import signal
signal.signal(signal.SIGHUP, lambda *_: print("and on", flush=True))
for number in range(5 * 1024):
    print("x" * 1023)
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "daemons"
    yield root
    applier = Daemons(root)
    applier.remove("daemons", applier.observe(HostState(host="h"))["daemons"], _never)


@pytest.fixture
def netns() -> Iterator[str]:
    name = f"ngtest-{os.getpid()}"
    namespaces.make(name)
    yield name
    namespaces.drop(name)


def _never() -> bool:
    return False


def _daemon(name: str = "d1", *argv: str, netns: str = "", reload_files: tuple[str, ...] = ()) -> Daemon:
    argv = argv or ("sleep", "1000")
    return Daemon(owner="dhcp", intent=("network:n1",), name=name, netns=netns, argv=argv, reload_files=reload_files)


def _file(path: Path, text: str) -> File:
    return File(owner="dhcp", intent=("network:n1",), path=str(path), text=text)


def _state(*daemons: Daemon, files: tuple[File, ...] = ()) -> HostState:
    return HostState(host="h", daemons=daemons, files=files)


# Ends a moment after it was told to, and takes away the name of its namespace before.
_LAST = """
import os, signal, subprocess, sys
def end(*_):
    subprocess.run(["ip", "netns", "delete", sys.argv[1]], check=True)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
while True:
    signal.pause()
"""


def _start(root: Path, daemon: Daemon) -> int:
    assert Daemons(root).apply(Work(kind="daemons", add=(daemon,))) == []
    return _pid(root, daemon)


def _pid(root: Path, daemon: Daemon) -> int:
    state = children.recorded(root / daemon.name)
    assert state is not None
    return state.pid


def test_a_daemon_outlives_its_starter_and_the_next_agent_finds_it(root: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from netglass.agent.appliers.daemons import Daemons;"
        "from netglass.agent.appliers.protocol import Work; from netglass.desired.state import Daemon;"
        "d = Daemon(owner='dhcp', intent=('network:n1',), name='d1', netns='', argv=('sleep', '1000'));"
        "assert not Daemons(Path(sys.argv[1])).apply(Work(kind='daemons', add=(d,)))"
    )
    subprocess.run([sys.executable, "-c", script, str(root)], check=True)

    wanted = _daemon()
    pid = _pid(root, wanted)

    assert Daemons(root).observe(_state(wanted)) == {"daemons": (wanted,)}
    assert os.getsid(pid) not in (os.getsid(0), 0)
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"


def test_what_a_daemon_says_does_not_fill_the_machine(root: Path) -> None:
    wanted = _daemon("d1", sys.executable, "-c", _TALKER)
    _start(root, wanted)
    log = Daemons(root).log_path("d1")
    until(lambda: log.read_text().endswith("ready\n"), 20, "it has said much")
    assert Daemons(root).observe(_state(wanted)) == {"daemons": (wanted,)}
    assert log.stat().st_size <= 1 << 20
    os.kill(_pid(root, wanted), signal.SIGHUP)
    until(lambda: log.read_text().endswith("ready\nand on\n"), 20, "it goes on")


def test_a_namespace_that_goes_while_the_old_process_ends_is_waited_for(root: Path, netns: str) -> None:
    old = _daemon("d1", sys.executable, "-c", _LAST, netns, netns=netns)
    new = _daemon("d1", "sleep", "1000", netns=netns)
    _start(root, old)
    applier = Daemons(root)
    until(lambda: "ready" in applier.log_path("d1").read_text(), 5)
    (error,) = applier.apply(Work(kind="daemons", change=((old, new),)))
    assert isinstance(error, NotThere), error
    namespaces.make(netns)
    (seen,) = applier.observe(_state(new))["daemons"]
    assert applier.apply(Work(kind="daemons", change=((seen, new),))) == []
    assert applier.observe(_state(new)) == {"daemons": (new,)}


def test_a_dead_daemon_is_heard_of_at_once_and_started_anew(root: Path) -> None:
    wanted = _daemon()
    applier = Daemons(root)
    applier.apply(Work(kind="daemons", add=(wanted,)))
    watched = applier.watch()
    assert len(watched) == 1
    first = _pid(root, wanted)

    os.kill(first, signal.SIGKILL)
    assert select.select(watched, [], [], 5)[0] == watched

    (seen,) = applier.observe(_state(wanted))["daemons"]
    assert seen != wanted
    assert applier.watch() == []  # heard once, and not again and again
    # It lived for less than a second: said once, then started.
    (error,) = applier.apply(Work(kind="daemons", change=((seen, wanted),)))
    assert "ended at once after its start" in error.evidence
    assert applier.apply(Work(kind="daemons", change=((seen, wanted),))) == []
    assert _pid(root, wanted) != first
    assert applier.observe(_state(wanted)) == {"daemons": (wanted,)}


def test_a_death_between_observing_and_watching_is_not_missed(root: Path) -> None:
    wanted = _daemon()
    pid = _start(root, wanted)
    applier = Daemons(root)
    applier.observe(_state(wanted))
    children.stop(children.Child(pid=pid, started=children.recorded(root / "d1").started))  # type: ignore[union-attr]

    watched = applier.watch()

    assert select.select(watched, [], [], 0)[0] == watched


def test_a_zombie_is_dead() -> None:
    zombie = subprocess.Popen(["true"])
    child = children.Child(pid=zombie.pid, started=int(_stat(zombie.pid)[19]))
    until(lambda: _stat(zombie.pid)[0] == "Z")

    assert not children.alive(child)
    zombie.wait()


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def test_another_process_with_the_same_pid_is_neither_ours_nor_ended(root: Path) -> None:
    wanted = _daemon()
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        _start(root, wanted)
        state = children.recorded(root / "d1")
        assert state is not None
        children.stop(state.child)
        # As if ours had run under this pid before: its start time is another one, whatever the clock's resolution.
        before = int(_stat(stranger.pid)[19]) - 1
        lie = children.State(pid=stranger.pid, started=before, argv=state.argv, remembered=state.remembered)
        children.record(root / "d1", lie)
        applier = Daemons(root)

        (seen,) = applier.observe(_state(wanted))["daemons"]
        assert seen != wanted
        assert applier.remove("daemons", (seen,), _never) == []

        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_another_command_line_starts_it_anew(root: Path) -> None:
    old, new = _daemon(), _daemon("d1", "sleep", "2000")
    first = _start(root, old)

    assert Daemons(root).apply(Work(kind="daemons", change=((old, new),))) == []

    until(lambda: not Path(f"/proc/{first}").exists())  # whoever is PID 1 reaps it
    assert Daemons(root).observe(_state(new)) == {"daemons": (new,)}


def test_another_file_that_it_reads_only_at_its_start_starts_it_anew(root: Path) -> None:
    old = _daemon()
    new = structs.replace(old, read_at_start="another")
    first = _start(root, old)
    (seen,) = Daemons(root).observe(_state(new))["daemons"]
    assert seen == old

    assert Daemons(root).apply(Work(kind="daemons", change=((seen, new),))) == []

    assert _pid(root, new) != first
    assert Daemons(root).observe(_state(new)) == {"daemons": (new,)}


def test_reload_is_owed_until_the_signal_is_sent_even_to_the_agent_that_comes_after(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "host"
    path.write_text("one")
    daemon = _daemon("d1", sys.executable, "-c", _READER, str(path), reload_files=(str(path),))
    pid = _start(root, daemon)
    log = root / "d1/log"
    until(lambda: log.read_text() == "read one\n")
    assert Daemons(root).observe(_state(daemon, files=(_file(path, "one"),))) == {"daemons": (daemon,)}

    # The round in which the file changes: not written yet, and the signal is planned already.
    (before,) = Daemons(root).observe(_state(daemon, files=(_file(path, "two"),)))["daemons"]
    assert before != daemon
    path.write_text("two")
    # The agent is killed here; the next one sees what was owed.
    (after,) = Daemons(root).observe(_state(daemon, files=(_file(path, "two"),)))["daemons"]
    assert after != daemon
    assert Daemons(root).apply(Work(kind="daemons", change=((after, daemon),))) == []

    until(lambda: log.read_text() == "read one\nread two\n")
    assert _pid(root, daemon) == pid
    assert Daemons(root).observe(_state(daemon, files=(_file(path, "two"),))) == {"daemons": (daemon,)}


def test_it_runs_in_its_namespace_and_is_started_anew_when_that_was_made_anew(root: Path, netns: str) -> None:
    wanted = _daemon(netns=netns)
    pid = _start(root, wanted)
    assert Path(f"/proc/{pid}/ns/net").stat().st_ino == namespaces.path(netns).stat().st_ino
    assert Daemons(root).observe(_state(wanted)) == {"daemons": (wanted,)}

    namespaces.drop(netns)
    namespaces.make(netns)

    (seen,) = Daemons(root).observe(_state(wanted))["daemons"]
    assert seen != wanted
    Daemons(root).apply(Work(kind="daemons", change=((seen, wanted),)))
    assert Daemons(root).observe(_state(wanted)) == {"daemons": (wanted,)}


def test_it_is_started_anew_when_its_device_was_made_anew(root: Path, netns: str) -> None:
    _make_device(netns, "tap1")
    wanted = _daemon(netns=netns)
    _start(root, wanted)
    assert Daemons(root).observe(_state(wanted)) == {"daemons": (wanted,)}

    _drop_device(netns, "tap1")
    _make_device(netns, "tap1")

    assert Daemons(root).observe(_state(wanted))["daemons"] != (wanted,)


def _make_device(netns: str, name: str) -> None:
    there = Netlink(netns)
    assert there.apply([new_bridge(name)]) == [0]
    assert there.apply([set_link(_index(there, name), up=True)]) == [0]
    there.close()


def _drop_device(netns: str, name: str) -> None:
    there = Netlink(netns)
    assert there.apply([delete_link(_index(there, name))]) == [0]
    there.close()


def _index(there: Netlink, name: str) -> int:
    return next(d.index for d in there.devices() if d.name == name)


def test_a_program_that_is_not_there_is_an_error_with_evidence_and_leaves_nothing(root: Path) -> None:
    (missing,) = Daemons(root).apply(Work(kind="daemons", add=(_daemon("d1", "no-such-program"),)))
    assert "no such program" in missing.evidence
    (lost,) = Daemons(root).apply(Work(kind="daemons", add=(_daemon("d2", netns="ngtest-nowhere"),)))
    assert "no namespace ngtest-nowhere" in lost.evidence
    assert Daemons(root).observe(_state()) == {"daemons": ()}


def test_removal_leaves_no_process_and_no_directory(root: Path) -> None:
    wanted = _daemon("d1", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")  # deaf to asking
    pid = _start(root, wanted)

    assert Daemons(root).remove("daemons", (wanted,), _never) == []

    until(lambda: not Path(f"/proc/{pid}").exists())  # whoever is PID 1 reaps it
    assert list(root.iterdir()) == []


def test_an_address_is_taken_back_from_dnsmasq_so_that_its_next_owner_gets_it(
    root: Path, netns: str, tmp_path: Path
) -> None:
    _make_device(netns, "tap1")
    there = Netlink(netns)
    assert there.apply([add_address(_index(there, "tap1"), "10.0.0.2/24")]) == [0]
    there.close()
    hosts = tmp_path / "host"
    old, new = (Lease(mac=f"fa:16:3e:00:00:0{n}", address="10.0.0.3", server="10.0.0.2") for n in (1, 2))
    before = _dnsmasq(netns, hosts, (old,))
    hosts.write_text(f"{old.mac},10.0.0.3\n")
    _start(root, before)
    log = root / "d1/log"
    until(lambda: "DHCP, static leases only" in log.read_text())
    _ask(netns, old.mac)
    until(lambda: f"DHCPACK(tap1) 10.0.0.3 {old.mac}" in log.read_text())
    pid = _pid(root, before)

    after = _dnsmasq(netns, hosts, (new,))
    hosts.write_text(f"{new.mac},10.0.0.3\n")
    state = _state(after, files=(_file(hosts, hosts.read_text()),))
    (seen,) = Daemons(root).observe(state)["daemons"]  # whichever agent it is that comes by
    assert Daemons(root).apply(Work(kind="daemons", change=((seen, after),))) == []
    until(lambda: f"DHCPRELEASE(tap1) 10.0.0.3 {old.mac}" in log.read_text())
    until(lambda: f"read {hosts}" in log.read_text())
    _ask(netns, new.mac)

    until(lambda: f"DHCPACK(tap1) 10.0.0.3 {new.mac}" in log.read_text())
    assert _pid(root, after) == pid
    assert Daemons(root).observe(state) == {"daemons": (after,)}


def _dnsmasq(netns: str, hosts: Path, leases: tuple[Lease, ...]) -> Daemon:
    argv = "dnsmasq -k --conf-file= --no-hosts --no-resolv --port=0 --leasefile-ro --user=root --pid-file="
    argv += " --log-facility=- --interface=tap1 --bind-dynamic --dhcp-authoritative"
    argv += f" --dhcp-range=10.0.0.0,static,600s --dhcp-hostsfile={hosts}"
    daemon = _daemon("d1", *argv.split(), netns=netns, reload_files=(str(hosts),))
    return structs.replace(daemon, leases=leases)


def _ask(netns: str, mac: str) -> None:
    """Asks for an address as a client would that was offered 10.0.0.3, through a device of its own."""
    device = "ask" + mac[-1]
    there = Netlink(netns)
    assert there.apply([new_veth(device, device + "p", "", mac)]) == [0]
    index = {d.name: d.index for d in there.devices()}
    assert there.apply([set_link(index[device], up=True, master=index["tap1"]), set_link(index[device + "p"], up=True)])
    there.close()
    words = f"busybox udhcpc -f -q -n -t 3 -T 1 -i {device}p -s /bin/true -x 0x3d:01{mac.replace(':', '')}"
    with namespaces.entered(netns):
        subprocess.run(words.split(), check=True, capture_output=True, timeout=20)


def test_a_lease_that_cannot_be_taken_back_costs_a_new_start(root: Path) -> None:
    lease = Lease(mac="fa:16:3e:00:00:01", address="2001:db8::3", server="2001:db8::2")
    old = structs.replace(_daemon(), leases=(lease,))
    first = _start(root, old)

    assert Daemons(root).apply(Work(kind="daemons", change=((old, _daemon()),))) == []

    assert _pid(root, old) != first
