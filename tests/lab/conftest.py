"""The labs that stories share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import labs
import pytest
import yaml
from labs import TestLab, netglass
from routed import Routed, routed_on
from told_secrets import told_secrets


@contextmanager
def _up(name: str, what: str) -> Iterator[TestLab]:
    """Gives a lab that goes afterwards, when it has told nobody its secrets."""
    netglass("lab", "up", what, "--lab", name)
    try:
        yield TestLab(name)
        assert told_secrets(name) == []
    finally:
        netglass("lab", "down", "--lab", name)


@pytest.fixture(scope="session")
def lab() -> Iterator[TestLab]:
    """A VLAN lab of this test run's own, for tests that leave it as they found it."""
    with _up(f"t{os.getpid()}", "vlan") as made:
        yield made


@pytest.fixture(scope="session")
def two_gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestLab]:
    """A VLAN lab whose second compute host leads outside too, its routers from br-int."""
    wanted = labs.two_gateways(f"g{os.getpid()}")
    path = tmp_path_factory.mktemp("lab") / "lab.yaml"
    path.write_text(yaml.safe_dump(wanted))
    with _up(wanted["name"], str(path)) as made:
        yield made


@pytest.fixture
def routed(two_gateways: TestLab) -> Iterator[Routed]:
    """A guest behind a router, in the lab in which two hosts can carry it; compute2 may be cut off."""
    with routed_on(two_gateways, "compute2") as made:
        yield made


@pytest.fixture(scope="session")
def every() -> Iterator[TestLab]:
    """A lab whose hosts have tunnels of all types and a VLAN network; for tests that leave it as they found it."""
    with _up(f"e{os.getpid()}", str(Path(__file__).with_name("every_type.yaml"))) as made:
        yield made
