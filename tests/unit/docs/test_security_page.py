"""Every test that docs/security.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_tests_named_on_the_page_of_holes_are_there() -> None:
    named = NAMED.findall((TESTS.parent / "docs" / "security.md").read_text())
    assert len(named) > 40
    missing = [f"{file}::{test}" for file, test in named if f"def {test}(" not in _text(file)]
    assert missing == []


def _text(file: str) -> str:
    path = TESTS / file
    return path.read_text() if path.exists() else ""
