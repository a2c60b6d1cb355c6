"""The labs that stories share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import labs
import pytest
import yaml
from labs import TestLab, netglass


@pytest.fixture(scope="session")
def lab() -> Iterator[TestLab]:
    """A VLAN lab of this test run's own, for tests that leave it as they found it."""
    name = f"t{os.getpid()}"
    netglass("lab", "up", "vlan", "--lab", name)
    try:
        yield TestLab(name)
    finally:
        netglass("lab", "down", "--lab", name)


@pytest.fixture(scope="session")
def two_gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestLab]:
    """A VLAN lab whose second compute host leads outside too, its routers from br-int."""
    wanted = labs.two_gateways(f"g{os.getpid()}")
    path = tmp_path_factory.mktemp("lab") / "lab.yaml"
    path.write_text(yaml.safe_dump(wanted))
    netglass("lab", "up", str(path))
    try:
        yield TestLab(wanted["name"])
    finally:
        netglass("lab", "down", wanted["name"])


@pytest.fixture(scope="session")
def every() -> Iterator[TestLab]:
    """A lab whose hosts have tunnels of all types and a VLAN network; for tests that leave it as they found it."""
    name = f"e{os.getpid()}"
    netglass("lab", "up", str(Path(__file__).with_name("every_type.yaml")), "--lab", name)
    try:
        yield TestLab(name)
    finally:
        netglass("lab", "down", "--lab", name)
