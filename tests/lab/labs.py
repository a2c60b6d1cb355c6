"""A lab that is up, and what tests do with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NETGLASS = str(Path(sys.executable).with_name("netglass"))
OPENSTACK = str(Path(sys.executable).with_name("openstack"))


def netglass(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a user would."""
    done = subprocess.run([NETGLASS, *words], capture_output=True, text=True, timeout=120, check=False)
    assert not check or done.returncode == 0, f"netglass {' '.join(words)}: {done.returncode}\n{done.stderr}"
    return done


@dataclass(frozen=True)
class TestLab:
    """A lab that is up."""

    name: str

    __test__ = False

    def on(self, host: str, *argv: str, check: bool = True) -> str:
        """Runs a command on a host; gives what it printed."""
        done = netglass("lab", "exec", "--lab", self.name, host, "--", *argv, check=False)
        assert not check or done.returncode == 0, f"{host}: {' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

    def inside(self, guest: str, *argv: str, check: bool = True) -> str:
        """Runs a command inside a light guest; gives what it printed."""
        done = netglass("lab", "guest", "--lab", self.name, guest, "--", *argv, check=False)
        assert not check or done.returncode == 0, f"{guest}: {' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

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
