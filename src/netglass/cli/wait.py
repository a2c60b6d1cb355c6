"""``netglass wait``: until hosts have become what was asked for."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import typer

_ANSWER_S = 5.0  # for the server's answer, beyond what it waits itself


def wait(
    revision: str = typer.Option("latest", "--revision", "-r", help="A revision's number, or latest."),
    host: list[str] = typer.Option(
        [], "--host", "-H", help="Only this host; may be repeated. All that are alive, else."
    ),
    timeout: float = typer.Option(30.0, "--timeout", "-t", help="Give up after so many seconds.", min=0, max=300),
    as_json: bool = typer.Option(False, "--json", help="Print the server's answer: revision and hosts."),
) -> None:
    """Wait until hosts have realised a revision: until all that was asked for up to it is in place on them.

    Every change of intent has a revision, one growing number for the whole cloud; latest is the newest when you ask.
    A script waits once after its last change, and needs no sleep:

    \b
      openstack port create --network net1 p1 && netglass wait
      netglass wait --host compute1 --timeout 5 || netglass diff compute1

    Needs an administrator's credentials in OS_*; for a lab: eval "$(netglass lab env)".

    Exit status: 0 realised, 1 not in time (who is behind, and why, is said), 2 wrong usage or credentials.
    """
    from netglass.cli.cloud import Cloud, CloudError
    from netglass.cli.show import waiting

    query = urlencode({"revision": revision, "timeout": timeout, "host": host}, doseq=True)
    try:
        with waiting("waiting for hosts"):
            answer = Cloud.open().get("network", f"/netglass/v1/wait?{query}", timeout_s=timeout + _ANSWER_S)
    except CloudError as error:
        typer.echo(f"netglass wait: {error}", err=True)
        raise typer.Exit(2 if error.usage else 1) from None
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    hosts = ", ".join(answer["hosts"]) or "no host, as none is alive"
    typer.echo(f"revision {answer['revision']} is realised on {hosts}")
