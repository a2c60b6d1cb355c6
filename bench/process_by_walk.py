"""What each process's death costs each walk: packets lost at 100 a second, and how long it took to heal.

Brings up the lab of the walks (tests/lab/every_type.yaml) and a scene on it, for each type.  Each process is killed
(-9) once while all walks are walked at once; nobody but the hosts themselves starts it again.  Prints a table for each
type, with the seconds after which nothing was lost any more, and keeps the raw figures under bench/results/.

    python bench/process_by_walk.py [--type gre --type vlan] [--seconds 6] [--only ovs-vswitchd]

Fails when an agent's or the server's death costs a packet, when a walk that does not need a process loses one by its
death, or when healing takes longer than 2 s, 3 s for ovs-vswitchd.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from labs import TestLab, netglass  # noqa: E402
from losses import Loss, Pace, losses, probes, too_much, victims  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from scene import Places, scene_on  # noqa: E402

RESULTS = Path(__file__).parent / "results"
NAME = "bywalk"

Figures = dict[str, dict[str, Loss]]  # by process and walk


def measure(kind: str, seconds: float, only: str) -> tuple[Figures, list[str]]:
    """Kills each process on a scene of one type; gives what was lost, and what of it should not have been."""
    figures: Figures = {}
    faults: list[str] = []
    with scene_on(TestLab(NAME), kind, Places(wire="eth4" if kind == "vlan" else "eth2")) as scene:
        scene.make()
        walks = probes(scene)
        for victim in [one for one in victims(scene) if only in one.name]:
            found = losses(scene, walks, [victim], Pace(seconds=seconds))
            figures[str(victim)] = found
            faults += [f"{kind}: {fault}" for fault in too_much(walks, [victim], found)]
            print(f"{kind}: {victim}: {sum(loss.lost for loss in found.values())} lost", file=sys.stderr, flush=True)
    return figures, faults


def show(kind: str, figures: Figures) -> None:
    """Prints a table: a row for each process, a column for each walk."""
    table = Table(title=f"{kind}: packets lost at 100 a second, and seconds until nothing was lost any more")
    table.add_column("killed")
    for name in next(iter(figures.values())):
        table.add_column(name, justify="right")
    for victim, found in figures.items():
        cells = [f"{loss.lost} ({loss.healed_s:.2f})" if loss.lost else "0" for loss in found.values()]
        table.add_row(victim, *cells)
    Console(width=200).print(table)


def main() -> int:
    """Measures, prints and keeps; gives 1 when something was lost that must not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--type", action="append", choices=("gre", "vxlan", "vlan"), help="default: gre and vlan")
    parser.add_argument("--seconds", type=float, default=6.0, help="that packets are sent for at each death")
    parser.add_argument("--only", default="", help="processes whose name holds this")
    options = parser.parse_args()
    all_figures: dict[str, Figures] = {}
    faults: list[str] = []
    netglass("lab", "up", str(TESTS / "lab/every_type.yaml"), "--lab", NAME)
    try:
        for kind in options.type or ("gre", "vlan"):
            all_figures[kind], found = measure(kind, options.seconds, options.only)
            faults += found
    finally:
        netglass("lab", "down", "--lab", NAME)
    for kind, figures in all_figures.items():
        show(kind, figures)
    raw = {
        kind: {v: {walk: loss._asdict() for walk, loss in found.items()} for v, found in figures.items()}
        for kind, figures in all_figures.items()
    }
    path = RESULTS / f"process_by_walk-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    record = {"load": os.getloadavg(), "cores": os.cpu_count(), "lost": raw, "faults": faults}
    path.write_text(json.dumps(record, indent=1) + "\n")
    print(f"raw figures: {path}")
    print("\n".join(faults) or "nothing was lost that must not be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
