"""What of intent stands on the host, out of what is wanted and what is missing; pure.

A port stands here when every object of the host's desired state that carries it in its intent is in place, a guest's
boot aside: that one waits for its ports.  A daemon that is missing takes with it everything that the files it reads
were written for: a network's DHCP stands for a port only once dnsmasq has been told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netglass.desired.state import Daemon, Flow, HostState, PortTag, SwitchPort, Thing
from netglass.model.protocol import GuestReport
from netglass.model.resources import FloatingIp, Port, Router, Server
from netglass.model.snapshot import Snapshot

_PORT = "port:"

Missing = Mapping[str, Mapping[str, Thing]]
"""Objects that are wanted and not in place, by kind and key."""


def ports_of(desired: HostState) -> frozenset[str]:
    """Gives the ids of all ports that any object of a desired state was made for."""
    kinds = (name for name in HostState.__struct_fields__ if name not in ("host", "diagnostics", "guest_boots"))
    return _ports(thing for kind in kinds for thing in desired.things(kind))


def ports_missing(desired: HostState, missing: Missing) -> frozenset[str]:
    """Gives the ids of the ports that wait for at least one object."""
    things = [thing for kind, found in missing.items() if kind != "guest_boots" for thing in found.values()]
    read = {path for thing in things if isinstance(thing, Daemon) for path in thing.reload_files}
    if read:
        things += [file for file in desired.files if file.path in read]
    return _ports(things)


def owes(missing: Missing) -> bool:
    """Says whether the host lacks anything but what waits until somebody else plugs in a port."""
    theirs = {thing.key for thing in missing.get("switch_ports", {}).values() if _is_awaited(thing)}
    return any(
        not _is_awaited(thing) and not (isinstance(thing, PortTag | Flow) and thing.port in theirs)
        for found in missing.values()
        for thing in found.values()
    )


def _is_awaited(thing: Thing) -> bool:
    return isinstance(thing, SwitchPort) and thing.awaited


def _ports(things: Iterable[Thing]) -> frozenset[str]:
    return frozenset(ref[len(_PORT) :] for thing in things for ref in thing.intent if ref.startswith(_PORT))


def port_changes(snapshot: Snapshot, host: str, standing: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Gives the ports that stand here and whose row does not say so, and those of which the row says so wrongly.

    A row may go on naming a host that the port has left; that is not this host's to report.
    """
    realised: list[str] = []
    lost: list[str] = []
    for port in snapshot.all(Port):
        said = host in port.realised_on
        if said == (port.id in standing):
            continue
        if not said:
            realised.append(port.id)
        elif port.host_id == host or _serves(snapshot, host, port) or _translates(snapshot, host, port):
            lost.append(port.id)
    return tuple(sorted(realised)), tuple(sorted(lost))


def _serves(snapshot: Snapshot, host: str, port: Port) -> bool:
    return any(server.host_id == host for server in snapshot.rows("dhcp_ports_by_network", port.network_id))


def _translates(snapshot: Snapshot, host: str, port: Port) -> bool:
    floating = snapshot.get(FloatingIp, port.device_id) if port.device_owner == "network:floatingip" else None
    router = snapshot.get(Router, floating.router_id) if floating is not None else None
    return router is not None and router.host_id == host


def guest_changes(snapshot: Snapshot, host: str, seen: Mapping[str, GuestReport]) -> tuple[GuestReport, ...]:
    """Gives what guests have become, where their servers' rows say otherwise.

    seen  the host's guests by server id; a server that is to be stopped and has no guest any more is stopped
    """
    changes: list[GuestReport] = []
    for server in snapshot.rows("servers_by_host", host):
        guest = seen.get(server.id)
        if guest is None and server.power == "stopped":
            guest = GuestReport(server_id=server.id, boot=server.boot, state="stopped")
        if guest is not None and _differs(server, guest):
            changes.append(guest)
    return tuple(changes)


def _differs(server: Server, guest: GuestReport) -> bool:
    if guest.boot != server.boot and guest.state != "error":
        return False  # of a boot that is on its way out
    states = {"running": "active"}
    return server.task_state is not None or server.vm_state != states.get(guest.state, guest.state)
