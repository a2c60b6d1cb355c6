"""The switch's configuration: a replica of Open vSwitch's database, and transactions on it.

The replica is the `ovs` package's Idl, which the database server keeps up to date; nothing here polls, and no
``ovs-vsctl`` is started.  Changes are written as RFC 7047 operations, in one transaction for all of them, which
waits until ovs-vswitchd has done what it says (``next_cfg`` and ``cur_cfg``), so that flows which name a port can
follow at once.

Never: decides what is ours; ``agent.appliers`` does.
Source: RFC 7047; ovs-vswitchd.conf.db(5).
"""

from __future__ import annotations

import json
import select
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from ovs import vlog
from ovs.db.idl import Idl, SchemaHelper, Transaction

from netglass.base.errors import NetglassError
from netglass.host import ovsdb_text

DEFAULT_SOCKET = "/run/openvswitch/db.sock"
_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_COLUMNS = {
    "Open_vSwitch": ["bridges", "cur_cfg", "next_cfg"],
    "Bridge": ["name", "ports", "datapath_type", "fail_mode", "protocols", "controller", "external_ids"],
    "Controller": ["target"],
    "Port": ["name", "interfaces", "tag", "vlan_mode", "trunks", "external_ids"],
    "Interface": ["name", "type", "options", "external_ids", "ofport", "error"],
}

Operation = dict[str, Any]


class SwitchUnreachable(NetglassError):
    """The database server or ovs-vswitchd does not answer; what it said or did not say is the message."""


class OvsBridge(msgspec.Struct, frozen=True):
    """A row of table Bridge."""

    uuid: str
    name: str
    datapath_type: str
    fail_mode: str
    protocols: tuple[str, ...]  # ascending
    controllers: tuple[str, ...]  # targets, ascending
    external_ids: dict[str, str]


class OvsPort(msgspec.Struct, frozen=True):
    """A row of table Port with its first interface.

    tag            None: no tag
    vlan_mode      empty: by the tag, access or trunk
    trunks         tags that a trunk carries, ascending; empty: all
    external_ids   the port's own; `interface_ids` are its interface's
    error          why the switch could not make the device; empty when it could
    """

    uuid: str
    bridge: str
    name: str
    tag: int | None
    external_ids: dict[str, str]
    interface_uuid: str
    type: str
    options: dict[str, str]
    interface_ids: dict[str, str]
    ofport: int  # 0 while the switch has not given one; -1 when it cannot
    error: str
    vlan_mode: str = ""
    trunks: tuple[int, ...] = ()


class _Port(msgspec.Struct, frozen=True):
    uuid: str
    name: str
    tag: int | None
    vlan_mode: str
    trunks: tuple[int, ...]
    external_ids: dict[str, str]
    interfaces: tuple[UUID, ...]


class _Interface(msgspec.Struct, frozen=True):
    uuid: str
    type: str
    options: dict[str, str]
    external_ids: dict[str, str]
    ofport: int
    error: str


class _Replica(Idl):  # type: ignore[misc]  # the ovs package carries no types
    """The Idl that remembers which rows changed, so that only those are turned into values again."""

    def __init__(self, remote: str, helper: SchemaHelper) -> None:
        self.touched: set[UUID] = set()
        super().__init__(remote, helper)

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        self.touched.add(row.uuid)


class _Wakes:
    """Stands in for ovs.poller.Poller: collects what the Idl waits for, so that any loop can wait for it."""

    def __init__(self) -> None:
        self.fds: dict[int, int] = {}
        self.timeout_ms: int | None = None

    def fd_wait(self, fd: Any, events: int) -> None:
        number = fd if isinstance(fd, int) else fd.fileno()
        self.fds[number] = self.fds.get(number, 0) | events

    def timer_wait(self, msec: float) -> None:
        wanted = max(0, int(msec))
        self.timeout_ms = wanted if self.timeout_ms is None else min(self.timeout_ms, wanted)

    def timer_wait_until(self, msec: float) -> None:
        self.timer_wait(msec - time.monotonic() * 1000)  # ovs.timeval counts on the monotonic clock

    def immediate_wake(self) -> None:
        self.timeout_ms = 0


