"""What is to be traced: read, checked, and made into a packet between two addresses."""

from __future__ import annotations

from dataclasses import dataclass

from netglass.base.errors import Invalid
from netglass.trace.making import PROTOCOLS, probe
from netglass.trace.names import METADATA, Asked
from netglass.trace.packet import Packet, eth_type_of

ASKING, FINDING = "arp", "dhcp"
"""Protocols that are no conversation: only the question who has the destination, and only the search for a server."""

KNOWN = (*PROTOCOLS, ASKING, FINDING)
_LEAST_SIZE, _MOST_SIZE = 28, 65535  # bytes; an IPv4 header with ICMP's, and what the length field holds


@dataclass(frozen=True)
class Wish:
    """What is to be traced.

    source, destination  as in ``trace.names``
    protocol             icmp, tcp, udp, arp or dhcp; empty: icmp, or for ``metadata`` tcp
    port                 that tcp or udp goes to; None for ``metadata``: 80
    size                 bytes, of the IP packet, which is not to be cut into fragments; 0: small
    one_way              what is sent back is not followed
    """

    source: str
    destination: str
    protocol: str = ""
    port: int | None = None
    size: int = 0
    one_way: bool = False

    def settled(self) -> Wish:
        """Gives the wish with what it leaves open; raises Invalid for one that means nothing."""
        asks_metadata = self.destination == METADATA
        protocol = self.protocol or ("tcp" if asks_metadata or self.port else "icmp")
        port = 80 if asks_metadata and self.port is None and protocol == "tcp" else self.port
        if protocol not in KNOWN:
            raise Invalid(f"'protocol' is {protocol!r}; {', '.join(KNOWN)} are known.")
        if (protocol in ("tcp", "udp")) != (port is not None):
            raise Invalid(f"Protocol {protocol} goes {'to no port' if port else 'to a port: say which'}.")
        if port is not None and not 1 <= port <= 65535:
            raise Invalid(f"'port' is {port}; 1 to 65535 is wanted.")
        if self.size and not _LEAST_SIZE <= self.size <= _MOST_SIZE:
            raise Invalid(f"'size' is {self.size}; {_LEAST_SIZE} to {_MOST_SIZE} bytes are wanted.")
        return Wish(self.source, self.destination, protocol, port, self.size, self.one_way)


def addresses(here: Asked, there: Asked) -> tuple[str, str]:
    """Gives a packet's addresses: of one family, on one subnet where the ends share one; raises Invalid."""
    ours, theirs = (
        [("", address) for address in (asked.address, *asked.also)]
        if asked.address
        else [(f.subnet_id, f.ip_address) for f in asked.ports[0].fixed_ips]
        for asked in (here, there)
    )
    pairs = [
        (subnet != other, mine, their)
        for subnet, mine in ours
        for other, their in theirs
        if eth_type_of(mine) == eth_type_of(their)
    ]
    if not pairs:
        text = "have no addresses of the same family"
        raise Invalid(f"{here.word!r} and {there.word!r} {text}: nothing can be sent from one to the other.")
    best = min(pairs, key=lambda pair: pair[0])
    return best[1], best[2]


def first_packet(wish: Wish, source: str, destination: str) -> Packet:
    """Gives the packet that a settled wish with a conversation begins with."""
    return probe(source, destination, wish.protocol, wish.port, wish.size)
