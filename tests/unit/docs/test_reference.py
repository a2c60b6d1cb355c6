"""What is written down is what the code says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from netglass.lab.topology import find_topology

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

import gen_reference  # noqa: E402  (found by the line above)

PROSE = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
LINK = re.compile(r"\[[^\]]+\]\(([^)#]+)[^)]*\)")


@pytest.mark.parametrize("name", gen_reference.PAGES)
def test_reference_is_as_the_code_would_write_it(name: str) -> None:
    written = (ROOT / "docs" / "reference" / name).read_text()
    assert written == gen_reference.text_of(name), "the code says otherwise now: run `make docs`"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_a_lab_file(path: Path) -> None:
    assert find_topology(str(path)).hosts


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    links = [link for link in LINK.findall(path.read_text()) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_named_in_prose_are_there(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", path.read_text())) <= targets
