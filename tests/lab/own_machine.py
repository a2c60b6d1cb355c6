"""A machine of the test's own: namespaces in which no lab of the developer's is seen, and nothing outlives the test."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_UNSHARE = ("unshare", "--mount", "--net", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc")
# Labs are kept below /var/lib; the uplink is a device of the machine.
_PREPARE = 'ip link set lo up && mount -t tmpfs -o mode=755 tmpfs /var/lib && exec "$@"'


def on_own_machine(*argv: str) -> list[str]:
    """Gives the words that run a command there; all that it started ends with it."""
    return [*_UNSHARE, "sh", "-c", _PREPARE, "sh", *argv]


def environment() -> dict[str, str]:
    """Gives the environment in which this tree's own programs come first."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}
