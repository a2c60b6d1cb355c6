"""``netglass agent``: keeps this host as intent wants it, and joins it to a cloud."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer

app = typer.Typer(invoke_without_command=True)

_DIRECTORY = Path("/etc/netglass")
_CONFIG = typer.Option(_DIRECTORY / "agent.toml", "--config", help="The agent's TOML file.")


@app.callback()
def run(context: typer.Context, config: Path = _CONFIG) -> None:
    """Keep this host as intent wants it, until stopped.

    Stopping or killing the agent changes nothing on the host: the next one finds everything as it was.
    """
    if context.invoked_subcommand is None:
        # A process of its own kind: what the command line needed to get here would stay in the agent's memory for ever.
        os.execv(sys.executable, [sys.executable, "-m", "netglass.agent.main", "--config", str(config)])


@app.command()
def join(
    token: str = typer.Argument(..., help="What netglass host add printed, once."),
    role: list[str] = typer.Option(["hypervisor"], "--role", help="hypervisor or network; may be repeated."),
    directory: Path = typer.Option(_DIRECTORY, "--directory", help="Where credential, CA and configuration go."),
) -> None:
    """Join this host to the cloud that the token is of.

    The server's certificate authority must have the fingerprint that the token names.  Writes agent.credential,
    ca.pem and, where there is none, agent.toml; what bridges and tunnels the host has is still to be written there.

    Exit status: 0 joined, 1 refused or not reached, 2 not a token.
    """
    from netglass.agent.joining import JoinError
    from netglass.agent.joining import join as join_by
    from netglass.model.protocol import decode_invitation

    try:
        invitation = decode_invitation(token)
    except ValueError as error:
        typer.echo(f"netglass agent join: {error}", err=True)
        raise typer.Exit(2) from None
    try:
        written = join_by(invitation, directory, tuple(role))
    except (JoinError, OSError) as error:
        typer.echo(f"netglass agent join: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(
        f"{invitation.host} has joined {' and '.join(invitation.server)}; written: {', '.join(map(str, written))}"
    )


@app.command()
def rotate(config: Path = _CONFIG) -> None:
    """Change this host's credential; the agent that runs goes on, and takes the new one when it starts again.

    Exit status: 0 changed, 1 refused or not reached, 2 wrong configuration.
    """
    import tomllib

    from netglass.agent.config import ConfigError, load_config
    from netglass.agent.joining import JoinError
    from netglass.agent.joining import rotate as rotate_in

    try:
        read = load_config(config)
        named = tomllib.loads(config.read_text()).get("credential_file")
    except ConfigError as error:
        typer.echo(f"netglass agent rotate: {error}", err=True)
        raise typer.Exit(2) from None
    if not isinstance(named, str):
        typer.echo(f"netglass agent rotate: {config} names no credential_file", err=True)
        raise typer.Exit(2)
    try:
        rotate_in(read, Path(named))
    except (JoinError, OSError) as error:
        typer.echo(f"netglass agent rotate: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{read.host} has a new credential in {named}")
