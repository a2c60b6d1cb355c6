"""Keeps the switch's bridges, ports and VLAN tags, as rows of its database.

One transaction a round for each kind; when the server refuses it, each object is tried alone, so that a bad one is
found and the others are done.  A new port starts on the dead VLAN, and its tag is set by its own object, last.

The switch does not notice that a device was deleted and made anew under the same name: a userspace switch goes on
reading a socket of the dead one, and an internal port's device that went with its namespace does not come back.  Such
a port (`_lost`) is unplugged and plugged in again, under the same number, so that flows that name it still hold.

A bridge or port of a wanted name that is not marked ours was there before us: it is used as it is and never deleted.
When the database or the switch is dead it holds everything: nothing can be done without them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from netglass.agent.appliers.marks import ids_of, mark_of, read_ids
from netglass.agent.appliers.protocol import NotThere, Work
from netglass.agent.appliers.switch_reading import observed_bridge, observed_port, observed_tag
from netglass.base.errors import ApplyError
from netglass.desired.state import DEAD_VLAN, Bridge, HostState, PortTag, SwitchPort, Thing
from netglass.host import netlink, ovsdb
from netglass.host.conversations import Conversations
from netglass.host.netlink import Device
from netglass.host.openflow import forget_translations
from netglass.host.ovsdb import Database, Operation, OvsPort, SwitchUnreachable

log = logging.getLogger(__name__)

TAGGED = "netglass-tagged"  # external_ids of a port of somebody else's whose tag is ours: the reference it is for

_TIMEOUT_S = 3.0
_CHUNK = 4  # ports deleted in one transaction: the switch takes 12-20 ms for each and does nothing else meanwhile


class Switch:
    """The applier of ``bridges``, ``switch_ports`` and ``port_tags``."""

    kinds = ("bridges", "switch_ports", "port_tags")

    def __init__(self, database: Database, conversations: Conversations | None = None) -> None:
        self._database = database
        self._conversations = conversations or Conversations()
        self._homes: dict[str, str] = {}  # namespace by internal port, as wanted when it was last observed

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives marked rows, and those that `desired` names; raises ApplyError without a connection."""
        if not self._database.ready:
            raise ApplyError("bridges", "all", "no connection to ovsdb-server")
        wanted_bridges = {bridge.name: bridge for bridge in desired.bridges}
        wanted_ports = {port.name: port for port in desired.switch_ports}
        wanted_tags = {tag.port: tag for tag in desired.port_tags}
        self._homes = {link.name: link.netns for link in desired.links if link.form == "internal"}
        rows = self._database.ports()
        lost = self._lost(rows) | self._absent(rows)
        bridges = [
            found
            for row in self._database.bridges().values()
            if (found := observed_bridge(row, wanted_bridges.get(row.name))) is not None
        ]
        for name in lost & wanted_ports.keys():
            del rows[name]
        ports = [port for row in rows.values() if (port := observed_port(row, wanted_ports.get(row.name))) is not None]
        tags = [tag for row in rows.values() if (tag := observed_tag(row, wanted_tags.get(row.name), TAGGED))]
        return {
            "bridges": tuple(sorted(bridges, key=lambda thing: thing.key)),
            "switch_ports": tuple(sorted(ports, key=lambda thing: thing.key)),
            "port_tags": tuple(sorted(tags, key=lambda thing: thing.key)),
        }

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes and changes rows, and waits until the switch has followed."""
        errors: list[ApplyError] = []
        numbers: dict[str, int] = {}
        if work.kind == "switch_ports":
            try:
                numbers = self._unplug({thing.key for thing in work.wanted})
            except (SwitchUnreachable, ValueError) as error:
                return [ApplyError(thing.kind, thing.key, f"unplug: {error}") for thing in work.wanted]
        bridges, ports = self._database.bridges(), self._database.ports()
        absent = self._absent(ports) if work.kind != "bridges" else set()
        planned: list[tuple[Thing, list[Operation]]] = []
        for thing in work.wanted:
            try:
                if thing.key in absent:
                    raise NotThere(thing.kind, thing.key, "there is no such device")
                planned.append((thing, self._operations(thing, bridges, ports, numbers.get(thing.key, 0))))
            except NotThere as error:
                errors.append(error)
            except (ValueError, SwitchUnreachable) as error:
                errors.append(ApplyError(thing.kind, thing.key, str(error)))
        errors += self._commit(planned)
        if any(_is_tunnel(port, bridges) for port in work.add):
            self._look_anew()
        return errors

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Deletes rows, a few at a time; tags of other people's ports fall back to the dead VLAN."""
        errors: list[ApplyError] = []
        for start in range(0, len(things), _CHUNK):
            if start and hurry():
                break
            bridges, ports = self._database.bridges(), self._database.ports()
            chunk = things[start : start + _CHUNK]
            planned = [(thing, self._removal(thing, bridges, ports)) for thing in chunk]
            self._mark_devices([thing for thing, operations in planned if operations])
            errors += self._commit([(thing, operations) for thing, operations in planned if operations])
        return errors

    def watch(self) -> list[int]:
        """Gives nothing: the loop takes in the database's news by itself."""
        return []

    # --- devices that were made anew

    def _lost(self, rows: Mapping[str, OvsPort]) -> set[str]:
        """Gives our ports whose device is another one than the switch holds; internal ones whose device is nowhere.

        A userspace switch makes every device that it opens promiscuous, so one that is not is new to it.  The kernel's
        own lets go of a device that is deleted, and says so.
        """
        at_home = self._devices("")
        lost = {
            name
            for name, row in self._ours_in_userspace(rows)
            if name in at_home and _taken(row) and not at_home[name].promiscuous
        }
        for name, netns in self._homes.items():
            row = rows.get(name)
            if row is None or read_ids(row.external_ids) is None or row.type != "internal" or name in at_home:
                continue
            if _taken(row) and name not in self._devices(netns):
                lost.add(name)
        return lost

    def _absent(self, rows: Mapping[str, OvsPort]) -> set[str]:
        """Gives our ports whose device somebody must make first."""
        at_home = self._devices("")
        return {name for name, _ in self._ours_in_userspace(rows) if name not in at_home}

    def _ours_in_userspace(self, rows: Mapping[str, OvsPort]) -> Iterable[tuple[str, OvsPort]]:
        bridges = self._database.bridges()
        for name, row in rows.items():
            ours = row.type == "" and read_ids(row.external_ids) is not None
            if ours and bridges[row.bridge].datapath_type == "netdev":
                yield name, row

    def _devices(self, netns: str) -> dict[str, Device]:
        try:
            return {device.name: device for device in self._conversations.get(netns).devices()}
        except FileNotFoundError:
            return {}

    def _unplug(self, wanted: Collection[str]) -> dict[str, int]:
        """Takes lost ports off the switch; gives the numbers that they had.

        This is a transaction of its own: the switch keeps the device of a port that goes and comes in one.
        """
        bridges, rows = self._database.bridges(), self._database.ports()
        lost = [rows[name] for name in sorted(self._lost(rows) & set(wanted))]
        if lost:
            log.info("plugging in anew, as their devices are other ones: %s", ", ".join(row.name for row in lost))
            self._database.transact([one for row in lost for one in _drop_port(row, bridges)], _TIMEOUT_S)
        return {row.name: row.ofport for row in lost if row.ofport > 0}

    def _mark_devices(self, doomed: Iterable[Thing]) -> None:
        """Marks devices that the switch made for ports that go, and that nobody has moved to where they were wanted.

        A userspace switch that dies now leaves them, and the next one knows nothing of them: `links` then does.
        """
        at_home = self._devices("")
        ports = [port for port in doomed if isinstance(port, SwitchPort) and port.type == "internal"]
        there = [(at_home[port.name].index, mark_of(port)) for port in ports if port.name in at_home]
        if there:
            self._conversations.get("").apply([netlink.set_link(index, alias=mark) for index, mark in there])

    def _look_anew(self) -> None:
        # Frames that come for a tunnel that is not there any more are handed to the host, which the userspace switch
        # remembers; it then goes on so when the tunnel is back, for as long as they come (seen on Open vSwitch 3.1).
        done = forget_translations()
        if not done.ok:
            log.warning("new tunnels may not receive: the switch cannot be told to look anew: %s", done.evidence)

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
        self, thing: Thing, bridges: Mapping[str, ovsdb.OvsBridge], ports: Mapping[str, OvsPort], number: int
    ) -> list[Operation]:
        if isinstance(thing, Bridge):
            return self._bridge(thing, bridges.get(thing.name))
        if isinstance(thing, SwitchPort):
            return _port(thing, bridges, ports.get(thing.name), number)
        assert isinstance(thing, PortTag)
        return _tag(thing, ports.get(thing.port))

    def _bridge(self, bridge: Bridge, row: ovsdb.OvsBridge | None) -> list[Operation]:
        columns: dict[str, Any] = {
            "datapath_type": bridge.datapath_type,
            "fail_mode": bridge.fail_mode,
            "protocols": ovsdb.string_set(bridge.protocols),
            "controller": ovsdb.string_set(()),
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
        columns = _vlan(DEAD_VLAN) | {"external_ids": ovsdb.string_map(kept)}
        return [ovsdb.update("Port", tagged.uuid, columns)]


def _port(
    port: SwitchPort, bridges: Mapping[str, ovsdb.OvsBridge], row: OvsPort | None, number: int
) -> list[Operation]:
    if port.awaited:
        raise NotThere(port.kind, port.key, "nobody has plugged it, or not as it is bound")
    bridge = bridges.get(port.bridge)
    if bridge is None:
        raise NotThere(port.kind, port.key, f"bridge {port.bridge} does not exist")
    if row is not None and row.bridge != port.bridge:
        if read_ids(row.external_ids) is None:
            raise ValueError(f"it is a port of bridge {row.bridge}, put there by somebody else")
        return [*_drop_port(row, bridges), *_new_port(port, bridge, 0)]
    if row is None:
        return _new_port(port, bridge, number)
    # Told the same again, the switch would not try again; told something else, it does.
    if (row.ofport < 0 or row.error) and (row.type, row.options) == (port.type, port.options):
        raise ValueError(f"the switch has no device for it: {row.error or 'no reason given'}")
    interface = {
        "type": port.type,
        "options": ovsdb.string_map(port.options),
        "external_ids": ovsdb.string_map(row.interface_ids | port.external_ids | ids_of(port)),
        **_number(port),
    }
    columns: dict[str, Any] = {"external_ids": ovsdb.string_map(row.external_ids | ids_of(port))}
    if port.trunk:
        columns |= _vlan(None)
    return [ovsdb.update("Interface", row.interface_uuid, interface), ovsdb.update("Port", row.uuid, columns)]


def _new_port(port: SwitchPort, bridge: ovsdb.OvsBridge, number: int) -> list[Operation]:
    mark = ids_of(port)
    interface: dict[str, Any] = {
        "options": ovsdb.string_map(port.options),
        "external_ids": ovsdb.string_map(port.external_ids | mark),
    }
    if number and not port.ofport:
        interface["ofport_request"] = number
    interface |= _number(port)
    row: dict[str, Any] = {"external_ids": ovsdb.string_map(mark)}
    if not port.trunk:
        row |= _vlan(DEAD_VLAN)
    made = _insert_port(port.name, port.type, interface, row)
    return [*made, ovsdb.add_member("Bridge", bridge.uuid, "ports", ovsdb.named(_symbol("port", port.name)))]


def _is_tunnel(thing: Thing, bridges: Mapping[str, ovsdb.OvsBridge]) -> bool:
    if not isinstance(thing, SwitchPort) or "remote_ip" not in thing.options:
        return False
    return thing.bridge in bridges and bridges[thing.bridge].datapath_type == "netdev"


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
    columns = _vlan(tag.vlan, guarded=tag.guarded)
    if read_ids(row.external_ids) is None:
        columns["external_ids"] = ovsdb.string_map(row.external_ids | {TAGGED: tag.intent[0]})
    return [ovsdb.update("Port", row.uuid, columns)]


def _vlan(tag: int | None, *, guarded: bool = False) -> dict[str, Any]:
    """Gives the columns that put a port on a local VLAN, on the dead one (`DEAD_VLAN`), or make it carry all (None)."""
    if tag == DEAD_VLAN or guarded:
        return {"tag": tag, "vlan_mode": "trunk", "trunks": DEAD_VLAN}
    nothing = ovsdb.string_set([])
    return {"tag": nothing if tag is None else tag, "vlan_mode": nothing, "trunks": nothing}


def _taken(row: OvsPort) -> bool:
    """Says whether the switch holds a device for the port, or has noticed no more than that it is gone."""
    return row.ofport > 0 or "No such device" in row.error


def _symbol(what: str, name: str) -> str:
    # RFC 7047, 3.1: an <id> is letters, digits and underscores; two names must not become one.
    return f"{what}_{name.encode().hex()}"
