"""Runs OpenStack's own tests of the Networking API, unmodified, against a lab, and holds the results to what is known.

    make tempest                                        all of tempest.api.network
    make tempest TESTS=tempest.api.network.test_security_groups

Installs tempest into .tempest (pins: requirements/tempest.lock), brings up a VLAN lab of its own and takes it down
again, unless --lab names one that is up.  Every test passes, but those that docs/tempest.yaml names with a reason.
Status 1 when another fails or is skipped, or when one that is named there passes.
"""

from __future__ import annotations

import argparse
import configparser
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".tempest"
PINS = ROOT / "requirements" / "tempest.lock"
KNOWN = ROOT / "docs" / "tempest.yaml"
NETGLASS = str(Path(sys.executable).with_name("netglass"))
WORDS = {"success": "passed", "failure": "failed", "skip": "skipped"}

Results = dict[str, str]  # by test, one of the values of WORDS


def install() -> None:
    """Makes .tempest, unless it was made of the same pins."""
    stamp = VENV / ".made-from"
    if stamp.exists() and stamp.read_text() == PINS.read_text():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(PINS)]
    subprocess.run([VENV / "bin" / "python", *words], check=True)
    stamp.write_text(PINS.read_text())


@contextmanager
def lab_up(name: str) -> Iterator[str]:
    """Gives a lab that is up: the one named, or a new one that goes afterwards."""
    if name:
        yield name
        return
    own = f"tp{os.getpid()}"
    subprocess.run([NETGLASS, "lab", "up", "vlan", "--lab", own], check=True)
    try:
        yield own
    finally:
        subprocess.run([NETGLASS, "lab", "down", "--lab", own], check=True)


