"""``netglass metadata-agent``: answers this host's metadata proxies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer


def metadata_agent(
    config: Path = typer.Option(
        Path("/etc/netglass/metadata-agent.toml"), "--config", help="TOML file; its settings: netglass.metadata.config."
    ),
) -> None:
    """Answer the metadata proxies of this host's networks and routers, until stopped."""
    # As `netglass agent` does: the command line itself would stay in memory for ever.
    os.execv(sys.executable, [sys.executable, "-m", "netglass.metadata.main", "--config", str(config)])
