"""Desired states of hosts, looked up the way a packet meets them; what no host's state says stands beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import ip_interface

from netglass.desired.state import DEAD_VLAN, Address, Flow, HostState, Link, PortTag, Route, RuleSet, SwitchPort
from netglass.trace.result import End

TUNNELS = ("gre", "vxlan", "geneve")


@dataclass(frozen=True)
class GuestRoute:
    """A route that a guest has by DHCP; `via` is empty for what is on the link."""

    destination: str
    via: str = ""
    intent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Station:
    """A guest's NIC, as far as intent tells: what is behind a tap, or behind what somebody else plugged.

    addresses  that the guest has, if it does what DHCP tells it
    routes     of the guest
    """

    end: End
    addresses: tuple[str, ...] = ()
    routes: tuple[GuestRoute, ...] = ()


@dataclass(frozen=True)
class Outsider:
    """Somebody on a wire who is on no host of ours, such as the provider's router.

    vlan  tag that they have on the wire; None: none
    """

    end: End
    wire: str
    vlan: int | None = None


@dataclass(frozen=True)
class Wire:
    """A physical network: everything that is plugged into it hears one another, VLAN by VLAN."""

    name: str
    plugs: tuple[tuple[str, str], ...]  # (host, NIC), ascending


class Machine:
    """One host's desired state."""

    def __init__(self, state: HostState) -> None:
        self.state = state
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
        own = self.links.get(("", name))
        return own or next((link for (_, device), link in self.links.items() if device == name), None)

    def addresses(self, netns: str) -> list[Address]:
        """Gives the addresses in a namespace."""
        return [address for address in self.state.addresses if address.netns == netns]

    def has_address(self, netns: str, address: str) -> Address | None:
        """Gives the object by which a namespace has an address."""
        return next((a for a in self.addresses(netns) if a.cidr.partition("/")[0] == address), None)

    def routes(self, netns: str) -> list[Route]:
        """Gives the routes of a namespace, those that come with its addresses first."""
        connected = [
            Route(
                owner=address.owner,
                intent=address.intent,
                netns=netns,
                destination=str(ip_interface(address.cidr).network),
                device=address.device,
            )
            for address in self.addresses(netns)
        ]
        return [*connected, *(route for route in self.state.routes if route.netns == netns)]

    def setting(self, netns: str, name: str) -> str:
        """Gives a kernel setting that the state asks for; empty: as the kernel has it."""
        found = (s.value for s in self.state.sysctls if s.netns == netns and s.name == name)
        return next(found, "")

    def rules(self, netns: str, ip_version: int, table: str) -> RuleSet | None:
        """Gives a namespace's rules of an iptables table."""
        sets = self.state.rule_sets
        return next((s for s in sets if (s.netns, s.ip_version, s.table) == (netns, ip_version, table)), None)

    def mode(self, port: SwitchPort) -> int | None:
        """Gives the VLAN of an access port, DEAD_VLAN for one that is not wired, None for a trunk."""
        if port.trunk:
            return None
        tag = self.tags.get(port.name)
        return tag.vlan if tag is not None else DEAD_VLAN  # new ports start there


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
    ) -> Fabric:
        """Puts a fabric together."""
        return Fabric(
            {state.host: Machine(state) for state in states},
            tuple(wires),
            {(station.end.host, station.end.device): station for station in stations},
            tuple(outsiders),
        )

    def wire_of(self, host: str, nic: str) -> Wire | None:
        """Gives the wire that a NIC is plugged into."""
        return next((wire for wire in self.wires if (host, nic) in wire.plugs), None)

    def tunnel_end(self, type_: str, local: str, remote: str) -> tuple[Machine, SwitchPort] | None:
        """Gives the port that takes what comes in a tunnel from `local` to `remote`."""
        for machine in self.machines.values():
            for port in machine.ports.values():
                options = port.options
                if port.type == type_ and options.get("local_ip") == remote and options.get("remote_ip") == local:
                    return machine, port
        return None

    def holders(self, mac: str) -> Iterator[End]:
        """Gives everybody who has a MAC; several, when networks that do not meet have it twice."""
        yield from (station.end for station in self.stations.values() if station.end.mac == mac)
        for machine in self.machines.values():
            for link in machine.state.links:
                if link.form == "internal" and link.mac == mac:
                    yield End(host=machine.host, netns=link.netns, device=link.name, mac=mac)
