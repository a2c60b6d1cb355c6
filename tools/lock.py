"""Pins what pyproject.toml asks for: writes requirements/run.lock and requirements/dev.lock, and tempest.lock.

    make lock

pip resolves and installs nothing; the files hold names and versions only, so that whichever package source a machine
is set up with can serve them.  dev.lock holds what the dev group adds to run.lock.  tempest.lock is of its own: what
`make tempest` installs stays out of .venv, as a client that we do not write.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEAD = "# Written by `make lock` out of pyproject.toml; not by hand.\n"
TEMPEST_HEAD = "# Written by `make lock` out of tools/lock.py; not by hand.\n"
TEMPEST = ["tempest>=47"]


def resolve(wanted: list[str], pins: dict[str, str]) -> dict[str, str]:
    """Gives name -> version of `wanted` and all that it needs, keeping to `pins` where they speak.

    Raises CalledProcessError when pip finds no solution; pip has said why on standard error.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as constraints:
        constraints.write("".join(f"{name}=={version}\n" for name, version in pins.items()))
        constraints.flush()
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
        argv += ["--disable-pip-version-check", "--constraint", constraints.name, "--report", "-", *wanted]
        answer = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
    found = (item["metadata"] for item in json.loads(answer.stdout)["install"])
    return {_normal(item["name"]): item["version"] for item in found}


def _normal(name: str) -> str:
    # The one spelling of a project's name (PEP 503), so that the file does not change with a release's spelling.
    return re.sub(r"[-_.]+", "-", name).lower()


def _write(path: Path, pins: dict[str, str], head: str = HEAD) -> None:
    path.write_text(head + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins)))
    print(f"{path.relative_to(ROOT)}: {len(pins)} packages")


def main() -> None:
    """Writes all three files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run_wanted = project["project"]["dependencies"]
    run = resolve(run_wanted, {})
    dev = resolve(run_wanted + project["dependency-groups"]["dev"], run)
    (ROOT / "requirements").mkdir(exist_ok=True)
    _write(ROOT / "requirements" / "run.lock", run)
    _write(ROOT / "requirements" / "dev.lock", {name: dev[name] for name in dev.keys() - run.keys()})
    _write(ROOT / "requirements" / "tempest.lock", resolve(TEMPEST, {}), TEMPEST_HEAD)


if __name__ == "__main__":
    main()
