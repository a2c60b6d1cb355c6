"""``netglass diff``: what on a host is not as it must be."""

from __future__ import annotations

import json

import typer

_KIND = typer.Option([], "--kind", "-k", help="Only objects of this kind, such as flows; may be repeated.")


def diff(
    host: str = typer.Argument(..., help="The host's name, as in binding:host_id; openstack network agent list."),
    as_json: bool = typer.Option(False, "--json", help="Print the server's answer: host and diff."),
    kind: list[str] = _KIND,
) -> None:
    """Print what differs on HOST from what it must look like; nothing, in the steady state.

    The host's agent looks at the machine now and answers; nothing is changed by asking.  Each object is one line:

    \b
      + wanted, and not there      ~ there, and not as wanted
      - there, and not wanted      ? somebody else's to make, and not there yet
      ! cannot be put right; with the reason

    Only objects that carry Netglass's mark are looked at: what is somebody else's is no difference.
    Needs an administrator's credentials in OS_*; for a lab: eval "$(netglass lab env)".

    Exit status: 0 nothing differs, 1 something does or the host cannot be asked, 2 wrong usage or credentials.

    \b
      netglass diff compute1 && echo as it must be
      netglass diff compute1 --kind flows --json
    """
    from netglass.cli.cloud import name_of
    from netglass.cli.plan import asked, check_kinds
    from netglass.cli.show import is_empty, show_diff

    check_kinds(kind)
    answer, names = asked(host, "diff", named=not as_json)
    found = answer["diff"]
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        show_diff(found, name_of(names), kind)
    if not is_empty(found, kind):
        raise typer.Exit(1)
