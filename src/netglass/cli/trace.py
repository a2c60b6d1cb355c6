"""``netglass trace``: where a packet goes, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from netglass.trace.result import Trace


def trace(
    source: str = typer.Argument(..., help="Who sends: a server, router or port by name or id, or as below."),
    destination: str = typer.Argument(..., help="Who is meant: the same, or an address."),
    evidence: str = typer.Option("model", "--evidence", help="What to go by: model, which reads intent only."),
    protocol: str = typer.Option("", "--protocol", help="icmp (the default), tcp, udp, arp or dhcp."),
    port: int | None = typer.Option(None, "--port", help="The port that tcp or udp goes to.", min=1, max=65535),
    size: int = typer.Option(0, "--size", help="Bytes of the IP packet, which must not be cut; 0: small.", min=0),
    one_way: bool = typer.Option(False, "--one-way", help="Do not follow what is sent back."),
    as_json: bool = typer.Option(False, "--json", help="Print the server's answer: the trace as a tree."),
    objects: bool = typer.Option(False, "--objects", "-o", help="Under each step, the objects behind it, and whose."),
) -> None:
    """Tell step by step where a packet from SOURCE to DESTINATION goes, what changes it, and where it ends.

    The server compiles every host that has one of the networks concerned, and follows the packet through what these
    hosts must look like; no host is asked.  So a trace shows what intent does to a packet, whatever state the hosts
    are in; whether they are as they must be, netglass diff tells.  What was taken for granted, and what this evidence
    cannot know, stands at the end.

    Then it follows what comes back: the answer, or the ICMP error that tells why there is none.

    Projects may trace between their own ports, administrators between all.

    \b
    An end is written as:
      web1, router1, ID    a server, a router or a port, by name or id
      10.0.0.7@net1        who has an address on a network, on an external one
                           somebody outside too
      10.0.0.7             an address, as the source would use it (DESTINATION)
      dhcp, dhcp:net1      the DHCP server of the other end's network, or of one
      outside, outside:ext the provider's router on the external network
      metadata             where guests find their metadata, TCP port 80

    arp asks who has the destination and does no more; dhcp is the search for a DHCP server.

    Exit status: 0 delivered, and answered where that was followed; 1 not; 2 wrong usage or credentials.

    \b
      netglass trace web1 web2
      netglass trace web1 db1 --protocol tcp --port 5432
      netglass trace web1 metadata --objects
      netglass trace web1 dhcp --protocol dhcp
      netglass trace web1 198.51.100.10 --size 1500
      netglass trace outside 203.0.113.77 --protocol tcp --port 22
      netglass trace 10.0.0.11@net1 10.0.0.12@net1 --json | jq .trace.delivered
    """
    import msgspec

    from netglass.cli.cloud import Cloud, CloudError, name_of
    from netglass.trace.result import Trace

    wanted: dict[str, Any] = {"source": source, "destination": destination, "evidence": evidence}
    wanted |= {name: value for name, value in (("protocol", protocol), ("port", port), ("size", size)) if value}
    wanted |= {"one_way": "true"} if one_way else {}
    try:
        cloud = Cloud.open()
        answer: Any = cloud.get("network", f"/netglass/v1/trace?{urlencode(wanted)}")
        names = cloud.names() if objects and not as_json else {}
    except CloudError as error:
        typer.echo(f"netglass trace: {error}", err=True)
        raise typer.Exit(2 if error.usage else 1) from None
    found = msgspec.convert(answer["trace"], Trace)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        show(found, name_of(names), objects=objects)
    if not found.good:
        raise typer.Exit(1)


def show(trace: Trace, name_of: Callable[[str], str], *, objects: bool) -> None:
    """Prints a trace: its sentences, the verdict, and what it stands on."""
    from rich.console import Console
    from rich.text import Text

    from netglass.trace.telling import sections

    console = Console(highlight=False)
    for section in sections(trace, name_of):
        console.print(Text(section.heading, style="bold"), soft_wrap=not console.is_terminal)
        for line in section.lines:
            said = Text(f"{line.number:3}. ", style="dim") + Text(line.text, style=_STYLES[line.ends])
            _put(console, said, 2 * line.depth)
            if objects and line.why:
                _put(console, Text("\n".join(line.why), style="dim"), 2 * line.depth + 5)
        console.print(Text(section.verdict, style=_STYLES["delivered" if section.good else "dropped"]), soft_wrap=True)
    for heading, told in (("Taken for granted", trace.assumptions), ("Not looked at", trace.caveats)):
        for sentence in told:
            console.print(Text(f"{heading}: {sentence}", style="dim"), soft_wrap=True)


def _put(console: Any, text: Any, indent: int) -> None:
    """Prints text within its indent: folded to a terminal's width, and as whole lines elsewhere."""
    from rich.padding import Padding

    if console.is_terminal:
        console.print(Padding(text, (0, 0, 0, indent)))
        return
    for row in text.plain.splitlines():
        console.out(" " * indent + row)


_STYLES = {"": "", "delivered": "green", "dropped": "red", "unknown": "yellow"}
