"""Rows of layer 2 and its addresses: networks and subnets; imported by way of ``model.resources``."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from netglass.model.row import Described

TUNNEL_ID_MAX = {"gre": (1 << 32) - 1, "vxlan": (1 << 24) - 1, "geneve": (1 << 24) - 1}
"""Largest id of each tunnel type; the smallest is 1 (RFC 2890, key; RFC 7348 and RFC 8926, VNI)."""

TUNNEL_TYPES = tuple(TUNNEL_ID_MAX)
"""Network types whose frames travel between hosts in tunnels."""


IPV6_MIN_MTU = 1280
"""Bytes that every link must carry whole to carry IPv6 (RFC 8200, section 5)."""


class Network(Described, frozen=True, kw_only=True, omit_defaults=True):
    """A network: one broadcast domain over all hosts."""

    kind: ClassVar[str] = "network"

    admin_state_up: bool = True
    shared: bool = False
    mtu: int = 1500  # bytes, of the guest's IP packets
    network_type: str = "vlan"  # vlan, flat, or one of TUNNEL_TYPES
    physical_network: str = ""  # empty for tunnel types
    segmentation_id: int | None = None  # VLAN 1..4094, or tunnel id (GRE key, VNI); None when flat
    port_security_enabled: bool = True
    availability_zone_hints: tuple[str, ...] = ()
    external: bool = False  # router:external; everybody may reach out through it, and have addresses of it

    @property
    def carries_ipv6(self) -> bool:
        """Says whether its MTU is enough for IPv6: on a device with less, Linux has no address and no setting of it."""
        return self.mtu >= IPV6_MIN_MTU


class AddressRange(msgspec.Struct, frozen=True):
    """Inclusive range of addresses of one family."""

    start: str
    end: str


class HostRoute(msgspec.Struct, frozen=True):
    """A route given to guests by DHCP."""

    destination: str  # CIDR
    nexthop: str


class Subnet(Described, frozen=True, kw_only=True, omit_defaults=True):
    """A block of addresses on a network."""

    kind: ClassVar[str] = "subnet"

    network_id: str
    ip_version: int = 4  # 4 or 6
    cidr: str
    gateway_ip: str | None = None  # None: guests get no default route
    enable_dhcp: bool = True
    allocation_pools: tuple[AddressRange, ...] = ()  # ascending, disjoint
    dns_nameservers: tuple[str, ...] = ()  # in the order of preference
    host_routes: tuple[HostRoute, ...] = ()
    ipv6_ra_mode: str | None = None  # slaac, dhcpv6-stateful, dhcpv6-stateless
    ipv6_address_mode: str | None = None
    service_types: tuple[str, ...] = ()
    subnetpool_id: str = ""  # where its CIDR came from
    address_scope_id: str = ""  # its pool's; kept here so that hosts need not know pools
