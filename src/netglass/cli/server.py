"""``netglass server``: all services of the controller in one process."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from pathlib import Path
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from typing import TYPE_CHECKING

import typer

from netglass.base.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from netglass.api.config import ServerConfig
    from netglass.api.services import Services
    from netglass.api.tls import ServerTls
    from netglass.store.store import Store

KEEP_ALIVE_S = 600
"""How long an idle connection is kept: openstacksdk does not repeat a POST on one that was dropped (API.md)."""

BACKLOG = 2048
"""Connections that may wait to be accepted."""

STOP_S = 10
"""How long requests in flight may take when the server is told to stop."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # between attempts to open the database

_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_log = logging.getLogger("netglass.server")


def server(
    config: Path = typer.Option(..., "--config", exists=False, help="TOML file; its settings: netglass.api.config."),
    replaced_secrets: bool = typer.Option(
        False, "--replaced-secrets", help="The secrets were replaced on every server: take these as the cloud's."
    ),
) -> None:
    """Serve Networking, Identity, Compute, Image, instances' metadata and the feed to agents."""
    from netglass.api.config import read_config

    os.umask(0o077)  # the database holds password hashes, and all that anybody asked for
    try:
        settings = read_config(config)
        _log_to_stderr(settings.log_level)
        _give_memory_back()
        bound = _bind(settings)
        services = open_services(settings, replaced_secrets=replaced_secrets)
    except Invalid as error:
        typer.echo(f"netglass server: {error.message}", err=True)
        raise typer.Exit(2) from None
    _collect_seldom()
    _serve(settings, services, bound)


def _bind(config: ServerConfig) -> socket:
    # First of all, as two servers on one port would also be two on one database.  uvicorn listens on it once it
    # serves: whoever can connect gets an answer.
    bound = socket(AF_INET6 if ":" in config.listen else AF_INET)
    try:
        bound.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # connections of the one before may still be closing
        bound.bind((config.listen, config.port))
    except OSError as error:
        typer.echo(f"netglass server: cannot listen on {config.listen} port {config.port}: {error.strerror}", err=True)
        raise typer.Exit(1) from None
    return bound


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("uvicorn", "alembic.runtime.plugins"):  # they tell of each of their parts that starts
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _give_memory_back() -> None:
    # Hashing a password takes 19 MiB for some milliseconds.  glibc would raise its threshold and keep them from then
    # on, once for each arena: with a fixed one, large blocks go back to the kernel when they are freed (mallopt(3)).
    import ctypes

    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # other C libraries have none, and need none
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 20)
        libc.mallopt(_M_ARENA_MAX, 2)


def _collect_seldom() -> None:
    # Intent is many objects that live long and hardly ever form cycles: Python's collector looked through all of them
    # again and again, 40 ms at a time with 1,000 ports.  What is there now it leaves alone, and the rest it sees less
    # often; cycles of a request still go with the youngest generation (bench/api.py: list of 1,000, p99).
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def open_services(config: ServerConfig, *, replaced_secrets: bool = False) -> Services:
    """Opens the database and puts the parts of a server together; an empty cloud gets its first users and sizes.

    replaced_secrets  this server's secrets are the cloud's from now on
    Waits for a database that is not there yet.

    Raises Invalid for settings or secrets that cannot be used.
    """
    from netglass.api.bootstrap import bootstrap
    from netglass.api.config import Secrets
    from netglass.api.questions import Questions
    from netglass.api.services import Services
    from netglass.api.shared_secrets import compare_shared_secrets, require_shared_secrets
    from netglass.api.tokens import Tokens
    from netglass.store.healings import Healings
    from netglass.store.questions import SharedQuestions
    from netglass.store.reports import Reports

    secrets = Secrets(Path(config.secrets))
    store = _open_store(config.database)
    require_shared_secrets(store, secrets)
    tls = _tls(config)
    compare_shared_secrets(store, secrets, replaced=replaced_secrets)
    bootstrap(store, config.cloud, secrets)
    return Services(
        store=store,
        healings=Healings(store),
        reports=Reports(store, config.cloud.agent_down_s),
        tokens=Tokens(secrets.fernet_key.encode(), config.token_lifetime_s, store),
        questions=Questions(SharedQuestions(store) if store.shared else None),
        settings=config.cloud,
        public_url=config.base_url,
        agent_secret=secrets.agent_secret,
        metadata_secret=secrets.metadata_secret,
        tls=tls,
        metrics_token=secrets.metrics_token,
    )


def _open_store(url: str) -> Store:
    # A machine that boots starts the database and us at the same time, and another machine's may be away for a while.
    from netglass.store.store import Store

    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return Store.open(url)
        except Unavailable as error:
            _log.warning("%s Trying again.", error.message)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _tls(config: ServerConfig) -> ServerTls | None:
    if not config.speaks_tls:
        return None
    from netglass.api.tls import ensure_tls  # late: X.509 weighs some megabytes

    return ensure_tls(Path(config.secrets), config.names)


def _serve(config: ServerConfig, services: Services, bound: socket) -> None:
    import uvicorn

    from netglass.api.app import create_app
    from netglass.api.heads import BoundedHeads

    app = create_app(services)

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket] | None = None) -> None:
            # Streams have no end of their own, and uvicorn waits for every response.
            app.state.feed.end()
            await super().shutdown(sockets)

    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn has its own handlers while it serves, and raises the signal again once it has stopped.
        signal.signal(number, lambda _number, _frame: None)

    _log.info(
        "serving %s at revision %d on %s port %d",
        config.base_url,
        services.store.snapshot.revision,
        config.listen,
        config.port,
    )
    try:
        Server(
            uvicorn.Config(
                app,
                loop="uvloop",
                http=BoundedHeads,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=STOP_S,
                ssl_certfile=services.tls.certificate if services.tls is not None else None,
                ssl_keyfile=str(services.tls.key) if services.tls is not None else None,
            )
        ).run([bound])
    finally:
        services.store.close()
    _log.info("stopped at revision %d", services.store.snapshot.revision)
