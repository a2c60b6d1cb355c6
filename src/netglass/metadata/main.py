"""Starts the metadata agent: ``python -m netglass.metadata.main --config FILE``.

It keeps nothing: killing it, however hard, loses no more than the answers under way.  It ends by itself, to be started
anew, when its socket is taken away.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from grp import getgrnam
from pathlib import Path
from queue import LifoQueue

from netglass import __version__
from netglass.metadata.answering import Answering
from netglass.metadata.config import Config, ConfigError, load_config
from netglass.metadata.upstream import Outage

log = logging.getLogger("netglass.metadata")

_THREADS = 32
_STACK_BYTES = 512 << 10
_BACKLOG = 512
_LOOK_S = 1.0


def main(argv: list[str] | None = None) -> int:
    """Runs until it is told to stop; gives the exit status: 0, 1 for a lost socket, 2 for a bad configuration."""
    parser = argparse.ArgumentParser(prog="netglass metadata-agent", description="Answers guests' metadata proxies.")
    parser.add_argument("--config", type=Path, default=Path("/etc/netglass/metadata-agent.toml"), help="TOML file")
    options = parser.parse_args(argv)
    # Blocked in every thread, and taken by the main one: a thread that works is never disturbed.
    ending = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)
    try:
        config = load_config(options.config)
        logging.basicConfig(
            level=config.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )
        listening = listen(Path(config.socket), config.socket_group)
    except (ConfigError, ValueError, OSError) as error:
        print(f"netglass metadata-agent: {error}", file=sys.stderr)
        return 2
    log.info("netglass metadata-agent %s on host %s answers at %s", __version__, config.host, config.socket)
    start(config, listening)
    ours = Path(config.socket).stat().st_ino
    while signal.sigtimedwait(ending, _LOOK_S) is None:
        if _inode(config.socket) != ours:
            log.error("%s is not ours any more; ending, to be started anew", config.socket)
            return 1
    log.info("stopped")
    return 0


def listen(path: Path, group: str) -> socket.socket:
    """Gives a socket that listens at `path`, open to root and the group.

    It is there under its name only once it works, and takes the place of one that a dead process left.
    Raises OSError.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listening.bind(str(fresh))
        fresh.chmod(0o660)
        os.chown(fresh, -1, _gid(group))
        listening.listen(_BACKLOG)
        fresh.rename(path)
    except OSError:
        listening.close()
        fresh.unlink(missing_ok=True)
        raise
    return listening


def start(config: Config, listening: socket.socket) -> None:
    """Starts the threads that answer; each takes the next connection when it is done with one."""
    threading.stack_size(_STACK_BYTES)
    # What was used last is used next, so that no more connections to the servers are kept than are needed at once.
    free: LifoQueue[Answering] = LifoQueue()
    outages = (Outage(), Outage())
    for number in range(_THREADS):
        free.put(Answering(config, outages))
        threading.Thread(target=_work, args=(free, listening), name=f"answer-{number}", daemon=True).start()


def _work(free: LifoQueue[Answering], listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        answering = free.get()
        try:
            answering.serve(connection)
        except Exception:
            log.exception("a request could not be answered")
        finally:
            free.put(answering)


def _gid(group: str) -> int:
    try:
        return getgrnam(group).gr_gid
    except KeyError:
        raise OSError(f"there is no group {group!r} on this machine; install haproxy, or name another") from None


def _inode(path: str) -> int:
    try:
        return Path(path).stat().st_ino
    except OSError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
