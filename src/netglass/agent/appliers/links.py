"""Keeps network devices: veth pairs, Linux bridges, the switch's internal ports, and what guests bring.

Ours carry a mark as alias.  A device of a wanted name that the compiler wants made (veth, bridge, internal port) and
that carries none was left by a crash between making and marking, or was just made by the switch: it is taken over.
Awaited devices (a guest's tap, the machine's NIC) are set as wanted and never marked or deleted.

On an error it carries on with the next.
"""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

import msgspec

from netglass.agent.appliers.links_making import Making
from netglass.agent.appliers.links_reading import observed_link
from netglass.agent.appliers.marks import NamespaceMarks, read_mark
from netglass.agent.appliers.protocol import NotThere, Work
from netglass.base.errors import ApplyError
from netglass.desired.state import HostState, Link, Thing
from netglass.host import netlink
from netglass.host.conversations import Conversations
from netglass.host.netlink import Device, Netlink

_DOOMED = 0x6E67  # a group of devices (ip-link(8)) of our own, only ever filled just before it is deleted


class Links:
    """The applier of ``links``."""

    kinds = ("links",)

    def __init__(self, marks: NamespaceMarks, conversations: Conversations) -> None:
        self._marks = marks
        self._conversations = conversations

    def observe(self, desired: HostState) -> dict[str, tuple[Thing, ...]]:
        """Gives marked devices, and those that `desired` names, of the host and of the namespaces in question."""
        wanted: dict[str, dict[str, Link]] = defaultdict(dict)
        for link in desired.links:
            wanted[link.netns][link.name] = link
        for netns in ["", *self._marks.names()]:
            wanted.setdefault(netns, {})
        at_home = self._devices("") or {}
        found: list[Link] = []
        for netns, names in wanted.items():
            devices = at_home if not netns else self._devices(netns)
            if devices is not None:
                found += self._observe_in(netns, names, devices, at_home)
        return {"links": tuple(sorted(found, key=lambda link: link.key))}

    def _observe_in(
        self, netns: str, wanted: Mapping[str, Link], devices: Mapping[str, Device], at_home: Mapping[str, Device]
    ) -> list[Link]:
        name_of = {device.index: device.name for device in devices.values()}
        found: list[Link] = []
        for name, device in devices.items():
            link = wanted.get(name)
            mark = read_mark(device.alias)
            if link is None and (mark is None or mark[0] == "guests"):
                # A guest's tap goes with its guest (appliers.guests).
                continue
            if link is not None and not link.awaited and mark is None:
                continue
            if link is not None and link.form == "internal" and netns and name in at_home:
                # The switch died and made its port anew in the host: the one in here is dead (FACTS.md).
                continue
            observed = observed_link(netns, device, link, mark, name_of)
            if link is not None and not link.tx_checksum and self._tx_checksum(netns, name):
                observed = msgspec.structs.replace(observed, tx_checksum=True)
            found.append(observed)
        return found

    def _devices(self, netns: str) -> dict[str, Device] | None:
        try:
            return {device.name: device for device in self._conversations.get(netns).devices()}
        except FileNotFoundError:
            return None

    def _tx_checksum(self, netns: str, name: str) -> bool:
        try:
            return self._conversations.get(netns).tx_checksum(name)
        except OSError:
            return True

    def apply(self, work: Work) -> list[ApplyError]:
        """Makes, moves and sets devices, namespace by namespace."""
        by_netns: dict[str, list[Link]] = defaultdict(list)
        for thing in work.wanted:
            assert isinstance(thing, Link)
            by_netns[thing.netns].append(thing)
        errors: list[ApplyError] = []
        for netns, links in by_netns.items():
            try:
                making = Making(self._conversations.get(netns), self._conversations.get(""))
                errors += making.make(links)
            except OSError as error:
                absent = NotThere if isinstance(error, FileNotFoundError) else ApplyError
                errors += [absent("links", link.key, _reason(error, netns)) for link in links]
        return errors

    def remove(self, kind: str, things: tuple[Thing, ...], hurry: Callable[[], bool]) -> list[ApplyError]:
        """Deletes devices, all those of a namespace at once: the kernel waits as long for a hundred as for one."""
        errors: list[ApplyError] = []
        by_netns: dict[str, list[str]] = defaultdict(list)
        for thing in things:
            assert isinstance(thing, Link)
            by_netns[thing.netns].append(thing.name)
        for netns, names in by_netns.items():
            try:
                errors += _delete(self._conversations.get(netns), names)
            except FileNotFoundError:
                continue
            except OSError as error:
                errors += [ApplyError(kind, f"{netns}/{name}", _reason(error, netns)) for name in names]
        return errors

    def watch(self) -> list[int]:
        """Gives nothing: the loop listens to netlink for all appliers."""
        return []


def _delete(conversation: Netlink, names: Iterable[str]) -> list[ApplyError]:
    wanted = set(names)
    doomed = [device for device in conversation.devices() if device.name in wanted and read_mark(device.alias)]
    if not doomed:
        return []
    outcome = conversation.apply(
        [*(netlink.group_link(device.index, _DOOMED) for device in doomed), netlink.delete_group(_DOOMED)]
    )
    if outcome[-1] == 0:
        return []
    numbers = conversation.apply([netlink.delete_link(device.index) for device in doomed])
    return [
        ApplyError("links", f"{conversation.netns}/{device.name}", f"delete: {os.strerror(number)}")
        for device, number in zip(doomed, numbers, strict=True)
        if number not in (0, errno.ENODEV)
    ]


def _reason(error: OSError, netns: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f"namespace {netns} does not exist"
    return str(error)