class Cloud:
    """A lab's services, as its administrator."""

    def __init__(self, lab: str) -> None:
        found = subprocess.run(
            [NETGLASS, "lab", "env", "--lab", lab, "--json"], check=True, capture_output=True, text=True
        )
        self.environment: dict[str, str] = json.loads(found.stdout)
        self.identity = self.environment["OS_AUTH_URL"].rstrip("/")
        if not self.identity.endswith("/v3"):
            self.identity += "/v3"
        user = {
            "name": self.environment["OS_USERNAME"],
            "domain": {"id": "default"},
            "password": self.environment["OS_PASSWORD"],
        }
        project = {"name": self.environment["OS_PROJECT_NAME"], "domain": {"id": "default"}}
        auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}
        self._token = ""
        with self._open(f"{self.identity}/auth/tokens", {"auth": auth}) as answer:
            self._token = answer.headers["X-Subject-Token"]
            catalog = json.load(answer)["token"]["catalog"]
        self._urls = {entry["type"]: entry["endpoints"][0]["url"].rstrip("/") for entry in catalog}

    def get(self, service: str, path: str) -> Any:
        """Asks one service of the catalogue; gives the JSON that came back."""
        with self._open(self._urls[service] + path) as answer:
            return json.load(answer)

    def _open(self, url: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json", "X-Auth-Token": self._token}
        content = None if body is None else json.dumps(body).encode()
        return urllib.request.urlopen(urllib.request.Request(url, content, headers))


def configuration(cloud: Cloud, directory: Path) -> configparser.ConfigParser:
    """Gives tempest.conf: what there is, as a deployer would write it down."""
    networks = cloud.get("network", "/v2.0/networks?router:external=true")["networks"]
    extensions = cloud.get("network", "/v2.0/extensions")["extensions"]
    image = cloud.get("image", "/v2/images")["images"][0]["id"]
    flavor = cloud.get("compute", "/flavors")["flavors"][0]["id"]
    made = configparser.ConfigParser(interpolation=None)
    made.read_dict(
        {
            "DEFAULT": {"log_file": str(directory / "tempest.log")},
            "oslo_concurrency": {"lock_path": str(directory / "locks")},
            "auth": {
                "use_dynamic_credentials": "true",
                "admin_username": cloud.environment["OS_USERNAME"],
                "admin_password": cloud.environment["OS_PASSWORD"],
                "admin_project_name": cloud.environment["OS_PROJECT_NAME"],
                "admin_domain_name": "Default",
            },
            "identity": {"uri_v3": cloud.identity, "region": cloud.environment.get("OS_REGION_NAME", "RegionOne")},
            "compute": {"image_ref": image, "image_ref_alt": image, "flavor_ref": flavor, "flavor_ref_alt": flavor},
            "network": {"public_network_id": networks[0]["id"], "floating_network_name": networks[0]["name"]},
            "network-feature-enabled": {
                "api_extensions": ",".join(extension["alias"] for extension in extensions),
                "ipv6_subnet_attributes": "true",
                "port_security": "true",
            },
            "enforce_scope": {"neutron": "true"},
            "service_available": {"neutron": "true", "nova": "true", "glance": "true", "cinder": "false"}
            | {"swift": "false", "horizon": "false"},
        }
    )
    return made


def run(cloud: Cloud, tests: str, workers: int) -> Results:
    """Runs the tests whose names match; gives what became of each."""
    with tempfile.TemporaryDirectory(prefix="netglass-tempest-") as name:
        directory = Path(name)
        (directory / "locks").mkdir()
        with (directory / "tempest.conf").open("w") as config:
            configuration(cloud, directory).write(config)
        package = next((VENV / "lib").glob("python3*/site-packages"))
        (directory / ".stestr.conf").write_text(
            f"[DEFAULT]\ntest_path={package}/tempest/test_discover\ntop_dir={package}\ngroup_regex=([^\\.]*\\.)*\n"
        )
        environment = os.environ | {"TEMPEST_CONFIG_DIR": name, "PATH": f"{VENV / 'bin'}:{os.environ['PATH']}"}
        stestr = [str(VENV / "bin" / "stestr")]
        subprocess.run([*stestr, "run", "--concurrency", str(workers), tests], cwd=name, env=environment, check=False)
        last = subprocess.run([*stestr, "last", "--subunit"], cwd=name, env=environment, capture_output=True).stdout
        table = subprocess.run([VENV / "bin" / "subunit2csv"], input=last, env=environment, capture_output=True).stdout
    rows = csv.DictReader(table.decode().splitlines())
    return {_plain(row["test"]): WORDS.get(row["status"], row["status"]) for row in rows}


def _plain(test: str) -> str:
    # Behind the name stand its id and attributes, which change with tempest's releases.
    return test.partition("[")[0]


def surprises(results: Results, known: dict[str, str]) -> list[str]:
    """Gives one line for each result that is not as it is known; `known` has the reason, by pattern of whole names."""
    found = []
    for test, result in sorted(results.items()):
        reason = next((reason for pattern, reason in known.items() if re.fullmatch(pattern, test)), None)
        if reason is None and result != "passed":
            found.append(f"{test}: {result}")
        if reason is not None and result == "passed":
            found.append(f"{test}: passed, and {KNOWN.relative_to(ROOT)} says that it does not: {reason}")
    return found


def main() -> int:
    """Runs, prints, keeps the results if asked to."""
    parser = argparse.ArgumentParser(description="Run tempest's tests of the Networking API against a lab.")
    parser.add_argument("--tests", default="tempest.api.network", help="regular expression of names")
    parser.add_argument("--lab", default="", help="a lab that is up; else one of its own")
    parser.add_argument("--workers", type=int, default=2, help="tests at once")
    parser.add_argument("--keep", type=Path, help="a directory to write the results to, as tempest-<version>.json")
    asked = parser.parse_args()
    install()
    with lab_up(asked.lab) as lab:
        results = run(Cloud(lab), asked.tests, asked.workers)
    known = yaml.safe_load(KNOWN.read_text()) or {}
    found = surprises(results, known)
    counts: dict[str, int] = Counter(results.values())
    counts = dict.fromkeys(WORDS.values(), 0) | counts
    pin = next(line for line in PINS.read_text().splitlines() if line.startswith("tempest=="))
    print(f"{pin}: {', '.join(f'{counts[word]} {word}' for word in WORDS.values())}")
    if asked.keep:
        kept = {"counts": counts, "results": dict(sorted(results.items()))}
        (asked.keep / f"{pin.replace('==', '-')}.json").write_text(json.dumps(kept, indent=1) + "\n")
    for line in found:
        print(f"unexpected: {line}", file=sys.stderr)
    return 1 if found or not results else 0


if __name__ == "__main__":
    sys.exit(main())
