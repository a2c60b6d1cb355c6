"""PID 1 of a lab host, here as an ordinary process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

from support.pace import until

INIT = Path(__file__).parents[3] / "src/netglass/lab/init.py"
PATH = {"PATH": "/usr/bin:/bin"}


class Init:
    def __init__(self, directory: Path, services: list[dict[str, Any]], *, go: bool = True) -> None:
        self.log = directory / "log"
        (directory / "services.json").write_text(json.dumps([{"environment": PATH, **s} for s in services]))
        reading, writing = os.pipe()
        words = [sys.executable, "-I", "-S", str(INIT), str(directory / "services.json")]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{reading}', "bash", *words], stdout=self.log.open("w"), pass_fds=(reading,)
        )
        if go:
            os.write(writing, b".")
        os.close(reading)
        os.close(writing)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=5)
        # On a host the kernel does this, at the end of PID 1.
        for line in self.log.read_text().splitlines():
            if ": started as " in line:
                with suppress(ProcessLookupError):
                    os.kill(int(line.split()[-1]), signal.SIGKILL)

    def said(self, words: str) -> int:
        return self.log.read_text().count(words)


def _service(directory: Path, name: str, *argv: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": "simple", "argv": list(argv), "log": str(directory / f"{name}.log"), **more}


def test_a_host_whose_lab_died_before_it_was_wired_ends(tmp_path: Path) -> None:
    init = Init(tmp_path, [_service(tmp_path, "a", "sleep", "1000")], go=False)
    assert init.process.wait(timeout=5) == 0
    assert init.said("started") == 0


def test_what_comes_after_something_waits_for_its_end(tmp_path: Path) -> None:
    first = _service(tmp_path, "first", "sh", "-c", f"sleep 0.1; echo made > {tmp_path}/made") | {"kind": "once"}
    init = Init(tmp_path, [_service(tmp_path, "second", "cat", str(tmp_path / "made"), after=["first"]), first])
    until(lambda: (tmp_path / "second.log").exists() and (tmp_path / "second.log").read_text().startswith("made"))
    init.end()


def test_what_is_there_already_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    once = _service(tmp_path, "once", "false", unless=str(tmp_path / "there")) | {"kind": "once"}
    init = Init(tmp_path, [once, _service(tmp_path, "after", "sleep", "1000", after=["once"])])
    until(lambda: init.said("after: started") == 1)
    assert init.said("once: started") == 0
    init.end()


def test_what_dies_is_started_again_at_once_and_what_dies_at_once_less_and_less_often(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    broken = ("sh", "-c", f"cut -d ' ' -f 1 /proc/uptime >> {starts}; exit 1")
    init = Init(tmp_path, [_service(tmp_path, "broken", *broken), _service(tmp_path, "good", "sleep", "1000")])
    until(lambda: init.said("broken: started") == 6)
    began = [float(line) for line in starts.read_text().splitlines()]
    pauses = (0.0, 0.1, 0.2, 0.4)
    waited = [later - earlier for earlier, later in pairwise(began)]
    assert all(gap > pause - 0.02 for gap, pause in zip(waited, pauses, strict=False)), waited  # in hundredths

    until(lambda: init.said("good: started") == 1)
    _kill(init, "good")
    until(lambda: init.said("good: started") == 2)
    init.end()


def _kill(init: Init, name: str) -> None:
    (line,) = [line for line in init.log.read_text().splitlines() if f"{name}: started as" in line]
    os.kill(int(line.split()[-1]), signal.SIGKILL)


def test_a_program_that_is_not_there_does_not_stop_the_others(tmp_path: Path) -> None:
    init = Init(tmp_path, [_service(tmp_path, "a", "no-such-program"), _service(tmp_path, "b", "sleep", "1000")])
    until(lambda: init.said("b: started") == 1)
    assert init.said("a: [Errno 2]") >= 1
    init.end()


def test_a_daemon_that_dies_before_its_starter_is_started_again(tmp_path: Path) -> None:
    starter = f"sleep 0 & echo $! > {tmp_path}/pid; wait $!"  # dead and reaped by the time that the starter ends
    daemon = _service(tmp_path, "daemon", "sh", "-c", starter, pid_file=str(tmp_path / "pid")) | {"kind": "forking"}
    init = Init(tmp_path, [daemon])
    until(lambda: init.said("daemon: started") >= 2)
    init.end()
