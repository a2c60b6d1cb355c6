"""Desired states of hosts, looked up the way a packet meets them; what no host's state says stands beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_address, ip_interface, ip_network

from netglass.compile.firewall.reasons import Reason
from netglass.desired.state import (
    DEAD_VLAN,
    Address,
    Daemon,
    Flow,
    HostState,
    Link,
    PortTag,
    Route,
    RuleSet,
    SwitchPort,
)
from netglass.trace.chains import Chains
from netglass.trace.result import End

TUNNELS = ("gre", "vxlan", "geneve")


@dataclass(frozen=True)
class GuestRoute:
    """A route that a guest has; `via` is empty for what is on the link."""

    destination: str
    via: str = ""
    intent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Station:
    """A guest's NIC, as far as intent tells: what is behind a tap, or behind what somebody else plugged.

    addresses  that the guest has, if it does what DHCP and routers tell it
    routes     of the guest
    mtu        of the guest's device, in bytes; 0: not known
    untold     of its addresses, those that nothing in the cloud tells it of
    """

    end: End
    addresses: tuple[str, ...] = ()
    routes: tuple[GuestRoute, ...] = ()
    mtu: int = 0
    untold: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outsider:
    """Somebody on a wire who is on no host of ours, such as the provider's router.

    vlan     tag that they have on the wire; None: none
    network  external network that they are on
    subnets  that they are on; what is for others, they send by nobody of ours
    """

    end: End
    wire: str
    vlan: int | None = None
    network: str = ""
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wire:
    """A physical network: everything that is plugged into it hears one another, VLAN by VLAN."""

    name: str
    plugs: tuple[tuple[str, str], ...]  # (host, NIC), ascending


Reasons = Callable[[str], Mapping[str, Reason]]
"""Gives what stands behind a host's rules and flows (``compile.firewall.reasons``)."""


def _nothing_known(_: str) -> Mapping[str, Reason]:
    return {}


class Machine:
    """One host's desired state."""

    def __init__(self, state: HostState, reasons: Reasons = _nothing_known) -> None:
        self.state = state
        self._reasons_of = reasons
        self.host = state.host
        self.ports: Mapping[str, SwitchPort] = {port.name: port for port in state.switch_ports}
        self.tags: Mapping[str, PortTag] = {tag.port: tag for tag in state.port_tags}
        self.links: Mapping[tuple[str, str], Link] = {(link.netns, link.name): link for link in state.links}
        self.bridges = {bridge.name: bridge for bridge in state.bridges}

    @cached_property
    def ports_of(self) -> Mapping[str, list[SwitchPort]]:
        """Gives the ports of each switch, ascending by name."""
        found: dict[str, list[SwitchPort]] = defaultdict(list)
        for port in self.state.switch_ports:
            found[port.bridge].append(port)
        return found

    @cached_property
    def tables(self) -> Mapping[tuple[str, int], list[Flow]]:
        """Gives the flows of each table of each switch in the order in which they are asked."""
        found: dict[tuple[str, int], list[Flow]] = defaultdict(list)
        for flow in self.state.flows:
            found[flow.bridge, flow.table].append(flow)
        for flows in found.values():
            flows.sort(key=lambda flow: -flow.priority)
        return found

    @cached_property
    def slaves(self) -> Mapping[str, list[Link]]:
        """Gives the ports of each Linux bridge."""
        found: dict[str, list[Link]] = defaultdict(list)
        for link in self.state.links:
            if link.master:
                found[link.master].append(link)
        return found

    def link(self, name: str) -> Link | None:
        """Gives the device of that name: in the host's own namespace, else in the first that has it."""
        return self._links_by_name.get(name)

    @cached_property
    def _links_by_name(self) -> Mapping[str, Link]:
        found: dict[str, Link] = {}
        for link in self.state.links:
            if link.netns == "" or link.name not in found:
                found[link.name] = link
        return found

    def addresses(self, netns: str) -> Sequence[Address]:
        """Gives the addresses in a namespace."""
        return self._addresses.get(netns, ())

    @cached_property
    def _addresses(self) -> Mapping[str, list[Address]]:
        found: dict[str, list[Address]] = defaultdict(list)
        for address in self.state.addresses:
            found[address.netns].append(address)
        return found

    def has_address(self, netns: str, address: str) -> Address | None:
        """Gives the object by which a namespace has an address."""
        return next((a for a in self.addresses(netns) if a.cidr.partition("/")[0] == address), None)

    def is_broadcast(self, netns: str, device: str, address: str) -> bool:
        """Says whether an address is that of everybody on one of a device's subnets."""
        held = (ip_interface(a.cidr).network for a in self.addresses(netns) if a.device == device)
        return any(str(one.broadcast_address) == address for one in held if one.version == 4 and one.prefixlen < 31)

    def source_address(self, netns: str, device: str, towards: str) -> str:
        """Gives the address that a device has for packets to an address of the same family; empty: none.

        The one on the receiver's own subnet where there is one, as Linux prefers.
        """
        version, wanted = ip_address(towards).version, ip_address(towards)
        held = [ip_interface(a.cidr) for a in self.addresses(netns) if a.device == device]
        fitting = [one for one in held if one.version == version]
        near = [one for one in fitting if wanted in one.network]
        return str((near or fitting)[0].ip) if fitting else ""

    def routes(self, netns: str) -> Sequence[Route]:
        """Gives the routes of a namespace, those that come with its addresses first."""
        if netns not in self._routes:
            self._routes[netns] = list(self._routes_of(netns))
        return self._routes[netns]

    @cached_property
    def _routes(self) -> dict[str, list[Route]]:
        return {}

    def _routes_of(self, netns: str) -> Iterator[Route]:
        for address in self.addresses(netns):
            destination = str(ip_interface(address.cidr).network)
            named = {"owner": address.owner, "intent": address.intent, "netns": netns, "device": address.device}
            yield Route(destination=destination, **named)  # type: ignore[arg-type]
        yield from (route for route in self.state.routes if route.netns == netns and _readable(route.destination))

    def setting(self, netns: str, name: str) -> str:
        """Gives a kernel setting that the state asks for; empty: as the kernel has it."""
        return self._settings.get((netns, name), "")

    @cached_property
    def _settings(self) -> Mapping[tuple[str, str], str]:
        return {(one.netns, one.name): one.value for one in self.state.sysctls}

    @cached_property
    def reasons(self) -> Mapping[str, Reason]:
        """Gives what stands behind rules and flows of the firewall."""
        return self._reasons_of(self.host)

    @cached_property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """Gives the members of each set that rules may name."""
        return {one.name: one.members for one in self.state.address_sets}

    def rules(self, netns: str, ip_version: int, table: str) -> Chains | None:
        """Gives a namespace's rules of an iptables table; version 0: of frames."""
        return self._rules.get((netns, ip_version, table))

    def tracks(self, netns: str) -> bool:
        """Says whether a namespace has rules at all, and so follows conversations."""
        return any(held == netns for held, _, _ in self._rules)

    @cached_property
    def _rules(self) -> Mapping[tuple[str, int, str], Chains]:
        found: dict[tuple[str, int, str], list[RuleSet]] = defaultdict(list)
        for one in self.state.rule_sets:
            found[one.netns, one.ip_version, one.table].append(one)
        return {at: Chains.of(parts, lambda: self.reasons) for at, parts in found.items()}

    def daemons(self, netns: str) -> list[Daemon]:
        """Gives the processes in a namespace."""
        return [daemon for daemon in self.state.daemons if daemon.netns == netns]

    def text(self, path: str) -> str:
        """Gives what a file holds; empty for one that is none of ours."""
        return next((file.text for file in self.state.files if file.path == path), "")

    def mode(self, port: SwitchPort) -> int | None:
        """Gives the VLAN of an access port, DEAD_VLAN for one that is not wired, None for a trunk.

        A guarded port is on no VLAN either: only flows that name it take from it and give to it.
        """
        if port.trunk:
            return None
        tag = self.tags.get(port.name)
        return tag.vlan if tag is not None and not tag.guarded else DEAD_VLAN  # new ports start there


