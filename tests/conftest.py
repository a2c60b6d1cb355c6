"""How hard Hypothesis looks, and the databases that tests run on.

``repeatable`` (what `make test` runs) draws the same examples every time, so that a red run means that the tree is red.
``search`` (`make laws`) draws new ones, many more of them; what it finds becomes an ``@example`` of its law.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.databases import BOTH
from support.postgres import Cluster

_SLOW_MACHINES = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("repeatable", _SLOW_MACHINES, max_examples=50, derandomize=True, database=None)
settings.register_profile("search", _SLOW_MACHINES, max_examples=2000)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this run's own."""
    made = Cluster()
    yield made
    made.remove()


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """An empty database of the PostgreSQL, by its name."""
    name = cluster.take()
    yield name
    cluster.give_back(name)


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, on either engine."""
    yield from _database(request, tmp_path)


@pytest.fixture(scope="module", params=BOTH)
def module_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty database, on either engine, that the tests of a module share."""
    yield from _database(request, tmp_path_factory.mktemp("database"))


def _database(request: pytest.FixtureRequest, directory: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{directory}/intent.db"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.take()
    yield cluster.url(name)
    cluster.give_back(name)
