"""Kills a cloud's processes anywhere, at any moment, and sees whether it loses anything.

Brings up a lab with 20 light guests, some of which ping at 100 packets a second.  While clients make, change and delete
networks, ports, routers, floating IPs and guests, random processes of random hosts get -9, SIGTERM, or SIGSTOP for
five seconds.  After each round of kills the clients wait, and

- ``netglass diff`` must become empty on every host,
- what clients were told of each of their writes must be true.

In the end all that clients made is deleted, and nothing may be left: no claim on an address, segment or tag in the
store, no device, rule, file or process on a host.  No packet may be lost by a death but a switch's.

    python bench/kills.py [--count 50] [--guests 20] [--clients 4] [--seed 1] [--keep]

Every other round leaves the switches alone, so that a packet that another death costs cannot be laid on one.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from footprint import leaks, of_cloud  # noqa: E402
from killing import Pace, Round, Site, furnished, kill_round, settle, two_servers  # noqa: E402
from labs import TestLab  # noqa: E402
from processes import KINDS  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bench_lab import keep, lab_up  # noqa: E402
from support.blame import NOBODY, SWITCH, in_the_clear  # noqa: E402
from support.load import Load, clear, found  # noqa: E402
from support.postgres import Cluster  # noqa: E402
from support.writes import Outcome  # noqa: E402

_PACE = Pace()


def run(site: Site, options: argparse.Namespace) -> tuple[list[Round], Load, list[str]]:
    """Kills round by round; gives the rounds, what clients were told, and what was not right in the end."""
    dice = random.Random(options.seed)
    faults = settle(site)
    before = of_cloud(site.lab)
    load = site.load(options.clients)
    rounds: list[Round] = []
    try:
        while sum(len(done.kills) for done in rounds) < options.count and not any(done.faults for done in rounds):
            kinds = KINDS if len(rounds) % 2 else KINDS.keys() - SWITCH
            rounds.append(kill_round(site, load, dice, _PACE, kinds))
            _tell(rounds)
    finally:
        load.stop()
    faults += load.ledger.contradictions(found(site.admin))
    clear(site.admin)
    faults += settle(site)
    after = of_cloud(site.lab)
    return rounds, load, [*faults, *leaks(before, after)]


def _tell(rounds: list[Round]) -> None:
    done = rounds[-1]
    killed = sum(len(each.kills) for each in rounds)
    words = f"{killed} killed; settled in {done.settled_s:.1f} s; lost: {dict(done.blamed) or 'nothing'}"
    print(
        time.strftime("%H:%M:%S"), words, *done.faults, sep="\n  " if done.faults else " ", file=sys.stderr, flush=True
    )


def kills_table(rounds: list[Round], site: Site) -> Table:
    """Gives how often which process died, and what it cost."""
    shown = Table(title="Deaths, and the packets they cost at 100 a second on each of five walks")
    for name in ("process", "-9", "STOP", "TERM", "in the clear", "lost"):
        shown.add_column(name, justify="left" if name == "process" else "right")
    every = [kill for done in rounds for kill in done.kills]
    lost = sum((done.blamed for done in rounds), Counter[str]())
    hosts = [walk.hosts for walk in site.walks]
    for kind in [*sorted({kill.kind for kill in every}), NOBODY]:
        of_kind = [kill for kill in every if kill.kind == kind]
        how = Counter(kill.how for kill in of_kind)
        clear_ = sum(any(in_the_clear(kill, some, every) for some in hosts) for kill in of_kind)
        shown.add_row(kind, *(str(how[name]) for name in ("-9", "STOP", "TERM")), str(clear_), str(lost[kind]))
    return shown


def writes_table(load: Load) -> Table:
    """Gives what clients were told."""
    shown = Table(title="Writes of the clients")
    shown.add_column("told")
    shown.add_column("times", justify="right")
    for told, times in sorted(load.ledger.told().items(), key=lambda one: -one[1]):
        shown.add_row(told, str(times))
    return shown


def figures(rounds: list[Round], load: Load, faults: list[str]) -> dict[str, Any]:
    """Gives everything raw."""
    outcomes = Counter(write.outcome for writes in load.ledger.writes().values() for write in writes)
    return {
        "rounds": [
            {
                "settled_s": round(done.settled_s, 2),
                "blamed": done.blamed,
                "faults": done.faults,
                "kills": [kill._asdict() for kill in done.kills],
                "walks": [{"walk": loss.walk, "sent": loss.sent, "lost": loss.lost} for loss in done.losses],
            }
            for done in rounds
        ],
        "told": load.ledger.told(),
        "writes": {outcome.value: outcomes[outcome] for outcome in Outcome},
        "faults": faults,
    }


@contextmanager
def _lab(options: argparse.Namespace) -> Iterator[str]:
    """Gives a lab on the database that was asked for."""
    if options.lab or options.database == "sqlite":
        with lab_up(options.lab, "kills", "gre") as lab:
            yield lab
        return
    cluster = Cluster(durable=True)
    try:
        file = cluster.short_directory() / "lab.yaml"
        file.write_text(two_servers(cluster.url(cluster.create())))
        with lab_up(None, "killspg", str(file)) as lab:
            yield lab
    finally:
        cluster.remove()


def main() -> int:
    """Kills, prints, keeps; gives 1 when anything was not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=50, help="kills, in rounds of 25")
    parser.add_argument("--guests", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--database", choices=("sqlite", "postgresql"), default="sqlite", help="two servers on the latter"
    )
    parser.add_argument("--lab", help="a lab that is up, and stays so")
    options = parser.parse_args()
    with _lab(options) as lab, furnished(TestLab(lab), options.guests) as site:
        rounds, load, faults = run(site, options)
        kills = kills_table(rounds, site)
    console = Console(width=120)
    console.print(kills)
    console.print(writes_table(load))
    settled = [done.settled_s for done in rounds]
    middle, most = statistics.median(settled), max(settled)
    console.print(f"Right again after the last kill of a round: median {middle:.1f} s, most {most:.1f} s")
    lost = sum((done.blamed for done in rounds), Counter[str]())
    faults += [fault for done in rounds for fault in done.faults]
    faults += [f"{times} packets were lost by {kind}" for kind, times in lost.items() if kind not in SWITCH]
    for fault in faults:
        console.print(fault, markup=False, highlight=False)
    keep("kills", {"seed": options.seed, "database": options.database} | figures(rounds, load, faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
