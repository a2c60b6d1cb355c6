"""Verbs and global options of ``netglass``; each verb's module says the rest.

Exit status: 0 good, 1 a finding or a failure, 2 wrong usage.
"""

from __future__ import annotations

import inspect
import sys
from importlib import import_module

import typer

from netglass import __version__

# verb -> (module that defines `app` or a function of the verb's name, one line for --help)
_GROUPS = ("lab", "host", "agent")
_VERBS = ("server", "metadata-agent", "plan", "diff", "trace", "wait", "history", "demo")

app = typer.Typer(
    name="netglass",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Private networks for virtual machines, behind the OpenStack Networking API, that explain themselves.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"netglass {__version__}")
        raise typer.Exit


@app.callback()
def _global(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print it and leave."),
) -> None:
    pass


def _load(wanted: list[str]) -> None:
    # Only the wanted verb's module is imported: the agent must not carry the server's SQL, nor the server netlink.
    for verb in (v for v in _VERBS if v in wanted or not _named(wanted)):
        name = verb.replace("-", "_")
        app.command(verb)(getattr(import_module(f"netglass.cli.{name}"), name))
    for group in (g for g in _GROUPS if g in wanted or not _named(wanted)):
        app.add_typer(import_module(f"netglass.cli.{group}").app, name=group)


def _named(wanted: list[str]) -> bool:
    return any(word in _VERBS or word in _GROUPS for word in wanted)


def _unwrap(group: typer.Typer) -> None:
    """Lets --help fill lines to the terminal's width; the code's own ends of lines stay only where a \\b says so."""
    for command in group.registered_commands:
        told = inspect.cleandoc(command.help or getattr(command.callback, "__doc__", None) or "")
        command.help = "\n\n".join(
            part.removeprefix("\b\n") if part.startswith("\b") else " ".join(part.split("\n"))
            for part in told.split("\n\n")
        )
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _unwrap(inner.typer_instance)


def main() -> None:
    """Runs the command that ``sys.argv`` names."""
    _load(sys.argv[1:2])
    _unwrap(app)
    app()
