"""Servers: making, changing and deleting them, and what their hosts say became of them.

A request sets what is wanted (`power`, `boot`) and a task that is under way; the host's report ends the task.
`boot` rises with every start and reboot, so that a report of an earlier run never ends a later task.
Source: Compute API v2.1, servers; states and the wording of faults are Nova's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from netglass.base.errors import Conflict, Forbidden, Invalid, NotFound
from netglass.control.attachments import Nic, attach, check_nics, choose_nics, detach_all
from netglass.control.decision import Decision
from netglass.control.flavors import find_flavor, visible_image
from netglass.control.guest_groups import groups_for
from netglass.control.placement import Place, choose_host, read_place
from netglass.model.caller import Caller
from netglass.model.protocol import GuestReport
from netglass.model.resources import Image, Server
from netglass.model.snapshot import Snapshot

NO_HOST = "No valid host was found."
"""Why a server is in error that no host could take."""

_HOSTNAME_LENGTH = 63  # RFC 1123, 2.1


@dataclass(frozen=True, kw_only=True)
class WantedServer:
    """What a request for servers asks for.

    nics        interfaces, ``auto``, ``none``, or None where the request says nothing
    groups      names or ids of security groups for the ports that are made; empty: what ports have by default
    hosts_up    hosts that were heard of lately: a server goes to no other
    count       how many; each gets the name with a number when there are several
    attributes  of the row, by field name: description, key_name, user_data, config_drive, metadata, tags
    """

    name: str
    flavor_id: str
    image_id: str
    nics: Sequence[Nic] | str | None = None
    groups: tuple[str, ...] = ()
    availability_zone: str | None = None
    hosts_up: Collection[str] = ()
    count: int = 1
    attributes: Mapping[str, Any] = field(default_factory=dict)


def decide_create_server(d: Decision, wanted: WantedServer) -> tuple[Server, ...]:
    """Makes servers with their ports and places each on a host; gives the rows.

    A server that no host can take is made all the same, in error and without ports, as Nova does.

    Raises Forbidden for readers; Invalid for an unknown flavor, image, zone, host, network, port or security group;
    Conflict for a port in use, several networks to choose from, or several groups of a name; and what
    `control.ports.decide_create_port` raises.
    """
    _require_writer(d, "create")
    if not d.caller.project_id:
        raise Invalid("The token is for no project: a server must belong to one.")
    _require_ends(d, wanted)
    place = read_place(d.snapshot, wanted.availability_zone)
    nics = choose_nics(d, wanted.nics)
    networks = check_nics(d, nics, wanted.count)
    group_ids = groups_for(d, nics, wanted.groups)
    names = [wanted.name] if wanted.count == 1 else [f"{wanted.name}-{n}" for n in range(1, wanted.count + 1)]
    servers = []
    for name in names:
        server = _new_server(d, wanted, name, place)
        host = choose_host(d, place, networks, wanted.hosts_up)
        if host is None:
            servers.append(d.draft.put(replace(server, vm_state="error", fault=NO_HOST)))
            continue
        port_ids, own_port_ids = attach(d, server.id, nics, host, group_ids)
        zone = host.availability_zone
        placed = replace(
            server,
            host=host.id,
            availability_zone=zone,
            port_ids=port_ids,
            own_port_ids=own_port_ids,
            task_state="spawning",
        )
        servers.append(d.draft.put(placed))
    return tuple(servers)


def _new_server(d: Decision, wanted: WantedServer, name: str, place: Place) -> Server:
    server_id = d.fresh.uuid()
    return Server(
        id=server_id,
        project_id=d.caller.project_id,
        user_id=d.caller.user_id,
        name=name,
        hostname=hostname_of(name, server_id),
        flavor_id=wanted.flavor_id,
        image_id=wanted.image_id,
        availability_zone=place.zone,
        created_at=d.now,
        updated_at=d.now,
        **wanted.attributes,
    )


def hostname_of(name: str, server_id: str) -> str:
    """Gives a server's host name (RFC 1123: letters, digits, hyphens, at most 63), made of its name as Nova does.

    A name of which nothing is left gives ``server-<id>``.
    """
    found = re.sub(r"[ _.]+", "-", name.lower())
    found = re.sub(r"[^a-z0-9-]", "", found)[:_HOSTNAME_LENGTH].strip("-")
    return found or f"server-{server_id}"


def _require_ends(d: Decision, wanted: WantedServer) -> None:
    try:
        find_flavor(d.snapshot, d.caller, wanted.flavor_id)
    except NotFound as error:
        raise Invalid(error.message, fault=error.fault) from None
    image = d.snapshot.get(Image, wanted.image_id)
    if image is None or not visible_image(d.caller, image):
        raise Invalid(f"Image {wanted.image_id} could not be found.", fault="ImageNotFound")
    if image.status != "active":
        raise Invalid(f"Image {image.id} is not active.", fault="ImageNotActive")


def find_server(snapshot: Snapshot, caller: Caller, server_id: str) -> Server:
    """Gives a server of the caller's project, or any for an admin; raises NotFound."""
    server = snapshot.get(Server, server_id)
    if server is None or not (caller.is_admin or server.project_id == caller.project_id):
        raise NotFound(f"Instance {server_id} could not be found.", fault="InstanceNotFound")
    return server


