"""Plays the demo as `make demo` does, on a machine of its own, twice: what the first run made, the second uses."""

from __future__ import annotations

import json
import subprocess

import pytest
from own_machine import environment, on_own_machine

pytestmark = pytest.mark.lab

TWICE = "netglass demo --json && netglass demo --json"


def test_every_claim_of_the_demo_holds_and_holds_again() -> None:
    done = subprocess.run(
        on_own_machine("sh", "-c", TWICE), capture_output=True, text=True, env=environment(), check=False, timeout=200
    )
    runs = decode_all(done.stdout)
    failed = [claim for run in runs for claim in run["claims"] if not claim["held"]]
    assert not failed, json.dumps(failed, indent=2)
    assert done.returncode == 0, done.stderr
    assert [run["good"] for run in runs] == [True, True]
    first, second = ([claim["text"] for claim in run["claims"]] for run in runs)
    assert set(second) <= set(first)
    assert len(second) >= 50


def decode_all(text: str) -> list[dict]:
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found
