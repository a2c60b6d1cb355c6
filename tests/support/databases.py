"""The engines on which the same tests run."""

from __future__ import annotations

import pytest

BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.server))
"""The engines on which the same must hold; PostgreSQL is a server's process, so it is no part of the pure tests."""
