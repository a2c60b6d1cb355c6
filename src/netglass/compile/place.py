"""What one host's part of intent is, looked up and checked once for all parts of the compiler.

Reads no more of the snapshot than ``compile.relevant`` sends to the host.  Contradictions that no decision would make
(a tag twice, a segment twice, a network that is not there) end in a `Diagnostic`, and the network is then not
*carried*: nothing of it is switched, and its ports stay on the dead VLAN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

import msgspec

from netglass.base.memory import remembered
from netglass.desired.state import Diagnostic
from netglass.model.resources import (
    TUNNEL_ID_MAX,
    TUNNEL_TYPES,
    Host,
    HostSettings,
    LocalVlan,
    Network,
    Port,
    Server,
    Subnet,
    ref,
)
from netglass.model.snapshot import Snapshot

INTEGRATION = "br-int"
TUNNEL = "br-tun"
DHCP_OWNER = "network:dhcp"

_SERVICES = ("network:", "neutron:")
_BRIDGE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,14}")
_WORD = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


class Carried(msgspec.Struct, frozen=True):
    """A network that this host carries.

    vlan    the host's own tag for it
    bridge  the provider bridge that leads to its physical network, or `TUNNEL`
    intent  the rows that say so
    """

    network: Network
    vlan: int
    bridge: str
    intent: tuple[str, ...]


class Tunnels(msgspec.Struct, frozen=True):
    """One end of tunnels.

    types    ascending
    address  canonical
    """

    types: tuple[str, ...]
    address: str

    @property
    def version(self) -> int:
        """Gives the IP version, 4 or 6, that the tunnels run over."""
        return ip_address(self.address).version


class Place(msgspec.Struct, frozen=True):
    """One host's part of intent.

    bridges  provider bridges, and those that hold addresses of the host, ascending by name, each with its NIC
             (empty: none)
    tunnels  where the host's tunnels begin, and what they may be; None: the host has none
    carried  by network id
    ports    bound here, ascending by id
    """

    snapshot: Snapshot
    host: Host
    bridges: dict[str, str]
    tunnels: Tunnels | None
    carried: dict[str, Carried]
    ports: tuple[Port, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def settings(self) -> HostSettings:
        """Gives what the operator set for the host."""
        return self.host.settings

    @property
    def userspace(self) -> bool:
        """Says whether the host's switch runs in user space, beside the kernel's own network stack."""
        return self.settings.datapath_type == "netdev"

    @property
    def native(self) -> bool:
        """Says whether guests are on the switch itself, which filters them too; else each has a Linux bridge."""
        return self.settings.firewall_driver == "openvswitch"

    @property
    def filtering(self) -> bool:
        """Says whether guests can be on the host, so that frames for them are looked at."""
        return "hypervisor" in self.host.roles

    @property
    def intent(self) -> tuple[str, ...]:
        """Gives the reference of what is there only because the host is."""
        return (ref(self.host),)

    def server_of(self, port: Port) -> Server | None:
        """Gives the server on this host that the port is a NIC of; None when somebody else plugs it."""
        server = self.snapshot.get(Server, port.device_id) if port.device_id else None
        return server if server is not None and server.host == self.host.id else None

    def subnets(self, network_id: str) -> list[Subnet]:
        """Gives a network's subnets, the oldest first."""
        found: list[Subnet] = self.snapshot.rows("subnets_by_network", network_id)
        return sorted(found, key=lambda subnet: (subnet.created_at, subnet.id))


def place_of(snapshot: Snapshot, host_id: str) -> Place | None:
    """Looks up a host's part of intent; None when the host has no row, and so nothing is wanted of it."""
    host = snapshot.get(Host, host_id)
    if host is None:
        return None
    diagnostics: list[Diagnostic] = []
    bridges = _bridges(host, diagnostics)
    tunnels = tunnels_of(host)
    if tunnels is None and host.settings.tunnel_types:
        text = f"Host {host.id} has no address for tunnels: local_ip is {host.settings.local_ip!r}."
        diagnostics.append(Diagnostic(code="bad-local-ip", intent=(ref(host),), text=text))
    return Place(
        snapshot=snapshot,
        host=host,
        bridges=bridges,
        tunnels=tunnels,
        carried=_carried(_Reach(snapshot, host, bridges, tunnels), diagnostics),
        ports=tuple(_nameable(snapshot.rows("ports_by_host", host_id), diagnostics)),
        diagnostics=tuple(diagnostics),
    )


def tunnels_of(host: Host) -> Tunnels | None:
    """Gives a host's end of tunnels; None when it has no types or no address that a tunnel can begin at."""
    types = tuple(sorted(set(host.settings.tunnel_types) & set(TUNNEL_TYPES)))
    try:
        address = ip_address(host.settings.local_ip)
    except ValueError:
        return None
    usable = not (address.is_unspecified or address.is_multicast or "%" in str(address))
    return Tunnels(types, str(address)) if types and usable else None


def is_word(text: str) -> bool:
    """Says whether an id may be part of a file's, a device's or a namespace's name."""
    return _WORD.fullmatch(text) is not None


