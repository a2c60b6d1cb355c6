"""What a port may send and receive, as frozen values, and whether a connection is within it; pure.

A permit lets through the packets that open a connection of its kind, and with them all of that connection; without
connection tracking, just the packets of its kind.  The remote side is whom the port sends to, or receives from.

Called by ``compile.firewall``, which makes permits out of rules and renders them, and by the applier of connections,
which asks whether what the kernel tracks is still permitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import ip_network

import msgspec

from netglass.model.rules import ICMP, ICMPV6


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of packet.

    protocol    IP protocol number; None: any
    low, high   inclusive range of ports of the side that the connection is opened to, or ICMP type and code; None: any
    remote      CIDR of the remote side; empty: anybody
    remote_set  name of the `AddressSet` that the remote side is in; empty: anybody
    """

    ip_version: int
    protocol: int | None = None
    low: int | None = None
    high: int | None = None
    remote: str = ""
    remote_set: str = ""

    def text(self) -> str:
        """Gives it as people read it, such as ``ipv4 protocol=6 22..23 remote=10.0.0.0/8``."""
        words = [f"ipv{self.ip_version}"]
        if self.protocol is not None:
            words.append(f"protocol={self.protocol}")
        if self.low is not None or self.high is not None:
            words.append(f"{self.low if self.low is not None else ''}..{self.high if self.high is not None else ''}")
        if self.remote or self.remote_set:
            words.append(f"remote={self.remote or self.remote_set}")
        return " ".join(words)


def ascending(permits: Iterable[Permit]) -> tuple[Permit, ...]:
    """Gives permits in their one order, each once."""
    return tuple(sorted(set(permits), key=_place))


def _place(permit: Permit) -> tuple[int | str, ...]:
    return tuple(-1 if value is None else value for value in msgspec.structs.astuple(permit))


class End(msgspec.Struct, frozen=True, kw_only=True):
    """One port whose connections are tracked.

    addresses  CIDRs that it may send from, ascending as text
    opens      permits of connections that it opens (egress), ascending
    accepts    permits of connections that are opened to it (ingress), ascending
    """

    addresses: tuple[str, ...]
    opens: tuple[Permit, ...]
    accepts: tuple[Permit, ...]

    def text(self) -> str:
        """Gives it on one line."""
        opens = "; ".join(permit.text() for permit in self.opens)
        accepts = "; ".join(permit.text() for permit in self.accepts)
        return f"{' '.join(self.addresses)} opens [{opens}] accepts [{accepts}]"


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The packet that opened a connection; addresses as numbers.

    first, second  source and destination port, ICMP type and code, or 0 and 0
    """

    ip_version: int
    source: int
    destination: int
    protocol: int
    first: int = 0
    second: int = 0


@lru_cache(maxsize=65536)
def _read(cidr: str) -> tuple[int, int, int]:
    """Gives version and first address of a prefix, and how many bits of its addresses it leaves open."""
    network = ip_network(cidr)
    return network.version, int(network.network_address), network.max_prefixlen - network.prefixlen


class Prefixes:
    """Some prefixes, to ask whether an address is in one; costs as many look-ups as there are lengths."""

    def __init__(self, cidrs: Iterable[str]) -> None:
        self._by_length: dict[tuple[int, int], set[int]] = {}
        for cidr in cidrs:
            version, number, spare = _read(cidr)
            self._by_length.setdefault((version, spare), set()).add(number >> spare)

    def has(self, ip_version: int, address: int) -> bool:
        """Says whether an address is in one of the prefixes."""
        return any(
            version == ip_version and address >> spare in numbers
            for (version, spare), numbers in self._by_length.items()
        )


class Judge:
    """Says which side of a connection still permits it.

    members  prefixes by the name of each `AddressSet`; of a set that is not there nobody is a member
    """

    def __init__(self, ends: Iterable[End], members: Mapping[str, Iterable[str]]) -> None:
        self._members = members
        self._prefixes: dict[str, Prefixes] = {}
        self._hosts: dict[tuple[int, int], list[End]] = {}  # ends by their lone addresses
        self._wide: list[tuple[Prefixes, End]] = []
        for end in ends:
            read = [(cidr, *_read(cidr)) for cidr in end.addresses]
            wide = [cidr for cidr, _, _, spare in read if spare]
            if wide:
                self._wide.append((Prefixes(wide), end))
            for _, version, number, spare in read:
                if not spare:
                    self._hosts.setdefault((version, number), []).append(end)

    def opened(self, opening: Opening) -> bool:
        """Says whether whoever opened the connection may; True when that is nobody among the ends."""
        ends = self._at(opening.ip_version, opening.source)
        return not ends or any(self._any(end.opens, opening, opening.destination) for end in ends)

    def accepted(self, opening: Opening) -> bool:
        """Says whether whom the connection was opened to may have it; True when that is nobody among the ends."""
        ends = self._at(opening.ip_version, opening.destination)
        return not ends or any(self._any(end.accepts, opening, opening.source) for end in ends)

    def _at(self, ip_version: int, address: int) -> list[End]:
        found = self._hosts.get((ip_version, address), [])
        return [*found, *(end for prefixes, end in self._wide if prefixes.has(ip_version, address))]

    def _any(self, permits: Iterable[Permit], opening: Opening, remote: int) -> bool:
        return any(
            permit.ip_version == opening.ip_version and _is_kind(permit, opening) and self._is_remote(permit, remote)
            for permit in permits
        )

    def _is_remote(self, permit: Permit, remote: int) -> bool:
        if permit.remote and not self._in(permit.remote, (permit.remote,)).has(permit.ip_version, remote):
            return False
        if not permit.remote_set:
            return True
        members = self._members.get(permit.remote_set, ())
        return self._in(permit.remote_set, members).has(permit.ip_version, remote)

    def _in(self, name: str, cidrs: Iterable[str]) -> Prefixes:
        found = self._prefixes.get(name)
        if found is None:
            found = self._prefixes[name] = Prefixes(cidrs)
        return found


def _is_kind(permit: Permit, opening: Opening) -> bool:
    if permit.protocol is None:
        return True
    if permit.protocol != opening.protocol:
        return False
    if permit.protocol in (ICMP, ICMPV6):
        return permit.low in (None, opening.first) and permit.high in (None, opening.second)
    return (permit.low is None or permit.low <= opening.second) and (
        permit.high is None or opening.second <= permit.high
    )
