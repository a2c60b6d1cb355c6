"""What people write for the ends of a trace, looked up in intent.

    web1, router1, <id>      a server, a router or a port
    dhcp, dhcp:net1          the DHCP server of the other end's network, or of a network
    10.0.0.7@net1            who has an address on a network; on an external one, somebody outside too
    10.0.0.7                 an address, as the source would use it; only as the destination
    outside, outside:ext     the provider's router on the external network, or on one of several
    metadata                 where guests find their metadata; only as the destination

Called by trace.model only.  Everything is looked for among what the caller may trace, so that a name that somebody
else uses too is no clash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from ipaddress import ip_address

from netglass.base.errors import Invalid, NotFound
from netglass.compile.metadata import ADDRESS as METADATA_ADDRESS
from netglass.control.visibility import is_external
from netglass.model.resources import Network, Port, Router, Row, Server, Subnet
from netglass.model.snapshot import Snapshot

DHCP_OWNER = "network:dhcp"
METADATA = "metadata"

_NAMED: tuple[type[Server | Router | Port], ...] = (Server, Router, Port)
_MOST_SHOWN = 5  # of the names that are like a wrong one, or of those that have one name

May = Callable[[Row], bool]
"""Says whether the caller may trace from or to a row."""


@dataclass(frozen=True)
class Asked:
    """What a word may mean: ports to choose among, or an address that need not be any port's.

    network  where the address is, when it is that of somebody outside
    also     more addresses of somebody outside, for packets of another family
    """

    word: str
    ports: tuple[Port, ...] = ()
    address: str = ""
    network: str = ""
    also: tuple[str, ...] = ()


def choose(snapshot: Snapshot, source: str, destination: str, may: May) -> tuple[Asked, Asked]:
    """Finds both ends: of a server or router with several ports, the one that shares a network with the other end.

    Each end that is a port has just that one.

    Raises NotFound, and Invalid for a word that means several things or none.
    """
    if source == "dhcp" and destination == "dhcp":
        raise Invalid("Source and destination cannot both be 'dhcp': write dhcp:<network> for one of them.")
    if source == METADATA:
        raise Invalid("The source cannot be 'metadata': guests ask for their metadata, and are answered.")
    looking = _Looking(snapshot, may)
    if source == "dhcp":
        there = looking.meaning(destination)
        here = looking.dhcp(source, there.ports)
    else:
        here = looking.meaning(source)
        there = looking.dhcp(destination, here.ports) if destination == "dhcp" else looking.meaning(destination)
    if here.network:
        return here, replace(there, ports=there.ports[:1])
    if not here.ports:
        raise Invalid(f"The source {source!r} is an address alone: say whose, as {source}@<network>.")
    first = _nearest(here.ports, there.ports)
    second = [port for port in there.ports if port.network_id == first.network_id] or list(there.ports)
    return Asked(here.word, (first,), here.address), replace(there, ports=tuple(second[:1]))


def _nearest(ports: tuple[Port, ...], others: tuple[Port, ...]) -> Port:
    """Gives the first of the ports that shares a network with one of the others; else the first."""
    shared = {port.network_id for port in others}
    return next((port for port in ports if port.network_id in shared), ports[0])


class _Looking:
    """What one caller may find."""

    def __init__(self, snapshot: Snapshot, may: May) -> None:
        self._snapshot = snapshot
        self._may = may

    def meaning(self, word: str) -> Asked:
        """Gives what a word means; raises NotFound and Invalid."""
        if word == METADATA:
            return Asked(word, (), METADATA_ADDRESS)
        if word.startswith("dhcp:"):
            network = self._network(word.removeprefix("dhcp:"))
            return self._served(word, [network.id])
        if word == "outside" or word.startswith("outside:"):
            return self._outside(word)
        address, at, name = word.partition("@")
        if _is_address(address):
            return self._held(word, str(ip_address(address)), name if at else "")
        if at:
            raise Invalid(f"{word!r}: {address!r} is no address; ADDRESS@NETWORK is wanted.")
        return self._called_so(word)

    def dhcp(self, word: str, others: Iterable[Port]) -> Asked:
        """Gives the DHCP servers of the networks of other ports."""
        networks = list(dict.fromkeys(port.network_id for port in others))
        if not networks:
            raise Invalid("Whose DHCP server is meant cannot be told: write dhcp:<network>.")
        return self._served(word, networks)

    def _called_so(self, word: str) -> Asked:
        found = [row for kind in _NAMED for row in self._called(kind, word)]
        if not found:
            like = get_close_matches(word, self._names(), _MOST_SHOWN)
            hint = f" There is {' and '.join(repr(name) for name in like)}." if like else ""
            text = f"There is no server, no router and no port {word!r} that you may trace.{hint}"
            raise NotFound(text, fault="EndNotFound")
        if len(found) > 1:
            raise Invalid(f"{word!r} is the name of several: {_listed(found)}. Use an id.")
        row = found[0]
        if isinstance(row, Port):
            return Asked(word, (row,))
        ports = tuple(port for port in self._ports_of(row) if self._may(port))
        if not ports:
            name = f"{row.kind.capitalize()} {getattr(row, 'name', '')!r} ({row.id})"
            raise Invalid(f"{name} has no port that you may trace.")
        return Asked(word, ports)

    def _ports_of(self, row: Row) -> Iterator[Port]:
        if isinstance(row, Server):
            yield from (p for port_id in row.port_ids if (p := self._snapshot.get(Port, port_id)) is not None)
        else:
            yield from self._snapshot.rows("ports_by_device", row.id)

    def _outside(self, word: str) -> Asked:
        name = word.partition(":")[2]
        found = [self._network(name)] if name else self._snapshot.rows("networks_external", True)
        networks = [network for network in found if is_external(self._snapshot, network) and self._may(network)]
        if len(networks) > 1:
            ways = " or ".join(f"outside:{network.name or network.id}" for network in networks)
            raise Invalid(f"There are several external networks: write {ways}.")
        subnets: list[Subnet] = self._snapshot.rows("subnets_by_network", networks[0].id) if networks else []
        subnets.sort(key=lambda subnet: (subnet.created_at, subnet.id))
        gateways = [subnet.gateway_ip for subnet in subnets if subnet.gateway_ip]
        if not gateways:
            raise NotFound(f"There is no external network {name!r} with a gateway outside.", fault="EndNotFound")
        return Asked(word, (), gateways[0], networks[0].id, tuple(gateways[1:]))

    def _held(self, word: str, address: str, network: str) -> Asked:
        if not network:
            return Asked(word, (), address)
        on = self._network(network)
        held = [p for p in self._snapshot.rows("ports_by_network", on.id) if address in _addresses(p)]
        ports = [port for port in held if self._may(port)]
        if is_external(self._snapshot, on) and not held:
            return Asked(word, (), address, on.id)
        if not ports:
            text = f"No port that you may trace has {address} on network {on.name!r} ({on.id})."
            raise NotFound(text, fault="EndNotFound")
        return Asked(word, tuple(ports), address)

    def _served(self, word: str, networks: list[str]) -> Asked:
        found = (p for network in networks for p in self._snapshot.rows("dhcp_ports_by_network", network))
        ports = [port for port in found if self._may(port)]
        if not ports:
            raise NotFound(f"No DHCP server that you may trace serves network {networks[0]}.", fault="EndNotFound")
        return Asked(word, tuple(ports))

    def _network(self, word: str) -> Network:
        found = list(self._called(Network, word))
        if not found:
            raise NotFound(f"There is no network {word!r} that you may trace on.", fault="NetworkNotFound")
        if len(found) > 1:
            raise Invalid(f"{word!r} is the name of several networks: {_listed(found)}. Use an id.")
        network = found[0]
        assert isinstance(network, Network)
        return network

    def _called(self, kind: type[Network | Port | Router | Server], word: str) -> Iterator[Row]:
        row = self._snapshot.get(kind, word)
        if row is not None:
            yield from [row] if self._may(row) else []
            return
        # Names are in no index: they are looked for when a person asks, and never while deciding or compiling.
        found = (row for row in self._snapshot.all(kind) if row.name == word and self._may(row))
        yield from sorted(found, key=lambda row: row.id)

    def _names(self) -> list[str]:
        rows = (row for kind in _NAMED for row in self._snapshot.all(kind))
        return sorted({row.name for row in rows if row.name and self._may(row)})


def _listed(rows: Iterable[Row]) -> str:
    found = [f"{row.kind} {row.id}" for row in rows]
    more = f" and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    return ", ".join(found[:_MOST_SHOWN]) + more


def _addresses(port: Port) -> list[str]:
    return [fixed.ip_address for fixed in port.fixed_ips]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
