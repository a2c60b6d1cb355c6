"""Every kind of row of intent, as frozen values.

These are what the store keeps, what deciding reads and writes, what the feed carries and what compiling reads.
They are Netglass's own shape, not the wire's: ``api`` turns them into Neutron's, Keystone's, Nova's and Glance's.
Every field has a default where an older row may lack it, so that an old change log stays readable.

Conventions: addresses, CIDRs and MACs are canonical lower-case text (``ipaddress``' own spelling); times are
RFC 3339 in UTC with seconds; an empty string means "none" except where the field says ``| None``.
Never: anything that the host can tell (that is observed), or that can be computed from other rows.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from netglass.model.address_pools import AddressScope as AddressScope
from netglass.model.address_pools import SubnetPool as SubnetPool
from netglass.model.row import Described as Described
from netglass.model.row import Row as Row

TUNNEL_ID_MAX = {"gre": (1 << 32) - 1, "vxlan": (1 << 24) - 1, "geneve": (1 << 24) - 1}
"""Largest id of each tunnel type; the smallest is 1 (RFC 2890, key; RFC 7348 and RFC 8926, VNI)."""

TUNNEL_TYPES = tuple(TUNNEL_ID_MAX)
"""Network types whose frames travel between hosts in tunnels."""

FORWARDED_PROTOCOLS = ("sctp", "tcp", "udp")
"""Protocols whose ports can be forwarded: those with ports that Linux tracks (dccp went with Linux 6.16)."""


DEFAULT_GROUP = "default"
"""Name of the security group that each project has, and that no other may have."""


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


class Router(Described, frozen=True, kw_only=True, omit_defaults=True):
    """A router: what joins subnets to one another, and to an external network.

    Its interfaces are the ports whose ``device_id`` it is: ``network:router_interface`` inside, one
    ``network:router_gateway`` outside.
    """

    kind: ClassVar[str] = "router"

    admin_state_up: bool = True
    gateway_network_id: str = ""  # external network; empty: none
    enable_snat: bool = True  # what goes out bears the gateway's address
    routes: tuple[HostRoute, ...] = ()  # extra routes, ascending
    host_id: str = ""  # where it runs; empty while no host can take it
    announced: int = 0  # one more each time that neighbours must be told anew who has its addresses
    availability_zone_hints: tuple[str, ...] = ()


class FloatingIp(Described, frozen=True, kw_only=True, omit_defaults=True):
    """An external address that a project holds, and that a router may translate to one of its ports' addresses.

    The address itself is a fixed IP of a port of its own (``network:floatingip``) on the external network.
    """

    kind: ClassVar[str] = "floatingip"

    floating_network_id: str
    floating_ip_address: str
    floating_port_id: str  # the port of its own
    port_id: str = ""  # whom it is for; empty: nobody
    fixed_ip_address: str = ""  # which of the port's addresses
    router_id: str = ""  # that translates it, or single ports of it


class PortForwarding(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A port, or a range of ports, of a floating IP that is translated to one of a project's port's.

    The floating IP is then for no port as a whole; its router is the forwardings'.  A range leads to one of equal
    length, each port to the one at its place, or to a single port.
    """

    kind: ClassVar[str] = "port_forwarding"

    description: str = ""
    floating_ip_id: str
    protocol: str  # of FORWARDED_PROTOCOLS
    external_port: int  # 1..65535; the first of a range
    external_port_last: int  # the same for a single port
    internal_port_id: str  # the port, in Neutron's sense, that it is for
    internal_ip_address: str  # which of its IPv4 addresses
    internal_port: int
    internal_port_last: int


class SecurityGroup(Described, frozen=True, kw_only=True, omit_defaults=True):
    """What the ports that it is given to may send and receive: the sum of its rules.

    Each project has one called ``default``, there from the first time that somebody looks.
    """

    kind: ClassVar[str] = "security_group"

    stateful: bool = True  # answers to what was let through are let through


class SecurityGroupRule(Described, frozen=True, kw_only=True, omit_defaults=True):
    """One kind of packet that a group lets through; never changed, only made and deleted.

    The remote side is at most one of prefix, group and address group; none: anybody.
    """

    kind: ClassVar[str] = "security_group_rule"

    security_group_id: str
    direction: str  # ingress (to the port) or egress
    ethertype: str = "IPv4"  # or IPv6
    protocol: str = ""  # a name, or a number 0..255, as the caller spelled it; empty: any
    port_range_min: int | None = None  # TCP-like: port; ICMP: type; None: all
    port_range_max: int | None = None  # TCP-like: port; ICMP: code; None: all
    remote_ip_prefix: str = ""  # CIDR, canonical
    remote_group_id: str = ""
    remote_address_group_id: str = ""
    spelled_prefix: str = ""  # the prefix as the caller gave it, where that has bits of a host; only to be shown


