"""Keeps addresses and routes, on devices and in namespaces that are ours.

In our namespaces whatever is not wanted goes, but for what the kernel made itself (loopback and link-local addresses,
its own routes).  In the host's own namespace only what is wanted is looked at: the rest is the operator's.  An address
that is wanted on one device there and found on another is moved: a NIC's own, once the NIC is on a bridge.

With an address goes the kernel's route to its network.  Where somebody took that away the address counts as not set,
and is given the route again.

On an error it carries on with the next.
"""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_interface

from netglass.agent.appliers.marks import NamespaceMarks
from netglass.agent.appliers.protocol import NotThere, Work
from netglass.base.errors import ApplyError
from netglass.desired.state import Address, HostState, Route, Thing
from netglass.host import netlink
from netglass.host.conversations import Conversations
from netglass.host.netlink import Change, Device, DeviceAddress, Netlink, RouteEntry


class Inet:
    """The applier of ``addresses`` and ``routes``."""

    kinds = ("addresses", "routes")

    def __init__(self, marks: NamespaceMarks, conversations: Conversations) -> None:
        self._marks = marks
        self._conversations = conversations
        self._cut_off: set[str] = set()  # addresses that are set, and whose network has no route

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives what is set in our namespaces, and of the host's own what `desired` names."""
        wanted_addresses = {address.key: address for address in desired.addresses}
        wanted_routes = {route.key: route for route in desired.routes}
        ours = self._marks.names()
        placed = {(address.netns, address.cidr) for address in desired.addresses}
        spaces = ours | {a.netns for a in desired.addresses} | {r.netns for r in desired.routes}
        addresses: list[Address] = []
        routes: list[Route] = []
        self._cut_off.clear()
        for netns in spaces:
            try:
                conversation = self._conversations.get(netns)
            except FileNotFoundError:
                continue
            devices = conversation.devices()
            name_of = {device.index: device.name for device in devices}
            set_here, entries = conversation.addresses(), conversation.routes()
            cut_off = _cut_off(devices, set_here, entries)
            for found in set_here:
                address = _address(netns, found, name_of, wanted_addresses)
                if found in cut_off and address.key in wanted_addresses:
                    self._cut_off.add(address.key)
                    continue
                concerns = address.key in wanted_addresses or (netns, address.cidr) in placed
                if concerns or (netns in ours and not _made_by_kernel(found, address)):
                    addresses.append(address)
            for entry in [entry for entry in entries if not entry.connected]:
                route = _route(netns, entry, name_of, wanted_routes)
                if route.key in wanted_routes or netns in ours:
                    routes.append(route)
        return {
            "addresses": tuple(sorted(addresses, key=lambda thing: thing.key)),
            "routes": tuple(sorted(routes, key=lambda thing: thing.key)),
        }

    def apply(self, work: Work) -> list[ApplyError]:
        """Sets addresses or routes."""
        return self._change(work.wanted, self._setting, netlink.add_route, "set", ())

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Takes addresses or routes away; those that went with their device or namespace are done."""
        gone = (errno.ENODEV, errno.EADDRNOTAVAIL, errno.ESRCH)
        return self._change(things, _deleting, netlink.delete_route, "delete", gone)

    def _setting(self, index: int, address: Address) -> Change:
        make = netlink.add_connected_route if address.key in self._cut_off else netlink.add_address
        return make(index, address.cidr)

    def _change(
        self,
        things: Iterable[Thing],
        address_change: Callable[[int, Address], Change],
        route_change: Callable[[int, str, str], Change],
        what: str,
        ignore: tuple[int, ...],
    ) -> list[ApplyError]:
        by_netns: dict[str, list[Address | Route]] = defaultdict(list)
        for thing in things:
            assert isinstance(thing, Address | Route)
            by_netns[thing.netns].append(thing)
        errors: list[ApplyError] = []
        for netns, group in by_netns.items():
            try:
                conversation = self._conversations.get(netns)
            except FileNotFoundError as error:
                if not ignore:
                    errors += [NotThere(thing.kind, thing.key, f"no namespace: {error}") for thing in group]
                continue
            index_of = {device.name: device.index for device in conversation.devices()}
            changes: list[tuple[Address | Route, Change]] = []
            for thing in group:
                index = index_of.get(thing.device)
                if index is None:
                    if not ignore:
                        errors.append(NotThere(thing.kind, thing.key, f"there is no device {thing.device}"))
                elif isinstance(thing, Address):
                    changes.append((thing, address_change(index, thing)))
                else:
                    changes.append((thing, route_change(index, thing.destination, thing.via)))
            errors += _send(conversation, changes, what, ignore)
        return errors

    def watch(self) -> list[int]:
        """Gives nothing: the loop listens to netlink for all appliers."""
        return []


def _send(
    conversation: Netlink, changes: list[tuple[Address | Route, Change]], what: str, ignore: tuple[int, ...]
) -> list[ApplyError]:
    numbers = conversation.apply([change for _, change in changes])
    return [
        ApplyError(thing.kind, thing.key, f"{what}: {os.strerror(number)}")
        for (thing, _), number in zip(changes, numbers, strict=True)
        if number and number not in ignore
    ]


def _deleting(index: int, address: Address) -> Change:
    return netlink.delete_address(index, address.cidr)


def _cut_off(
    devices: Iterable[Device], addresses: Iterable[DeviceAddress], entries: Iterable[RouteEntry]
) -> set[DeviceAddress]:
    """Gives the addresses on devices that are up to whose network the device has no route; a lone host is none."""
    up = {device.index for device in devices if device.up}
    connected = {(entry.index, entry.destination) for entry in entries if entry.connected}
    return {
        found
        for found in addresses
        if found.index in up
        and not found.cidr.endswith(("/32", "/128"))
        and (found.index, _network(found.cidr)) not in connected
    }


@lru_cache(maxsize=4096)
def _network(cidr: str) -> str:
    return str(ip_interface(cidr).network)


def _made_by_kernel(found: DeviceAddress, address: Address) -> bool:
    return found.link_local or address.device == "lo"


def _address(netns: str, found: DeviceAddress, name_of: dict[int, str], wanted: dict[str, Address]) -> Address:
    seen = Address(owner="", intent=(), netns=netns, device=name_of.get(found.index, ""), cidr=found.cidr)
    return wanted.get(seen.key, seen)


def _route(netns: str, entry: RouteEntry, name_of: dict[int, str], wanted: dict[str, Route]) -> Route:
    device = name_of.get(entry.index, "")
    seen = Route(owner="", intent=(), netns=netns, destination=entry.destination, via=entry.via, device=device)
    route = wanted.get(seen.key)
    if route is not None and (route.via, route.device) == (seen.via, seen.device):
        return route
    return seen
