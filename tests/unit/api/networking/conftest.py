"""The cloud of `networking_cloud`, and its people's clients, for each test anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from networking_cloud import Cloud, made

from support.clients import Client


@pytest.fixture
def cloud(database_url: str) -> Iterator[Cloud]:
    made = Cloud(database_url)
    yield made
    made.store.close()


@pytest.fixture
def public(cloud: Cloud, admin: Client) -> str:
    """An external network with a subnet, and a host that carries it and all others; gives the network's id."""
    cloud.register("control", "network")
    network = made(admin, "networks", "network", **{"name": "public", "router:external": True})["id"]
    made(admin, "subnets", "subnet", network_id=network, ip_version=4, cidr="203.0.113.0/24", enable_dhcp=False)
    return str(network)


@pytest.fixture
def admin(cloud: Cloud) -> Client:
    return cloud.as_("admin")


@pytest.fixture
def alice(cloud: Cloud) -> Client:
    return cloud.as_("alice")


@pytest.fixture
def bob(cloud: Cloud) -> Client:
    return cloud.as_("bob")


@pytest.fixture
def rita(cloud: Cloud) -> Client:
    return cloud.as_("rita")
