"""Starts the agent: ``python -m netglass.agent.main --config FILE``.  Wiring only.

Killing it, however hard, changes nothing on the host: the next one finds everything by its marks.  So SIGTERM and
SIGINT only end the process after the step at hand.
"""

from __future__ import annotations

import gc

if __name__ == "__main__":
    gc.disable()  # until `run`: nothing that is imported is garbage, and looking for some took a tenth of the time

import argparse
import fcntl
import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from netglass import __version__
from netglass.agent.answers import Answers
from netglass.agent.appliers.address_sets import AddressSets
from netglass.agent.appliers.announcements import Announcements
from netglass.agent.appliers.connections import ConnectionMarks
from netglass.agent.appliers.daemons import Daemons
from netglass.agent.appliers.files import Files
from netglass.agent.appliers.filters import Filters
from netglass.agent.appliers.flows import Flows
from netglass.agent.appliers.guests import Guests
from netglass.agent.appliers.inet import Inet
from netglass.agent.appliers.links import Links
from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.namespaces import Namespaces
from netglass.agent.appliers.protocol import Applier
from netglass.agent.appliers.switch import Switch
from netglass.agent.appliers.sysctls import Sysctls
from netglass.agent.config import AUTO, Config, ConfigError, host_settings, load_config
from netglass.agent.loop import Loop, Parts
from netglass.agent.plugged import Plugged
from netglass.agent.reports import Reports
from netglass.agent.retries import Retries
from netglass.agent.rounds import Rounds
from netglass.agent.senses import Senses
from netglass.agent.uplink import Uplink
from netglass.agent.witness import Witness
from netglass.compile.compiler import compile_host
from netglass.host.conversations import Conversations
from netglass.host.datapath import kernel_switch_exists
from netglass.host.ovsdb import Database, SwitchUnreachable
from netglass.host.switch_sockets import SwitchSockets
from netglass.model.protocol import PROTOCOL, GuestReport, Registration

log = logging.getLogger("netglass.agent")

_SWITCH_S = 3.0


def main(argv: list[str] | None = None) -> int:
    """Runs the agent until it is told to stop; gives the exit status: 0, or 2 for a configuration it cannot use."""
    parser = argparse.ArgumentParser(prog="netglass agent", description="Keeps this host as intent wants it.")
    parser.add_argument("--config", type=Path, default=Path("/etc/netglass/agent.toml"), help="TOML file")
    options = parser.parse_args(argv)
    try:
        config = load_config(options.config)
    except ConfigError as error:
        print(f"netglass agent: {error}", file=sys.stderr)
        return 2
    return run(config)


def run(config: Config) -> int:
    """Runs the agent of a configuration until SIGTERM or SIGINT; gives the exit status."""
    logging.basicConfig(
        level=config.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    lock = _only_one(Path(config.run_directory))
    if lock is None:
        print(f"netglass agent: another agent runs on this host ({config.run_directory}/agent.lock)", file=sys.stderr)
        return 2
    _allow_many_files()
    # What an agent reads lives as long as it does, and is no garbage: looking for some took a twentieth of its start.
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 50)
    loop = build(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.stop())
    loop.run()
    log.info("stopped; everything on the host stays as it is")
    return 0


def build(config: Config) -> Loop:
    """Puts an agent together, and starts its conversation with the server."""
    datapath_type = _datapath_type(config)
    settings = host_settings(config.settings, datapath_type)
    database = Database(config.ovsdb_socket)
    guests = Guests(Path(config.run_directory) / "guests")
    appliers = appliers_of(config, database, guests)
    retries = Retries()
    rounds = Rounds(appliers, retries)
    sockets = SwitchSockets(database.directory) if datapath_type == "netdev" else None
    senses = Senses(database, appliers, sockets)
    registration = Registration(
        protocol=PROTOCOL,
        roles=config.roles,
        availability_zone=config.availability_zone,
        settings=settings,
        vcpus=config.vcpus,
        memory_mb=config.memory_mb,
        disk_gb=config.disk_gb,
        address=config.address,
    )
    uplink = Uplink(config, registration, senses.ring, {"signs": Witness(settings).answer})
    started_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    described = {"version": __version__, "protocol": PROTOCOL, "provider_link": settings.provider_link}
    reports = Reports(config.host, started_at, retries, lambda: _seen(guests), described)
    answers = Answers(rounds, retries, settings.instances_root)
    log.info("netglass agent %s on host %s, roles %s", __version__, config.host, " and ".join(config.roles))
    uplink.start()
    try:
        database.await_ready(_SWITCH_S)  # a machine that boots: both may start at the same time
    except SwitchUnreachable as error:
        log.warning("%s; going on without the switch until it is there", error)
    return Loop(config.host, compile_host, Parts(senses, uplink, rounds, retries, reports, answers, Plugged(database)))


def appliers_of(config: Config, database: Database, guests: Guests) -> list[Applier]:
    """Gives the keepers of everything that an agent keeps, each kind once."""
    run_directory = Path(config.run_directory)
    marks = NamespaceMarks(run_directory / "namespaces")
    conversations = Conversations()
    return [
        Namespaces(marks, conversations),
        guests,
        Links(marks, conversations),
        Switch(database, conversations),
        Sysctls(),
        Inet(marks, conversations),
        AddressSets(),
        Filters(marks, run_directory / "rules"),
        Flows(database),
        ConnectionMarks(),
        Files(Path(config.state_directory) / "files.json"),
        Daemons(run_directory / "daemons"),
        Announcements(run_directory / "announced.json", conversations),
    ]


def _seen(guests: Guests) -> Mapping[str, GuestReport]:
    return {
        guest.server_id: GuestReport(server_id=guest.server_id, boot=guest.boot, state=guest.state, error=guest.error)
        for guest in guests.seen()
    }


def _datapath_type(config: Config) -> str:
    wanted = config.settings.datapath_type
    if wanted != AUTO:
        log.info("datapath_type is %s, as configured", wanted)
        return wanted
    found = "system" if kernel_switch_exists() else "netdev"
    log.info("datapath_type is %s: the kernel %s", found, "has Open vSwitch" if found == "system" else "has none")
    return found


def _only_one(run_directory: Path) -> int | None:
    """Takes the lock that the one agent of a host holds; gives its descriptor, None when another holds it."""
    run_directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(run_directory / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _allow_many_files() -> None:
    # Three sockets for each namespace in use, and a pidfd for each daemon and guest.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # No more than that: every daemon inherits it, and some close that many descriptors one by one when they start.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 16384), most))


if __name__ == "__main__":
    sys.exit(main())
