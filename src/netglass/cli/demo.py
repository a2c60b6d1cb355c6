"""``netglass demo``: brings labs up and shows, with real commands on real hosts, that what two documents say is so."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from netglass.demo.claims import Took
    from netglass.demo.printing import Printer
    from netglass.demo.run import Outcome
    from netglass.demo.stage import LabStage


class Which(StrEnum):
    """What is played."""

    ALL = "all"
    VLAN = "vlan"
    GRE = "gre"


_LOOK_AROUND = {
    "vlan": """
  netglass lab shell compute1              a host; its own commands need no flags:
      ovs-vsctl show; brctl show; ovs-ofctl dump-flows br-int
  netglass lab shell control               ip netns list; ps -C dnsmasq -ww -o args
  netglass lab guest vm1                   inside a guest: ip addr; ping 10.0.0.2
  eval "$(netglass lab env)"               as admin, then:
      netglass plan compute1               what the host must look like, and why
      netglass diff compute1               what differs from that now: nothing
""",
    "gre": """
  netglass lab shell daisy                 a hypervisor; its own commands need no flags:
      ovs-vsctl show; ovs-ofctl dump-flows br-tun; ovs-ofctl show br-tun
  netglass lab shell network               the network node: ip netns list; ps -ef
  netglass lab guest vm1                   inside a guest: ping internet.example
      curl http://169.254.169.254/latest/meta-data/
  netglass lab shell client                somebody outside: ping the floating IP
  eval "$(netglass lab env --user demo)"   as the project user, then:
      openstack server list
      netglass trace vm1 vm2               where a packet goes, and why
""",
}


def demo(
    which: Which = typer.Argument(
        Which.ALL, help="vlan: basic use cases; gre: packet flows; all: one after the other."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the claims as JSON, and nothing else."),
) -> None:
    """Bring labs up and show on them, command by command, what two documents say of a cloud's networks.

    \b
    vlan  Create a network, launch guests, serve DHCP: three hosts, VLANs between them.
    gre   How packets flow: hypervisors bob and daisy, network node and controller, GRE between them; routers, the
          internet, floating IPs, DHCP, metadata.

    Each claim has a tick or a cross. Exit status 0 only if every claim held. The labs stay up; running it again uses
    what is there.
    """
    from netglass.demo.printing import Printer, console
    from netglass.demo.run import PARTS, show
    from netglass.lab.topology import LabError

    printer = Printer(console())
    parts = [part for part in PARTS if which in (Which.ALL, part)]
    try:
        stages, took = _labs(parts, printer, quiet=as_json)
    except LabError as error:
        typer.echo(f"netglass demo: {error}", err=True)
        raise typer.Exit(1) from None
    outcomes = [show(part, stages[part], (lambda event: None) if as_json else printer.event) for part in parts]
    seconds = took.seconds + sum(outcome.seconds for outcome in outcomes)
    if as_json:
        _print_json(outcomes, took, seconds)
    else:
        printer.summary(outcomes, took, seconds)
        _say_how_to_go_on(parts, printer)
    raise typer.Exit(0 if all(outcome.good for outcome in outcomes) else 1)


def _labs(parts: list[str], printer: Printer, *, quiet: bool) -> tuple[dict[str, LabStage], Took]:
    from netglass.demo.claims import Began, Said, Took
    from netglass.lab.build import bring_up
    from netglass.lab.places import LabPlace
    from netglass.lab.ready import wait_ready
    from netglass.lab.topology import find_topology

    def tell(part: str, text: str) -> None:
        if not quiet:
            printer.remark(f"  {part}: {text}")

    labs = " and ".join(parts)
    if not quiet:
        printer.event(Began(title=f"Lab {labs}" if len(parts) == 1 else f"Labs {labs}"))
        if len(parts) > 1:
            text = "A lab for each document. They start at once, side by side, and both stay up."
            printer.event(Said(text=text))
    began = time.monotonic()
    fresh = {part: LabPlace(part).read() is None for part in parts}
    # All are started before the first is waited for.
    records = {part: bring_up(find_topology(part), partial(tell, part)) for part in parts}
    for part in parts:
        wait_ready(LabPlace(part), records[part], partial(tell, part))
    took = Took(what=f"lab up: {labs}; APIs answer, agents are ready", seconds=time.monotonic() - began)
    if not quiet:
        printer.event(took)
    return {part: _stage(part, fresh=fresh[part]) for part in parts}, took


def _stage(lab: str, *, fresh: bool) -> LabStage:
    from netglass.demo.stage import LabStage, Ways
    from netglass.lab.entry import client_environment, guest_words, host_words
    from netglass.lab.places import LabPlace

    place = LabPlace(lab)
    record = place.read()
    assert record is not None  # it was just brought up
    ways = Ways(
        host=partial(host_words, place),
        guest=partial(guest_words, place),
        environment=partial(client_environment, place, record),
    )
    return LabStage(ways, fresh=fresh)


def _say_how_to_go_on(parts: list[str], printer: Printer) -> None:
    activate = Path(sys.executable).with_name("activate")
    printer.remark("\nThe lab stays up. To look around:" if len(parts) == 1 else "\nBoth labs stay up. To look around:")
    printer.remark(f"\n  . {activate}".ljust(44) + "puts netglass and openstack on the PATH")
    for part in parts:
        printer.remark(f"\n  export NETGLASS_LAB={part}".ljust(44) + f"lab {part} is meant from here on")
        printer.remark("  netglass lab status                      what runs there" + _LOOK_AROUND[part].rstrip())
    away = "; ".join(f"netglass lab down {part}" for part in parts)
    printer.remark(f"\n  {away}".ljust(44) + " takes all of it away\n")


def _print_json(outcomes: list[Outcome], took: Took, seconds: float) -> None:
    import msgspec

    said = {
        "good": all(outcome.good for outcome in outcomes),
        "seconds": seconds,
        "up_seconds": took.seconds,
        "parts": [{"good": outcome.good, **msgspec.to_builtins(outcome)} for outcome in outcomes],
    }
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(said)).decode() + "\n")
