"""A subnet's addresses as numbers: its bounds and its pools, worked out once for each subnet as it is.

`space_of` is a pure function of frozen text, so remembering its answers changes nothing but the time it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from netglass.base.eui64 import interface_id
from netglass.model.resources import AddressRange, Subnet

AUTO_MODES = frozenset({"slaac", "dhcpv6-stateless"})
"""IPv6 modes in which a guest makes its own address out of the prefix and its MAC (RFC 4862)."""


@dataclass(frozen=True)
class Space:
    """The numbers of one subnet.

    first, last  of the whole CIDR
    lowest, highest  that a host may have: without network and broadcast address in IPv4 down to /30, without the
                     subnet-router anycast address (RFC 4291, 2.6.1) in IPv6
    pools        inclusive, ascending; what addresses are chosen from
    """

    version: int
    prefix: int
    first: int
    last: int
    lowest: int
    highest: int
    pools: tuple[tuple[int, int], ...]

    def holds(self, version: int, number: int) -> bool:
        """Says whether an address lies in the CIDR."""
        return version == self.version and self.first <= number <= self.last


@lru_cache(maxsize=8192)
def space(cidr: str, pools: tuple[AddressRange, ...] = ()) -> Space:
    """Gives the numbers of a CIDR without host bits, and of pools inside of it; raises ValueError for other text."""
    network = ip_network(cidr)
    first, last = int(network.network_address), int(network.broadcast_address)
    lowest, highest = first, last
    if network.version == 6:
        lowest = min(first + 1, last)
    elif network.prefixlen <= 30:
        lowest, highest = first + 1, last - 1
    ranges = tuple((int(ip_address(pool.start)), int(ip_address(pool.end))) for pool in pools)
    return Space(network.version, network.prefixlen, first, last, lowest, highest, ranges)


def space_of(subnet: Subnet) -> Space:
    """Gives the numbers of a subnet."""
    return space(subnet.cidr, subnet.allocation_pools)


def is_auto(subnet: Subnet) -> bool:
    """Says whether ports get their address on the subnet from their MAC, asked for or not."""
    return subnet.ipv6_address_mode in AUTO_MODES or subnet.ipv6_ra_mode in AUTO_MODES


def text_of(version: int, number: int) -> str:
    """Gives an address's canonical text."""
    return str(IPv4Address(number)) if version == 4 else str(IPv6Address(number))


def eui64(subnet: Subnet, mac: str) -> int:
    """Gives the address that a host with this MAC makes in a /64."""
    return space_of(subnet).first | interface_id(mac)
