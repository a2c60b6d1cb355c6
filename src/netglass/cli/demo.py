"""``netglass demo``: brings labs up and shows, with real commands on real hosts, that what two documents say is so."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from netglass.demo.claims import Event, Took
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
    pause: bool = typer.Option(False, "--pause", help="Wait for Enter before each section; to read along."),
    as_json: bool = typer.Option(False, "--json", help="Print the claims as JSON, and nothing else."),
) -> None:
    """Bring labs up and show on them, command by command, what two documents say of a cloud's networks.

    \b
    vlan  Create a network, launch guests, serve DHCP: three hosts, VLANs
          between them.
    gre   How packets flow: hypervisors bob and daisy, network node and
          controller, GRE between them; routers, the internet, floating IPs,
          DHCP, metadata.

    Each claim has a tick or a cross. Exit status 0 only if every claim held. The labs stay up; running it again uses
    what is there.
    """
    from netglass.demo.claims import Began
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

    def tell(event: Event) -> None:
        if pause and isinstance(event, Began):
            typer.prompt("\n  Enter goes on", default="", show_default=False, prompt_suffix=" ")
        if not as_json:
            printer.event(event)

    outcomes = [show(part, stages[part], tell) for part in parts]
    seconds = took.seconds + sum(outcome.seconds for outcome in outcomes)
    if as_json:
        _print_json(outcomes, took, seconds)
    else:
        printer.summary(outcomes, took, seconds)
        _say_how_to_go_on(parts, printer)
    raise typer.Exit(0 if all(outcome.good for outcome in outcomes) else 1)


def _labs(parts: list[str], printer: Printer, *, quiet: bool) -> tuple[dict[str, LabStage], Took]:
    from netglass.demo.claims import Began, Said
    from netglass.demo.labs import stages

    if quiet:
        return stages(parts, lambda lab, text: None)
    if len(parts) == 1:
        printer.event(Began(title=f"Lab {parts[0]}"))
    else:
        printer.event(Began(title=f"Labs {' and '.join(parts)}"))
        printer.event(Said(text="A lab for each document. They start at once, side by side, and all stay up."))
    found = stages(parts, lambda lab, text: printer.remark(f"  {lab}: {text}"))
    printer.event(found[1])
    return found


def _say_how_to_go_on(parts: list[str], printer: Printer) -> None:
    def line(command: str, comment: str) -> None:
        printer.remark(f"  {command}".ljust(42) + f" {comment}")

    printer.remark(f"\n{'The lab stays' if len(parts) == 1 else 'Both labs stay'} up. To look around:\n")
    line(f". {Path(sys.executable).with_name('activate')}", "puts netglass and openstack on the PATH")
    for part in parts:
        printer.remark("")
        line(f"export NETGLASS_LAB={part}", f"from here on, lab {part} is meant")
        line("netglass lab status", "what runs there")
        printer.remark(_LOOK_AROUND[part].strip("\n"))
    printer.remark("")
    line("; ".join(f"netglass lab down {part}" for part in parts), "takes all of it away")


def _print_json(outcomes: list[Outcome], took: Took, seconds: float) -> None:
    import msgspec

    said = {
        "good": all(outcome.good for outcome in outcomes),
        "seconds": seconds,
        "up_seconds": took.seconds,
        "parts": [{"good": outcome.good, **msgspec.to_builtins(outcome)} for outcome in outcomes],
    }
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(said)).decode() + "\n")
