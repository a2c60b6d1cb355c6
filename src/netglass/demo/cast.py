"""Who plays in both parts: the names that the demo gives, and what it learns of them on the way."""

from __future__ import annotations

import msgspec

NETWORK = "net1"
SUBNET = "subnet1"
CIDR = "10.0.0.0/24"
POOL = "10.0.0.2-10.0.0.254"  # all of CIDR but its network, gateway and broadcast address
GATEWAY = "10.0.0.1"


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """The network, once it and its DHCP namespace are there.

    segment    its VLAN, or its tunnel key
    host       that serves its DHCP, out of `namespace`
    device     the DHCP port's tap
    address    of the DHCP port, without prefix length
    """

    id: str
    segment: int
    host: str
    namespace: str
    device: str
    address: str


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """A guest that has its address.

    id    its server's
    port  its port's id
    """

    id: str
    name: str
    host: str
    port: str
    mac: str
    address: str
