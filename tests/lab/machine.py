"""What can be seen of the machine: all that a lab could leave behind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

NAMESPACES = ("net", "mnt", "uts", "ipc", "pid")
_DIRECTORIES = ("/run", "/var/lib", "/var/log", "/etc")


def left_behind(before: dict[str, set[str]], after: dict[str, set[str]]) -> dict[str, dict[str, set[str]]]:
    """Gives what differs between two looks; empty when nothing does."""
    return {
        kind: {"gone": before[kind] - after[kind], "new": after[kind] - before[kind]}
        for kind in before
        if before[kind] != after[kind]
    }


def look(lab: str) -> dict[str, set[str]]:
    """Gives everything of the machine that a lab could touch, as text; what is another lab's is left out."""
    another = re.compile(rf"\bngl-(?!{lab}\b)|/netglass/labs/(?!{lab}\b)")
    return {kind: {text for text in texts if not another.search(text)} for kind, texts in _look().items()}


def _look() -> dict[str, set[str]]:
    return {
        "links": _lines("ip", "-o", "link"),
        "addresses": _lines("ip", "-o", "address"),
        "routes": _lines("ip", "route", "show", "table", "all"),
        "rules": _lines("ip", "rule"),
        "named namespaces": _lines("ip", "netns", "list"),
        "iptables": _lines("iptables-save") - _counters(),
        "mounts": {_mount(line) for line in Path("/proc/self/mountinfo").read_text().splitlines()},
        "files": set(_files()),
        "settings": _lines("sysctl", "-a", "-r", "^net\\.(ipv4\\.(ip_forward|conf)|bridge)"),
        "shared memory": _lines("ipcs", "-m"),
    }


def namespaces_of(pid: int) -> set[str]:
    """Gives the namespaces that a process is in, as ``net:[4026531840]``."""
    found = set()
    for kind in NAMESPACES:
        try:
            found.add(str((Path("/proc") / str(pid) / "ns" / kind).readlink()))
        except OSError:
            continue
    return found


def processes_in(namespaces: set[str]) -> dict[int, str]:
    """Gives the processes that are in one of `namespaces`, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and namespaces_of(int(entry.name)) & namespaces:
            try:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found


def _lines(*argv: str) -> set[str]:
    return set(subprocess.run(argv, capture_output=True, text=True, check=False).stdout.splitlines())


def _counters() -> set[str]:
    return {line for line in _lines("iptables-save") if line.startswith("#")}


def _mount(line: str) -> str:
    # Without ids, which are numbered as mounts come.
    return line.split(" ", 3)[3]


def _files() -> Iterator[str]:
    for directory in _DIRECTORIES:
        for path in Path(directory).rglob("*"):
            try:
                stat = path.lstat()
            except OSError:
                continue
            yield f"{path} {stat.st_mode:o}"
