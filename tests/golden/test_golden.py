"""Whole desired states of small stories, as text that people read; ``pytest --update-golden`` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden.stories import STORIES
from netglass.compile.compiler import compile_host
from netglass.desired.text import render_state
from netglass.model.resources import Host
from netglass.model.snapshot import Snapshot

HERE = Path(__file__).parent


@pytest.mark.parametrize("story", STORIES)
def test_a_storys_hosts_look_as_written_down(story: str, request: pytest.FixtureRequest) -> None:
    snapshot = Snapshot.of(STORIES[story])
    for host in snapshot.all(Host):
        path = HERE / story / f"{host.id}.txt"
        text = render_state(compile_host(snapshot, host.id))
        if request.config.getoption("--update-golden", default=False):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert text == path.read_text()


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{story}/{row.id}.txt" for story, rows in STORIES.items() for row in rows if isinstance(row, Host)}
    assert {str(path.relative_to(HERE)) for path in HERE.glob("*/*.txt")} == wanted
