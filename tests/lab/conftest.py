"""The labs that stories share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from labs import TestLab, netglass

from netglass.lab.topology import BUILTIN


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
    wanted = yaml.safe_load((BUILTIN / "vlan.yaml").read_text())
    wanted["name"] = f"g{os.getpid()}"
    wanted["hosts"]["compute2"] |= {
        "roles": ["hypervisor", "network"],
        "nics": {"eth1": "mgmt", "eth2": "vm", "eth3": "ext"},
        "bridges": {"br-eth2": "eth2", "br-ex": "eth3"},
        "bridge_mappings": {"default": "br-eth2", "external": "br-ex"},
        "gateway_link": "integration",
    }
    wanted["cloud"]["vlan_networks"] = ["external"]
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
