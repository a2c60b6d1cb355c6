"""What hosts are plugged into: a namespace of the lab's own with one Linux bridge per segment.

         machine                 fabric                          control              compute1
    ngl-<lab> ════════════════════════════════════════════════════ eth0
                          mgmt (bridge) ─ control-eth1 ═══════════ eth1
                                        ─ compute1-eth1 ══════════════════════════════ eth1
                          vm   (bridge) ─ control-eth2 ═══════════ eth2
                                        ─ compute1-eth2 ══════════════════════════════ eth2

The far ends are made in the hosts' namespaces at once; nothing of this is ever seen on the machine but its own end of
the uplink.
"""

from __future__ import annotations

import os
from contextlib import closing
from ipaddress import IPv4Address, IPv4Network

from netglass.host import rtnetlink as rt
from netglass.host.netlink import Change, Netlink, add_address, add_route, new_bridge, set_link
from netglass.host.veth import End, VethError, netns_of, plug, unplug
from netglass.lab import uplink
from netglass.lab.topology import UPLINK_NIC, Topology

_IFLA_INFO_SLAVE_KIND, _IFLA_INFO_SLAVE_DATA, _IFLA_BRPORT_LEARNING = 4, 5, 8
_NAME_SIZE = 15


def wire(topology: Topology, fabric: int, hosts: dict[str, int], subnet: IPv4Network) -> None:
    """Makes segments and plugs hosts into them.

    fabric  pid of a process in the fabric
    hosts   host -> pid of its PID 1

    Raises VethError.
    """
    with closing(Netlink(netns_of(fabric))) as inside:
        for name in topology.segments:
            _done(inside, new_bridge(name), f"bridge {name} of the fabric")
            _up(inside, name)
    for host, pid in hosts.items():
        for nic in topology.hosts[host].nics:
            _plug(topology, host, nic, fabric, pid)
    _ports_up(topology, fabric)
    for host, pid in hosts.items():
        _address(topology, host, pid)
    _link_up(topology, hosts[topology.server_host], subnet)


def unwire(lab: str) -> None:
    """Takes the lab's device away from the machine.  Raises VethError."""
    unplug(uplink.device(lab))


def _plug(topology: Topology, host: str, nic: str, fabric: int, pid: int) -> None:
    segment = topology.segments[topology.hosts[host].nics[nic]]
    # A userspace switch may sit behind either end, and takes frames as they are: without checksums still to be made.
    # Not where hosts speak with one another alone, since it is the faster way.
    plain = bool(segment.cidr) and not segment.trunk and not _is_switched(topology, topology.hosts[host].nics[nic])
    plug(
        End(_port(host, nic), tx_checksum=plain),
        End(nic, tx_checksum=plain),
        pid,
        mtu=segment.mtu,
        alias=f"{host} {nic}",
        netns=netns_of(fabric),
    )


def _is_switched(topology: Topology, segment: str) -> bool:
    """Says whether a host has a bridge on the segment."""
    return any(spec.nics[nic] == segment for spec in topology.hosts.values() for nic in spec.bridges.values())


def _port(host: str, nic: str) -> str:
    # Only people read it; two hosts whose names are alike in the first letters need different ones all the same.
    name = f"{host}-{nic}"
    if len(name) <= _NAME_SIZE:
        return name
    keep = _NAME_SIZE - len(nic) - 4
    return f"{host[:keep]}{sum(host.encode()) % 1000:03d}-{nic}"


def _ports_up(topology: Topology, fabric: int) -> None:
    with closing(Netlink(netns_of(fabric))) as inside:
        index = {device.name: device.index for device in inside.devices()}
        for host, spec in topology.hosts.items():
            for nic, segment in spec.nics.items():
                port = _port(host, nic)
                change = set_link(index[port], up=True, master=index[segment])
                _done(inside, change, f"port {port} of the fabric")
                if topology.segments[segment].trunk:
                    _done(inside, _without_learning(index[port]), f"learning of port {port} of the fabric")


def _without_learning(index: int) -> Change:
    # The kernel's bridge learns MAC addresses over all VLANs alike (this one has no VLAN filtering), and the same
    # address may be in two networks: it must flood, as a hub does.
    data = rt.attribute(_IFLA_BRPORT_LEARNING, b"\0")
    information = rt.text(_IFLA_INFO_SLAVE_KIND, "bridge") + rt.attribute(_IFLA_INFO_SLAVE_DATA, data)
    return Change(rt.NEWLINK, 0, rt.link_body(index, rt.attribute(rt.IFLA_LINKINFO, information)))


def _address(topology: Topology, host: str, pid: int) -> None:
    with closing(Netlink(netns_of(pid))) as inside:
        _up(inside, "lo")
        for nic, segment in topology.hosts[host].nics.items():
            _up(inside, nic)
            # A NIC on a provider bridge is the bridge's; its address would be the bridge's too.
            plain = nic not in topology.hosts[host].bridges.values()
            for address in (topology.address(host, segment), topology.address6(host, segment)) if plain else ():
                if address is not None:
                    change = add_address(_index(inside, nic), str(address))
                    _done(inside, change, f"address {address} of {host}'s {nic}")
        _route(topology, host, inside)


def _route(topology: Topology, host: str, inside: Netlink) -> None:
    """Sets a host's default routes, and what the router to the world leads to customers."""
    via = topology.hosts[host].default_route
    if via:
        nic = _nic_towards(topology, host, via)
        segment = topology.hosts[host].nics[nic]
        neighbour = next((name for name in topology.hosts if topology.is_at(name, segment, via)), "")
        six = topology.address6(neighbour, segment) if neighbour else None
        for everywhere, hop in (("0.0.0.0/0", via), ("::/0", str(six.ip) if six is not None else "")):
            if hop:
                change = add_route(_index(inside, nic), everywhere, hop)
                _done(inside, change, f"default route of {host} by {hop}")
    public = topology.cloud.public
    if public is not None and topology.is_at(host, public.segment, public.gateway):
        nic = _nic_towards(topology, host, public.gateway)
        index = _index(inside, nic)
        for number in inside.apply([add_route(index, *delegation) for delegation in public.delegations.items()]):
            if number:
                raise VethError(f"routes of {host} to {public.delegated}: {os.strerror(number)}")


def _nic_towards(topology: Topology, host: str, neighbour: str) -> str:
    for nic, segment in topology.hosts[host].nics.items():
        address = topology.address(host, segment)
        if address is not None and IPv4Address(neighbour) in address.network:
            return nic
    raise VethError(f"{host} has no NIC on whose segment its default route {neighbour} lies")


def _link_up(topology: Topology, server: int, subnet: IPv4Network) -> None:
    name = uplink.device(topology.name)
    plug(End(name), End(UPLINK_NIC), server, mtu=1500, alias=f"netglass lab {topology.name}")
    machine, host = subnet.hosts()
    for netns, device, address in (("", name, machine), (netns_of(server), UPLINK_NIC, host)):
        with closing(Netlink(netns)) as there:
            _up(there, device)
            change = add_address(_index(there, device), f"{address}/{subnet.prefixlen}")
            _done(there, change, f"address {address} of {device}")


def _up(netlink: Netlink, name: str) -> None:
    _done(netlink, set_link(_index(netlink, name), up=True), f"{name} up")


def _index(netlink: Netlink, name: str) -> int:
    return next(device.index for device in netlink.devices() if device.name == name)


def _done(netlink: Netlink, change: Change, what: str) -> None:
    number = netlink.apply([change])[0]
    if number:
        raise VethError(f"{what}: {os.strerror(number)}")
