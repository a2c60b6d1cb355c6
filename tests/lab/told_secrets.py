"""Looks for secrets in what the hosts of a lab have written down for people (CVE-2017-2592, 2014-4615)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from netglass.lab.places import LabPlace

_SECRETS = "lib/netglass/secrets"
_PUBLIC = {".pem", ".crt"}  # certificates; private keys have another ending
# Tokens are Fernet's: a version, 0x80, and the time of their making, which begins with zeros until 2106.
_TOKEN = re.compile(rb"gAAAA[A-Za-z0-9_-]{60,}")


def told_secrets(lab: str) -> list[str]:
    """Gives which logs of which hosts of a lab hold which secrets, or tokens."""
    place = LabPlace(lab)
    secrets = dict(_secrets(place))
    assert {"admin.password", "agent.secret", "fernet.key"} <= secrets.keys()
    found = []
    for path in _logs(place):
        text = path.read_bytes()
        found += [f"{path}: {name}" for name, secret in secrets.items() if secret in text]
        found += [f"{path}: a token" for _ in _TOKEN.findall(text)[:1]]
    return found


def _secrets(place: LabPlace) -> Iterator[tuple[str, bytes]]:
    for path in (place.root / "hosts").glob(f"*/{_SECRETS}/*"):
        if path.suffix not in _PUBLIC and (secret := path.read_bytes().strip()):
            yield path.name, secret


def _logs(place: LabPlace) -> Iterator[Path]:
    """Gives the files of each host's /var/log, and what its daemons said."""
    for host in (place.root / "hosts").iterdir():
        yield from (path for path in (host / "log").rglob("*") if path.is_file())
    for child in place.children().values():
        run = Path(f"/proc/{child.pid}/root/run/netglass")
        yield from (path for path in run.rglob("log") if path.is_file())
