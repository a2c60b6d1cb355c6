"""PID 1 of a lab host: starts the host's programs, starts them again when they die, and reaps everything.

Run by file, not as part of the package (``python -I -S init.py services.json``): only the standard library, and of
that the little that costs neither time nor memory.  It reads one line from descriptor 3 before it starts anything:
the lab writes it when the host is wired; a lab that was killed first never does, and the host ends.

A service's ``kind`` is
    once      run to its end before anything after it
    forking   its starter leaves with status 0 once the daemon is ready, and the pid file names the daemon, which has
              become a child of ours
    simple    the process itself
and its ``nice`` its nice value (nice(1)), 0 where it has none.

What dies is started again at once; what dies within a second of its start waits, twice as long each time up to five
seconds, so that a broken program does not eat a core.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

_SHORT_LIFE_S = 1.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


class Service:
    """One program of the host, and how it is doing.

    phase  waiting (for others, or for `due`), starting, running, done (a ``once`` that went well)
    """

    def __init__(self, spec: dict) -> None:  # type: ignore[type-arg]  # JSON as it comes
        self.name: str = spec["name"]
        self.kind: str = spec["kind"]
        self.argv: list[str] = spec["argv"]
        self.after: list[str] = spec.get("after", [])
        self.unless: str = spec.get("unless", "")
        self.pid_file: str = spec.get("pid_file", "")
        self.nice: int = spec.get("nice", 0)
        self.log: str = spec["log"]
        self.environment: dict[str, str] = spec.get("environment", {})
        self.phase = "waiting"
        self.pid = 0
        self.due = 0.0
        self.began = 0.0
        self.pause = 0.0

    @property
    def ready(self) -> bool:
        """Says whether what comes after this may start."""
        return self.phase in ("done", "running")

    def start(self) -> None:
        """Starts it; a failure to do so counts as an early death."""
        if self.unless and os.path.exists(self.unless):  # noqa: PTH110 - pathlib is not worth its import here
            self.phase = "done"
            return
        self.began = time.monotonic()
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            if self.nice:  # inherited, by every thread of it
                os.setpriority(os.PRIO_PROCESS, 0, self.nice)
            self.pid = os.posix_spawnp(
                self.argv[0],
                self.argv,
                self.environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, self.log, append, 0o640),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except OSError as error:
            say(f"{self.name}: {error}")
            self._wait_a_while()
            return
        finally:
            if self.nice:
                os.setpriority(os.PRIO_PROCESS, 0, 0)
        self.phase = "running" if self.kind == "simple" else "starting"
        say(f"{self.name}: started as {self.pid}")

    def ended(self, status: int) -> None:
        """Takes in that its process ended."""
        code = os.waitstatus_to_exitcode(status)
        if self.phase == "starting" and code == 0:
            if self.kind == "once":
                self.phase, self.pid = "done", 0
                return
            daemon = read_pid(self.pid_file)
            if daemon and os.path.exists(f"/proc/{daemon}"):  # noqa: PTH110 - as above; else it died before its starter
                self.phase, self.pid = "running", daemon
                self._lead(daemon)
                return
        how = f"signal {-code}" if code < 0 else f"status {code}"
        say(f"{self.name}: {self.pid} ended with {how}")
        if time.monotonic() - self.began >= _SHORT_LIFE_S:
            self.pause = 0.0
        self._wait_a_while()

    def _lead(self, pid: int) -> None:
        """Gives the session that a process leads its nice value: the kernel weighs sessions first (sched(7))."""
        if not self.nice:
            return
        try:
            with open(f"/proc/{pid}/autogroup", "w") as file:  # noqa: PTH123 - pathlib is not worth its import here
                file.write(str(self.nice))
        except OSError as error:  # it has ended, or the kernel does not do so
            say(f"{self.name}: {pid} keeps its session's priority: {error}")

    def _wait_a_while(self) -> None:
        self.phase, self.pid = "waiting", 0
        self.due = time.monotonic() + self.pause
        self.pause = min(max(self.pause * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)


def say(text: str) -> None:
    """Writes a line to the host's init log."""
    print(time.strftime("%Y-%m-%dT%H:%M:%S"), text, flush=True)


def read_pid(path: str) -> int:
    """Reads a pid file; 0 when it holds none."""
    try:
        with open(path) as file:  # noqa: PTH123 - pathlib is not worth its import here
            return int(file.read())
    except (OSError, ValueError):
        return 0


def start_due(services: list[Service]) -> float | None:
    """Starts what may start; gives the seconds until the next one is due, None when none waits for time."""
    by_name = {service.name: service for service in services}
    moved = True
    while moved:
        moved = False
        for service in services:
            may = service.phase == "waiting" and service.due <= time.monotonic()
            if may and all(by_name[name].ready for name in service.after):
                service.start()
                moved = moved or service.ready
    pauses = [service.due - time.monotonic() for service in services if service.phase == "waiting" and service.due]
    return min((pause for pause in pauses if pause > 0), default=None)


def reap(services: list[Service]) -> None:
    """Takes in every process that has ended; most are orphans that nobody else waits for."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for service in services:
            if service.pid == pid:
                service.ended(status)


def main() -> None:
    """Runs the host until it is told to end."""
    # Blocked, so that none comes between looking and waiting; sigtimedwait(2) takes them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    if not os.read(3, 1):
        return
    os.close(3)
    with open(sys.argv[1]) as file:  # noqa: PTH123
        services = [Service(spec) for spec in json.load(file)]
    while True:
        pause = start_due(services)
        if pause is None:
            got = signal.Signals(signal.sigwait(_SIGNALS))
        else:
            taken = signal.sigtimedwait(_SIGNALS, max(pause, 0.0))
            got = signal.SIGCHLD if taken is None else signal.Signals(taken.si_signo)
        if got != signal.SIGCHLD:
            say(f"ending: {got.name}")
            return  # the end of PID 1 is the end of every process in its namespace
        reap(services)


if __name__ == "__main__":
    main()
