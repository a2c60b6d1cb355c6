"""``netglass plan``: what a host must look like, and why."""

from __future__ import annotations

import json
from typing import Any

import typer

_KIND = typer.Option([], "--kind", "-k", help="Only objects of this kind, such as flows; may be repeated.")


def plan(
    host: str = typer.Argument(..., help="The host's name, as in binding:host_id; openstack network agent list."),
    as_json: bool = typer.Option(False, "--json", help="Print the server's answer: revision and plan."),
    kind: list[str] = _KIND,
) -> None:
    """Print what HOST must look like: every object with its owner and the intent it comes from.

    The server compiles it from intent as it is now, by the same function as the host's agent; no host is asked.
    In a pipe each object is one line, on a terminal one row, or on a narrow one a paragraph:

    \b
      qvo53903a95-82 vlan=3   # plugging port:10.0.0.3(53903a95)
      what it is, its facts     owner    intent: the rows that ask for it

    Diagnostics at the end tell of intent that the host cannot honour; it is left unwired there.
    Needs an administrator's credentials in OS_*; for a lab: eval "$(netglass lab env)".

    \b
      netglass plan compute1                   everything
      netglass plan compute1 --kind flows      only the flows
      netglass plan control --json | jq '.plan.daemons'
    """
    import msgspec

    from netglass.cli.cloud import name_of
    from netglass.cli.show import show_state
    from netglass.desired.state import HostState

    check_kinds(kind)
    answer, names = asked(host, "plan", named=not as_json)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    show_state(msgspec.convert(answer["plan"], HostState), answer["revision"], name_of(names), kind)


def asked(host: str, question: str, *, named: bool) -> tuple[Any, dict[str, str]]:
    """Gives the server's answer about a host, and if `named` what people call the rows that it speaks of.

    Leaves the program when there is no answer: with status 2 when the caller can put it right, else 1.
    """
    from netglass.cli.cloud import Cloud, CloudError
    from netglass.desired.text import printable

    try:
        cloud = Cloud.open()
        return cloud.host(host, question), cloud.names() if named else {}
    except CloudError as error:
        typer.echo(f"netglass {question}: {printable(str(error))}", err=True)
        raise typer.Exit(2 if error.usage else 1) from None


def check_kinds(kinds: list[str]) -> None:
    """Leaves the program with status 2 when a kind is none."""
    from netglass.desired.state import KINDS

    known = [kind.kind for kind in KINDS]
    for kind in kinds:
        if kind not in known:
            raise typer.BadParameter(
                f"{kind!r} is no kind of object; there are {', '.join(known)}", param_hint="--kind"
            )
