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
    source: str = typer.Argument(..., help="Who sends: a server or port by name or id, dhcp, or ADDRESS@NETWORK."),
    destination: str = typer.Argument(..., help="Who is meant: the same, or an address."),
    evidence: str = typer.Option("model", "--evidence", help="What to go by: model, which reads intent only."),
    protocol: str = typer.Option("icmp", "--protocol", help="icmp, tcp or udp."),
    port: int | None = typer.Option(None, "--port", help="The port that tcp or udp goes to.", min=1, max=65535),
    as_json: bool = typer.Option(False, "--json", help="Print the server's answer: the trace as a tree."),
    objects: bool = typer.Option(False, "--objects", "-o", help="Under each step, the objects behind it, and whose."),
) -> None:
    """Tell step by step where a packet from SOURCE to DESTINATION goes, what changes it, and where it ends.

    The server compiles every host that has one of the networks concerned, and follows the packet through what these
    hosts must look like; no host is asked.  So a trace shows what intent does to a packet, whatever state the hosts
    are in; whether they are as they must be, netglass diff tells.

    Projects may trace between their own ports, administrators between all.

    dhcp is the DHCP server of the other end's network, dhcp:NETWORK that of a network; outside is the provider's
    router on the external network, outside:NETWORK that on one of several.

    Exit status: 0 delivered, 1 dropped or no answer, 2 wrong usage or credentials.

    \b
      netglass trace web1 web2
      netglass trace web1 db1 --protocol tcp --port 5432
      netglass trace web1 dhcp --objects
      netglass trace outside 203.0.113.77 --protocol tcp --port 22
      netglass trace 10.0.0.11@net1 10.0.0.12@net1 --json | jq .trace.delivered
    """
    import msgspec

    from netglass.cli.cloud import Cloud, CloudError, name_of
    from netglass.trace.result import Trace

    wanted = {"source": source, "destination": destination, "evidence": evidence, "protocol": protocol}
    query = urlencode(wanted | ({"port": str(port)} if port is not None else {}))
    try:
        cloud = Cloud.open()
        answer: Any = cloud.get("network", f"/netglass/v1/trace?{query}")
        names = cloud.names() if objects and not as_json else {}
    except CloudError as error:
        typer.echo(f"netglass trace: {error}", err=True)
        raise typer.Exit(2 if error.usage else 1) from None
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        show(msgspec.convert(answer["trace"], Trace), name_of(names), objects=objects)
    if not answer["trace"].get("delivered"):
        raise typer.Exit(1)


def show(trace: Trace, name_of: Callable[[str], str], *, objects: bool) -> None:
    """Prints a trace: its sentences, the verdict, and what it stands on."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from netglass.trace.telling import heading, sentences, verdict

    console = Console(highlight=False)
    console.print(Text(heading(trace), style="bold"), soft_wrap=not console.is_terminal)
    for line in sentences(trace, name_of):
        said = Text(f"{line.number:3}. ", style="dim") + Text(line.text, style=_STYLES[line.ends])
        reasons = Text("\n".join(line.why), style="dim")
        for text, indent in (
            (said, 2 * line.depth),
            *(((reasons, 2 * line.depth + 5),) if objects and line.why else ()),
        ):
            if console.is_terminal:
                console.print(Padding(text, (0, 0, 0, indent)))
            else:
                for row in text.plain.splitlines():
                    console.out(" " * indent + row)
    console.print(Text(verdict(trace), style=_STYLES["delivered" if trace.delivered else "dropped"]), soft_wrap=True)
    for heading_, told in (("Taken for granted", trace.assumptions), ("Not looked at", trace.caveats)):
        for sentence in told:
            console.print(Text(f"{heading_}: {sentence}", style="dim"), soft_wrap=True)


_STYLES = {"": "", "delivered": "green", "dropped": "red", "unknown": "yellow"}
