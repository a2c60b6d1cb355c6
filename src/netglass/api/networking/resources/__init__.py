"""The resources of the Networking API, one module each."""

from netglass.api.networking.declare import Resource
from netglass.api.networking.resources.address_groups import ADDRESS_GROUP
from netglass.api.networking.resources.address_scopes import ADDRESS_SCOPE
from netglass.api.networking.resources.agents import AGENT
from netglass.api.networking.resources.availability_zones import AVAILABILITY_ZONE
from netglass.api.networking.resources.default_security_group_rules import DEFAULT_SECURITY_GROUP_RULE
from netglass.api.networking.resources.floating_ips import FLOATING_IP
from netglass.api.networking.resources.networks import NETWORK
from netglass.api.networking.resources.port_forwardings import PORT_FORWARDING
from netglass.api.networking.resources.ports import PORT
from netglass.api.networking.resources.rbac_policies import RBAC_POLICY
from netglass.api.networking.resources.routers import ROUTER
from netglass.api.networking.resources.security_groups import SECURITY_GROUP, SECURITY_GROUP_RULE
from netglass.api.networking.resources.service_providers import SERVICE_PROVIDER
from netglass.api.networking.resources.subnet_pools import SUBNET_POOL
from netglass.api.networking.resources.subnets import SUBNET

RESOURCES: tuple[Resource, ...] = (
    NETWORK,
    SUBNET,
    SUBNET_POOL,
    ADDRESS_SCOPE,
    PORT,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    DEFAULT_SECURITY_GROUP_RULE,
    ADDRESS_GROUP,
    RBAC_POLICY,
    ROUTER,
    FLOATING_IP,
    PORT_FORWARDING,
    AGENT,
    AVAILABILITY_ZONE,
    SERVICE_PROVIDER,
)

__all__ = [
    "ADDRESS_GROUP",
    "ADDRESS_SCOPE",
    "AGENT",
    "AVAILABILITY_ZONE",
    "DEFAULT_SECURITY_GROUP_RULE",
    "FLOATING_IP",
    "NETWORK",
    "PORT",
    "PORT_FORWARDING",
    "RESOURCES",
    "ROUTER",
    "SECURITY_GROUP",
    "SECURITY_GROUP_RULE",
    "SERVICE_PROVIDER",
    "SUBNET",
    "SUBNET_POOL",
]
