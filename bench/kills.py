"""Kills a cloud's processes anywhere, at any moment, and sees whether it loses anything.

Brings up a lab with 20 light guests, some of which ping at 100 packets a second.  While clients make, change and delete
networks, ports, routers, floating IPs and guests, random processes of random hosts get -9, SIGTERM, or SIGSTOP for
five seconds.  After each round of kills

- ``netglass diff`` must become empty on every host,
- what clients were told of each of their writes must be true,
- what they made is deleted, and nothing of it may be left: no claim on an address, segment or tag in the store, no
  device, rule, file or process on a host.

No packet may be lost by a death but a switch's.

    python bench/kills.py [--count 50] [--guests 20] [--clients 4] [--seed 1] [--database postgresql]

In every other round no switch dies, and clients write nothing that hosts have to wire: what is lost then, a death has
cost.  (A userspace switch with tunnels drops some packets of other ports whenever a port comes or goes.)
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

from killing import Pace, Round, Site, furnished, kill_round, two_servers  # noqa: E402
from labs import TestLab  # noqa: E402
from processes import KINDS  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from bench_lab import keep, lab_up  # noqa: E402
from support.blame import MACHINE, NOBODY, SWITCH  # noqa: E402
from support.postgres import Cluster  # noqa: E402


def run(site: Site, options: argparse.Namespace) -> list[Round]:
    """Kills round by round, until there were enough or something was not right."""
    dice = random.Random(options.seed)
    rounds: list[Round] = []
    while sum(len(done.kills) for done in rounds) < options.count and not any(done.faults for done in rounds):
        every = len(rounds) % 2 == 1
        kinds = KINDS.keys() if every else KINDS.keys() - SWITCH
        try:
            rounds.append(kill_round(site, dice, Pace(clients=options.clients), kinds=kinds, wiring=every))
        except KeyboardInterrupt:
            break  # with what there is
        _tell(rounds)
    return rounds


def _tell(rounds: list[Round]) -> None:
    done = rounds[-1]
    killed = sum(len(each.kills) for each in rounds)
    sent = sum(loss.sent for loss in done.losses)
    words = f"{killed} killed; settled in {done.settled_s:.1f} s; lost: {dict(done.blamed) or 'nothing'} of {sent}"
    print(
        time.strftime("%H:%M:%S"), words, *done.faults, sep="\n  " if done.faults else " ", file=sys.stderr, flush=True
    )


def kills_table(rounds: list[Round]) -> Table:
    """Gives how often which process died, and what it cost."""
    shown = Table(title="Deaths, and the packets they cost at 100 a second on each of five walks")
    for name in ("process", "-9", "STOP", "TERM", "lost, wires left alone", "lost while hosts wire"):
        shown.add_column(name, justify="left" if name == "process" else "right")
    how = Counter((kill.kind, kill.how) for done in rounds for kill in done.kills)
    lost = {
        wiring: sum((done.blamed for done in rounds if done.wiring is wiring), Counter[str]())
        for wiring in (False, True)
    }
    for kind in [*sorted({kind for kind, _ in how}), NOBODY, MACHINE]:
        counts = [how[kind, name] for name in ("-9", "STOP", "TERM")]
        shown.add_row(kind, *map(str, (*counts, lost[False][kind], lost[True][kind])))
    return shown


def writes_table(rounds: list[Round]) -> Table:
    """Gives what clients were told."""
    shown = Table(title="Writes of the clients")
    shown.add_column("told")
    shown.add_column("times", justify="right")
    for told, times in _told(rounds).most_common():
        shown.add_row(told, str(times))
    return shown


def _told(rounds: list[Round]) -> Counter[str]:
    return sum((Counter(done.ledger.told()) for done in rounds), Counter[str]())


def figures(rounds: list[Round]) -> list[dict[str, Any]]:
    """Gives everything raw."""
    return [
        {
            "wiring": done.wiring,
            "settled_s": round(done.settled_s, 2),
            "blamed": done.blamed,
            "faults": done.faults,
            "kills": [kill._asdict() for kill in done.kills],
            "walks": [
                {"walk": loss.walk, "sent": loss.sent, "held": len(loss.held), "lost": loss.lost}
                for loss in done.losses
            ],
            "told": done.ledger.told(),
            "writes": Counter(write.outcome.value for writes in done.ledger.writes().values() for write in writes),
        }
        for done in rounds
    ]


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
    parser.add_argument("--count", type=int, default=50, help="kills, in rounds of 40")
    parser.add_argument("--guests", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--database", choices=("sqlite", "postgresql"), default="sqlite", help="two servers on the latter"
    )
    parser.add_argument("--lab", help="a lab that is up, and stays so")
    options = parser.parse_args()
    with _lab(options) as lab, furnished(TestLab(lab), options.guests) as site:
        rounds = run(site, options)
    console = Console(width=120)
    console.print(kills_table(rounds))
    console.print(writes_table(rounds))
    settled = [done.settled_s for done in rounds]
    middle, most = statistics.median(settled), max(settled)
    console.print(f"Right again after the last kill of a round: median {middle:.1f} s, most {most:.1f} s")
    faults = [fault for done in rounds for fault in done.faults]
    alone = sum((done.blamed for done in rounds if not done.wiring), Counter[str]())
    faults += [f"{times} packets were lost by {kind}" for kind, times in alone.items() if kind != MACHINE]
    for fault in faults:
        console.print(fault, markup=False, highlight=False)
    keep("kills", {"seed": options.seed, "database": options.database, "faults": faults, "rounds": figures(rounds)})
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
