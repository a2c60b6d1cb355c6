"""How a server looks on the wire: by microversion, and by who asks.

Source: Compute API v2.1, servers; the shapes that clients were satisfied by (API.md).
"""

from __future__ import annotations

from hashlib import sha224
from typing import Any

from netglass.api.compute.calls import Call
from netglass.api.compute.flavor_view import embedded_flavor
from netglass.control.guest_groups import groups_of
from netglass.model.resources import Flavor, Network, Port, Server
from netglass.model.snapshot import Snapshot

STATUS = {"building": "BUILD", "active": "ACTIVE", "stopped": "SHUTOFF", "error": "ERROR"}
"""``status`` by state, where no reboot is under way."""

_REBOOTS = {"rebooting": "REBOOT", "rebooting_hard": "HARD_REBOOT"}
_POWER = {"active": 1, "stopped": 4}  # 1 running, 4 shut down, 0 unknown

# attribute -> the microversion 2.<n> that brought it
_SINCE = {
    "OS-EXT-SRV-ATTR:hostname": 3,
    "OS-EXT-SRV-ATTR:launch_index": 3,
    "OS-EXT-SRV-ATTR:reservation_id": 3,
    "OS-EXT-SRV-ATTR:kernel_id": 3,
    "OS-EXT-SRV-ATTR:ramdisk_id": 3,
    "OS-EXT-SRV-ATTR:root_device_name": 3,
    "OS-EXT-SRV-ATTR:user_data": 3,
    "locked": 9,
    "host_status": 16,
    "description": 19,
    "tags": 26,
    "trusted_image_certificates": 63,
    "server_groups": 71,
    "locked_reason": 73,
}


def status_of(server: Server) -> str:
    """Gives ``status``."""
    return _REBOOTS.get(server.task_state or "", STATUS[server.vm_state])


def brief_server(call: Call, server: Server) -> dict[str, Any]:
    """Gives a server as lists without detail show it."""
    return {"id": server.id, "name": server.name, "links": server_links(call, server)}


def server_links(call: Call, server: Server) -> list[dict[str, str]]:
    """Gives a server's links."""
    return [
        {"rel": "self", "href": f"{call.base}/servers/{server.id}"},
        {"rel": "bookmark", "href": f"{call.services.public_url}/compute/servers/{server.id}"},
    ]


def whole_server(call: Call, server: Server, snapshot: Snapshot) -> dict[str, Any]:
    """Gives a server with everything that the caller may see of it in the request's microversion."""
    shown: dict[str, Any] = {
        **brief_server(call, server),
        "status": status_of(server),
        "tenant_id": server.project_id,
        "user_id": server.user_id,
        "created": server.created_at,
        "updated": server.updated_at,
        "hostId": sha224((server.project_id + server.host).encode()).hexdigest() if server.host else "",
        "addresses": addresses_of(server, snapshot),
        "flavor": _flavor(call, server, snapshot),
        "image": _image(call, server),
        "metadata": server.metadata,
        "key_name": server.key_name,
        "config_drive": server.config_drive,
        "accessIPv4": "",
        "accessIPv6": "",
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": server.availability_zone,
        "OS-EXT-STS:task_state": server.task_state,
        "OS-EXT-STS:vm_state": server.vm_state,
        "OS-EXT-STS:power_state": _POWER.get(server.vm_state, 0),
        "OS-SRV-USG:launched_at": server.launched_at,
        "OS-SRV-USG:terminated_at": None,
        "os-extended-volumes:volumes_attached": [],
        "locked": False,
        "locked_reason": None,
        "description": server.description,
        "tags": list(server.tags),
        "trusted_image_certificates": None,
        "server_groups": [],
    }
    if status_of(server) in ("ACTIVE", "BUILD", "REBOOT", "HARD_REBOOT"):
        shown["progress"] = 100 if server.vm_state == "active" else 0
    if server.vm_state == "error":
        shown["fault"] = {"code": 500, "created": server.updated_at, "message": server.fault}
    if groups := groups_of(snapshot, server):
        shown["security_groups"] = [{"name": name} for name in dict.fromkeys(group.name for group in groups)]
    if call.caller.is_admin:
        shown |= _for_admins(call, server)
    return {name: value for name, value in shown.items() if _SINCE.get(name, 0) <= call.minor}


def addresses_of(server: Server, snapshot: Snapshot) -> dict[str, list[dict[str, Any]]]:
    """Gives a server's addresses by the name of their network, interface by interface, floating ones after its own."""
    own: dict[str, list[dict[str, Any]]] = {}
    floating: dict[str, list[dict[str, Any]]] = {}
    for port_id in server.port_ids:
        port = snapshot.get(Port, port_id)
        network = snapshot.get(Network, port.network_id) if port is not None else None
        if port is None or network is None or port.device_id != server.id:
            continue  # deleted behind the server's back, as Networking allows
        for fixed in port.fixed_ips:
            own.setdefault(network.name, []).append(_address(fixed.ip_address, "fixed", port))
        for row in snapshot.rows("floating_ips_by_port", port.id):
            floating.setdefault(network.name, []).append(_address(row.floating_ip_address, "floating", port))
    return {name: found + floating.get(name, []) for name, found in own.items()}


def _address(address: str, kind: str, port: Port) -> dict[str, Any]:
    return {
        "addr": address,
        "version": 6 if ":" in address else 4,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": port.mac_address,
    }


def _flavor(call: Call, server: Server, snapshot: Snapshot) -> dict[str, Any]:
    if call.minor < 47:
        href = f"{call.services.public_url}/compute/flavors/{server.flavor_id}"
        return {"id": server.flavor_id, "links": [{"rel": "bookmark", "href": href}]}
    return embedded_flavor(snapshot.get(Flavor, server.flavor_id))


def _image(call: Call, server: Server) -> dict[str, Any]:
    href = f"{call.services.public_url}/compute/images/{server.image_id}"
    return {"id": server.image_id, "links": [{"rel": "bookmark", "href": href}]}


def _for_admins(call: Call, server: Server) -> dict[str, Any]:
    state = ("UP" if call.alive(server.host) else "DOWN") if server.host else ""
    return {
        "host_status": state,
        "OS-EXT-SRV-ATTR:host": server.host or None,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": server.host or None,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{server.id[:8]}",
        "OS-EXT-SRV-ATTR:hostname": server.hostname,
        "OS-EXT-SRV-ATTR:launch_index": 0,
        "OS-EXT-SRV-ATTR:reservation_id": f"r-{server.id[:8]}",
        "OS-EXT-SRV-ATTR:kernel_id": "",
        "OS-EXT-SRV-ATTR:ramdisk_id": "",
        "OS-EXT-SRV-ATTR:root_device_name": None,
        "OS-EXT-SRV-ATTR:user_data": server.user_data,
    }
