"""Security groups of servers, as Compute has them: by name or id, and on all of a server's ports at once.

Source: Compute API v2.1, ``security_groups``, ``addSecurityGroup`` and ``removeSecurityGroup``; the wording is Nova's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netglass.base.errors import Conflict, Invalid, NotFound
from netglass.control.attachments import Nic
from netglass.control.decision import Decision
from netglass.control.ports import decide_update_port
from netglass.control.visibility import visible
from netglass.model.resources import Network, Port, SecurityGroup, Server
from netglass.model.snapshot import Snapshot


def groups_for(d: Decision, nics: Sequence[Nic], names: Sequence[str]) -> tuple[str, ...] | None:
    """Gives the ids of the groups that a new server's ports shall have; None when the request names none.

    Raises Invalid for one that is not there, or where a network has port security off; Conflict for a name that
    several groups have.
    """
    if not names:
        return None
    try:
        found = tuple(dict.fromkeys(find_named_group(d, name).id for name in names))
    except NotFound as error:
        raise Invalid(error.message, fault=error.fault) from None
    for nic in nics:
        network = d.snapshot.get(Network, nic.network_id) if nic.network_id else None
        if network is not None and not network.port_security_enabled:
            message = "Network requires port_security_enabled and subnet associated in order to apply security groups."
            raise Invalid(message, fault="SecurityGroupCannotBeApplied")
    return found


def find_named_group(d: Decision, name: str) -> SecurityGroup:
    """Gives the group of that id, or the one of that name in the caller's project.

    Raises NotFound, and Conflict for a name that several groups have.
    """
    group = d.snapshot.get(SecurityGroup, name)
    if group is not None and visible(d.caller, group, d.snapshot):
        return group
    own: list[SecurityGroup] = d.snapshot.rows("security_groups_by_project", d.caller.project_id)
    named = [group for group in own if group.name == name]
    if not named:
        raise NotFound(f"Unable to find security_group with name or id '{name}'", fault="SecurityGroupNotFound")
    if len(named) > 1:
        message = f"Multiple security_group matches found for name '{name}', use an ID to be more specific."
        raise Conflict(message, fault="NoUniqueMatch")
    return named[0]


def groups_of(snapshot: Snapshot, server: Server) -> list[SecurityGroup]:
    """Gives the groups that any of a server's ports has, each once, in the order of its ports."""
    ids = dict.fromkeys(group_id for port in _ports(snapshot, server) for group_id in port.security_group_ids)
    found = (snapshot.get(SecurityGroup, group_id) for group_id in ids)
    return [group for group in found if group is not None]


def decide_add_guest_group(d: Decision, server: Server, name: str) -> None:
    """Gives a group to all of a server's ports that can have one: those with port security and an address.

    Raises NotFound for an unknown group or a server without ports, Conflict for a name that several groups have.
    """
    group = find_named_group(d, name)
    ports = list(_ports(d.snapshot, server))
    if not ports:
        message = f"instance_id {server.id} could not be found as device id on any ports"
        raise NotFound(message, fault="SecurityGroupNotFound")
    for port in ports:
        if port.port_security_enabled and port.fixed_ips:
            decide_update_port(d, port, {"security_group_ids": (*port.security_group_ids, group.id)})


def decide_remove_guest_group(d: Decision, server: Server, name: str) -> None:
    """Takes a group from all of a server's ports.

    Raises NotFound for an unknown group or one that none of them has, Conflict for a name that several groups have.
    """
    group = find_named_group(d, name)
    ports = [port for port in _ports(d.snapshot, server) if group.id in port.security_group_ids]
    if not ports:
        message = f"Security group {group.name} not associated with the instance {server.id}"
        raise NotFound(message, fault="SecurityGroupNotFound")
    for port in ports:
        rest = tuple(group_id for group_id in port.security_group_ids if group_id != group.id)
        decide_update_port(d, port, {"security_group_ids": rest})


def _ports(snapshot: Snapshot, server: Server) -> Iterable[Port]:
    found = (snapshot.get(Port, port_id) for port_id in server.port_ids)
    return [port for port in found if port is not None and port.device_id == server.id]
