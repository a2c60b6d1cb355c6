"""Reads what shows the way of a guest's request for metadata: ``ss``, ``ps``, a proxy's configuration, HTTP."""

from __future__ import annotations

import json
import re


def listeners(text: str) -> dict[int, int]:
    """Gives port -> process id out of ``ss -ltnp``."""
    return {int(port): int(pid) for port, pid in re.findall(r"^LISTEN.*?:(\d+) .*?pid=(\d+)", text, re.MULTILINE)}


def processes(text: str) -> dict[int, str]:
    """Gives process id -> command line out of ``ps -o pid,args`` or ``pgrep -af``."""
    return {int(pid): line for pid, line in re.findall(r"^ *(\d+) (.+)$", text, re.MULTILINE)}


def added_headers(configuration: str) -> dict[str, str]:
    """Gives the headers that a proxy sets, as its configuration has them."""
    return dict(re.findall(r"^\s*http-request set-header (\S+) (\S+)", configuration, re.MULTILINE))


def backend(configuration: str) -> str:
    """Gives the UNIX socket that a proxy hands on to; or nothing."""
    found = re.search(r"^\s*server \S+ unix@(\S+)", configuration, re.MULTILINE)
    return found[1] if found else ""


def is_socket(listing: str) -> bool:
    """Says whether ``ls -l`` shows a UNIX socket."""
    return listing.startswith("s")


def request(capture: str) -> tuple[str, dict[str, str]]:
    """Gives path and headers of the last HTTP request for metadata in ``tcpdump -A``; empty for none."""
    path = ""
    headers: dict[str, str] = {}
    for line in capture.splitlines():
        if begun := re.search(r"GET (/metadata/\S+) HTTP/", line):
            path, headers = begun[1], {}
        elif path and (header := re.fullmatch(r"(X-[\w-]+): (\S+)\s*", line)):
            headers[header[1]] = header[2]
    return path, headers


def document(text: str) -> dict[str, object]:
    """Gives the JSON object that a guest was told, its commas made line ends; empty when it was told something else."""
    try:
        found = json.loads(text.replace("\n", ","))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
