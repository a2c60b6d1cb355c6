"""Records what a lab prints while the demo plays on it, for the tests of the demo's claims.

    .venv/bin/python tools/record_demo.py vlan gre     (as root; brings up those labs, which must not be there yet)

Writes tests/unit/demo/recorded/<part>.json.  To be run when a part asks for something new, or a command prints anew.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from netglass.demo.claims import Claim, Event, Shown
from netglass.demo.labs import stages
from netglass.demo.run import PARTS, show
from netglass.demo.stage import Stage, Watch

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "tests" / "unit" / "demo" / "recorded"
ELSEWHERE = "/srv/netglass"  # stands for the directory of this tree, which is nobody's business


class Recording:
    """A stage that keeps what was shown on another one, in the order of the questions."""

    fresh = True

    def __init__(self, stage: Stage) -> None:
        self.shown: list[Shown] = []
        self._stage = stage

    def client(self, user: str, *words: str) -> Shown:
        """See `Stage`."""
        return self.clients((user, *words))[0]

    def clients(self, *asked: Sequence[str]) -> list[Shown]:
        """See `Stage`."""
        found = self._stage.clients(*asked)
        self.shown += found
        return found

    def netglass(self, user: str, *words: str) -> Shown:
        """See `Stage`."""
        return self._kept(self._stage.netglass(user, *words))

    def on(self, host: str, *argv: str) -> Shown:
        """See `Stage`."""
        return self._kept(self._stage.on(host, *argv))

    def inside(self, guest: str, *argv: str) -> Shown:
        """See `Stage`."""
        return self._kept(self._stage.inside(guest, *argv))

    def until(self, look: Callable[[], Shown], good: Callable[[Shown], bool]) -> Shown:
        """See `Stage`; of all looks the last one is kept."""
        before = len(self.shown)
        found = self._stage.until(look, good)
        del self.shown[before:-1]
        return found

    @contextmanager
    def watch(self, host: str, *argv: str, ready: str) -> Iterator[Watch]:
        """See `Stage`."""
        with self._stage.watch(host, *argv, ready=ready) as watch:
            yield Kept(watch, self)

    def _kept(self, shown: Shown) -> Shown:
        self.shown.append(shown)
        return shown


class Kept:
    """A watch whose result is kept."""

    def __init__(self, watch: Watch, recording: Recording) -> None:
        self._watch = watch
        self._recording = recording

    def result(self, enough: Callable[[str], bool] | None = None) -> Shown:
        """See `Watch`."""
        found = self._watch.result(enough)
        self._recording.shown.append(found)
        return found


def main(parts: list[str]) -> int:
    """Records each part; status 1 when one of its claims does not hold, 2 for wrong words or a lab that is there."""
    if not parts or not set(parts) <= set(PARTS):
        print(__doc__, file=sys.stderr)
        return 2
    found, _ = stages(parts, lambda lab, text: print(f"{lab}: {text}"))
    if not all(stage.fresh for stage in found.values()):
        print("such a lab was up before: netglass lab down NAME, and again", file=sys.stderr)
        return 2
    good = True
    for part, stage in found.items():
        recording = Recording(stage)
        good &= show(part, recording, _say).good
        entries = [
            {
                "place": shown.place,
                "command": shown.command,
                "status": shown.status,
                "output": re.sub("(?<=Bearer )[0-9a-f]+", "…", shown.output).replace(str(ROOT), ELSEWHERE),
            }
            for shown in recording.shown
        ]
        (RECORDED / f"{part}.json").write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")
    return 0 if good else 1


def _say(event: Event) -> None:
    if isinstance(event, Claim) and not event.held:
        print(f"does not hold: {event.text}: wanted {event.wanted}, found {event.found}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
