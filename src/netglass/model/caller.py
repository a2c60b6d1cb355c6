"""Who asks, and what the cloud's operator has set: the arguments of every decision."""

from __future__ import annotations

from typing import Literal

import msgspec


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The one who makes a request, out of their token.

    project_id  empty when the token is scoped to the system or to nothing
    roles       names, as in admin, member, reader
    """

    user_id: str = ""
    user_name: str = ""
    project_id: str = ""
    project_name: str = ""
    roles: tuple[str, ...] = ()
    system_scope: bool = False
    request_id: str = ""

    @property
    def is_admin(self) -> bool:
        """Says whether the caller may see and change what belongs to others."""
        return "admin" in self.roles

    @property
    def may_write(self) -> bool:
        """Says whether the caller may change what belongs to their project (admin or member, not reader alone)."""
        return "admin" in self.roles or "member" in self.roles


class CloudSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator of the API sets (the server's configuration), as far as decisions depend on it."""

    tenant_network_types: tuple[str, ...] = ("vlan",)  # tried in this order for networks with no wish
    vlan_ranges: tuple[tuple[str, int, int], ...] = (("default", 1000, 1999),)  # physical network, first, last
    vlan_networks: tuple[str, ...] = ()  # physical networks open to VLANs by an administrator alone: no range of theirs
    flat_networks: tuple[str, ...] = ("*",)  # physical networks open to flat; "*" is all
    tunnel_ranges: dict[str, tuple[int, int]] = {}  # tunnel type -> first and last tunnel id that projects get
    physical_network_mtu: int = 1500  # bytes; also of what lies beneath the tunnels
    overlay_ip_version: Literal[4, 6] = 4  # of the addresses between which tunnels run: 4 or 6
    geneve_header_size: int = 38  # bytes kept free for inner Ethernet, Geneve with its options, and UDP
    base_mac: str = "fa:16:3e:00:00:00"
    dhcp_agents_per_network: int = 1
    dns_domain: str = "openstacklocal"
    dhcp_lease_s: int = 86400
    max_dns_nameservers: int = 5
    max_subnet_host_routes: int = 20
    max_fixed_ips_per_port: int = 5
    max_routes: int = 30  # extra routes of one router
    max_allowed_address_pairs: int = 10  # of one port
    default_quotas: dict[str, int] = msgspec.field(
        default_factory=lambda: {
            "network": 100,
            "subnet": 100,
            "subnetpool": -1,  # as in Neutron: no limit
            "port": 500,
            "router": 10,
            "floatingip": 50,
            "security_group": 10,
            "security_group_rule": 100,
            "rbac_policy": 10,
            "port_forwarding": 500,  # Neutron has no limit: each is a rule on a host that others share
        }  # msgspec takes no filled dict as default
    )
    agent_down_s: int = 15  # a host that has not reported for so long is not alive
