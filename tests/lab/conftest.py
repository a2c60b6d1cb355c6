"""The lab that stories share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
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
