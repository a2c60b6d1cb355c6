"""Rows of the machines that run agents; imported by way of ``model.resources``."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from netglass.model.row import Row


class HostSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an operator sets for one host (its agent's configuration), and all that compiling needs of it."""

    bridge_mappings: dict[str, str] = {}  # physical network -> bridge, such as {"default": "br-eth2"}
    bridge_nics: dict[str, str] = {}  # bridge -> NIC on it, such as {"br-eth2": "eth2"}
    bridge_addresses: dict[str, tuple[str, ...]] = {}  # bridge -> addresses of its local port, as 192.0.2.7/24
    provider_link: str = "veth"  # between br-int and provider bridges: veth or patch
    tunnel_types: tuple[str, ...] = ()  # of TUNNEL_TYPES, what the host's tunnels may be; empty: no br-tun
    local_ip: str = ""  # where the host's tunnels begin: its address, IPv4 or IPv6, on the tunnel network
    l2_population: bool = False  # br-tun is told where every MAC and address is; else it learns
    datapath_type: str = "system"  # system (kernel module) or netdev (userspace), after the agent's probe
    firewall_driver: str = "iptables_hybrid"  # or openvswitch: whether guests sit behind a qbr
    state_root: str = "/var/lib/neutron"  # dhcp/, ra/, metadata_proxy
    instances_root: str = "/var/lib/nova/instances"
    dns_domain: str = "openstacklocal"  # of the names that this host's DHCP servers give to guests
    dhcp_lease_s: int = 86400  # seconds, at least 120 (dnsmasq's own least)
    gateway_link: str = "bridge"  # where routers' outer ports sit: on the external bridge itself, or integration
    enable_isolated_metadata: bool = True  # where no router is the gateway, qdhcp serves metadata, and DHCP says so
    radvd_user: str = "radvd"  # what sends routers' advertisements runs as this user
    metadata_proxy_user: str = "haproxy"  # user and group of metadata proxies; the agent's socket is open to the group


class Host(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A machine that runs the agent.

    id  its host name, as ports name it in ``binding:host_id``
    """

    kind: ClassVar[str] = "host"

    roles: tuple[str, ...] = ()  # of: hypervisor, network; ascending
    availability_zone: str = "nova"
    settings: HostSettings = HostSettings()
    enabled: bool = True  # takes new ports, servers and DHCP servers
    away: bool = False  # not heard of for too long: its routers and DHCP servers go where they can
    paused: bool = False  # its agent looks, and changes nothing
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    address: str = ""  # on the management network
    descriptions: dict[str, str] = {}  # role -> an operator's words on it, as the agents list shows them


class HostKey(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Who may speak for a host that joined by a token, or is invited to; only digests (control.host_keys).

    id  the host's name
    """

    kind: ClassVar[str] = "host_key"

    digests: tuple[str, ...] = ()  # of its credentials, the newest first, at most two
    token_digest: str = ""  # of an unused token
    expires_at: str = ""  # when that ends
    revoked: bool = False
