"""A bridge's OpenFlow table: read back, changed in bundles, and listened to.

Through ``ovs-ofctl``, the switch project's own tool: what it accepts and prints is what operators see.  Flows are
text here; ``pipeline`` says what the text means.

Source: ovs-ofctl(8); FACTS.md ("dump-flows with OpenFlow 1.0 hides meters and more").
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from netglass.base.errors import NetglassError
from netglass.host.run import Output, run, run_all, start_all

_OFCTL = ("ovs-ofctl", "-O", "OpenFlow15")


class FlowsRefused(NetglassError):
    """The switch, or ovs-ofctl before it, did not take what was said; the message is its own."""


Dumps = dict[str, "list[str] | FlowsRefused"]
"""Lines of flows by bridge; one that cannot be asked has the reason in their place."""


def control_socket(directory: str, bridge: str) -> tuple[int, int] | None:
    """Gives what tells the socket by which a bridge is asked from others of its name; None when there is none.

    A switch makes it when it makes the bridge, which then has no flows.  Source: ovs-vswitchd(8), "Controller
    connectivity"; Open vSwitch, connmgr.c.
    """
    try:
        status = (Path(directory) / f"{bridge}.mgmt").stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def dump_flows(bridges: Sequence[str], cookie: int, mask: int) -> Callable[[], Dumps]:
    """Begins to ask for all flows whose cookie fits, no counters, ports by number; what it gives waits for them."""
    wanted = f"cookie={cookie:#x}/{mask:#x}"
    calls = [([*_OFCTL, "--no-names", "--no-stats", "dump-flows", bridge, wanted], "") for bridge in bridges]
    outputs = dict(zip(bridges, start_all(calls), strict=True))
    return lambda: {bridge: _lines(output.result()) for bridge, output in outputs.items()}


def _lines(output: Output) -> list[str] | FlowsRefused:
    if not output.ok:
        return FlowsRefused(output.evidence)
    return [line for line in output.stdout.splitlines() if "actions=" in line]


def commit_bundles(lines_by_bridge: Mapping[str, Sequence[str]]) -> dict[str, Output]:
    """Does all changes of each bridge in one atomic bundle, or none of them; the bridges at the same time.

    Each line is a verb of add-flows and a flow, ports by number, as ``add …`` or ``delete_strict …``.
    """
    calls = [
        ([*_OFCTL, "--bundle", "--no-names", "add-flows", bridge, "-"], "".join(f"{line}\n" for line in lines))
        for bridge, lines in lines_by_bridge.items()
    ]
    return dict(zip(lines_by_bridge, run_all(calls), strict=True))


def forget_translations() -> Output:
    """Lets the switch forget how it treated each kind of packet that it has seen; the next of each is looked at anew.

    Flows and what the switch learnt stay.  Source: ovs-vswitchd(8), revalidator/purge.
    """
    return run(["ovs-appctl", "revalidator/purge"])


class FlowEvents:
    """News of changed flows of one bridge, from an ``ovs-ofctl monitor`` that dies with us.

    The end of the news (`ended`) mostly means that the bridge or the switch is gone, and its flows with it.  When it
    ends before it `spoke`, there was nothing to listen to.
    """

    def __init__(self, bridge: str) -> None:
        self.bridge = bridge
        self.ended = False
        self.spoke = False
        # setpriv: the kernel ends the child when we are killed; without it, one is left for every crash.
        argv = ["setpriv", "--pdeathsig", "KILL", "ovs-ofctl", "monitor", bridge, "watch:!initial"]
        # ovs-ofctl 3.1 prints its first reply to standard output, and all that follows to standard error.
        self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self._child.stdout is not None
        self._stdout = self._child.stdout
        os.set_blocking(self._stdout.fileno(), False)
        self._rest = b""

    def fileno(self) -> int:
        """Gives the descriptor that is readable when there is news."""
        return self._stdout.fileno()

    def drain(self) -> list[str]:
        """Gives the lines of news since the last call; sets `ended` when there will be no more.

        The first line, a heading, says that the listening has begun: what changed before it was not heard.
        """
        lines: list[str] = []
        while True:
            try:
                received = os.read(self.fileno(), 1 << 16)
            except BlockingIOError:
                return lines
            if not received:
                self.ended = True
                return lines
            *whole, self._rest = (self._rest + received).split(b"\n")
            self.spoke |= bool(whole)
            lines += [line.decode(errors="replace") for line in whole]

    def close(self) -> None:
        """Ends the listening."""
        self._child.kill()
        self._child.wait()
        self._stdout.close()
