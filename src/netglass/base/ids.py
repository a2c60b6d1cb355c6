"""Names of devices and namespaces, derived from ids; one function per kind.

The names are Neutron's, so that an operator finds what they look for.  Linux allows 15 characters in a device's
name (IFNAMSIZ less the zero byte, netdevice(7)): a prefix of 3 or 4 and the first 11 characters of the UUID.
Source: DATAPLANE.md, "Names".
"""

from __future__ import annotations

from hashlib import sha256
from ipaddress import ip_address

IFNAMSIZ = 15
"""Longest name of a network device, in characters."""

FILTER_PREFIX = "neutron-openvswi-"
"""What the names of all chains that filter guests' frames begin with."""

SHARED_CHAINS = ("sg-chain", "sg-fallback", "i-base", "o-base", "o-unspec", "i-kinds")
"""How the names go on of chains that all ports share, and that could be taken for a port's."""

GROUPS_PART = "groups-"
"""What the names of parts of iptables' tables begin with that ports share: longer than a port's part can be."""

_KEPT = 11


def tap_name(port_id: str) -> str:
    """Gives the guest's tap device, and the DHCP port's device: ``tap`` and 11 characters."""
    return "tap" + port_id[:_KEPT]


def qbr_name(port_id: str) -> str:
    """Gives the Linux bridge of a hybrid attachment."""
    return "qbr" + port_id[:_KEPT]


def qvb_name(port_id: str) -> str:
    """Gives the veth end that sits on the Linux bridge."""
    return "qvb" + port_id[:_KEPT]


def qvo_name(port_id: str) -> str:
    """Gives the veth end that sits on br-int."""
    return "qvo" + port_id[:_KEPT]


def part_name(port_id: str) -> str:
    """Gives what the names of a port's iptables chains end in: 10 characters."""
    return port_id[: _KEPT - 1]


def groups_part_name(number: int) -> str:
    """Gives the part of an iptables table that holds the rules of some groups; `number` is 0..2**32 - 1."""
    return f"{GROUPS_PART}{number:08x}"


def groups_chain_name(part: str, *, to_guest: bool) -> str:
    """Gives a chain of such a part, as ``neutron-openvswi-gi`` and 8 hexadecimal digits."""
    return f"{FILTER_PREFIX}{'gi' if to_guest else 'go'}{part.removeprefix(GROUPS_PART)}"


def part_of_chain(chain: str) -> str:
    """Gives the part of a chain that is a port's own, such as ``neutron-openvswi-i53903a95-8``, or some groups'.

    Empty for others.
    """
    rest = chain.removeprefix(FILTER_PREFIX)
    if rest == chain or rest in SHARED_CHAINS:
        return ""
    if rest[:2] in ("gi", "go"):
        return GROUPS_PART + rest[2:]
    return rest[1:] if rest[:1] in ("i", "o", "s") else ""


def part_of_device(device: str) -> str:
    """Gives the same for a port's Linux bridge or tap, such as ``qbr53903a95-82``; empty for others and patterns."""
    own = device[:3] in ("qbr", "tap") and not device.endswith("+")
    return device[3 : 2 + _KEPT] if own else ""


def address_set_name(group_id: str, ip_version: int) -> str:
    """Gives the ipset of a group's addresses: ``NIPv4`` and 25 characters, as an ipset's name has at most 31."""
    return f"NIPv{ip_version}{group_id[:25]}"


def prefix_set_name(part: str, digits: str, ip_version: int, *, to_guest: bool) -> str:
    """Gives the ipset of prefixes that a part's rule names, by 8 digits of its own; no group's id begins with ``-``."""
    return f"NIPv{ip_version}-{'i' if to_guest else 'o'}{part.removeprefix(GROUPS_PART)}-{digits}"


def qdhcp_name(network_id: str) -> str:
    """Gives the namespace that serves a network's DHCP."""
    return "qdhcp-" + network_id


def qrouter_name(router_id: str) -> str:
    """Gives the namespace that a router is."""
    return "qrouter-" + router_id


def qr_name(port_id: str) -> str:
    """Gives a router's device inside."""
    return "qr-" + port_id[:_KEPT]


def qg_name(port_id: str) -> str:
    """Gives a router's device on its external network."""
    return "qg-" + port_id[:_KEPT]


def tunnel_port_name(tunnel_type: str, address: str) -> str:
    """Gives the port of br-tun that leads to the peer with this address, as in ``gre-c0a88572``.

    An IPv4 address is there in hexadecimal, an IPv6 address as a hash that fits; `address` must be canonical.
    """
    number = ip_address(address)
    if number.version == 4:
        return f"{tunnel_type}-{int(number):08x}"
    name = f"{tunnel_type}-{sha256(address.encode()).hexdigest()}"
    return name[:IFNAMSIZ]


def int_peer_name(bridge: str) -> str:
    """Gives br-int's end of the link to a provider bridge, as in ``int-br-eth2``; cut to 15 characters."""
    return ("int-" + bridge)[:IFNAMSIZ]


def phy_peer_name(bridge: str) -> str:
    """Gives the provider bridge's end of the link to br-int, as in ``phy-br-eth2``; cut to 15 characters."""
    return ("phy-" + bridge)[:IFNAMSIZ]
