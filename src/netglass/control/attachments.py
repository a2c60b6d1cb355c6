"""Plugging servers into networks: from what a request names to ports, and back.

A server's port is one that it was given, or one that is made for it and dies with it.
Source: Compute API v2.1, ``networks``; the wording of faults is Nova's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netglass.base.errors import Bug, Conflict, Forbidden, Invalid
from netglass.control.decision import Decision
from netglass.control.ports import decide_create_port, decide_delete_port, decide_update_port
from netglass.control.visibility import granted_ids, is_external, is_shared, owns, visible
from netglass.model.resources import Host, Network, Port, Server


@dataclass(frozen=True)
class Nic:
    """One network interface that a request asks for: by port, or by network and perhaps an address on it."""

    network_id: str = ""
    port_id: str = ""
    fixed_ip: str = ""


def choose_nics(d: Decision, wanted: Sequence[Nic] | str | None) -> tuple[Nic, ...]:
    """Gives the interfaces that a request means.

    wanted  interfaces, or ``none``, or ``auto`` (the project's one network), or None (as ``auto``, but no network is
            no error)

    Raises Conflict when there are several networks to choose from, Invalid when ``auto`` finds none.
    """
    if wanted is not None and not isinstance(wanted, str):
        return tuple(wanted)
    if wanted == "none":
        return ()
    networks = set(d.snapshot.ids("networks_by_project", d.caller.project_id))
    networks |= set(d.snapshot.ids("networks_shared", True))
    networks |= granted_ids(d.snapshot, d.caller.project_id, Network.kind)
    if len(networks) > 1:
        message = "Multiple possible networks found, use a Network ID to be more specific."
        raise Conflict(message, fault="NetworkAmbiguous")
    if not networks and wanted == "auto":
        message = f"Unable to automatically allocate a network for project {d.caller.project_id}"
        raise Invalid(message, fault="UnableToAutoAllocateNetwork")
    return tuple(Nic(network_id=network_id) for network_id in networks)


def check_nics(d: Decision, nics: Sequence[Nic], count: int) -> list[Network]:
    """Gives the networks of the interfaces, after checking that all of these can be had by `count` servers.

    Raises Invalid for what does not exist or cannot be used, Conflict for a port that is in use.
    """
    networks = []
    for nic in nics:
        if count > 1 and (nic.port_id or nic.fixed_ip):
            what = f"port {nic.port_id}" if nic.port_id else f"address {nic.fixed_ip}"
            raise Invalid(f"Unable to launch {count} servers with one {what}: make them one by one.")
        networks.append(_port_network(d, nic) if nic.port_id else _visible_network(d, nic.network_id))
    return networks


def attach(
    d: Decision, server_id: str, nics: Sequence[Nic], host: Host, group_ids: tuple[str, ...] | None = None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Makes or takes the ports of a new server and binds them to its host.

    group_ids  security groups of the ports that are made, where port security is on; None: what ports have by default

    Gives the ids of all its ports in order, and of those that were made for it.
    Raises what `decide_create_port` raises, and Conflict for a port that is named twice.
    """
    owner = f"compute:{host.availability_zone}"
    port_ids: list[str] = []
    own_port_ids: list[str] = []
    for nic in nics:
        device = {"device_id": server_id, "device_owner": owner, "host_id": host.id}
        if nic.port_id:
            port_ids.append(decide_update_port(d, _usable_port(d, nic), device).id)
            continue
        wishes: dict[str, Any] = {"fixed_ips": [{"ip_address": nic.fixed_ip}]} if nic.fixed_ip else {}
        if group_ids is not None:
            wishes["security_group_ids"] = group_ids
        port = decide_create_port(d, {"network_id": nic.network_id, **device, **wishes})
        port_ids.append(port.id)
        own_port_ids.append(port.id)
    return tuple(port_ids), tuple(own_port_ids)


def detach_all(d: Decision, server: Server) -> None:
    """Deletes a server's own ports and frees those it was given; those that are gone already are no matter."""
    for port_id in server.port_ids:
        port = d.snapshot.get(Port, port_id)
        if port is None or port.device_id != server.id:
            continue
        if port_id in server.own_port_ids:
            decide_delete_port(d, port)
        else:
            decide_update_port(d, port, {"device_id": "", "device_owner": "", "host_id": ""})


def _visible_network(d: Decision, network_id: str) -> Network:
    network = d.snapshot.get(Network, network_id)
    if network is None or not visible(d.caller, network, d.snapshot):
        raise Invalid(f"Network {network_id} could not be found.", fault="NetworkNotFound")
    may = d.caller.is_admin or owns(d.caller, network) or is_shared(d.snapshot, network, d.caller.project_id)
    if is_external(d.snapshot, network) and not may:
        message = f"It is not allowed to create an interface on external network {network_id}"
        raise Forbidden(message, fault="ExternalNetworkAttachForbidden")
    if not d.snapshot.ids("subnets_by_network", network_id):
        message = f"Network {network_id} requires a subnet in order to boot instances on."
        raise Invalid(message, fault="NetworkRequiresSubnet")
    return network


def _usable_port(d: Decision, nic: Nic) -> Port:
    port = d.snapshot.get(Port, nic.port_id)
    if port is None or not visible(d.caller, port, d.snapshot):
        raise Invalid(f"Port id {nic.port_id} could not be found.", fault="PortNotFound")
    if not owns(d.caller, port):
        message = f"Port {port.id} not usable: it belongs to another project than the server."
        raise Invalid(message, fault="PortNotUsable")
    if port.device_id or port.device_owner:
        raise Conflict(f"Port {port.id} is still in use.", fault="PortInUse")
    return port


def _port_network(d: Decision, nic: Nic) -> Network:
    port = _usable_port(d, nic)
    network = d.snapshot.get(Network, port.network_id)
    if network is None:
        raise Bug(f"port {port.id} is on network {port.network_id}, which is not there")
    return network