class Database:
    """The switch's database, replicated.

    Connects by itself, and again after the server was gone; `ready` says whether the replica is up to date.
    """

    def __init__(self, socket: str = DEFAULT_SOCKET) -> None:
        vlog.Vlog.init()
        vlog.Vlog.set_level("any", "any", "off")  # it would write to standard error and to syslog past our own log
        # The package's own parser, in Python, takes ten times as long for the schema.
        ovsdb_text.use()
        helper = SchemaHelper(schema_json=json.loads(Path(_SCHEMA).read_bytes()))
        for table, columns in _COLUMNS.items():
            helper.register_columns(table, columns)
        self._idl = _Replica(f"unix:{socket}", helper)
        self._socket = socket
        self._values: dict[UUID, Any] = {}
        self._heard = (self._idl.change_seqno, False)  # how far the replica was, and whether ready, when last told

    def close(self) -> None:
        """Ends the connection."""
        self._idl.close()

    @property
    def directory(self) -> str:
        """Gives the directory of the database's socket, where the switch has those of its bridges."""
        return str(Path(self._socket).parent)

    @property
    def ready(self) -> bool:
        """Says whether the replica is there and follows the server."""
        return bool(self._idl.state == Idl.IDL_S_MONITORING)

    def run(self) -> bool:
        """Takes in what the server sent, without waiting; gives whether anything has changed, or the connection did.

        What came in the middle of a `transact` is told as well, by the first `run` after it.
        """
        self._idl.run()
        before, self._heard = self._heard, (self._idl.change_seqno, self.ready)
        return before != self._heard

    def wakes(self) -> tuple[dict[int, int], float | None]:
        """Gives what to wait for before the next `run`: poll(2) events by descriptor, and the longest wait (s)."""
        wakes = _Wakes()
        self._idl.wait(wakes)
        return wakes.fds, None if wakes.timeout_ms is None else wakes.timeout_ms / 1000

    def await_ready(self, timeout_s: float) -> None:
        """Waits until the replica is there; raises SwitchUnreachable."""
        self._await(lambda: self.ready, timeout_s, f"no answer from ovsdb-server at {self._socket}")

    # --- reading

    def bridges(self) -> dict[str, OvsBridge]:
        """Gives all bridges by name."""
        self._forget_touched()
        found = (self._value(row, _bridge) for row in self._rows("Bridge"))
        return {bridge.name: bridge for bridge in found}

    def ports(self) -> dict[str, OvsPort]:
        """Gives all ports by name, those that bridges have for themselves left out."""
        self._forget_touched()
        interfaces = {row.uuid: self._value(row, _interface) for row in self._rows("Interface")}
        ports = self._idl.tables["Port"].rows
        found: dict[str, OvsPort] = {}
        for row in self._rows("Bridge"):
            bridge = self._value(row, _bridge).name
            for port_row in (ports[u] for u in _held(row, "ports") if u in ports):
                port = self._value(port_row, _port)
                interface = next((interfaces[u] for u in port.interfaces if u in interfaces), None)
                if port.name == bridge or interface is None:
                    continue
                found[port.name] = OvsPort(
                    uuid=port.uuid,
                    bridge=bridge,
                    name=port.name,
                    tag=port.tag,
                    vlan_mode=port.vlan_mode,
                    trunks=port.trunks,
                    external_ids=port.external_ids,
                    interface_uuid=interface.uuid,
                    type=interface.type,
                    options=interface.options,
                    interface_ids=interface.external_ids,
                    ofport=interface.ofport,
                    error=interface.error,
                )
        return found

    def _rows(self, table: str) -> list[Any]:
        return list(self._idl.tables[table].rows.values())

    def _forget_touched(self) -> None:
        for row_uuid in self._idl.touched:
            self._values.pop(row_uuid, None)
        self._idl.touched.clear()

    def _value(self, row: Any, read: Any) -> Any:
        value = self._values.get(row.uuid)
        if value is None:
            value = self._values[row.uuid] = read(row)
        return value

    # --- changing

    def transact(self, operations: Sequence[Operation], timeout_s: float = 5.0, *, wait: bool = True) -> None:
        """Does all operations or none, and waits until ovs-vswitchd has followed.

        wait  False: only until the database has them

        Raises SwitchUnreachable when nobody answers in time, ValueError with the server's own words when it refuses.
        """
        if not self.ready:
            raise SwitchUnreachable(f"no connection to ovsdb-server at {self._socket}")
        transaction = Transaction(self._idl)
        for operation in operations:
            transaction.add_op(operation)
        root = self._rows("Open_vSwitch")[0]
        if wait:
            root.increment("next_cfg")
        if transaction.commit() == Transaction.INCOMPLETE:
            self._await(
                lambda: transaction.commit() != Transaction.INCOMPLETE, timeout_s, "ovsdb-server does not answer"
            )
        status = transaction.commit()
        if status == Transaction.TRY_AGAIN:
            raise SwitchUnreachable("the connection to ovsdb-server was lost during a transaction")
        if status not in (Transaction.SUCCESS, Transaction.UNCHANGED):
            raise ValueError(f"ovsdb-server refused: {transaction.get_error() or Transaction.status_to_string(status)}")
        if wait and status == Transaction.SUCCESS:
            wanted = transaction.get_increment_new_value()
            self._await(lambda: self._applied() >= wanted, timeout_s, "ovs-vswitchd does not follow its database")

    def root_uuid(self) -> str:
        """Gives the UUID of the one row of table Open_vSwitch; raises SwitchUnreachable when it is not known yet."""
        rows = self._rows("Open_vSwitch")
        if not rows:
            raise SwitchUnreachable(f"no connection to ovsdb-server at {self._socket}")
        return str(rows[0].uuid)

    def _applied(self) -> int:
        rows = self._rows("Open_vSwitch")
        return int(rows[0].cur_cfg) if rows else -1

    def _await(self, reached: Any, timeout_s: float, otherwise: str) -> None:
        end = time.monotonic() + timeout_s
        while True:
            self._idl.run()
            if reached():
                return
            left = end - time.monotonic()
            if left <= 0:
                raise SwitchUnreachable(f"{otherwise} (waited {timeout_s} s)")
            fds, timer_s = self.wakes()
            poll = select.poll()
            for fd, events in fds.items():
                poll.register(fd, events)
            poll.poll(1000 * (left if timer_s is None else min(left, timer_s)))