def is_service(port: Port) -> bool:
    """Says whether a port is a network's own (DHCP, routers) and not a guest's NIC."""
    return port.device_owner.startswith(_SERVICES)


def is_guarded(place: Place, port: Port) -> bool:
    """Says whether a port on a network that is here is a guest's, and what it sends and receives is filtered."""
    wired = port.vnic_type == "normal" and port.network_id in place.carried
    return place.filtering and wired and port.port_security_enabled and not is_service(port)


def _bridges(host: Host, diagnostics: list[Diagnostic]) -> dict[str, str]:
    settings = host.settings
    found = {}
    for bridge in sorted({*settings.bridge_mappings.values(), *settings.bridge_addresses}):
        if bridge in (INTEGRATION, TUNNEL) or not _BRIDGE.fullmatch(bridge):
            text = f"Host {host.id} maps or addresses {bridge!r}, which cannot be a bridge to the outside."
            diagnostics.append(Diagnostic(code="bad-bridge-mapping", intent=(ref(host),), text=text))
            continue
        found[bridge] = settings.bridge_nics.get(bridge, "")
    return found


def _nameable(ports: list[Port], diagnostics: list[Diagnostic]) -> Iterator[Port]:
    for port in ports:
        if is_word(port.id):
            yield port
        else:
            text = f"Port {port.id!r} has an id that no device can be named after."
            diagnostics.append(Diagnostic(code="bad-id", intent=(ref(port),), text=text))


class _Reach(msgspec.Struct, frozen=True):
    """What a host can carry networks over."""

    snapshot: Snapshot
    host: Host
    bridges: dict[str, str]
    tunnels: Tunnels | None


def _carried(reach: _Reach, diagnostics: list[Diagnostic]) -> dict[str, Carried]:
    snapshot, host = reach.snapshot, reach.host
    found: dict[str, Carried] = {}
    taken: dict[tuple[str, object], str] = {}  # what two networks may not share -> network id
    for row in snapshot.rows("local_vlans_by_host", host.id):
        network = snapshot.get(Network, row.network_id)
        trouble = _trouble(row, network, reach)
        if network is None or trouble:
            diagnostics.append(_refused(row, network, *trouble))
            continue
        tunnelled = network.network_type in TUNNEL_TYPES
        bridge = TUNNEL if tunnelled else host.settings.bridge_mappings[network.physical_network]
        outside = network.network_type if tunnelled else bridge  # where its segment tells it from others
        claims: list[tuple[str, object]] = [("vlan", row.vlan), (outside, network.segmentation_id)]
        other = next((taken[claim] for claim in claims if claim in taken), None)
        if other is not None:
            text = f"shares its local VLAN tag {row.vlan} or its segment on {bridge} with network {other}"
            diagnostics.append(_refused(row, network, "network-collision", text))
            continue
        taken.update(dict.fromkeys(claims, network.id))
        found[network.id] = _over(row, network, bridge)
    return found


@remembered(4096)
def _over(row: LocalVlan, network: Network, bridge: str) -> Carried:
    return Carried(network, row.vlan, bridge, tuple(sorted((ref(row), ref(network)))))


def _trouble(row: LocalVlan, network: Network | None, reach: _Reach) -> tuple[str, str] | tuple[()]:
    if network is None:
        return "missing-network", "does not exist"
    if not is_word(network.id):
        return "bad-id", "has an id that no namespace can be named after"
    if not 1 <= row.vlan <= 4094:
        return "bad-local-vlan", f"has the local VLAN tag {row.vlan} here, outside of 1..4094"
    if network.network_type in TUNNEL_TYPES:
        return _tunnel_trouble(network, reach.tunnels)
    if reach.host.settings.bridge_mappings.get(network.physical_network) not in reach.bridges:
        return "unknown-physical-network", f"is on physical network {network.physical_network!r}, not reached from here"
    if network.network_type == "flat":
        return ()
    if network.network_type != "vlan":
        return "unsupported-network-type", f"is of type {network.network_type!r}, which is not known"
    if network.segmentation_id is None or not 1 <= network.segmentation_id <= 4094:
        return "bad-segment", f"has segment {network.segmentation_id}, outside of 1..4094"
    return ()


def _tunnel_trouble(network: Network, tunnels: Tunnels | None) -> tuple[str, str] | tuple[()]:
    if tunnels is None or network.network_type not in tunnels.types:
        return "unsupported-network-type", f"is of type {network.network_type!r}, for which this host has no tunnels"
    if network.segmentation_id is None or not 1 <= network.segmentation_id <= TUNNEL_ID_MAX[network.network_type]:
        return "bad-segment", f"has tunnel id {network.segmentation_id}, which {network.network_type} cannot carry"
    return ()


def _refused(row: LocalVlan, network: Network | None, code: str = "", text: str = "") -> Diagnostic:
    name = f"Network {network.name!r} ({network.id})" if network is not None else f"Network {row.network_id}"
    intent = {ref(row), *([ref(network)] if network is not None else [])}
    return Diagnostic(
        code=code, intent=tuple(sorted(intent)), text=f"{name} {text}; its ports here stay on the dead VLAN."
    )
