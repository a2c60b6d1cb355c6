"""Runs a program and gives what it printed.

Never: a shell; a program's output as a decision without its exit status.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

TOOK_TOO_LONG = 124
"""The status of a program that was stopped because it took too long, as timeout(1) has it."""


class Output(msgspec.Struct, frozen=True):
    """What a program left behind.

    status  exit status; 127 when it could not be started, 124 when it took too long, negative when a signal ended it
    """

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Says whether it left with status 0."""
        return self.status == 0

    @property
    def evidence(self) -> str:
        """Gives the command and what it said, as one line for an ApplyError."""
        said = (self.stderr or self.stdout).strip().replace("\n", " | ")
        return f"{' '.join(self.argv)}: exit status {self.status}: {said[:600] or 'it said nothing'}"


def run(argv: Sequence[str], stdin: str = "", timeout_s: float = 10.0) -> Output:
    """Runs `argv` to its end, with `stdin` as its input; never raises for what the program does."""
    try:
        done = subprocess.run(argv, input=stdin.encode(), capture_output=True, timeout=timeout_s, check=False)
    except OSError as error:
        return Output(tuple(argv), 127, "", str(error))
    except subprocess.TimeoutExpired:
        return Output(tuple(argv), TOOK_TOO_LONG, "", f"still running after {timeout_s} s; stopped")
    return Output(
        tuple(argv), done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def run_all(calls: Sequence[tuple[Sequence[str], str]]) -> list[Output]:
    """Runs several programs, each with its stdin, at the same time; gives their outputs in the order of `calls`."""
    return [output.result() for output in start_all(calls)]


def start_all(calls: Sequence[tuple[Sequence[str], str]]) -> list[Future[Output]]:
    """Starts several programs, each with its stdin, and waits for none; gives their outputs to be, in their order."""
    if not calls:
        return []
    pool = ThreadPoolExecutor(max_workers=min(8, len(calls)))
    outputs = [pool.submit(run, argv, stdin) for argv, stdin in calls]
    pool.shutdown(wait=False)
    return outputs
