"""``netglass demo``: brings up the VLAN lab and shows, with real commands on real hosts, that its networks work."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from netglass.demo.claims import Took
    from netglass.demo.printing import Printer
    from netglass.demo.run import Outcome
    from netglass.demo.stage import LabStage

AFTERWARDS = """
The lab stays up. To look around:

  {activate}
  netglass lab status                      what runs
  netglass lab shell compute1              a host; its own commands need no flags:
      ovs-vsctl show; brctl show; ovs-ofctl dump-flows br-int
  netglass lab shell control               ip netns list; ps -C dnsmasq -ww -o args
  netglass lab guest vm1                   inside a guest: ip addr; ping 10.0.0.2
  eval "$(netglass lab env --user demo)"   then: openstack server list
  eval "$(netglass lab env)"               as admin, then:
      netglass plan compute1               what the host must look like, and why
      netglass diff compute1               what differs from that now: nothing
  netglass lab down                        takes all of it away
"""


def demo(
    as_json: bool = typer.Option(False, "--json", help="Print the claims as JSON, and nothing else."),
) -> None:
    """Bring up the VLAN lab and show its three use cases: create a network, launch guests, serve DHCP.

    Exit status 0 only if every claim held. The lab stays up; running it again uses what is there.
    """
    from netglass.demo.printing import Printer, console
    from netglass.demo.run import show
    from netglass.lab.topology import LabError

    printer = Printer(console())
    try:
        stage, took = _lab(printer, quiet=as_json)
    except LabError as error:
        typer.echo(f"netglass demo: {error}", err=True)
        raise typer.Exit(1) from None
    outcome = show(stage, (lambda event: None) if as_json else printer.event)
    if as_json:
        _print_json(outcome, took)
    else:
        printer.summary([*outcome.claims], [took, *outcome.times], took.seconds + outcome.seconds)
        if not outcome.finished:
            printer.remark("\nThe demo ended early: what comes next stands on a claim that does not hold.")
        activate = Path(sys.executable).with_name("activate")
        printer.remark(
            AFTERWARDS.format(activate=f". {activate}".ljust(40) + " puts netglass and openstack on the PATH")
        )
    raise typer.Exit(0 if outcome.good else 1)


def _lab(printer: Printer, *, quiet: bool) -> tuple[LabStage, Took]:
    from netglass.demo.claims import Began, Took
    from netglass.demo.stage import LabStage, Ways
    from netglass.lab.build import bring_up
    from netglass.lab.entry import client_environment, guest_words, host_words
    from netglass.lab.places import LabPlace
    from netglass.lab.ready import wait_ready
    from netglass.lab.topology import DEFAULT, find_topology

    def tell(text: str) -> None:
        if not quiet:
            printer.remark(f"  {text}")

    began = time.monotonic()
    place = LabPlace(DEFAULT)
    fresh = place.read() is None
    if not quiet:
        printer.event(Began(title=f"Lab {DEFAULT}"))
    record = bring_up(find_topology(DEFAULT), tell)
    wait_ready(place, record, tell)
    took = Took(what="lab up, its API and agents ready", seconds=time.monotonic() - began)
    if not quiet:
        printer.event(took)
    ways = Ways(
        host=partial(host_words, place),
        guest=partial(guest_words, place),
        environment=partial(client_environment, place, record),
    )
    return LabStage(ways, fresh=fresh), took


def _print_json(outcome: Outcome, took: Took) -> None:
    import msgspec

    said = msgspec.to_builtins(outcome)
    said["times"] = [msgspec.to_builtins(took), *said["times"]]
    sys.stdout.write(msgspec.json.format(msgspec.json.encode({"good": outcome.good, **said})).decode() + "\n")
