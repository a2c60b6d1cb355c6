"""Ports: places on networks where devices are plugged in, and how they are plugged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netglass.api.networking import kinds, rule_kinds, shapes
from netglass.api.networking.declare import Attribute, Parent, Resource, View
from netglass.api.networking.resources.common import (
    ADMIN_STATE_UP,
    DESCRIPTION,
    GUARDED,
    ID,
    NAME,
    OWNER,
    STAMPS,
    TAGS,
    WRITES,
    by,
)
from netglass.api.networking.resources.networks import NETWORK
from netglass.control.binding import vif_type
from netglass.control.ports import decide_create_port, decide_delete_port, decide_update_port
from netglass.model.caller import Caller
from netglass.model.resources import Host, Network, Port, Subnet

INTEGRATION_BRIDGE = "br-int"
_VNIC_TYPES = (
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
)
_SHOWN = frozenset({"get"})
_HOST_NAME = kinds.text(one_line=True)
# Nova sends null, and sometimes an empty string, to take a port off its host.
_HOST = kinds.Kind(lambda value: "" if value is None else _HOST_NAME.parse(value), kinds.nullable(_HOST_NAME).schema)


def _vif_type(port: Port, view: View) -> str:
    return vif_type(view.snapshot, port)


def _vif_details(port: Port, view: View) -> dict[str, Any]:
    host = view.snapshot.get(Host, port.host_id) if port.host_id else None
    if host is None or vif_type(view.snapshot, port) != "ovs":
        return {}
    # A hybrid port has a Linux bridge of its own in front of the switch, where iptables can see its frames.
    hybrid = host.settings.firewall_driver == "iptables_hybrid"
    return {
        "port_filter": port.port_security_enabled,
        "connectivity": "l2",
        "bridge_name": INTEGRATION_BRIDGE,
        "datapath_type": host.settings.datapath_type,
        "ovs_hybrid_plug": hybrid,
    }


def _pairs(port: Port, view: View) -> list[dict[str, str]]:
    return [
        {"ip_address": pair.ip_address, "mac_address": pair.mac_address or port.mac_address}
        for pair in port.allowed_address_pairs
    ]


def _rows(view: View, caller: Caller) -> Iterable[Port]:
    """Gives the caller's own, and those on the caller's networks."""
    if caller.is_admin:
        return view.snapshot.all(Port)
    ids = set(view.snapshot.ids("ports_by_project", caller.project_id))
    for network_id in view.snapshot.ids("networks_by_project", caller.project_id):
        ids.update(view.snapshot.ids("ports_by_network", network_id))
    return _of(view, ids)


def _by_fixed_ips(view: View, texts: list[str]) -> Iterable[Port] | None:
    wanted = shapes.read_fixed_ip_filter(texts)
    addresses, subnets = wanted["ip_address"], wanted["subnet_id"]
    if not addresses and not subnets:
        return None
    ids: set[str] = set()
    for subnet_id in subnets or {subnet.id for subnet in view.snapshot.all(Subnet)}:
        if not addresses:
            ids.update(view.snapshot.ids("ports_by_subnet", subnet_id))
        for address in addresses:
            ids.update(view.snapshot.ids("ports_by_address", (subnet_id, address)))
    return _of(view, ids)


def _by_mac(view: View, texts: list[str]) -> Iterable[Port]:
    macs = {kinds.MAC.from_text(text) for text in texts}
    networks = view.snapshot.all(Network)
    return _of(view, {i for n in networks for mac in macs for i in view.snapshot.ids("ports_by_mac", (n.id, mac))})


def _of(view: View, ids: Iterable[str]) -> list[Port]:
    found = (view.snapshot.get(Port, port_id) for port_id in ids)
    return [port for port in found if port is not None]


PORT = Resource(
    name="port",
    collection="ports",
    about="A place on a network where one device is plugged in.",
    missing="PortNotFound",
    parent=Parent("network_id", NETWORK),
    find=lambda view, row_id: view.snapshot.get(Port, row_id),
    rows=_rows,
    indexes={
        "device_id": by("ports_by_device", empty=False),
        "mac_address": _by_mac,
        "fixed_ips": _by_fixed_ips,
        "binding:host_id": by("ports_by_host", empty=False),
        "network_id": by("ports_by_network"),
        "security_groups": by("ports_by_security_group"),
        "project_id": by("ports_by_project"),
        "tenant_id": by("ports_by_project"),
    },
    create=decide_create_port,
    update=decide_update_port,
    delete=decide_delete_port,
    attributes=(
        ID,
        NAME,
        *OWNER,
        Attribute(
            name="network_id",
            kind=kinds.UUID,
            about="Network that it lies on.",
            post=True,
            required=True,
            sort=True,
        ),
        ADMIN_STATE_UP,
        Attribute(
            name="status",
            kind=kinds.one_of("ACTIVE", "DOWN"),
            about="ACTIVE once its host, and where it has DHCP the host that serves it, have wired it.",
            sort=True,
        ),
        Attribute(
            name="mac_address",
            kind=kinds.MAC,
            about="Made by the system when not given.",
            post=True,
            put=True,
            guards=WRITES,
            sort=True,
        ),
        Attribute(
            name="fixed_ips",
            kind=shapes.FIXED_IPS,
            about="Its addresses; by default one of each family that the network has. Filter: ip_address=, subnet_id= "
            "and ip_address_substr=.",
            post=True,
            put=True,
            guards=frozenset({"create"}),
            passes=shapes.fixed_ip_filter,
        ),
        Attribute(
            name="device_id",
            kind=kinds.text(),
            about="Id of the device that is plugged in, such as a server's.",
            post=True,
            put=True,
            default="",
            sort=True,
        ),
        Attribute(
            name="device_owner",
            kind=kinds.text(),
            about="What kind of device is plugged in, such as compute:nova.",
            post=True,
            put=True,
            default="",
            guards=WRITES,
            sort=True,
        ),
        Attribute(
            name="extra_dhcp_opts",
            kind=shapes.DHCP_OPTIONS,
            about="DHCP options for this port alone; null as a value takes one away.",
            post=True,
            put=True,
            default=(),
            filter=False,
        ),
        Attribute(
            name="port_security_enabled",
            kind=kinds.BOOLEAN,
            about="Whether the port may only use its own addresses; by default as its network says.",
            post=True,
            put=True,
            guards=WRITES,
            sort=True,
        ),
        Attribute(
            name="security_groups",
            field="security_group_ids",
            kind=rule_kinds.GROUP_IDS,
            about="Ids of its security groups; by default its project's default group, where port security is on.",
            post=True,
            put=True,
        ),
        Attribute(
            name="allowed_address_pairs",
            kind=rule_kinds.ADDRESS_PAIRS,
            about="Addresses beside its own that it may send from, each alone or with a MAC other than its own.",
            show=_pairs,
            post=True,
            put=True,
            default=(),
            guards=WRITES,
            filter=False,
        ),
        Attribute(
            name="binding:host_id",
            field="host_id",
            kind=_HOST,
            about="Host on which it is plugged in; empty: on none.",
            post=True,
            put=True,
            default="",
            guards=GUARDED,
            sort=True,
        ),
        Attribute(
            name="binding:vnic_type",
            field="vnic_type",
            kind=kinds.one_of(*_VNIC_TYPES),
            about="Kind of NIC; any but normal ends in binding_failed.",
            post=True,
            put=True,
            default="normal",
            sort=True,
        ),
        Attribute(
            name="binding:profile",
            field="profile",
            kind=kinds.mapping(),
            about="What the compute service wants to remember of the binding.",
            post=True,
            put=True,
            default={},
            guards=GUARDED,
            filter=False,
        ),
        Attribute(
            name="binding:vif_type",
            kind=kinds.one_of("ovs", "unbound", "binding_failed"),
            about="How it is plugged: unbound without a host, binding_failed on one that cannot take it.",
            show=_vif_type,
            guards=_SHOWN,
        ),
        Attribute(
            name="binding:vif_details",
            kind=kinds.mapping(),
            about="What the hypervisor needs to plug it.",
            show=_vif_details,
            guards=_SHOWN,
            filter=False,
        ),
        DESCRIPTION,
        *STAMPS,
        TAGS,
    ),
)
