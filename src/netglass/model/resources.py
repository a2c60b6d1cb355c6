"""Every kind of row of intent, as frozen values.

These are what the store keeps, what deciding reads and writes, what the feed carries and what compiling reads.
They are Netglass's own shape, not the wire's: ``api`` turns them into Neutron's, Keystone's, Nova's and Glance's.
Every field has a default where an older row may lack it, so that an old change log stays readable.

Conventions: addresses, CIDRs and MACs are canonical lower-case text (``ipaddress``' own spelling); times are
RFC 3339 in UTC with seconds; an empty string means "none" except where the field says ``| None``.
Never: anything that the host can tell (that is observed), or that can be computed from other rows.
"""

from __future__ import annotations

from netglass.model.address_pools import AddressScope as AddressScope
from netglass.model.address_pools import SubnetPool as SubnetPool
from netglass.model.hosts import Host as Host
from netglass.model.hosts import HostKey as HostKey
from netglass.model.hosts import HostSettings as HostSettings
from netglass.model.identity import Project as Project
from netglass.model.identity import Quota as Quota
from netglass.model.identity import RevokedToken as RevokedToken
from netglass.model.identity import RoleAssignment as RoleAssignment
from netglass.model.identity import User as User
from netglass.model.instances import Flavor as Flavor
from netglass.model.instances import Image as Image
from netglass.model.instances import Server as Server
from netglass.model.networks import IPV6_MIN_MTU as IPV6_MIN_MTU
from netglass.model.networks import TUNNEL_ID_MAX as TUNNEL_ID_MAX
from netglass.model.networks import TUNNEL_TYPES as TUNNEL_TYPES
from netglass.model.networks import AddressRange as AddressRange
from netglass.model.networks import HostRoute as HostRoute
from netglass.model.networks import Network as Network
from netglass.model.networks import Subnet as Subnet
from netglass.model.ports import AddressPair as AddressPair
from netglass.model.ports import DhcpOption as DhcpOption
from netglass.model.ports import FixedIp as FixedIp
from netglass.model.ports import LocalVlan as LocalVlan
from netglass.model.ports import Port as Port
from netglass.model.routing import FORWARDED_PROTOCOLS as FORWARDED_PROTOCOLS
from netglass.model.routing import FloatingIp as FloatingIp
from netglass.model.routing import PortForwarding as PortForwarding
from netglass.model.routing import Router as Router
from netglass.model.row import Described as Described
from netglass.model.row import Row as Row
from netglass.model.security import DEFAULT_GROUP as DEFAULT_GROUP
from netglass.model.security import AddressGroup as AddressGroup
from netglass.model.security import DefaultRule as DefaultRule
from netglass.model.security import RbacPolicy as RbacPolicy
from netglass.model.security import SecurityGroup as SecurityGroup
from netglass.model.security import SecurityGroupRule as SecurityGroupRule

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
