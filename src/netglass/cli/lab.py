"""``netglass lab``: several real hosts on this one machine, and ways into them.

Exit status: 0 good, 1 a failure or something down, 2 wrong usage (no such lab, host, guest, user or file; not root);
`exec`, `shell` and `guest` pass on the command's.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from netglass.desired.text import printable
from netglass.lab import build, entry, places, topology
from netglass.lab.places import LabPlace, LabRecord
from netglass.lab.programs import api_url
from netglass.lab.ready import Api, wait_ready
from netglass.lab.topology import LabError

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(
    no_args_is_help=True,
    help="Several real hosts on this machine: own namespaces, own switch, own daemons, the same agent and API.",
)

_LAB = typer.Option("", "--lab", envvar="NETGLASS_LAB", help="Which lab, where several are up.", show_default=False)
_JSON = typer.Option(False, "--json", help="Print JSON.")
_OWN = "\n\t"  # what messages of ours may hold: they cite logs, line by line
_LEAST = 12  # characters a line left to what is wrapped
_WIDEST = 1_000_000  # characters a line; nothing is as wide
_PASSING_ON = {"ignore_unknown_options": True}


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        typer.echo(f"netglass lab: {printable(str(error), keep=_OWN)}", err=True)
        raise typer.Exit(2 if error.usage else 1) from None


class _Progress:
    """Says on standard error what is being done, with times; on a terminal the line at hand is alive."""

    def __init__(self, title: str) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._began = time.monotonic()
        self._at = self._began
        self._step = ""
        self._status = self._console.status(_literal(title))

    def __enter__(self) -> _Progress:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()
        self._status.stop()

    @property
    def seconds(self) -> float:
        """Gives the seconds since the beginning."""
        return time.monotonic() - self._began

    def tell(self, step: str) -> None:
        """Begins a step; the one before it is done."""
        self._finish()
        self._step, self._at = step, time.monotonic()
        self._status.update(_literal(step))

    def _finish(self) -> None:
        from rich.text import Text

        if self._step and sys.exc_info()[0] is None:
            took = f" {time.monotonic() - self._at:.2f} s"
            self._console.print(Text.assemble(("✓ ", "green"), _literal(self._step), (took, "dim")))
        self._step = ""


def _literal(text: str) -> Text:
    """Gives text that rich shows as it is: brackets are no markup, and control characters are escaped."""
    from rich.text import Text

    return Text(printable(text))


@app.command()
def up(
    what: str = typer.Argument(topology.DEFAULT, help="A lab that comes with Netglass, or a lab file (YAML)."),
    lab: str = typer.Option("", "--lab", help="Another name for it.", show_default=False),
    as_json: bool = _JSON,
) -> None:
    """Bring a lab up; where it is up already, wait until it is ready.

    Its hosts are namespaces on this machine, each with a switch, daemons and /etc, /run and /var of its own, wired as
    WHAT says, with a world outside of them.  One of them serves the API.  Needs root, and changes nothing else here.

    \b
      netglass lab up                    lab vlan: control, compute1, compute2
      netglass lab up gre                GRE between bob and daisy; a network node
      netglass lab up gre --lab mine     a second one, under another name
      netglass lab up my.yaml            your own; netglass lab schema

    An interrupted up can be repeated, or taken down; one with a dead host is mended by it.

    Exit status: 0 ready, 1 not, and why, 2 wrong usage.
    """
    with _told():
        wanted = topology.find_topology(what)
        if lab:
            wanted = topology.renamed(wanted, lab)
        with _Progress(f"lab {wanted.name}") as progress:
            record = build.bring_up(wanted, progress.tell)
            wait_ready(LabPlace(wanted.name), record, progress.tell)
            seconds = progress.seconds
    if as_json:
        _print_json({"lab": wanted.name, "api": api_url(record.uplink), "seconds": round(seconds, 2)})
        return
    _say_where_to_go(record, seconds)


def _say_where_to_go(record: LabRecord, seconds: float) -> None:
    name = record.topology.name
    flag = f" --lab {name}" if len(places.names()) > 1 else ""
    first = next(iter(record.topology.hosts))
    typer.echo(f"Lab {name} is up after {seconds:.1f} s; its API is {api_url(record.uplink)}")
    typer.echo(f'  eval "$(netglass lab env{flag})"       to use it with openstack, as admin (--user demo: as a user)')
    typer.echo(f"  netglass lab shell {first}{flag}      to look around on a host")
    typer.echo(f"  netglass lab down{flag}               to take it down without a trace")


@app.command()
def down(
    name: str = typer.Argument("", help="Which lab, where several are up.", show_default=False),
    lab: str = _LAB,
    as_json: bool = _JSON,
) -> None:
    """Take a lab down; nothing of it is left: no process, namespace, device, mount or file, and no guest.

    \b
      netglass lab down              the only lab, or lab vlan
      netglass lab down mine         lab mine

    Exit status: 0 it is gone, or none was up, 1 something of it does not end, 2 there is no such lab.
    """
    with _told():
        if not (name or lab or places.names()):
            typer.echo("No lab is up.", err=True)
            if as_json:
                _print_json({"lab": None, "seconds": 0.0})
            return
        place = places.choose(name or lab)
        with _Progress(f"lab {place.name}") as progress:
            build.take_down(place, progress.tell)
            seconds = progress.seconds
    if as_json:
        _print_json({"lab": place.name, "seconds": round(seconds, 2)})


@app.command("list")
def list_labs(as_json: bool = _JSON) -> None:
    """List the labs there are, and those that come with Netglass."""
    rows = []
    for name in sorted({*places.names(), *topology.builtin_names()}):
        record = LabPlace(name).read()
        state = "down" if name not in places.names() else "broken"
        if record is not None and build.is_whole(LabPlace(name), record):
            state = "up"
        hosts = list(record.topology.hosts) if record is not None else []
        rows.append({"lab": name, "state": state, "hosts": hosts, "api": api_url(record.uplink) if record else ""})
    if as_json:
        _print_json(rows)
    else:
        _print_table(
            ("lab", "state", "hosts", "api"), [{**row, "hosts": ", ".join(row["hosts"])} for row in rows], "hosts"
        )


@app.command()
def status(lab: str = _LAB, as_json: bool = _JSON) -> None:
    """Show how hosts, agents and guests are doing, of all labs or one; status 1 when not all is as it should be.

    \b
      state  up, or down: its first process has ended; netglass lab up mends it
      agent  realised: all that was asked for is in place; behind: not yet;
             failing N: N objects cannot be made, netglass diff HOST says why;
             silent: not heard of lately; unknown: the API cannot be asked
    """
    with _told():
        wanted = [places.choose(lab)] if lab or not places.names() else [LabPlace(name) for name in places.names()]
        shown = [_status(place) for place in wanted]
    if as_json:
        _print_json(shown)
    else:
        columns = ("host", "state", "pid", "roles", "address", "agent", "guests")
        for found in shown:
            typer.echo(f"Lab {found['lab']}, API {found['api']}" if found["hosts"] else _never_whole(found["lab"]))
            _print_table(columns, [{**row, "guests": ", ".join(row["guests"])} for row in found["hosts"]], "guests")
    if not all(found["hosts"] and all(map(_is_well, found["hosts"])) for found in shown):
        raise typer.Exit(1)


def _status(place: LabPlace) -> dict[str, Any]:
    """Gives what is told of a lab; no hosts where it was never whole."""
    record = place.read()
    if record is None:
        return {"lab": place.name, "api": "", "hosts": []}
    return {"lab": place.name, "api": api_url(record.uplink), "hosts": _host_rows(place, record)}


def _is_well(row: dict[str, Any]) -> bool:
    return row["state"] == "up" and row["agent"] in ("realised", "")


def _heard(place: LabPlace, record: LabRecord) -> dict[str, dict[str, Any]]:
    """Gives what the lab's server heard of hosts, by name; nothing when it does not answer."""
    from netglass.lab.programs import read_secret

    if place.host(record.topology.server_host).root not in place.children():
        return {}  # who has its address now is somebody else, who must not be shown its password
    try:
        return {h["name"]: h for h in Api(record, read_secret(place, record.topology, "admin.password")).hosts()}
    except (OSError, LabError):
        return {}


