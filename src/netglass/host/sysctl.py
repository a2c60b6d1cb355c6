"""Kernel settings of network namespaces, through ``/proc/sys``.

Which namespace a file below ``/proc/sys/net`` speaks of is decided by the thread that opens it (proc_sys_net(5)).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from netglass.host.namespaces import entered

_ROOT = Path("/proc/sys")


def read(netns: str, names: Iterable[str]) -> dict[str, str]:
    """Gives the values of settings, by name with slashes; those that do not exist are left out.

    Raises FileNotFoundError when there is no such namespace.
    """
    found: dict[str, str] = {}
    with entered(netns):
        for name in names:
            try:
                found[name] = _file(name).read_text().strip()
            except OSError:
                continue
    return found


def write(netns: str, values: dict[str, str]) -> dict[str, OSError]:
    """Sets settings by name with slashes; gives those that failed, and why.

    Raises FileNotFoundError when there is no such namespace.
    """
    failed: dict[str, OSError] = {}
    with entered(netns):
        for name, value in values.items():
            try:
                _file(name).write_text(value)
            except OSError as error:
                failed[name] = error
    return failed


def _file(name: str) -> Path:
    wanted = _ROOT / name
    if ".." in wanted.parts:
        raise ValueError(f"{name} is not the name of a setting")
    return wanted
