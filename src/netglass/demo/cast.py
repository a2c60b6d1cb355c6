"""Who plays: the names that the demo gives, and what it learns of them on the way."""

from __future__ import annotations

import msgspec

NETWORK = "net1"
SUBNET = "subnet1"
CIDR = "10.0.0.0/24"
POOL = "10.0.0.2-10.0.0.254"  # all of CIDR but its network, gateway and broadcast address
GATEWAY = "10.0.0.1"
SEGMENT = 1000  # first of the pool in the VLAN lab
PHYSICAL = "default"
GUESTS = (("vm1", "compute1"), ("vm2", "compute2"))  # name, host asked for
SERVER_HOST = "control"  # carries the network role
NIC = "eth2"
NIC_BRIDGE = "br-eth2"


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """The network, once it and its DHCP namespace are there."""

    id: str
    namespace: str
    device: str  # the DHCP port's tap
    address: str  # of the DHCP port, without prefix length


class Guest(msgspec.Struct, frozen=True, kw_only=True):
    """A guest that has its address."""

    name: str
    host: str
    port: str  # its port's id
    mac: str
    address: str