def _host_rows(place: LabPlace, record: LabRecord) -> list[dict[str, Any]]:
    heard = _heard(place, record)
    children = place.children()
    guests = entry.list_guests(place)
    rows = []
    for name, host in record.topology.hosts.items():
        child = children.get(place.host(name).root)
        rows.append(
            {
                "host": name,
                "state": "up" if child else "down",
                "pid": child.pid if child else None,
                "roles": ", ".join((*(["server"] if host.server else []), *host.roles)),
                "address": record.topology.management_address(name),
                "agent": _agent_state(heard.get(name)) if host.roles else "",
                "guests": [guest.name for guest in guests if guest.host == name],
            }
        )
    return rows


def _agent_state(heard: dict[str, Any] | None) -> str:
    if heard is None:
        return "unknown"
    if not heard["alive"]:
        return "silent"
    if heard["failing_count"]:
        return f"failing {heard['failing_count']}"
    return "realised" if (heard["realised_revision"] or 0) >= heard["relevant_revision"] else "behind"


@app.command("exec", context_settings=_PASSING_ON)
def execute(
    host: str = typer.Argument(..., help="A host of the lab."),
    command: list[str] = typer.Argument(..., help="What to run there, after --."),
    lab: str = _LAB,
) -> None:
    """Run a command on a host, as its root, with its standard input, output and exit status.

    \b
      netglass lab exec compute1 -- ovs-vsctl show
      netglass lab exec control -- ip netns list
      netglass lab exec compute2 -- tail /var/log/netglass/agent.log
    """
    with _told():
        _become([*entry.host_words(places.choose(lab), host), *command])


