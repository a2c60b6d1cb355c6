"""What a server makes of what hosts say of a silent one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from netglass.api import signs
from netglass.api.questions import Questions
from netglass.api.signs import find_stopped
from netglass.model.protocol import Answer, Question
from netglass.model.resources import Host, HostSettings, Network, Port, Router
from netglass.model.snapshot import Snapshot

_SETTINGS = HostSettings(tunnel_types=("gre",), local_ip="192.0.2.1")
SILENT = Host(id="silent", roles=("network",), settings=_SETTINGS)
OTHERS = [Host(id=name, roles=("hypervisor",), settings=_SETTINGS) for name in ("h1", "h2")]
ROWS = (
    Network(id="n", network_type="gre", segmentation_id=7),
    Router(id="r", host_id="silent"),
    Port(
        id="p",
        network_id="n",
        mac_address="m",
        device_id="r",
        device_owner="network:router_interface",
        host_id="silent",
    ),
)
SEES = Answer(ok=True, value={"seen": [0], "missed": []})
MISSES = Answer(ok=True, value={"seen": [], "missed": [0]})
OLD = Answer(ok=False, error="this agent does not know the question 'signs'")


@pytest.mark.parametrize(
    ("answers", "works"),
    [
        ({"h1": SEES, "h2": MISSES}, True),
        ({"h1": SEES, "h2": None}, True),
        ({"h1": OLD, "h2": SEES}, True),
        ({"h1": Answer(ok=True, value={"seen": [7]}), "h2": SEES}, True),
        ({"h1": MISSES, "h2": OLD}, False),
        ({"h1": OLD, "h2": Answer(ok=True, value="nonsense")}, False),
        ({"h1": None, "h2": None}, False),
    ],
)
def test_one_who_sees_it_is_enough_and_who_cannot_tell_counts_for_nothing(
    answers: dict[str, Answer | None], works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs, "_PATIENCE_S", 0.05)

    async def scenario() -> frozenset[str]:
        questions = Questions()
        answering: list[Any] = []

        def send(host: str, question: Question) -> bool:
            answer = answers[host]
            if answer is not None:
                answering.append(asyncio.ensure_future(questions.answer(host, question.id, answer)))
            return True

        questions.carry_by(send)
        return await find_stopped(questions, Snapshot.of((SILENT, *OTHERS, *ROWS)), SILENT, {"h1", "h2"})

    assert asyncio.run(scenario()) == (frozenset() if works else {"r"})