class DefaultRule(Described, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that new groups begin with (``default_security_group_rules``); fields as `SecurityGroupRule`.

    Those that every cloud begins with have a row only once they are withdrawn.
    """

    kind: ClassVar[str] = "default_rule"

    direction: str
    ethertype: str = "IPv4"
    protocol: str = ""
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str = ""
    remote_group_id: str = ""  # PARENT: the new group itself
    remote_address_group_id: str = ""
    spelled_prefix: str = ""
    used_in_default_sg: bool = False  # of projects' groups called ``default``
    used_in_non_default_sg: bool = True  # of all others
    withdrawn: bool = False  # one that every cloud begins with, and that an administrator deleted


class RbacPolicy(Row, frozen=True, kw_only=True, omit_defaults=True):
    """What lets another project use an object as if it were shared (``rbac-policies``)."""

    kind: ClassVar[str] = "rbac_policy"

    object_type: str  # network, security_group, address_group
    object_id: str
    action: str = "access_as_shared"  # or access_as_external, of networks
    target_project: str  # a project's id, or * for all


class AddressGroup(Described, frozen=True, kw_only=True, omit_defaults=True):
    """A named set of addresses that rules may refer to."""

    kind: ClassVar[str] = "address_group"

    addresses: tuple[str, ...] = ()  # CIDRs, canonical, ascending as text, each once


class LocalVlan(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A host's own VLAN tag for a network, there from the first port bound on that host to the last.

    The tag is also the zone that the network's connections are tracked in on that host.

    id  ``<host>/<network id>``
    """

    kind: ClassVar[str] = "local_vlan"

    host: str
    network_id: str
    vlan: int  # 1..4094; 4095 is the dead VLAN


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


class Server(Row, frozen=True, kw_only=True, omit_defaults=True):
    """An instance: a guest that runs on one host."""

    kind: ClassVar[str] = "server"

    name: str
    user_id: str = ""
    description: str | None = None
    flavor_id: str
    image_id: str
    host: str = ""  # where it runs; empty when no host could take it
    availability_zone: str = ""
    hostname: str = ""
    key_name: str | None = None
    user_data: str | None = None  # base64, as given
    config_drive: str = ""
    metadata: dict[str, str] = {}
    tags: tuple[str, ...] = ()
    port_ids: tuple[str, ...] = ()  # eth0, eth1, … in this order
    own_port_ids: tuple[str, ...] = ()  # those that die with the server, as it made them itself
    power: str = "running"  # wanted: running or stopped
    boot: int = 1  # one more with every reboot; the agent starts the guest anew when it differs
    vm_state: str = "building"  # building, active, stopped, error
    task_state: str | None = None  # such as spawning, powering-off, rebooting; None at rest
    fault: str = ""  # why vm_state is error
    launched_at: str | None = None


class Flavor(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A size of instance."""

    kind: ClassVar[str] = "flavor"

    name: str
    vcpus: int = 1
    ram_mb: int = 64
    disk_gb: int = 0
    is_public: bool = True
    description: str | None = None
    extra_specs: dict[str, str] = {}


class Image(Row, frozen=True, kw_only=True, omit_defaults=True):
    """What an instance starts from.

    `guest` tells the agent how to run it: ``light`` is a namespace with a real DHCP client.
    """

    kind: ClassVar[str] = "image"

    name: str
    guest: str = "light"
    status: str = "active"
    visibility: str = "public"
    size: int = 0  # bytes
    disk_format: str = "raw"
    container_format: str = "bare"
    min_disk: int = 0
    min_ram: int = 0
    protected: bool = True
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = {}


class Project(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A project (tenant) of the one domain ``default``."""

    kind: ClassVar[str] = "project"

    name: str
    description: str = ""
    enabled: bool = True
    tags: tuple[str, ...] = ()


class User(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who can get a token."""

    kind: ClassVar[str] = "user"

    name: str
    description: str = ""
    email: str = ""
    enabled: bool = True
    default_project_id: str | None = None
    password_hash: str = ""  # argon2id, PHC string; empty: cannot log in by password
    tokens_after: str = ""  # tokens issued before this time are revoked


class RoleAssignment(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A user's role in a project, or in the whole system.

    id  ``<user id>/<project id or "system">/<role id>``
    """

    kind: ClassVar[str] = "role_assignment"

    user_id: str
    target: str  # project id, or "system"
    role_id: str


class RevokedToken(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A token that was revoked before its end.

    id  the token's audit id; the row is dropped once the token has expired
    """

    kind: ClassVar[str] = "revoked_token"

    expires_at: str


class Quota(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A project's own limits; what it does not name has the default.

    id  the project's id
    """

    kind: ClassVar[str] = "quota"

    limits: dict[str, int] = {}  # resource -> most; -1 is without limit


ROW_TYPES: tuple[type[Row], ...] = (
    Network,
    Subnet,
    SubnetPool,
    AddressScope,
    Port,
    Router,
    FloatingIp,
    SecurityGroup,
    SecurityGroupRule,
    DefaultRule,
    AddressGroup,
    RbacPolicy,
    PortForwarding,
    LocalVlan,
    Host,
    HostKey,
    Server,
    Flavor,
    Image,
    Project,
    User,
    RoleAssignment,
    RevokedToken,
    Quota,
)

ROW_TYPE_BY_KIND: dict[str, type[Row]] = {t.kind: t for t in ROW_TYPES}


def ref(row: Row) -> str:
    """Gives a row's reference as objects on hosts carry it: ``<kind>:<id>``."""
    return f"{row.kind}:{row.id}"
