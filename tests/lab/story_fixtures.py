"""Fixtures of the stories; named in each story's module by import."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cloud import Cloud
from labs import TestLab

from support.api import Api


def api_of(lab: TestLab, user: str) -> Api:
    """Gives a client with the credentials that ``netglass lab env`` prints."""
    found = lab.environment(user)
    url = found["OS_AUTH_URL"].split("/identity")[0]
    return Api(url, found["OS_USERNAME"], found["OS_PASSWORD"], found["OS_PROJECT_NAME"])


@pytest.fixture
def admin(lab: TestLab) -> Api:
    return api_of(lab, "admin")


@pytest.fixture
def cloud(lab: TestLab) -> Iterator[Cloud]:
    """What user demo makes in this test, deleted with it."""
    made = Cloud(lab, api_of(lab, "demo"))
    yield made
    made.clear()
