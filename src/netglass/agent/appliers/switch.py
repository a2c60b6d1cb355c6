"""Keeps the switch's bridges, ports and VLAN tags, as rows of its database.

One transaction a round for each kind; when the server refuses it, each object is tried alone, so that a bad one is
found and the others are done.  A new port starts on the dead VLAN, and its tag is set by its own object, last.

A bridge or port of a wanted name that is not marked ours was there before us: it is used as it is and never deleted.
When the database or the switch is dead it holds everything: nothing can be done without them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from netglass.agent.appliers.marks import ids_of, read_ids
from netglass.agent.appliers.protocol import NotThere, Work
from netglass.agent.appliers.switch_reading import observed_bridge, observed_port, observed_tag
from netglass.base.errors import ApplyError
from netglass.desired.state import DEAD_VLAN, Bridge, HostState, PortTag, SwitchPort, Thing
from netglass.host import ovsdb
from netglass.host.ovsdb import Database, Operation, OvsPort, SwitchUnreachable

log = logging.getLogger(__name__)

TAGGED = "netglass-tagged"  # external_ids of a port of somebody else's whose tag is ours: the reference it is for

_TIMEOUT_S = 3.0
_CHUNK = 4  # ports deleted in one transaction: the switch takes 12-20 ms for each and does nothing else meanwhile


class Switch:
    """The applier of ``bridges``, ``switch_ports`` and ``port_tags``."""

    kinds = ("bridges", "switch_ports", "port_tags")

    def __init__(self, database: Database) -> None:
        self._database = database
        # Rung when rows were deleted outside of a round's turn for them: that transaction took in its own news.
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives marked rows, and those that `desired` names; raises ApplyError without a connection."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        if not self._database.ready:
            raise ApplyError("bridges", "all", "no connection to ovsdb-server")
        wanted_bridges = {bridge.name: bridge for bridge in desired.bridges}
        wanted_ports = {port.name: port for port in desired.switch_ports}
        wanted_tags = {tag.port: tag for tag in desired.port_tags}
        rows = self._database.ports()
        bridges = [
            found
            for row in self._database.bridges().values()
            if (found := observed_bridge(row, wanted_bridges.get(row.name))) is not None
        ]
        ports = [port for row in rows.values() if (port := observed_port(row, wanted_ports.get(row.name))) is not None]
        tags = [tag for row in rows.values() if (tag := observed_tag(row, wanted_tags.get(row.name), TAGGED))]
        return {
            "bridges": tuple(sorted(bridges, key=lambda thing: thing.key)),
            "switch_ports": tuple(sorted(ports, key=lambda thing: thing.key)),
            "port_tags": tuple(sorted(tags, key=lambda thing: thing.key)),
        }

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes and changes rows, and waits until the switch has followed."""
        bridges, ports = self._database.bridges(), self._database.ports()
        errors: list[ApplyError] = []
        planned: list[tuple[Thing, list[Operation]]] = []
        for thing in work.wanted:
            try:
                planned.append((thing, self._operations(thing, bridges, ports)))
            except NotThere as error:
                errors.append(error)
            except (ValueError, SwitchUnreachable) as error:
                errors.append(ApplyError(thing.kind, thing.key, str(error)))
        return errors + self._commit(planned)

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Deletes rows, a few at a time; tags of other people's ports fall back to the dead VLAN."""
        errors: list[ApplyError] = []
        for start in range(0, len(things), _CHUNK):
            if start and hurry():
                break
            bridges, ports = self._database.bridges(), self._database.ports()
            chunk = things[start : start + _CHUNK]
            planned = [(thing, self._removal(thing, bridges, ports)) for thing in chunk]
            errors += self._commit([(thing, operations) for thing, operations in planned if operations])
        return errors

    def watch(self) -> list[int]:
        """Gives what is readable when rows must be looked at; the database's own news the loop takes in by itself."""
        return [self._bell]

    def drop_lost(self, names: Sequence[str]) -> None:
        """Deletes ports of ours whose device went away with its namespace; the next round makes them anew.

        The switch does not notice by itself: it goes on writing to a device that is no more.
        """
        bridges, ports = self._database.bridges(), self._database.ports()
        rows = [row for name in names if (row := ports.get(name)) is not None and row.ofport > 0]
        operations = [operation for row in rows for operation in _drop_port(row, bridges)]
        if operations:
            log.warning("the switch's ports %s have lost their devices; making them anew", ", ".join(names))
            try:
                self._database.transact(operations, _TIMEOUT_S)
                os.eventfd_write(self._bell, 1)
            except (SwitchUnreachable, ValueError) as error:
                log.warning("cannot delete ports %s: %s", ", ".join(names), error)

    # --- transactions

    def _commit(self, planned: Sequence[tuple[Thing, list[Operation]]]) -> list[ApplyError]:
        if not planned:
            return []
        try:
            self._database.transact([one for _, operations in planned for one in operations], _TIMEOUT_S)
        except SwitchUnreachable as error:
            return [ApplyError(thing.kind, thing.key, str(error)) for thing, _ in planned]
        except ValueError as error:
            if len(planned) == 1:
                return [ApplyError(planned[0][0].kind, planned[0][0].key, str(error))]
            return [failed for one in planned for failed in self._commit([one])]
        return []

    def _operations(
        self, thing: Thing, bridges: Mapping[str, ovsdb.OvsBridge], ports: Mapping[str, OvsPort]
    ) -> list[Operation]:
        if isinstance(thing, Bridge):
            return self._bridge(thing, bridges.get(thing.name))
        if isinstance(thing, SwitchPort):
            return _port(thing, bridges, ports.get(thing.name))
        assert isinstance(thing, PortTag)
        return _tag(thing, ports.get(thing.port))

    def _bridge(self, bridge: Bridge, row: ovsdb.OvsBridge | None) -> list[Operation]:
        columns: dict[str, Any] = {
            "datapath_type": bridge.datapath_type,
            "fail_mode": bridge.fail_mode,
            "protocols": ovsdb.string_set(bridge.protocols),
            "external_ids": ovsdb.string_map(ids_of(bridge)),
        }
        if row is not None:
            return [ovsdb.update("Bridge", row.uuid, columns)]
        local = _insert_port(bridge.name, "internal", {"external_ids": ovsdb.string_map(ids_of(bridge))}, {})
        columns |= {"name": bridge.name, "ports": ovsdb.named(_symbol("port", bridge.name))}
        symbol = _symbol("bridge", bridge.name)
        joined = ovsdb.add_member("Open_vSwitch", self._database.root_uuid(), "bridges", ovsdb.named(symbol))
        return [*local, ovsdb.insert("Bridge", symbol, columns), joined]

    def _removal(
        self, thing: Thing, bridges: Mapping[str, ovsdb.OvsBridge], ports: Mapping[str, OvsPort]
    ) -> list[Operation]:
        if isinstance(thing, Bridge):
            row = bridges.get(thing.name)
            if row is None or read_ids(row.external_ids) is None:
                return []
            return [ovsdb.drop_member("Open_vSwitch", self._database.root_uuid(), "bridges", row.uuid)]
        if isinstance(thing, SwitchPort):
            return _drop_port(ports.get(thing.name), bridges)
        assert isinstance(thing, PortTag)
        tagged = ports.get(thing.port)
        if tagged is None or TAGGED not in tagged.external_ids:
            return []
        kept = {key: value for key, value in tagged.external_ids.items() if key != TAGGED}
        columns = {"tag": DEAD_VLAN, "external_ids": ovsdb.string_map(kept)}
        return [ovsdb.update("Port", tagged.uuid, columns)]


