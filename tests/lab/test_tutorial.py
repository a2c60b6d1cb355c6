"""Runs the tutorials as a reader would: each ``console`` block, line by line, in one shell, on a machine of its own.

What a block shows is a pattern of what must be printed: in order, but with other lines between where the block has a
line ``...``; ``…`` inside a line stands for anything; ids, MAC addresses, times and the width of tables may differ.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from own_machine import environment, on_own_machine

TUTORIALS = sorted((Path(__file__).parents[2] / "docs" / "tutorial").glob("*.md"))
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
END = "netglass-tutorial-end"

# Words that differ from one run to the next, in the order in which they are looked for.
VARYING = (
    (r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"),
    (r"(?<=tap|qbr|qvb|qvo|qr-|qg-)[0-9a-f]{8}-[0-9a-f]{2}", r"[0-9a-f]{8}-[0-9a-f]{2}"),
    (r"(?<=\()[0-9a-f]{8}(?=\))", r"[0-9a-f]{8}"),
    (r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}"),
    (r"\d{2}:\d{2}:\d{2}\.\d+", r"\d{2}:\d{2}:\d{2}\.\d+"),
    (r"\d+(?:\.\d+)? ms", r"\d+(?:\.\d+)? ms"),
    (r"-{3,}", r"-{3,}"),
    (r"…", r".*"),
)


@dataclass
class Step:
    command: str
    shown: list[str] = field(default_factory=list)


def steps(text: str) -> Iterator[Step]:
    step: Step | None = None
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                if step:
                    yield step
                step = Step(line[2:])
            elif step and line.startswith("> "):
                step.command += "\n" + line[2:]
            elif step:
                step.shown.append(line)
    if step:
        yield step


def pattern(line: str) -> re.Pattern[str]:
    token = re.compile("|".join(f"(?P<v{n}>{find})" for n, (find, _) in enumerate(VARYING)) + r"|(?P<space>\s+)")
    made, at = "", 0
    for match in token.finditer(line.strip()):
        made += re.escape(line.strip()[at : match.start()])
        made += r"\s+" if match.lastgroup == "space" else VARYING[int(str(match.lastgroup)[1:])][1]
        at = match.end()
    return re.compile(made + re.escape(line.strip()[at:]))


def first_difference(shown: list[str], printed: list[str]) -> str:
    at, skipping = 0, False
    for line in shown:
        if line.strip() == "...":
            skipping = True
            continue
        if not line.strip():
            continue
        rest = range(at, len(printed)) if skipping else range(at, min(at + 1, len(printed)))
        found = next((n for n in rest if pattern(line).fullmatch(printed[n].strip())), None)
        if found is None:
            return f"the tutorial shows:\n    {line}\nbut next was printed:\n    {[*printed, '(nothing)'][at]}"
        at, skipping = found + 1, False
    if at < len(printed) and not skipping and shown:
        return f"the tutorial ends there, but this was printed too:\n    {printed[at]}"
    return ""


class Shell:
    """One bash, as the reader has one open: variables and directories last from one command to the next."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        words = on_own_machine("bash")
        self._process = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment()
        )

    def run(self, command: str) -> tuple[list[str], int]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{{ {command}\n}} < /dev/null\nprintf '\\n%s %s\\n' {END} $?\n")
        self._process.stdin.flush()
        printed: list[str] = []
        for line in self._process.stdout:
            if line.startswith(END):
                return [text for text in printed if text.strip()], int(line.split()[1])
            printed.append(line.rstrip("\n"))
        raise AssertionError(f"the shell ended in: {command}\n" + "\n".join(printed))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["| id | 5f833617-6179-4797-b7c0-7d420d84040c |"], ["| id   | 7a833617-6179-4797-b7c0-7d420d84040d |"]),
        (["...", "        tag: 1", "..."], ["x", "    tag: 1", "y"]),
        (["tap26c9b807-7c: <…> mtu 1500"], ["tap00c9b807-7d: <UP,X> mtu 1500"]),
        ([], ["anything"]),
    ],
)
def test_what_differs_between_runs_is_no_difference(shown: list[str], printed: list[str]) -> None:
    assert first_difference(shown, printed) == ""


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["| id | 7 |"], ["| id | 8 |"]),
        (["tag: 1"], ["x", "tag: 1"]),
        (["tag: 1"], ["tag: 1", "y"]),
        (["tag: 1"], []),
        (["...", "tag: 10"], ["tag: 1"]),
    ],
)
def test_what_means_something_else_is_a_difference(shown: list[str], printed: list[str]) -> None:
    assert first_difference(shown, printed)


@pytest.mark.lab
@pytest.mark.timeout(600)  # for a busy machine; a minute each is usual
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_every_command_of_a_tutorial_prints_what_it_shows(tutorial: Path) -> None:
    shell = Shell()
    try:
        for step in steps(tutorial.read_text()):
            printed, status = shell.run(step.command)
            said = f"$ {step.command}\n" + "\n".join(printed)
            assert status == 0, said
            difference = first_difference(step.shown, printed)
            assert not difference, f"{difference}\n\nin\n{said}"
    finally:
        shell.close()
