"""A veth pair whose far end is in the network namespace of another process: how guests and lab hosts are plugged.

Source: veth(4), rtnetlink(7).
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing

import msgspec

from netglass.base.errors import NetglassError
from netglass.host import rtnetlink as rt
from netglass.host.netlink import Change, Netlink, delete_group, group_link, set_link

_IFLA_NET_NS_PID = 19
_DOOMED = 0x6E68  # a group of devices (ip-link(8)) of our own, only ever filled just before it is deleted


class VethError(NetglassError):
    """The kernel refused; the message says what."""


class End(msgspec.Struct, frozen=True):
    """One end of a pair.

    name         of the device
    mac          empty: the kernel chooses
    tx_checksum  False: TX checksum offload off, as a userspace switch needs it of whoever sends to it (FACTS.md)
    """

    name: str
    mac: str = ""
    tx_checksum: bool = True


def netns_of(pid: int) -> str:
    """Gives what names the network namespace of a process where a namespace's name is wanted (an absolute path)."""
    return f"/proc/{pid}/ns/net"


def exists(name: str) -> bool:
    """Says whether the namespace we are in has the device."""
    return _index(name) != 0


def plug(near: End, far: End, pid: int, *, mtu: int, alias: str, netns: str = "") -> None:
    """Makes a pair with `near` in `netns` (empty: ours) and `far` in the namespace of process `pid`; both are down.

    mtu    bytes, of both ends
    alias  of the near end (ip-link(8)): the mark of whose it is

    Raises VethError; then neither end is there.
    """
    what = f"veth {near.name} to {far.name} of process {pid}"
    try:
        with closing(Netlink(netns)) as here:
            _do(here, _pair(near, far, pid, mtu), what)
            index = _index_in(here, near.name)
            # The kernel leaves an alias out when it makes a device; it takes it only afterwards.
            _do(here, set_link(index, alias=alias), f"alias of {near.name}")
            if not near.tx_checksum:
                here.set_tx_checksum(near.name, False)
        if not far.tx_checksum:
            with closing(Netlink(netns_of(pid))) as there:
                there.set_tx_checksum(far.name, False)
    except OSError as error:
        unplug(near.name, netns=netns)
        raise VethError(f"{what}: {error}") from error


def unplug(*names: str, netns: str = "") -> None:
    """Deletes devices of `netns`, and so their peers; those that are not there are left out.

    Many take as long as one: the kernel waits once for all of a group.  Raises VethError.
    """
    with closing(Netlink(netns)) as here:
        indexes = [index for name in names if (index := _index_in(here, name))]
        if not indexes:
            return
        outcome = here.apply([*(group_link(index, _DOOMED) for index in indexes), delete_group(_DOOMED)])
        if outcome[-1] not in (0, errno.ENODEV):
            raise VethError(f"deletion of {', '.join(names)}: {os.strerror(outcome[-1])}")


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def _index_in(netlink: Netlink, name: str) -> int:
    if not netlink.netns:
        return _index(name)  # one question in place of a list of every device
    return next((d.index for d in netlink.devices() if d.name == name), 0)


def _pair(near: End, far: End, pid: int, mtu: int) -> Change:
    inside = _end(far, mtu) + rt.u32(_IFLA_NET_NS_PID, pid)
    peer = rt.attribute(rt.VETH_INFO_PEER, rt.link_body(attributes=inside))
    kind = rt.text(rt.IFLA_INFO_KIND, "veth") + rt.attribute(rt.IFLA_INFO_DATA, peer)
    body = rt.link_body(attributes=_end(near, mtu) + rt.attribute(rt.IFLA_LINKINFO, kind))
    return Change(rt.NEWLINK, rt.CREATE | rt.EXCLUSIVE, body)


def _end(end: End, mtu: int) -> bytes:
    mac = rt.attribute(rt.IFLA_ADDRESS, bytes.fromhex(end.mac.replace(":", ""))) if end.mac else b""
    return rt.text(rt.IFLA_IFNAME, end.name) + rt.u32(rt.IFLA_MTU, mtu) + mac


def _do(netlink: Netlink, change: Change, what: str) -> None:
    number = netlink.apply([change])[0]
    if number:
        raise VethError(f"{what}: {os.strerror(number)}")
