"""The resources of the Networking API, one module each."""

from netglass.api.networking.declare import Resource
from netglass.api.networking.resources.agents import AGENT
from netglass.api.networking.resources.availability_zones import AVAILABILITY_ZONE
from netglass.api.networking.resources.floating_ips import FLOATING_IP
from netglass.api.networking.resources.networks import NETWORK
from netglass.api.networking.resources.ports import PORT
from netglass.api.networking.resources.routers import ROUTER
from netglass.api.networking.resources.subnets import SUBNET

RESOURCES: tuple[Resource, ...] = (NETWORK, SUBNET, PORT, ROUTER, FLOATING_IP, AGENT, AVAILABILITY_ZONE)

__all__ = ["AGENT", "AVAILABILITY_ZONE", "FLOATING_IP", "NETWORK", "PORT", "RESOURCES", "ROUTER", "SUBNET"]
