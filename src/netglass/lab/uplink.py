"""Between the machine and a lab: a subnet that nothing on the machine overlaps.

Out of 198.18.0.0/15, which is set aside for tests of networks (RFC 2544, RFC 6890) and so is on no network that a
machine is likely to reach.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from netglass.lab.topology import LabError

POOL = IPv4Network("198.18.0.0/15")
_PREFIX = 30
_TRIES = 4096


def device(lab: str) -> str:
    """Gives the name of the lab's device on the machine."""
    return f"ngl-{lab}"


def pick_uplink(lab: str, taken: Iterable[IPv4Network]) -> IPv4Network:
    """Picks the lab's uplink; the same name gets the same subnet wherever it is free.

    Raises LabError when there is none.
    """
    busy = [network for network in taken if network.prefixlen > 0]
    count = 1 << (_PREFIX - POOL.prefixlen)
    first = zlib.crc32(lab.encode()) % count
    size = 1 << (32 - _PREFIX)
    for step in range(_TRIES):
        start = POOL.network_address + (first + step) % count * size
        subnet = IPv4Network(f"{start}/{_PREFIX}")
        if not any(subnet.overlaps(network) for network in busy):
            return subnet
    raise LabError(f"No free subnet in {POOL} for the lab's uplink: the machine has routes to all that were tried.")


def machine_routes() -> list[IPv4Network]:
    """Gives the destination of every IPv4 route of the machine's main table, whoever set it (proc(5), net/route)."""
    found = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        words = line.split()
        network, mask = (IPv4Address(int.from_bytes(bytes.fromhex(word), "little")) for word in (words[1], words[7]))
        found.append(IPv4Network(f"{network}/{mask}"))
    return found