def _port(port: SwitchPort, bridges: Mapping[str, ovsdb.OvsBridge], row: OvsPort | None) -> list[Operation]:
    if port.awaited:
        raise NotThere(port.kind, port.key, "nobody has plugged it, or not as it is bound")
    bridge = bridges.get(port.bridge)
    if bridge is None:
        raise ValueError(f"bridge {port.bridge} does not exist")
    if row is not None and row.bridge != port.bridge:
        if read_ids(row.external_ids) is None:
            raise ValueError(f"it is a port of bridge {row.bridge}, put there by somebody else")
        return [*_drop_port(row, bridges), *_new_port(port, bridge)]
    if row is None:
        return _new_port(port, bridge)
    if row.ofport < 0 or row.error:
        raise ValueError(f"the switch has no device for it: {row.error or 'no reason given'}")
    interface = {
        "type": port.type,
        "options": ovsdb.string_map(port.options),
        "external_ids": ovsdb.string_map(row.interface_ids | port.external_ids | ids_of(port)),
        **_number(port),
    }
    columns: dict[str, Any] = {"external_ids": ovsdb.string_map(row.external_ids | ids_of(port))}
    if port.trunk:
        columns["tag"] = ovsdb.string_set([])
    return [ovsdb.update("Interface", row.interface_uuid, interface), ovsdb.update("Port", row.uuid, columns)]


def _new_port(port: SwitchPort, bridge: ovsdb.OvsBridge) -> list[Operation]:
    mark = ids_of(port)
    interface = {
        "options": ovsdb.string_map(port.options),
        "external_ids": ovsdb.string_map(port.external_ids | mark),
        **_number(port),
    }
    row: dict[str, Any] = {"external_ids": ovsdb.string_map(mark)}
    if not port.trunk:
        row["tag"] = DEAD_VLAN
    made = _insert_port(port.name, port.type, interface, row)
    return [*made, ovsdb.add_member("Bridge", bridge.uuid, "ports", ovsdb.named(_symbol("port", port.name)))]


def _number(port: SwitchPort) -> dict[str, Any]:
    return {"ofport_request": port.ofport} if port.ofport else {}


def _insert_port(name: str, kind: str, interface: dict[str, Any], port: dict[str, Any]) -> list[Operation]:
    symbol = _symbol("interface", name)
    return [
        ovsdb.insert("Interface", symbol, {"name": name, "type": kind, **interface}),
        ovsdb.insert("Port", _symbol("port", name), {"name": name, "interfaces": ovsdb.named(symbol), **port}),
    ]


def _drop_port(row: OvsPort | None, bridges: Mapping[str, ovsdb.OvsBridge]) -> list[Operation]:
    if row is None or read_ids(row.external_ids) is None:
        return []
    return [ovsdb.drop_member("Bridge", bridges[row.bridge].uuid, "ports", row.uuid)]


def _tag(tag: PortTag, row: OvsPort | None) -> list[Operation]:
    if row is None:
        raise NotThere(tag.kind, tag.key, f"there is no port {tag.port} on the switch")
    columns: dict[str, Any] = {"tag": tag.vlan}
    if read_ids(row.external_ids) is None:
        columns["external_ids"] = ovsdb.string_map(row.external_ids | {TAGGED: tag.intent[0]})
    return [ovsdb.update("Port", row.uuid, columns)]


def _symbol(what: str, name: str) -> str:
    # RFC 7047, 3.1: an <id> is letters, digits and underscores; two names must not become one.
    return f"{what}_{name.encode().hex()}"
