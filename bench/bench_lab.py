"""What the benches that need a lab share: bringing one up, its API, and keeping raw figures."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

RESULTS = Path(__file__).parent / "results"
NETGLASS = str(Path(sys.executable).with_name("netglass"))

Figures = dict[str, Any]


class Api:
    """The lab's API as its administrator."""

    def __init__(self, lab: str) -> None:
        found = netglass("lab", "env", "--lab", lab, "--user", "admin", "--json")
        environment = json.loads(found)
        self.base = environment["OS_AUTH_URL"].rsplit("/identity", 1)[0]
        user = {"name": environment["OS_USERNAME"], "domain": {"id": "default"}, "password": environment["OS_PASSWORD"]}
        scope = {"project": {"name": environment["OS_PROJECT_NAME"], "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        self.token = ""
        with self._open("POST", "/identity/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}) as answer:
            self.token = answer.headers["X-Subject-Token"]

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """Sends a request; gives the JSON that came back, None for nothing."""
        with self._open(method, path, body) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def _open(self, method: str, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json", "X-Auth-Token": self.token}
        content = json.dumps(body).encode() if body is not None else None
        return urllib.request.urlopen(urllib.request.Request(self.base + path, content, headers, method=method))


def let_everything_in(api: Api) -> None:
    """Has every project's default group let everybody in, over IPv4: what is measured is not what rules drop."""
    for group in api("GET", "/v2.0/security-groups?name=default")["security_groups"]:
        rule = {"security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4"}
        known = [one for one in group["security_group_rules"] if not one["remote_group_id"]]
        if not any(rule.items() <= one.items() and not one["protocol"] for one in known):
            api("POST", "/v2.0/security-group-rules", {"security_group_rule": rule})


def netglass(*words: str) -> str:
    """Runs the command line; raises with what it said."""
    done = subprocess.run([NETGLASS, *words], capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise SystemExit(f"netglass {' '.join(words[:4])}: {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


@contextmanager
def lab_up(name: str | None, own: str, topology: str) -> Iterator[str]:
    """Gives a lab that is up: the one named, or a new one called `own` that goes afterwards."""
    if name is not None:
        yield name
        return
    netglass("lab", "up", "--lab", own, topology)
    try:
        yield own
    finally:
        netglass("lab", "down", "--lab", own)


def probe(lab: str, host: str, script: Path, verb: str, **arguments: Any) -> Figures:
    """Runs a probe on a host; gives what it measured."""
    text = netglass("lab", "exec", "--lab", lab, host, "--", sys.executable, str(script), verb, json.dumps(arguments))
    found: Figures = json.loads(text)
    return found


def keep(bench: str, figures: Figures) -> None:
    """Writes raw figures under bench/results/, with what machine they are of, and says where."""
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    RESULTS.mkdir(exist_ok=True)
    kept = RESULTS / f"{bench}-{at}.json"
    load = Path("/proc/loadavg").read_text().split()[:3]
    machine = {"kernel": platform.release(), "python": platform.python_version(), "at": at, "load_at_end": load}
    kept.write_text(json.dumps({"machine": machine} | figures, indent=1) + "\n")
    shown = kept.relative_to(Path.cwd()) if kept.is_relative_to(Path.cwd()) else kept
    Console().print(f"Raw figures: {shown}")
