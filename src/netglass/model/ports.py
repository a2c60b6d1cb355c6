"""Rows of what is plugged in, and the tag that a host knows a network by; imported by way of ``model.resources``."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from netglass.model.row import Described, Row


class FixedIp(msgspec.Struct, frozen=True):
    """An address of a port, out of one subnet."""

    subnet_id: str
    ip_address: str


class DhcpOption(msgspec.Struct, frozen=True):
    """An extra DHCP option of a port (``extra_dhcp_opts``)."""

    opt_name: str  # dnsmasq's name or number
    opt_value: str
    ip_version: int = 4


class AddressPair(msgspec.Struct, frozen=True):
    """A source besides its own that a port may send from (``allowed_address_pairs``)."""

    ip_address: str  # an address or a CIDR
    mac_address: str = ""  # empty: the port's own


class Port(Described, frozen=True, kw_only=True, omit_defaults=True):
    """A place on a network where one device is plugged in."""

    kind: ClassVar[str] = "port"

    network_id: str
    mac_address: str
    admin_state_up: bool = True
    device_id: str = ""
    device_owner: str = ""  # such as compute:nova, network:dhcp
    fixed_ips: tuple[FixedIp, ...] = ()
    extra_dhcp_opts: tuple[DhcpOption, ...] = ()
    port_security_enabled: bool = True
    security_group_ids: tuple[str, ...] = ()  # ascending; empty: nothing but what a guest needs to have an address
    allowed_address_pairs: tuple[AddressPair, ...] = ()  # in the caller's order
    host_id: str = ""  # binding:host_id; empty when not bound
    vnic_type: str = "normal"
    profile: dict[str, object] = {}  # binding:profile, as the caller gave it
    status: str = "DOWN"  # DOWN, ACTIVE; N/A is never used here
    realised_on: tuple[str, ...] = ()  # hosts that reported this port's wiring done, ascending


class LocalVlan(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A host's own VLAN tag for a network, there from the first port bound on that host to the last.

    The tag is also the zone that the network's connections are tracked in on that host.

    id  ``<host>/<network id>``
    """

    kind: ClassVar[str] = "local_vlan"

    host: str
    network_id: str
    vlan: int  # 1..4094; 4095 is the dead VLAN
