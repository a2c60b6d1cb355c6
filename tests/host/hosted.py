"""A host of a test's own: namespaces, private directories and a real switch, gone without trace when the test ends.

The test's function runs in a forked process that is PID 1 of its own PID namespace; when it ends, the kernel ends
everything that it started and unmounts everything that it mounted.
"""

from __future__ import annotations

import functools
import os
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from netglass.host import syscalls

_PRIVATE = ("/run", "/etc/openvswitch", "/var/lib", "/var/log")
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


def on_a_host(test: Callable[[], None]) -> Callable[[], None]:
    """Makes a test (without fixtures) run on a host of its own, with Open vSwitch up."""

    @functools.wraps(test)
    def run() -> None:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _outer(test, writing)
        os.close(writing)
        with os.fdopen(reading) as report:
            said = report.read()
        _, status = os.waitpid(child, 0)
        if said or status:
            pytest.fail(said or f"the test's process ended with status {status}", pytrace=False)

    return run


def _outer(test: Callable[[], None], writing: int) -> None:
    status = 1
    try:
        kinds = (syscalls.NEWNS, syscalls.NEWNET, syscalls.NEWUTS, syscalls.NEWIPC, syscalls.NEWPID)
        syscalls.unshare(functools.reduce(int.__or__, kinds))
        first = os.fork()
        if first == 0:
            os._exit(_inner(test, writing))
        status = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    except BaseException:
        os.write(writing, traceback.format_exc().encode())
    finally:
        os._exit(1 if status else 0)


def _inner(test: Callable[[], None], writing: int) -> int:
    try:
        private_directories()
        shell("ip", "link", "set", "lo", "up")
        start_database()
        start_switch()
        test()
    except BaseException:
        evidence = "\n".join(f"$ {' '.join(argv)}\n{_output(*argv)}" for argv in _EVIDENCE)
        os.write(writing, f"{traceback.format_exc()}\n{evidence}".encode())
        return 1
    return 0


def private_directories() -> None:
    """Gives the process, in a mount namespace of its own, what a host does not share with others."""
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("proc", "/proc", "proc")
    syscalls.mount("sysfs", "/sys", "sysfs")
    for directory in _PRIVATE:
        Path(directory).mkdir(parents=True, exist_ok=True)
        syscalls.mount("none", directory, "tmpfs")


_EVIDENCE = (("ovs-vsctl", "show"), ("ip", "-d", "-br", "link"), ("ip", "netns"), ("tail", "/run/vswitchd.log"))


def start_database() -> None:
    """Starts ovsdb-server on an empty database, or on the one that was there."""
    Path("/run/openvswitch").mkdir(exist_ok=True)
    if not Path("/etc/openvswitch/conf.db").exists():
        shell("ovsdb-tool", "create", "/etc/openvswitch/conf.db", _SCHEMA)
    remote = "--remote=punix:/run/openvswitch/db.sock"
    shell("ovsdb-server", "/etc/openvswitch/conf.db", remote, "--pidfile", "--detach", "--log-file=/run/ovsdb.log")
    shell("ovs-vsctl", "--no-wait", "init")


def start_switch() -> None:
    """Starts ovs-vswitchd."""
    shell("ovs-vswitchd", "--pidfile", "--detach", "--log-file=/run/vswitchd.log")


def kill_switch() -> None:
    """Ends ovs-vswitchd with SIGKILL, and waits until it is gone."""
    pid = int(Path("/run/openvswitch/ovs-vswitchd.pid").read_text())
    descriptor = os.pidfd_open(pid)
    os.kill(pid, 9)
    # It was detached, so that PID 1, which is this process, is its parent by now.
    os.waitid(os.P_PIDFD, descriptor, os.WEXITED)
    os.close(descriptor)


def shell(*argv: str) -> str:
    """Runs a host's own command and gives what it printed; raises with what it said when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        raise AssertionError(f"{' '.join(argv)}: {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def _output(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout + done.stderr
