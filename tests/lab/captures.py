"""What crosses the devices of a lab's hosts and namespaces, by their own tcpdump, and packets followed through it."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from labs import AT_ONCE, TestLab

_DIRECTORY = "/run/walks"
_LINE = re.compile(r"(\d+\.\d+) (.*)")
# With -i any: the device, and how it saw the frame: P, M, B and In are all from outside.
_COOKED = re.compile(r"(\S+) +(In|Out|P|M|B) +ifindex \d+ (.*)")

_CONTINUED = re.compile(r"\n(?!\d+\.\d+ )")  # what is in a VXLAN packet is printed on the next line

_START = """
mkdir -p "$0" && cd "$0" || exit
for device in "$@"; do
    tcpdump AT_ONCE -Z root -tt -lnne -i "$device" >"$device" 2>"$device.said" &
    echo $! >>pids
done
for device in "$@"; do
    until grep -qs 'listening on' "$device.said"; do kill -0 $(tail -n1 pids) && sleep 0.02 || exit; done
done
echo ready
wait
""".replace("AT_ONCE", " ".join(AT_ONCE))


class Space(NamedTuple):
    """A network namespace of a host; `netns` is empty for the host's own."""

    host: str
    netns: str = ""

    def __str__(self) -> str:
        return f"{self.host}, {self.netns}" if self.netns else self.host


class Hop(NamedTuple):
    """A place where a packet must be seen.

    out   it leaves by the device; None: not asked
    text  a pattern in how tcpdump prints it
    """

    space: Space
    device: str
    out: bool | None
    text: str

    def __str__(self) -> str:
        way = {True: " out", False: " in", None: ""}[self.out]
        return f"{self.space}: {self.device}{way}: {self.text}"


class Sight(NamedTuple):
    """A frame as it was seen.

    at  seconds of the machine's clock
    """

    at: float
    space: Space
    device: str
    out: bool | None
    text: str

    def __str__(self) -> str:
        way = {True: "out", False: "in", None: ""}[self.out]
        return f"{self.at:.6f} {self.space}: {self.device} {way}: {self.text}"


class Watch:
    """A capture on every device of a space, and on some alone, which shows VLAN tags that the others hide."""

    def __init__(self, lab: TestLab, space: Space, alone: Sequence[str] = ()) -> None:
        self._lab, self._space = lab, space
        self._directory = f"{_DIRECTORY}/{space.netns or 'host'}"
        self._devices = ("any", *alone)
        within = ("ip", "netns", "exec", space.netns) if space.netns else ()
        argv = [*lab.to_host(space.host), *within, "sh", "-c", _START, self._directory, *self._devices]
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def await_ready(self) -> None:
        """Waits until every frame from now on is seen."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n", f"tcpdump ended in {self._space}"

    def sights(self) -> list[Sight]:
        """Gives all that was seen so far."""
        found: list[Sight] = []
        for device in self._devices:
            said = self._lab.on(self._space.host, "cat", f"{self._directory}/{device}")
            for line in _CONTINUED.sub(" ", said).splitlines():
                match = _LINE.match(line)
                if match is None:
                    continue
                cooked = _COOKED.match(match[2]) if device == "any" else None
                if cooked is not None:
                    found.append(Sight(float(match[1]), self._space, cooked[1], cooked[2] == "Out", cooked[3]))
                elif device != "any":
                    found.append(Sight(float(match[1]), self._space, device, None, match[2]))
        return found

    def end(self) -> None:
        """Ends it; what it saw is gone."""
        script = f'cd {self._directory} && kill $(cat pids); rm -rf "$PWD"'
        self._lab.on(self._space.host, "sh", "-c", script, check=False)
        self._process.communicate(timeout=20)


class Watches:
    """Captures in many spaces."""

    def __init__(self, lab: TestLab, spaces: Iterable[tuple[Space, Sequence[str]]]) -> None:
        self._watches = [Watch(lab, space, alone) for space, alone in spaces]
        for watch in self._watches:
            watch.await_ready()

    def sights(self, since: float) -> list[Sight]:
        """Gives what was seen since a time, in the order of time."""
        found = [sight for watch in self._watches for sight in watch.sights() if sight.at >= since]
        return sorted(found, key=lambda sight: sight.at)

    def follow(self, hops: Sequence[Hop], since: float, within_s: float = 3.0) -> list[Sight]:
        """Gives how a packet was seen at each hop, each not before the one before it; fails at the first that lacks."""
        end = time.monotonic() + within_s
        while True:
            sights = self.sights(since)
            found = _found(hops, sights, since)
            if len(found) == len(hops):
                return found
            if time.monotonic() > end:
                hop = hops[len(found)]
                there = [sight for sight in sights if (sight.space, sight.device) == (hop.space, hop.device)]
                seen = "\n".join(map(str, [*found, f"--- the last that was seen at {hop.device}:", *there[-20:]]))
                raise AssertionError(f"not seen at hop {len(found) + 1} of {len(hops)}, {hop}, after\n{seen}")

    def end(self) -> None:
        for watch in self._watches:
            watch.end()


def _found(hops: Sequence[Hop], sights: Sequence[Sight], since: float) -> list[Sight]:
    found: list[Sight] = []
    at = since
    for hop in hops:
        pattern = re.compile(hop.text)
        fits = (
            sight
            for sight in sights
            if sight.at >= at
            and (sight.space, sight.device, sight.out) == (hop.space, hop.device, hop.out)
            and pattern.search(sight.text)
        )
        sight = next(fits, None)
        if sight is None:
            break
        found.append(sight)
        at = sight.at
    return found
