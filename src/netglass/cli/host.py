"""``netglass host``: what hosts there are, how far they are, and which may not be changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import typer

from netglass.cli.cloud import Cloud, CloudError

app = typer.Typer(no_args_is_help=True, help="Hosts: how far each one is, and whether its agent may change it.")

_JSON = typer.Option(False, "--json", help="Print the server's answer.")
_HOST = typer.Argument(..., help="The host's name, as in binding:host_id; netglass host list.")


@app.command("list")
def list_hosts(as_json: bool = _JSON) -> None:
    """List hosts: alive or not, the revision that each has realised, and what fails there.

    The agent column has its version; one that speaks an older or a newer protocol than the server says so, and names
    the rows that it does not understand: as long as there are any, it keeps its host by the last intent that it does.

    A host is behind when its realised revision is smaller than the newest one that concerns it.  Failing is how many
    objects cannot be put right, and since which revision; netglass diff HOST names them.

    Exit status: 0 all are alive, fail at nothing and understand everything, 1 some do not, 2 wrong usage or
    credentials.
    """
    answer = _asked(lambda cloud: cloud.get("network", "/netglass/v1/hosts"))
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        _show(answer)
    if any(not host["alive"] or host["failing_count"] or host["unread"] for host in answer["hosts"]):
        raise typer.Exit(1)


@app.command()
def pause(host: str = _HOST, as_json: bool = _JSON) -> None:
    """Freeze HOST: its agent goes on looking, and changes nothing until it is resumed.

    For a machine that one wants to look at, or mend by hand, without being interfered with.  Its guests and its
    traffic stay as they are; what is asked for meanwhile waits.  netglass diff HOST shows the drift.
    A restart of the agent, or of the server, does not end the freeze.

    \b
      netglass host pause compute1
      netglass diff compute1
      netglass host resume compute1 && netglass wait --host compute1
    """
    _set_paused(host, paused=True, as_json=as_json)


@app.command()
def resume(host: str = _HOST, as_json: bool = _JSON) -> None:
    """Let HOST's agent change things again: all that differs is put right at once."""
    _set_paused(host, paused=False, as_json=as_json)


@app.command()
def add(
    host: str = typer.Argument(..., help="What the new host is called, as in binding:host_id."),
    server: list[str] = typer.Option([], "--server", help="URL by which the host reaches a server; may be repeated."),
    as_json: bool = _JSON,
) -> None:
    """Print a token by which a new HOST may join, once and within an hour.

    It holds the server's URL, a secret, and the fingerprint of the cloud's certificate authority, so that the host
    knows whom it joins.  For a host that has joined before, a new token lets it in anew.

    \b
      netglass host add daisy
      daisy# netglass agent join TOKEN
    """
    answer = _asked(lambda cloud: cloud.post("network", f"/netglass/v1/hosts/{host}/token", {"servers": server}))
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    typer.echo(answer["token"])
    typer.echo(f"good until {answer['expires_at']}; on {host}: netglass agent join TOKEN", err=True)


@app.command()
def revoke(host: str = _HOST, as_json: bool = _JSON) -> None:
    """Shut HOST out: no server listens to it, or tells it anything, until it joins by a new token.

    What is on it stays as it is; its guests go on.
    """
    _asked(lambda cloud: cloud.delete("network", f"/netglass/v1/hosts/{host}/credential"))
    if as_json:
        typer.echo(json.dumps({"host": host, "revoked": True}, indent=2))
    else:
        typer.echo(f"{host} is shut out; netglass host add {host} lets it in again")


def _set_paused(host: str, *, paused: bool, as_json: bool) -> None:
    answer = _asked(lambda cloud: cloud.patch("network", f"/netglass/v1/hosts/{host}", {"paused": paused}))
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    elif paused:
        typer.echo(f"{host} is paused: its agent changes nothing from revision {answer['revision']} on")
    else:
        typer.echo(f"{host} is no longer paused, from revision {answer['revision']} on")


def _asked(ask: Callable[[Cloud], Any]) -> Any:
    try:
        return ask(Cloud.open())
    except CloudError as error:
        typer.echo(f"netglass host: {error}", err=True)
        raise typer.Exit(2 if error.usage else 1) from None


def _show(answer: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"revision {answer['revision']}", title_justify="left", title_style="bold", header_style="dim")
    for column in ("host", "roles", "state", "agent", "realised", "failing", "heard at"):
        table.add_column(column, overflow="fold")
    for host in answer["hosts"]:
        state, style = _state(host)
        table.add_row(
            host["name"], ", ".join(host["roles"]), state, _agent(host), _realised(host), _failing(host),
            host["heard_at"] or "never", style=style,
        )  # fmt: skip
    Console(highlight=False).print(table)


def _state(host: Mapping[str, Any]) -> tuple[str, str]:
    words = [
        "alive" if host["alive"] else "away",
        *(["paused"] if host["paused"] else []),
        *([] if host["enabled"] else ["disabled"]),
    ]
    return ", ".join(words), "" if words == ["alive"] else "yellow" if host["alive"] else "red"


def _agent(host: Mapping[str, Any]) -> str:
    version = host.get("version") or ""  # an older server says nothing of it
    skew = host.get("protocol_skew")
    return f"{version}, {skew}: protocol {host['protocol']}" if skew else version


def _realised(host: Mapping[str, Any]) -> str:
    realised, wanted = host["realised_revision"], host["relevant_revision"]
    if realised is None:
        return "not reported"
    return str(realised) if realised >= wanted else f"{realised}, behind {wanted}"


def _failing(host: Mapping[str, Any]) -> str:
    words = [f"does not understand {host['unread'][0]}"] if host["unread"] else []
    if host["failing_count"]:
        first, since = host["failing"][0], host["oldest_failing_revision"]
        words.append(f"{host['failing_count']} since revision {since}, first {first['kind']} {first['key']}")
    return "; ".join(words)
