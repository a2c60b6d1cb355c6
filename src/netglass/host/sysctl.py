"""Kernel settings of network namespaces, through ``/proc/sys``.

Which namespace a file below ``/proc/sys/net`` speaks of is decided by the thread that opens it (proc_sys_net(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from netglass.host.namespaces import entered

_ROOT = "/proc/sys"
_MOST = 4096  # bytes of a setting


def read(netns: str, names: Iterable[str]) -> dict[str, str]:
    """Gives the values of settings, by name with slashes; those that do not exist are left out.

    Raises FileNotFoundError when there is no such namespace.
    """
    found: dict[str, str] = {}
    with entered(netns):
        for name in names:
            try:
                found[name] = _read(name)
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
                Path(_path(name)).write_text(value)
            except OSError as error:
                failed[name] = error
    return failed


def _read(name: str) -> str:
    # A network host reads hundreds of these: as files with a buffer and an encoding they took four times as long.
    setting = os.open(_path(name), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(setting, _MOST).decode().strip()
    finally:
        os.close(setting)


def _path(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{name} is not the name of a setting")
    return f"{_ROOT}/{name}"
