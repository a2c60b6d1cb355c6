"""How two versions of the protocol stand to each other."""

from __future__ import annotations

import pytest

from netglass.model.protocol import FIRST_PROTOCOL, PROTOCOL, skew


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ("1.7", ""),
        ("1.6", "older"),
        ("1.0", "older"),
        ("1.8", "newer"),
        ("1.10", "newer"),
        ("2.7", "foreign"),
        ("0.7", "foreign"),
        ("1", "foreign"),
        ("1.7.1", "foreign"),
        ("one.seven", "foreign"),
        ("", "foreign"),
    ],
)
def test_minor_versions_are_older_or_newer_and_others_are_foreign(theirs: str, said: str) -> None:
    assert skew(theirs, "1.7") == said


def test_those_who_do_not_say_are_of_the_first_version() -> None:
    assert skew(FIRST_PROTOCOL, PROTOCOL) == "older"
