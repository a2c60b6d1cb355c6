"""``netglass history``: what happened on hosts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import typer


def history(
    healed: bool = typer.Option(..., "--healed", help="What was damaged on hosts, and put right."),
    host: str = typer.Option("", "--host", "-H", help="Only of this host."),
    since: str = typer.Option(
        "", "--since", help="Only what was found at this time or later, as 2026-11-21T12:00:00Z."
    ),
    limit: int = typer.Option(50, "--limit", "-n", help="The newest so many.", min=1, max=1000),
    as_json: bool = typer.Option(False, "--json", help="Print the server's answer."),
) -> None:
    """Tell what was damaged on hosts: when, where, what was wrong with which object, and how long until it was right.

    Damage is what was in place and is found otherwise although nobody asked for it: a flow deleted by hand, a dead
    dnsmasq, another VLAN tag.  Agents put it right by themselves; here one sees that they had to.

    Needs an administrator's credentials in OS_*; for a lab: eval "$(netglass lab env)".

    \b
      netglass history --healed
      netglass history --healed --host compute1 --since 2026-11-21T12:00:00Z
    """
    from netglass.cli.cloud import Cloud, CloudError

    query = urlencode({"host": host, "since": since, "limit": limit})
    try:
        cloud = Cloud.open()
        answer = cloud.get("network", f"/netglass/v1/healed?{query}")
        names = {} if as_json else cloud.names()
    except CloudError as error:
        typer.echo(f"netglass history: {error}", err=True)
        raise typer.Exit(2 if error.usage else 1) from None
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        _show(answer["healed"], names)


def _show(healed: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from netglass.cli.cloud import name_of
    from netglass.desired.text import printable

    console = Console(highlight=False)
    if not healed:
        console.print("nothing was healed")
        return
    rows = [tuple(map(printable, _row(one, name_of(names)))) for one in healed]
    if not console.is_terminal:
        for at, host, what, was, seconds, intent in rows:
            console.out(f"{at} {host} {what}: {was}; healed in {seconds}  # {intent}")
        return
    table = Table(header_style="dim")
    for column in ("found at", "host", "object", "what was wrong", "healed in", "intent"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _row(one: Mapping[str, Any], name_of: Callable[[str], str]) -> tuple[str, ...]:
    at, what, seconds = one["at"][:23] + "Z", f"{one['kind']} {one['title']}", f"{one['seconds']:.3f} s"
    from netglass.desired.text import render_intent

    return at, one["host"], what, one["was"], seconds, render_intent(tuple(one["intent"]), name_of)