def _bridge(row: Any) -> OvsBridge:
    return OvsBridge(
        uuid=str(row.uuid),
        name=row.name,
        datapath_type=row.datapath_type or "system",
        fail_mode=_one(row.fail_mode, "standalone"),
        protocols=tuple(sorted(row.protocols)),
        controllers=tuple(sorted(controller.target for controller in row.controller)),
        external_ids=dict(row.external_ids),
    )


def _port(row: Any) -> _Port:
    return _Port(
        uuid=str(row.uuid),
        name=_one(_held(row, "name"), ""),
        tag=_one(_held(row, "tag"), None),
        vlan_mode=_one(_held(row, "vlan_mode"), ""),
        trunks=tuple(sorted(_held(row, "trunks"))),
        external_ids=_held(row, "external_ids"),
        interfaces=tuple(_held(row, "interfaces")),
    )


def _interface(row: Any) -> _Interface:
    return _Interface(
        uuid=str(row.uuid),
        type=_one(_held(row, "type"), ""),
        options=_held(row, "options"),
        external_ids=_held(row, "external_ids"),
        ofport=_one(_held(row, "ofport"), 0),
        error=_one(_held(row, "error"), ""),
    )


def _held(row: Any, column: str) -> dict[Any, Any]:
    """Gives what a column of a row holds as the server has it: keys with values, None in a set; rows by their UUIDs.

    The row's own attributes also have what a transaction is about to change; ours change none of it, and with hundreds
    of ports asking for it takes five times as long.
    """
    atoms = row._data[column].values
    return {key.value: None if value is None else value.value for key, value in atoms.items()}


def _one(values: Iterable[Any], otherwise: Any) -> Any:
    return next(iter(values), otherwise)


# --- operations, as RFC 7047 spells them


def string_map(values: dict[str, str]) -> list[Any]:
    """Writes a map column."""
    return ["map", [[key, value] for key, value in sorted(values.items())]]


def string_set(values: Sequence[str]) -> list[Any]:
    """Writes a set column."""
    return ["set", list(values)]


def insert(table: str, name: str, row: dict[str, Any]) -> Operation:
    """Makes a row that later operations of the transaction call by `name`."""
    return {"op": "insert", "table": table, "uuid-name": name, "row": row}


def named(name: str) -> list[str]:
    """Refers to a row that this transaction makes."""
    return ["named-uuid", name]


def update(table: str, row_uuid: str, row: dict[str, Any]) -> Operation:
    """Sets columns of a row."""
    return {"op": "update", "table": table, "where": [["_uuid", "==", ["uuid", row_uuid]]], "row": row}


def add_member(table: str, row_uuid: str, column: str, member: list[str]) -> Operation:
    """Adds a row to a set of references."""
    return _mutate(table, row_uuid, column, "insert", member)


def drop_member(table: str, row_uuid: str, column: str, member_uuid: str) -> Operation:
    """Takes a row out of a set of references; the server deletes what nothing refers to."""
    return _mutate(table, row_uuid, column, "delete", ["uuid", member_uuid])


def _mutate(table: str, row_uuid: str, column: str, mutator: str, member: list[str]) -> Operation:
    return {
        "op": "mutate",
        "table": table,
        "where": [["_uuid", "==", ["uuid", row_uuid]]],
        "mutations": [[column, mutator, ["set", [member]]]],
    }
