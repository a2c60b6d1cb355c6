"""The cloud of `networking_cloud`, and its people's clients, for each test anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from networking_cloud import Cloud
from starlette.testclient import TestClient


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def admin(cloud: Cloud) -> TestClient:
    return cloud.as_("admin")


@pytest.fixture
def alice(cloud: Cloud) -> TestClient:
    return cloud.as_("alice")


@pytest.fixture
def bob(cloud: Cloud) -> TestClient:
    return cloud.as_("bob")


@pytest.fixture
def rita(cloud: Cloud) -> TestClient:
    return cloud.as_("rita")
