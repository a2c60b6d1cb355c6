"""What partitions cost guests: a host cut off from the servers, the servers from PostgreSQL, one server from the other.

Brings up a VLAN lab with two hosts that lead outside, with guests that ping each other a hundred times a second, while
an administrator makes and deletes networks and ports.  Each partition lasts `--seconds`:

host      eth1 of a host with guests, DHCP servers and a router is down; its router must stay there, as it works
database  both servers' connections to PostgreSQL are silent: nothing passes, and nothing is closed
servers   one server's are, so that it and the other, to which agents and clients can turn, know nothing of each other

Prints for each what each way of packets lost, how the requests ended, and how soon after its end every host was right;
fails when a packet was lost, a router moved, or something is not as intent says, or is twice.  Keeps the raw figures.

    python bench/partitions.py [--seconds 60] [--only host]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from bench_lab import Figures, keep

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from cloud import until  # noqa: E402
from labs import TestLab, netglass, two_gateways  # noqa: E402
from partitioned import Load, Traffic, await_right  # noqa: E402
from routed import Routed  # noqa: E402
from scene import INTERNET  # noqa: E402
from story_fixtures import api_of  # noqa: E402
from two_servers import TwoServers, two_servers  # noqa: E402

NAME = "partitions"
HOSTS = ("control", "compute1", "compute2")
CUT_OFF = "compute2"
SETTLING_S = 5  # that packets and requests go on after the end of a partition


@contextmanager
def lab_up() -> Iterator[TestLab]:
    """Gives a lab that is up."""
    with TemporaryDirectory() as directory:
        path = Path(directory) / "lab.yaml"
        path.write_text(yaml.safe_dump(two_gateways(NAME)))
        netglass("lab", "up", str(path))
    try:
        yield TestLab(NAME)
    finally:
        netglass("lab", "down", NAME)


def measured(lab: TestLab, seconds: float, flowing: Any, cut: Callable[[], Any], heal: Callable[[], Any]) -> Figures:
    """Partitions for so long under load; gives what was lost, and whether all is right afterwards.

    flowing  packets at a steady pace, as Traffic gives them
    """
    load = Load(api_of(lab, "admin"), HOSTS[1:])
    with load.running(), flowing as ways:
        time.sleep(2)
        cut()
        time.sleep(seconds)
        heal()
        healed = time.monotonic()
        time.sleep(SETTLING_S)
    fault = ""  # looked for once the load has ended: a port without a guest is never realised
    try:
        await_right(lab, HOSTS, 60)
    except AssertionError as error:
        fault = str(error)
    right_s = time.monotonic() - healed
    return {
        "ways": {way: {"sent": pings.sent, "lost": pings.lost} for way, pings in ways.items()},
        "requests": dict(sorted(load.answered.items())),
        "right_s": round(right_s, 2),
        "fault": fault,
    }


def host_cut_off(lab: TestLab, seconds: float) -> Figures:
    """Cuts off a host that has everything a host can have."""
    traffic, routed = Traffic(lab, "compute1", CUT_OFF), Routed(lab)
    routed.move(CUT_OFF)
    until(routed.reaches_internet, 20, "the guest reaches the internet")
    link = ("ip", "link", "set", "eth1")
    figures = measured(
        lab,
        seconds,
        traffic.flowing((routed.guest, INTERNET)),
        lambda: lab.on(CUT_OFF, *link, "down"),
        lambda: lab.on(CUT_OFF, *link, "up"),
    )
    held = routed.held_by()
    traffic.cloud.clear()
    routed.cloud.clear()
    moved = "" if held == CUT_OFF else f"the router went to {held}"
    return figures | {"router_ends_on": held, "fault": figures["fault"] or moved}


def servers_cut_off(lab: TestLab, seconds: float, servers: TwoServers, silent: tuple[str, ...]) -> Figures:
    """Has nothing pass between some servers and their database."""
    traffic = Traffic(lab, "compute1", CUT_OFF)
    proxies = [servers.proxies[host] for host in silent]
    figures = measured(
        lab,
        seconds,
        traffic.flowing(),
        lambda: [proxy.silence() for proxy in proxies],
        lambda: [proxy.heal() for proxy in proxies],
    )
    traffic.cloud.clear()
    return figures


def table(figures: dict[str, Figures]) -> Table:
    """Gives a row for each partition."""
    shown = Table(title="Packets and requests by their status, seconds until all hosts were right again")
    for name in ("partition", "lost of sent", "requests", "right after, s", "fault"):
        shown.add_column(name, overflow="fold")
    for name, found in figures.items():
        lost = "\n".join(f"{way['lost']} of {way['sent']}  {between}" for between, way in found["ways"].items())
        requests = "\n".join(f"{count} x {status or 'no answer'}" for status, count in found["requests"].items())
        shown.add_row(name, lost, requests, f"{found['right_s']:.1f}", found["fault"])
    return shown


def main() -> int:
    """Measures, prints, keeps; gives 1 when something was lost or is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="that each partition lasts")
    parser.add_argument("--only", action="append", choices=("host", "database", "servers"))
    options = parser.parse_args()
    wanted = options.only or ["host", "database", "servers"]
    figures: dict[str, Figures] = {}
    with lab_up() as lab:
        if "host" in wanted:
            figures["host"] = host_cut_off(lab, options.seconds)
        if wanted != ["host"]:
            with two_servers(lab, list(HOSTS), "control", "compute1") as servers:
                if "database" in wanted:
                    figures["database"] = servers_cut_off(lab, options.seconds, servers, ("control", "compute1"))
                if "servers" in wanted:
                    figures["servers"] = servers_cut_off(lab, options.seconds, servers, ("compute1",))
    Console(width=140).print(table(figures))
    keep("partitions", {"seconds": options.seconds, "partitions": figures})
    lost = sum(way["lost"] for found in figures.values() for way in found["ways"].values())
    return 1 if lost or any(found["fault"] for found in figures.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
