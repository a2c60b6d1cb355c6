"""Plays the demo as `make demo` does, on a machine of its own, twice: what the first run made, the second uses."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
from own_machine import environment, on_own_machine

# Half a minute each on a quiet machine; most of it is the client, which takes a second of CPU for each command.
pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

# The second time as somebody who reads along, and is a quick reader.
TWICE = "netglass demo --json && echo && yes '' | netglass demo --pause"


def test_every_claim_of_both_documents_holds_and_holds_again() -> None:
    done = subprocess.run(
        on_own_machine("sh", "-c", TWICE), capture_output=True, text=True, env=environment(), check=False, timeout=590
    )
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    first, end = json.JSONDecoder().raw_decode(done.stdout)
    claims = [claim for part in first["parts"] for claim in part["claims"]]
    assert [claim for claim in claims if not claim["held"]] == []
    assert first["good"]
    assert {part["part"]: len(part["claims"]) for part in first["parts"]} == {"vlan": 54, "gre": 88}

    page = done.stdout[end:]
    again = re.findall(r"^  ([✓✗]) (.*)$", page, re.MULTILINE)
    assert [text for sign, text in again if sign == "✗"] == []
    assert done.returncode == 0, page + done.stderr
    assert {text for _, text in again} <= {claim["text"] for claim in claims}
    assert f"{len(again)} of {len(again)} claims hold." in page
    assert len(again) >= 130
    assert "netglass lab down vlan; netglass lab down gre" in page
