"""What people write for the ends of a trace, looked up in intent.

    web1, <id>           a server or a port
    dhcp, dhcp:net1      the DHCP server of the other end's network, or of a network
    10.0.0.7@net1        who has an address on a network
    10.0.0.7             an address, as the source would use it; only as the destination
    outside, outside:ext the provider's router on the external network, or on one of several

Called by trace.model only.  Everything is looked for among what the caller may trace, so that a name that somebody
else uses too is no clash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from netglass.base.errors import Invalid, NotFound
from netglass.control.visibility import is_external
from netglass.model.resources import Network, Port, Row, Server, Subnet
from netglass.model.snapshot import Snapshot

DHCP_OWNER = "network:dhcp"

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
    """Finds both ends: of a server with several ports, the one that shares a network with the other end.

    Each end that is a port has just that one.

    Raises NotFound, and Invalid for a word that means several things or none.
    """
    if source == "dhcp" and destination == "dhcp":
        raise Invalid("Source and destination cannot both be 'dhcp': write dhcp:<network> for one of them.")
    if source == "dhcp":
        there = _meaning(snapshot, destination, may)
        here = _dhcp(snapshot, source, there.ports, may)
    else:
        here = _meaning(snapshot, source, may)
        there = (
            _dhcp(snapshot, destination, here.ports, may)
            if destination == "dhcp"
            else _meaning(snapshot, destination, may)
        )
    if here.network:
        return here, Asked(there.word, there.ports[:1], there.address, there.network)
    if not here.ports:
        raise Invalid(f"The source {source!r} is an address alone: say whose, as {source}@<network>.")
    shared = {port.network_id for port in here.ports} & {port.network_id for port in there.ports}
    first = next((port for port in here.ports if port.network_id in shared), here.ports[0])
    second = [port for port in there.ports if port.network_id == first.network_id] or list(there.ports)
    return Asked(here.word, (first,), here.address), Asked(there.word, tuple(second[:1]), there.address, there.network)


def _meaning(snapshot: Snapshot, word: str, may: May) -> Asked:
    if word.startswith("dhcp:"):
        network = _network(snapshot, word.removeprefix("dhcp:"), may)
        return _served(snapshot, word, [network.id], may)
    if word == "outside" or word.startswith("outside:"):
        return _outside(snapshot, word, may)
    address, at, name = word.partition("@")
    if _is_address(address):
        return _held(snapshot, word, str(ip_address(address)), name if at else "", may)
    found: list[Row] = [*_called(snapshot, Server, word, may), *_called(snapshot, Port, word, may)]
    if not found:
        raise NotFound(f"There is no server and no port {word!r} that you may trace.", fault="EndNotFound")
    if len(found) > 1:
        ids = ", ".join(f"{row.kind} {row.id}" for row in found)
        raise Invalid(f"{word!r} is the name of several: {ids}. Use an id.")
    row = found[0]
    if isinstance(row, Port):
        return Asked(word, (row,))
    assert isinstance(row, Server)
    ports = tuple(p for port_id in row.port_ids if (p := snapshot.get(Port, port_id)) is not None and may(p))
    if not ports:
        raise Invalid(f"Server {row.name!r} ({row.id}) has no port that you may trace.")
    return Asked(word, ports)


def _outside(snapshot: Snapshot, word: str, may: May) -> Asked:
    name = word.partition(":")[2]
    networks = [_network(snapshot, name, may)] if name else snapshot.rows("networks_external", True)
    networks = [network for network in networks if is_external(snapshot, network) and may(network)]
    if len(networks) > 1:
        raise Invalid(
            f"There are several external networks: write {' or '.join(f'outside:{n.name}' for n in networks)}."
        )
    subnets: list[Subnet] = snapshot.rows("subnets_by_network", networks[0].id) if networks else []
    subnets.sort(key=lambda subnet: (subnet.created_at, subnet.id))
    gateways = [subnet.gateway_ip for subnet in subnets if subnet.gateway_ip]
    if not gateways:
        raise NotFound(f"There is no external network {name!r} with a gateway outside.", fault="EndNotFound")
    return Asked(word, (), gateways[0], networks[0].id, tuple(gateways[1:]))


def _held(snapshot: Snapshot, word: str, address: str, network: str, may: May) -> Asked:
    if not network:
        return Asked(word, (), address)
    on = _network(snapshot, network, may)
    ports = [p for p in snapshot.rows("ports_by_network", on.id) if may(p) and address in _addresses(p)]
    if not ports:
        raise NotFound(
            f"No port that you may trace has {address} on network {on.name!r} ({on.id}).", fault="EndNotFound"
        )
    return Asked(word, tuple(ports), address)


def _dhcp(snapshot: Snapshot, word: str, others: Iterable[Port], may: May) -> Asked:
    networks = list(dict.fromkeys(port.network_id for port in others))
    if not networks:
        raise Invalid("Whose DHCP server is meant cannot be told: write dhcp:<network>.")
    return _served(snapshot, word, networks, may)


def _served(snapshot: Snapshot, word: str, networks: list[str], may: May) -> Asked:
    ports = [p for network in networks for p in snapshot.rows("dhcp_ports_by_network", network) if may(p)]
    if not ports:
        raise NotFound(f"No DHCP server that you may trace serves network {networks[0]}.", fault="EndNotFound")
    return Asked(word, tuple(ports))


def _network(snapshot: Snapshot, word: str, may: May) -> Network:
    found = list(_called(snapshot, Network, word, may))
    if not found:
        raise NotFound(f"There is no network {word!r} that you may trace on.", fault="NetworkNotFound")
    if len(found) > 1:
        raise Invalid(f"{word!r} is the name of several networks: {', '.join(row.id for row in found)}. Use an id.")
    network = found[0]
    assert isinstance(network, Network)
    return network


def _called(snapshot: Snapshot, kind: type[Network | Port | Server], word: str, may: May) -> Iterator[Row]:
    row = snapshot.get(kind, word)
    if row is not None:
        yield from [row] if may(row) else []
        return
    # Names are in no index: they are looked for when a person asks, and never while deciding or compiling.
    yield from sorted((r for r in snapshot.all(kind) if r.name == word and may(r)), key=lambda r: r.id)


def _addresses(port: Port) -> list[str]:
    return [fixed.ip_address for fixed in port.fixed_ips]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
