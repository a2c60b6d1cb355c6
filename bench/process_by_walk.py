"""What each process's death costs each walk: packets lost at 100 a second, and how long it took to heal.

Brings up the lab of the walks (tests/lab/every_type.yaml) and, for each type, a scene with IPv4 on it and then one with
IPv6.  Each process is killed (-9) once while all walks are walked at once; nobody but the hosts themselves starts it
again.  The first row is of nobody's death: what a busy machine loses by itself.  Where something was lost that must not
be, it is measured once more, and both are shown.  Prints a table for each scene, with the seconds after which nothing
was lost any more, and keeps the raw figures under bench/results/.

    python bench/process_by_walk.py [--type gre --type vlan] [--ip 6] [--seconds 6] [--only ovs-vswitchd]

Fails when, both times, an agent's or the server's death costs a packet, a walk that does not need a process loses one
by its death, or healing takes longer than 2 s, 3 s for ovs-vswitchd.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

import ipv6_losses  # noqa: E402
import ipv6_walks  # noqa: E402
import losses  # noqa: E402
from labs import TestLab, netglass  # noqa: E402
from losses import Loss, Pace, too_much  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from scene import Places, scene_on  # noqa: E402

from bench_lab import keep  # noqa: E402

NAME = "bywalk"

Figures = dict[str, dict[str, Loss]]  # by process and walk


def measure(kind: str, ip: int, seconds: float, only: str) -> tuple[Figures, list[str]]:
    """Kills each process on a scene of one type; gives what was lost, and what of it should not have been."""
    figures: Figures = {}
    faults: list[str] = []
    with scene_on(TestLab(NAME), kind, Places(wire="eth4" if kind == "vlan" else "eth2")) as scene:
        if ip == 4:
            scene.make()
            walks, victims = losses.probes(scene), losses.victims(scene)
        else:
            ipv6_walks.make(scene)
            walks, victims = ipv6_losses.probes(scene), ipv6_losses.victims(scene)
        figures["nobody"] = losses.losses(scene, walks, [], Pace(seconds=seconds))
        for victim in [one for one in victims if only in str(one)]:
            wrong: list[str] = []
            for name in (str(victim), f"{victim} again"):
                found = figures[name] = losses.losses(scene, walks, [victim], Pace(seconds=seconds))
                wrong = [f"{kind}, IPv{ip}: {fault}" for fault in too_much(walks, [victim], found)]
                lost = sum(loss.lost for loss in found.values())
                print(f"{kind}, IPv{ip}: {name}: {lost} lost", *wrong, sep="\n  ", file=sys.stderr, flush=True)
                if not wrong:
                    break
            faults += wrong
    return figures, faults


def show(scene: str, figures: Figures) -> None:
    """Prints a table: a row for each process, a column for each walk."""
    table = Table(title=f"{scene}: packets lost at 100 a second, and seconds until nothing was lost any more")
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
    parser.add_argument("--ip", action="append", type=int, choices=(4, 6), help="default: both")
    parser.add_argument("--seconds", type=float, default=6.0, help="that packets are sent for at each death")
    parser.add_argument("--only", default="", help="processes whose name and host hold this")
    options = parser.parse_args()
    all_figures: dict[str, Figures] = {}
    faults: list[str] = []
    netglass("lab", "up", str(TESTS / "lab/every_type.yaml"), "--lab", NAME)
    try:
        for kind in options.type or ("gre", "vlan"):
            for ip in options.ip or (4, 6):
                figures, found = measure(kind, ip, options.seconds, options.only)
                all_figures[f"{kind}, IPv{ip}"] = figures
                faults += found
    finally:
        netglass("lab", "down", "--lab", NAME)
    for scene, figures in all_figures.items():
        show(scene, figures)
    raw = {
        scene: {victim: {walk: loss._asdict() for walk, loss in found.items()} for victim, found in figures.items()}
        for scene, figures in all_figures.items()
    }
    keep("process-by-walk", {"lost": raw, "faults": faults})
    print("\n".join(faults) or "nothing was lost that must not be")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
