"""A lab that is up, and what tests do with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from netglass.lab import entry
from netglass.lab.places import LabPlace
from netglass.lab.topology import BUILTIN, LabError
from support.pace import stretched

NETGLASS = str(Path(sys.executable).with_name("netglass"))
# For tcpdump: what was seen is read at once, and not when a block is full; small frames, so that many fit its buffer.
AT_ONCE = ("--immediate-mode", "-s", "256", "-B", "4096")
OPENSTACK = str(Path(sys.executable).with_name("openstack"))


def netglass(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a user would."""
    done = subprocess.run([NETGLASS, *words], capture_output=True, text=True, timeout=stretched(120), check=False)
    assert not check or done.returncode == 0, f"netglass {' '.join(words)}: {done.returncode}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class TestLab:
    """A lab that is up."""

    name: str

    __test__ = False

    def to_host(self, host: str) -> list[str]:
        """Gives the words that run a command on a host: those of ``netglass lab exec``, without its start."""
        return entry.host_words(LabPlace(self.name), host)

    def to_guest(self, guest: str) -> list[str]:
        """Gives the words that run a command in a light guest, as ``netglass lab guest`` does; raises LabError."""
        return entry.guest_words(LabPlace(self.name), guest)

    def on(self, host: str, *argv: str, check: bool = True) -> str:
        """Runs a command on a host; gives what it printed."""
        return _said(host, [*self.to_host(host), *argv], check)

    def inside(self, guest: str, *argv: str, check: bool = True) -> str:
        """Runs a command inside a light guest; gives what it printed."""
        try:
            return _said(guest, [*self.to_guest(guest), *argv], check)
        except LabError:
            if check:
                raise
            return ""

    def environment(self, user: str) -> dict[str, str]:
        """Gives the environment of a client."""
        found: dict[str, str] = json.loads(netglass("lab", "env", "--lab", self.name, "--user", user, "--json").stdout)
        return found

    def operator(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a netglass command with an administrator's credentials, whatever comes of it."""
        environment = os.environ | self.environment("admin")
        return subprocess.run([NETGLASS, *words], capture_output=True, text=True, env=environment, check=False)

    def openstack(self, *words: str, user: str = "demo") -> Any:
        """Runs the unmodified client; gives the JSON that it printed, None for nothing."""
        words = (*words, "-f", "json") if words[-1] != "--no-format" else words[:-1]
        environment = os.environ | self.environment(user)
        done = subprocess.run([OPENSTACK, *words], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, f"openstack {' '.join(words)}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None


def two_gateways(name: str) -> dict[str, Any]:
    """Gives a VLAN lab whose second compute host leads outside too, its routers from br-int."""
    wanted: dict[str, Any] = yaml.safe_load((BUILTIN / "vlan.yaml").read_text())
    wanted["name"] = name
    wanted["hosts"]["compute2"] |= {
        "roles": ["hypervisor", "network"],
        "nics": {"eth1": "mgmt", "eth2": "vm", "eth3": "ext"},
        "bridges": {"br-eth2": "eth2", "br-ex": "eth3"},
        "bridge_mappings": {"default": "br-eth2", "external": "br-ex"},
        "gateway_link": "integration",
    }
    wanted["cloud"]["vlan_networks"] = ["external"]
    return wanted


def _said(where: str, argv: list[str], check: bool) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=stretched(120), check=False)
    assert not check or done.returncode == 0, f"{where}: {' '.join(argv)}: {done.stdout}{done.stderr}"
    return done.stdout
