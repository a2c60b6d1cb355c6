"""Rows of layer 3: routers, floating IPs and forwarded ports; imported by way of ``model.resources``."""

from __future__ import annotations

from typing import ClassVar

from netglass.model.networks import HostRoute
from netglass.model.row import Described, Row

FORWARDED_PROTOCOLS = ("sctp", "tcp", "udp")
"""Protocols whose ports can be forwarded: those with ports that Linux tracks (dccp went with Linux 6.16)."""


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