@app.command()
def shell(host: str = typer.Argument(..., help="A host of the lab."), lab: str = _LAB) -> None:
    """Open a shell on a host.  Its commands need no flags: they see this host's switch, namespaces and files.

    \b
      netglass lab shell compute1
      root@compute1:~# ovs-vsctl show
      root@compute1:~# ovs-ofctl dump-flows br-int
      root@compute1:~# brctl show; ip netns list; ps -ef
      root@compute1:~# exit
    """
    with _told():
        _become([*entry.host_words(places.choose(lab), host, prompt=True), "bash", "--norc", "-i"])


@app.command(context_settings=_PASSING_ON)
def guest(
    guest: str = typer.Argument(..., help="A light guest: its server's name or id."),
    command: list[str] = typer.Argument(None, help="What to run in it, after --; a shell when nothing is given."),
    lab: str = _LAB,
) -> None:
    """Run a command inside a light guest, as its root; without a command, a shell.

    \b
      netglass lab guest vm1 -- ip addr
      netglass lab guest vm1 -- ping -c 3 10.0.0.2
      netglass lab guest vm1
    """
    with _told():
        _become([*entry.guest_words(places.choose(lab), guest), *(command or ["sh"])])


@app.command()
def env(
    user: str = typer.Option("admin", "--user", help="Whose credentials: admin or demo."),
    lab: str = _LAB,
    as_json: bool = _JSON,
) -> None:
    """Print what an OpenStack client needs; for: eval "$(netglass lab env)".

    \b
      eval "$(netglass lab env)"                as admin
      eval "$(netglass lab env --user demo)"    as a user of project demo
      openstack network list
    """
    with _told():
        place = places.choose(lab)
        found = entry.client_environment(place, _record(place), user)
    if as_json:
        _print_json(found)
    else:
        typer.echo("\n".join(f"export {name}={shlex.quote(value)}" for name, value in found.items()))


@app.command()
def schema() -> None:
    """Print the JSON Schema of lab files: what netglass lab up FILE takes, for an editor to complete and check."""
    _print_json(topology.schema())


def _record(place: LabPlace) -> LabRecord:
    record = place.read()
    if record is None:
        raise LabError(_never_whole(place.name))
    return record


def _never_whole(name: str) -> str:
    return f"Lab {name!r} was never whole; bring it up again, or take it down."


def _become(words: list[str]) -> NoReturn:
    sys.stdout.flush()
    os.execvp(words[0], words)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2))


def _print_table(columns: tuple[str, ...], rows: list[dict[str, Any]], wrapped: str) -> None:
    """Prints a table; on a narrow terminal the column `wrapped` takes several lines, and no other loses anything.

    In a pipe each row is one line, however long.
    """
    from rich.console import Console
    from rich.table import Table

    cells = [["" if row[column] is None else str(row[column]) for column in columns] for row in rows]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.capitalize(), no_wrap=column != wrapped, overflow="fold")
    for row_cells in cells:
        table.add_row(*map(_literal, row_cells))
    console = Console()
    natural = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    at = columns.index(wrapped)
    widest = max((_literal(row_cells[at]).cell_len for row_cells in cells), default=0)
    least = natural - max(widest - _LEAST, 0) if console.is_terminal else natural
    console.width = max(console.width, least)
    console.print(table)
