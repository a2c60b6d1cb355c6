"""``netglass agent``: keeps this host as intent wants it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer


def agent(
    config: Path = typer.Option(Path("/etc/netglass/agent.toml"), "--config", help="The agent's TOML file."),
) -> None:
    """Keep this host as intent wants it, until stopped.

    Stopping or killing the agent changes nothing on the host: the next one finds everything as it was.
    """
    # A process of its own kind: what the command line needed to get here would stay in the agent's memory for ever.
    os.execv(sys.executable, [sys.executable, "-m", "netglass.agent.main", "--config", str(config)])
