"""Makes and sets the devices of one namespace, in few batches: make, move, set, turn off checksum offload."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from netglass.agent.appliers.marks import mark_of, read_mark
from netglass.agent.appliers.protocol import NotThere
from netglass.base.errors import ApplyError
from netglass.desired.state import Link
from netglass.host import namespaces, netlink
from netglass.host.netlink import Change, Device, Netlink

_KIND_BY_FORM = {"veth": ("veth",), "bridge": ("bridge",), "internal": ("tun", "openvswitch")}


class Making:
    """One namespace's round of making and setting.

    here  the conversation with the namespace; `home` the one with the host's own, where the switch makes its ports
    """

    def __init__(self, here: Netlink, home: Netlink) -> None:
        self._here = here
        self._home = home
        self._devices: dict[str, Device] = {}
        self._errors: dict[str, ApplyError] = {}

    def make(self, links: Sequence[Link]) -> list[ApplyError]:
        """Brings `links` about; gives those that failed."""
        self._read()
        moved = self._bring_home_ports([link for link in links if link.form == "internal"])
        made = self._create([link for link in links if link.form in ("veth", "bridge")])
        if moved or made:
            self._read()
        self._set([link for link in links if link.name not in self._errors])
        for link in links:
            if not link.tx_checksum and link.name not in self._errors:
                self._turn_off_checksum(link)
        return list(self._errors.values())

    def _read(self) -> None:
        self._devices = {device.name: device for device in self._here.devices()}

    def _fail(self, link: Link, what: str) -> None:
        self._errors.setdefault(link.name, ApplyError("links", link.key, what))

    def _send(self, changes: Sequence[tuple[Link, Change]], what: str, ignore: tuple[int, ...] = ()) -> None:
        numbers = self._here.apply([change for _, change in changes])
        for (link, _), number in zip(changes, numbers, strict=True):
            if number and number not in ignore:
                self._fail(link, f"{what}: {os.strerror(number)}")

    # --- making

    def _create(self, links: Sequence[Link]) -> bool:
        missing = {link.name: link for link in links if not self._fits(link)}
        if not missing:
            return False
        wrong = [(link, self._devices[link.name]) for link in missing.values() if link.name in self._devices]
        ours = [(link, device) for link, device in wrong if read_mark(device.alias)]
        self._send([(link, netlink.delete_link(device.index)) for link, device in ours], "delete", (errno.ENODEV,))
        changes: list[tuple[Link, Change]] = []
        with_peer: set[str] = set()
        for link in missing.values():
            if link.form == "bridge":
                changes.append((link, netlink.new_bridge(link.name, link.mac)))
            elif link.name not in with_peer:
                peer = missing.get(link.peer)
                changes.append((link, netlink.new_veth(link.name, link.peer, link.mac, peer.mac if peer else "")))
                with_peer.add(link.peer)
        self._send(changes, "make")
        return True

    def _fits(self, link: Link) -> bool:
        device = self._devices.get(link.name)
        if device is None or device.kind not in _KIND_BY_FORM[link.form]:
            return False
        if link.form != "veth":
            return True
        peer = self._devices.get(link.peer)
        return peer is not None and peer.index == device.peer

    # --- the switch's ports

    def _bring_home_ports(self, links: Sequence[Link]) -> bool:
        """Moves the switch's ports from the host's namespace to where they belong; says whether any moved."""
        if not links or not self._here.netns:
            return False
        at_home = {device.name: device for device in self._home.devices()}
        arriving = [(link, at_home[link.name]) for link in links if link.name in at_home]
        dead = [(link, self._devices[link.name]) for link, _ in arriving if link.name in self._devices]
        self._send([(link, netlink.delete_link(device.index)) for link, device in dead], "delete", (errno.ENODEV,))
        if not arriving:
            return False
        descriptor = os.open(namespaces.path(self._here.netns), os.O_RDONLY | os.O_CLOEXEC)
        try:
            numbers = self._home.apply([netlink.move_link(device.index, descriptor) for _, device in arriving])
        finally:
            os.close(descriptor)
        for (link, _), number in zip(arriving, numbers, strict=True):
            if number:
                self._fail(link, f"move into {link.netns}: {os.strerror(number)}")
        return True

    # --- setting

    def _set(self, links: Sequence[Link]) -> None:
        changes: list[tuple[Link, Change]] = []
        # Bridges first, so that they are up when their ports come.
        for link in sorted(links, key=lambda one: one.form != "bridge"):
            device = self._devices.get(link.name)
            if device is None:
                self._errors.setdefault(link.name, NotThere("links", link.key, _absent(link)))
                continue
            master = self._devices.get(link.master)
            if link.master and master is None:
                self._fail(link, f"its bridge {link.master} does not exist")
                continue
            alias = "" if link.awaited else mark_of(link)
            change = netlink.set_link(
                device.index,
                up=None if device.up == link.up else link.up,
                mac=link.mac if link.mac != device.mac else "",
                mtu=link.mtu if link.mtu != device.mtu else 0,
                master=master.index if master is not None and master.index != device.master else None,
                alias=alias if alias != device.alias else "",
            )
            changes.append((link, change))
        self._send(changes, "set")

    def _turn_off_checksum(self, link: Link) -> None:
        try:
            if self._here.tx_checksum(link.name):
                self._here.set_tx_checksum(link.name, False)
        except OSError as error:
            self._fail(link, f"turn TX checksum offload off: {error}")


def _absent(link: Link) -> str:
    if link.form == "internal":
        return "the switch has not made its device"
    return "there is no such device"