def _readable(destination: str) -> bool:
    try:
        ip_network(destination)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Fabric:
    """All that a packet can meet.

    machines   by host
    wires      physical networks; a NIC is on at most one
    stations   by (host, device)
    outsiders  on wires
    """

    machines: Mapping[str, Machine]
    wires: tuple[Wire, ...] = ()
    stations: Mapping[tuple[str, str], Station] = field(default_factory=dict)
    outsiders: tuple[Outsider, ...] = ()

    @staticmethod
    def of(
        states: Iterable[HostState],
        wires: Iterable[Wire] = (),
        stations: Iterable[Station] = (),
        outsiders: Iterable[Outsider] = (),
        reasons: Reasons = _nothing_known,
    ) -> Fabric:
        """Puts a fabric together."""
        return Fabric(
            {state.host: Machine(state, reasons) for state in states},
            tuple(wires),
            {(station.end.host, station.end.device): station for station in stations},
            tuple(outsiders),
        )

    def wire_of(self, host: str, nic: str) -> Wire | None:
        """Gives the wire that a NIC is plugged into."""
        return next((wire for wire in self.wires if (host, nic) in wire.plugs), None)

    def tunnel_end(self, type_: str, local: str, remote: str) -> tuple[Machine, SwitchPort] | None:
        """Gives the port that takes what comes in a tunnel from `local` to `remote`."""
        return self._tunnel_ends.get((type_, remote, local))

    @cached_property
    def _tunnel_ends(self) -> Mapping[tuple[str, str, str], tuple[Machine, SwitchPort]]:
        found: dict[tuple[str, str, str], tuple[Machine, SwitchPort]] = {}
        for machine in self.machines.values():
            for port in machine.ports.values():
                if port.type in TUNNELS:
                    ends = port.options.get("local_ip", ""), port.options.get("remote_ip", "")
                    found.setdefault((port.type, *ends), (machine, port))
        return found

    def holders(self, mac: str) -> Iterator[End]:
        """Gives everybody who has a MAC; several, when networks that do not meet have it twice."""
        yield from (station.end for station in self.stations.values() if station.end.mac == mac)
        for machine in self.machines.values():
            for link in machine.state.links:
                if link.form == "internal" and link.mac == mac:
                    yield End(host=machine.host, netns=link.netns, device=link.name, mac=mac)