def decide_update_server(d: Decision, server_id: str, changes: Mapping[str, Any]) -> Server:
    """Changes name, description or metadata; the host name stays.  Raises NotFound or Forbidden."""
    return d.draft.update(writable_server(d, server_id, "update"), d.now, **changes)


def decide_delete_server(d: Decision, server_id: str) -> None:
    """Drops a server with its own ports and frees those it was given; raises NotFound or Forbidden.

    The row goes at once; its host ends the guest, as it is wanted no more.
    """
    server = writable_server(d, server_id, "delete")
    detach_all(d, server)
    d.draft.drop(server)


def decide_stop_server(d: Decision, server_id: str) -> Server:
    """Has a server's guest stopped; raises NotFound, Forbidden, or Conflict for one that is not running."""
    server = writable_server(d, server_id, "stop")
    _require_state(server, "stop", ("active", "error"))
    return d.draft.update(server, d.now, power="stopped", task_state="powering-off")


def decide_start_server(d: Decision, server_id: str) -> Server:
    """Has a stopped server's guest started; raises NotFound, Forbidden, or Conflict for one that is not stopped."""
    server = writable_server(d, server_id, "start")
    _require_state(server, "start", ("stopped",))
    return d.draft.update(server, d.now, power="running", boot=server.boot + 1, task_state="powering-on")


def decide_reboot_server(d: Decision, server_id: str, *, hard: bool) -> Server:
    """Has a server's guest started anew; a hard one works in any state but while it is built.

    Raises NotFound, Forbidden, or Conflict.
    """
    server = writable_server(d, server_id, "reboot")
    if hard:
        _require_host(server, "reboot")
        if server.vm_state == "building":
            raise _wrong_state(server, "reboot", "vm_state", server.vm_state)
    else:
        _require_state(server, "reboot", ("active",))
    task = "rebooting_hard" if hard else "rebooting"
    return d.draft.update(server, d.now, power="running", boot=server.boot + 1, task_state=task)


def decide_guest_report(d: Decision, host: str, report: GuestReport) -> Server | None:
    """Takes up what a host says of a guest; gives the server's row, None when the report concerns none.

    A report counts only from the server's own host and of its newest boot; an error also without one, since a guest
    that could not be made has none.
    """
    server = d.snapshot.get(Server, report.server_id)
    if server is None or server.host != host:
        return None
    if report.boot != server.boot and not (report.state == "error" and report.boot <= 0):
        return server
    values: dict[str, Any] = {}
    if report.state == "error":
        values = {"vm_state": "error", "task_state": None, "fault": report.error or "The guest failed."}
    elif report.state == "running" and server.power == "running":
        values = {"vm_state": "active", "task_state": None, "fault": ""}
        if server.launched_at is None:
            values["launched_at"] = d.now
    elif report.state == "stopped" and (server.power == "stopped" or server.vm_state == "active"):
        if server.power == "running" and server.task_state is not None:
            return server  # on its way up: the report was made before the guest is there
        values = {"vm_state": "stopped", "task_state": None}
    return d.draft.update(server, d.now, **values)


def writable_server(d: Decision, server_id: str, action: str) -> Server:
    """Gives a server that the caller may change; raises NotFound, or Forbidden for readers.

    action  Nova's name of what is to be done
    """
    server = find_server(d.snapshot, d.caller, server_id)
    _require_writer(d, action)
    return server


def _require_writer(d: Decision, action: str) -> None:
    if not d.caller.may_write:
        raise Forbidden(f"Policy doesn't allow os_compute_api:servers:{action} to be performed.")


def _require_state(server: Server, action: str, states: tuple[str, ...]) -> None:
    _require_host(server, action)
    if server.vm_state not in states:
        raise _wrong_state(server, action, "vm_state", server.vm_state)
    if server.task_state is not None:
        raise _wrong_state(server, action, "task_state", server.task_state)


def _require_host(server: Server, action: str) -> None:
    if not server.host:
        message = f"Instance {server.id} is on no host, so there is nothing to {action}: delete it."
        raise Conflict(message, fault="InstanceNotReady")


def _wrong_state(server: Server, action: str, kind: str, state: str) -> Conflict:
    message = f"Cannot '{action}' instance {server.id} while it is in {kind} {state}"
    return Conflict(message, fault="InstanceInvalidState")
