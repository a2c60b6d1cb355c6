"""Devices, addresses and routes of one network namespace, read and changed through one rtnetlink(7) socket.

A socket belongs to the namespace in which it was opened, for ever, so that no thread has to move to use it.  Changes
are sent in batches and acknowledged one by one: one bad change never stops the rest.

Never: decides what is ours; ``agent.appliers`` does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Sequence
from fcntl import ioctl
from functools import lru_cache
from ipaddress import ip_address, ip_interface, ip_network

import msgspec

from netglass.host import rtnetlink as rt
from netglass.host.namespaces import entered

_RECEIVE = 1 << 18
_BATCH = 64  # messages in one send; their acknowledgements must fit the receive buffer
_SOL_NETLINK, _NETLINK_EXT_ACK, _NETLINK_CAP_ACK, _NETLINK_GET_STRICT_CHK = 270, 11, 10, 12
_NETLINK_ADD_MEMBERSHIP = 1
_PROTOCOLS = (rt.RTPROT_BOOT, rt.RTPROT_STATIC, rt.RTPROT_KERNEL)
_IP6_RT_PRIO_ADDRCONF = 256  # linux/ipv6_route.h
_SIOCETHTOOL, _ETHTOOL_GTXCSUM, _ETHTOOL_STXCSUM = 0x8946, 0x16, 0x17
_KINDS_BY_MESSAGE = {
    rt.NEWLINK: "links",
    rt.DELLINK: "links",
    rt.NEWADDR: "addresses",
    rt.DELADDR: "addresses",
    rt.NEWROUTE: "routes",
    rt.DELROUTE: "routes",
    rt.NEWNETCONF: "sysctls",
}
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # RTMGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE


class Device(msgspec.Struct, frozen=True):
    """A network device as the kernel tells it.

    kind    the kernel's name for its sort, such as veth, bridge, tun; empty for hardware
    peer    index of the veth peer in the same namespace; 0: none, or elsewhere
    master  index of the bridge it is a port of; 0: none
    promiscuous  was told to take every frame, as ip-link(8) shows it; a listener like tcpdump does not count
    """

    index: int
    name: str
    kind: str
    up: bool
    mac: str
    mtu: int
    peer: int
    master: int
    alias: str
    promiscuous: bool = False


class DeviceAddress(msgspec.Struct, frozen=True):
    """An address on a device.

    link_local  the kernel's own, made of the device's MAC; one that somebody set is none, whatever its range
    born        when it was set, in hundredths of seconds after the machine's boot
    """

    index: int
    cidr: str
    link_local: bool
    born: int = 0


class RouteEntry(msgspec.Struct, frozen=True):
    """A unicast route of the main table that somebody set, or the kernel for an address (no router advertisement).

    connected  the kernel's, to the network of an address on the device
    """

    index: int
    destination: str
    via: str
    connected: bool = False


class Change(msgspec.Struct, frozen=True):
    """One change to send: the message's type, flags beside REQUEST and ACK, and its body."""

    kind: int
    flags: int
    body: bytes


class Netlink:
    """A conversation with one namespace's kernel tables; not to be shared between threads.

    Raises FileNotFoundError when the namespace does not exist.
    """

    def __init__(self, netns: str = "") -> None:
        self.netns = netns
        with entered(netns):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
            self._ioctl = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_GET_STRICT_CHK, 1)
        self._socket.settimeout(10)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Ends the conversation; a namespace lives as long as sockets are open in it."""
        self._socket.close()
        self._ioctl.close()

    # --- reading

    def devices(self) -> list[Device]:
        """Gives every device of the namespace."""
        # Without what they have counted: it is most of what there would be to read, and no two answers would be equal.
        wanted = rt.link_body(attributes=rt.u32(rt.IFLA_EXT_MASK, rt.EXT_FILTER_SKIP_STATS))
        return [_device(body) for body in self._dump(rt.GETLINK, wanted)]

    def addresses(self) -> list[DeviceAddress]:
        """Gives every address of both families."""
        bodies = self._dump(rt.GETADDR, rt.address_body(0, 0, 0, b""))
        return [found for body in bodies if (found := _address(body)) is not None]

    def routes(self) -> list[RouteEntry]:
        """Gives the unicast routes of the main table whose protocol is boot, static or kernel."""
        # Both families at once, and none of the local table's, which are most of what there would be to read.
        bodies = self._dump(rt.GETROUTE, rt.route_dump(rt.RT_TABLE_MAIN))
        return [found for body in bodies if (found := _route(body)) is not None]

    def tx_checksum(self, name: str) -> bool:
        """Says whether a device leaves TX checksums to hardware (ethtool(8), tx-checksumming)."""
        return bool(self._ethtool(name, _ETHTOOL_GTXCSUM, 0))

    def set_tx_checksum(self, name: str, wanted: bool) -> None:
        """Turns TX checksum offload on or off; raises OSError."""
        self._ethtool(name, _ETHTOOL_STXCSUM, int(wanted))

    def _ethtool(self, name: str, command: int, value: int) -> int:
        argument = bytearray(struct.pack("=II", command, value))
        # struct ifreq: the device's name, then a pointer to struct ethtool_value (netdevice(7)).
        address = _address_of(argument)
        ioctl(self._ioctl, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), address))
        return int(struct.unpack("=II", argument)[1])

    def _dump(self, kind: int, body: bytes) -> list[bytes]:
        self._sequence += 1
        self._socket.send(rt.message(kind, rt.REQUEST | rt.DUMP, self._sequence, body))
        bodies: list[bytes] = []
        while True:
            for answer, sequence, content in rt.messages(self._socket.recv(_RECEIVE)):
                if sequence != self._sequence:
                    continue
                if answer == rt.NLMSG_DONE:
                    return bodies
                if answer == rt.NLMSG_ERROR:
                    number = rt.parse_error(content)
                    raise OSError(number, os.strerror(number))
                bodies.append(content)

    # --- changing

    def apply(self, changes: Sequence[Change]) -> list[int]:
        """Sends changes in their order; gives the errno of each, 0 for those that were done."""
        outcome: list[int] = []
        for start in range(0, len(changes), _BATCH):
            outcome += self._send(changes[start : start + _BATCH])
        return outcome

    def _send(self, changes: Sequence[Change]) -> list[int]:
        first = self._sequence + 1
        self._sequence += len(changes)
        packed = [
            rt.message(change.kind, rt.REQUEST | rt.ACK | change.flags, first + place, change.body)
            for place, change in enumerate(changes)
        ]
        self._socket.send(b"".join(packed))
        outcome: dict[int, int] = {}
        while len(outcome) < len(changes):
            for kind, sequence, body in rt.messages(self._socket.recv(_RECEIVE)):
                if kind == rt.NLMSG_ERROR and sequence >= first:
                    outcome[sequence] = rt.parse_error(body)
        return [outcome[first + place] for place in range(len(changes))]


def _address_of(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


@lru_cache(maxsize=4096)
def _device(body: bytes) -> Device:
    index, flags, found = rt.parse_link(body)
    information = rt.attributes(found.get(rt.IFLA_LINKINFO, b""), 0)
    elsewhere = rt.IFLA_LINK_NETNSID in found
    return Device(
        index=index,
        name=rt.string(found.get(rt.IFLA_IFNAME)),
        kind=rt.string(information.get(rt.IFLA_INFO_KIND)),
        up=bool(flags & rt.IFF_UP),
        mac=found.get(rt.IFLA_ADDRESS, b"").hex(":"),
        mtu=rt.number(found.get(rt.IFLA_MTU)),
        peer=0 if elsewhere else rt.number(found.get(rt.IFLA_LINK)),
        master=rt.number(found.get(rt.IFLA_MASTER)),
        alias=rt.string(found.get(rt.IFLA_IFALIAS)),
        promiscuous=bool(flags & rt.IFF_PROMISC),
    )


_KERNEL_LINK_LOCAL = b"\x02"  # IFAPROT_KERNEL_LL


@lru_cache(maxsize=4096)
def _address(body: bytes) -> DeviceAddress | None:
    _family, prefix, scope, index, found = rt.parse_address(body)
    packed = found.get(rt.IFA_LOCAL) or found.get(rt.IFA_ADDRESS)
    if packed is None:
        return None
    # Linux before 5.18 does not say who made an address.
    by_kernel = found.get(rt.IFA_PROTO) == _KERNEL_LINK_LOCAL or packed[11:13] == b"\xff\xfe"
    # struct ifa_cacheinfo: preferred, valid, made, changed (linux/if_addr.h).
    born = struct.unpack("=IIII", found.get(rt.IFA_CACHEINFO, bytes(16))[:16])[2]
    cidr = f"{ip_address(packed)}/{prefix}"
    return DeviceAddress(index=index, cidr=cidr, link_local=scope == 253 and by_kernel, born=born)


@lru_cache(maxsize=4096)
@lru_cache(maxsize=4096)
def _route(body: bytes) -> RouteEntry | None:
    family, prefix, table, protocol, kind, found = rt.parse_route(body)
    if kind != 1 or table != rt.RT_TABLE_MAIN or protocol not in _PROTOCOLS:
        return None
    empty = bytes(4 if family == socket.AF_INET else 16)
    gateway = found.get(rt.RTA_GATEWAY)
    return RouteEntry(
        index=rt.number(found.get(rt.RTA_OIF)),
        destination=f"{ip_address(found.get(rt.RTA_DST, empty))}/{prefix}",
        via="" if gateway is None else str(ip_address(gateway)),
        connected=protocol == rt.RTPROT_KERNEL,
    )


# --- changes, as values


def new_veth(name: str, peer: str, mac: str = "", peer_mac: str = "") -> Change:
    """Makes both ends of a veth pair, down; an empty MAC is chosen by the kernel."""
    inner = rt.link_body(attributes=rt.text(rt.IFLA_IFNAME, peer) + _mac(peer_mac))
    information = rt.text(rt.IFLA_INFO_KIND, "veth") + rt.attribute(
        rt.IFLA_INFO_DATA, rt.attribute(rt.VETH_INFO_PEER, inner)
    )
    attributes = rt.text(rt.IFLA_IFNAME, name) + _mac(mac) + rt.attribute(rt.IFLA_LINKINFO, information)
    return Change(rt.NEWLINK, rt.CREATE | rt.EXCLUSIVE, rt.link_body(attributes=attributes))


def new_bridge(name: str, mac: str = "") -> Change:
    """Makes a Linux bridge, down, that forwards at once and floods multicast: STP off, no delay, no snooping."""
    settings = (
        rt.u32(rt.IFLA_BR_FORWARD_DELAY, 0)
        + rt.u32(rt.IFLA_BR_STP_STATE, 0)
        + rt.attribute(rt.IFLA_BR_MCAST_SNOOPING, b"\0")
    )
    information = rt.text(rt.IFLA_INFO_KIND, "bridge") + rt.attribute(rt.IFLA_INFO_DATA, settings)
    attributes = rt.text(rt.IFLA_IFNAME, name) + _mac(mac) + rt.attribute(rt.IFLA_LINKINFO, information)
    return Change(rt.NEWLINK, rt.CREATE | rt.EXCLUSIVE, rt.link_body(attributes=attributes))


def set_link(
    index: int,
    *,
    up: bool | None = None,
    mac: str = "",
    mtu: int = 0,
    master: int | None = None,
    alias: str = "",
) -> Change:
    """Changes a device; what is not given stays as it is, and master 0 takes it off its bridge."""
    attributes = _mac(mac)
    if mtu:
        attributes += rt.u32(rt.IFLA_MTU, mtu)
    if master is not None:
        attributes += rt.u32(rt.IFLA_MASTER, master)
    if alias:
        attributes += rt.attribute(rt.IFLA_IFALIAS, alias.encode()[:255])
    return Change(rt.NEWLINK, 0, rt.link_body(index, attributes, up))


def move_link(index: int, namespace_fd: int) -> Change:
    """Moves a device into the namespace that a file descriptor stands for; it arrives down and without addresses."""
    return Change(rt.NEWLINK, 0, rt.link_body(index, rt.u32(rt.IFLA_NET_NS_FD, namespace_fd)))


def group_link(index: int, group: int) -> Change:
    """Puts a device into a group, so that many are deleted at once."""
    return Change(rt.NEWLINK, 0, rt.link_body(index, rt.u32(rt.IFLA_GROUP, group)))


def delete_group(group: int) -> Change:
    """Deletes all devices of a group, in the time that one takes: the kernel waits once for all of them."""
    return Change(rt.DELLINK, 0, rt.link_body(attributes=rt.u32(rt.IFLA_GROUP, group)))


def delete_link(index: int) -> Change:
    """Deletes a device, and a veth's peer with it."""
    return Change(rt.DELLINK, 0, rt.link_body(index))


def add_address(index: int, cidr: str) -> Change:
    """Puts an address on a device; one that is there is replaced.

    IPv6 addresses come without duplicate address detection: the store gave each out once, and a DHCP server must
    answer now, not in a second (RFC 4862, 5.4).
    """
    nodad = 0x02 if ip_interface(cidr).version == 6 else 0  # IFA_F_NODAD
    return Change(rt.NEWADDR, rt.CREATE | rt.REPLACE, _address_body(index, cidr, nodad))


def delete_address(index: int, cidr: str) -> Change:
    """Takes an address from a device."""
    return Change(rt.DELADDR, 0, _address_body(index, cidr, 0))


def add_route(index: int, destination: str, via: str = "") -> Change:
    """Sets the route to a destination, in place of another one to it."""
    family, prefix, attributes = _route_parts(index, destination, via)
    return Change(rt.NEWROUTE, rt.CREATE | rt.REPLACE, rt.route_body(family, prefix, attributes, on_link=not via))


def add_connected_route(index: int, cidr: str) -> Change:
    """Sets the route to an address's network, as the kernel does with the address; others to it stay."""
    address = ip_interface(cidr)
    family, prefix, attributes = _route_parts(index, str(address.network), "")
    if address.version == 4:
        attributes += rt.attribute(rt.RTA_PREFSRC, address.ip.packed)
    else:
        attributes += rt.u32(rt.RTA_PRIORITY, _IP6_RT_PRIO_ADDRCONF)
    return Change(rt.NEWROUTE, rt.CREATE | rt.APPEND, rt.connected_route_body(family, prefix, attributes))


def delete_route(index: int, destination: str, via: str = "") -> Change:
    """Deletes a route."""
    family, prefix, attributes = _route_parts(index, destination, via)
    return Change(rt.DELROUTE, 0, rt.any_route_body(family, prefix, attributes))


def _mac(mac: str) -> bytes:
    return rt.attribute(rt.IFLA_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac else b""


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _address_body(index: int, cidr: str, flags: int) -> bytes:
    address = ip_interface(cidr)
    packed = address.ip.packed
    attributes = rt.attribute(rt.IFA_LOCAL, packed) + rt.attribute(rt.IFA_ADDRESS, packed)
    if address.version == 4 and address.network.prefixlen < 31:
        attributes += rt.attribute(4, address.network.broadcast_address.packed)  # IFA_BROADCAST
    return rt.address_body(_family(address.version), address.network.prefixlen, index, attributes, flags)


def _route_parts(index: int, destination: str, via: str) -> tuple[int, int, bytes]:
    network = ip_network(destination)
    attributes = rt.attribute(rt.RTA_DST, network.network_address.packed) + rt.u32(rt.RTA_OIF, index)
    if via:
        attributes += rt.attribute(rt.RTA_GATEWAY, ip_address(via).packed)
    return _family(network.version), network.prefixlen, attributes


# --- events


class Events:
    """Multicast news of one namespace: which kinds of objects changed since it was last asked.

    Raises FileNotFoundError when the namespace does not exist.
    """

    def __init__(self, netns: str = "") -> None:
        with entered(netns):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.setblocking(False)
        self._socket.bind((0, _GROUPS))
        for group in (rt.GROUP_IPV4_NETCONF, rt.GROUP_IPV6_NETCONF):
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)

    def fileno(self) -> int:
        """Gives the descriptor that is readable when there is news."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stops listening."""
        self._socket.close()

    def drain(self) -> set[str]:
        """Gives the kinds (links, addresses, routes, sysctls) that changed since the last call; empties the news.

        Of sysctls the kernel tells those that decide whether and where packets are passed on, such as forwarding.
        """
        kinds: set[str] = set()
        while True:
            try:
                received = self._socket.recv(_RECEIVE)
            except BlockingIOError:
                return kinds
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                kinds.update(_KINDS_BY_MESSAGE.values())  # news was lost: anything may have changed
                continue
            kinds.update(kind for message in rt.messages(received) if (kind := _kind_of(message)))


def _kind_of(message: tuple[int, int, bytes]) -> str:
    number, _, body = message
    if number == rt.NEWNETCONF and rt.NETCONFA_RP_FILTER in rt.attributes(body, rt.NETCONF_SIZE):
        return ""  # all settings of a device that is new: it has them from the start
    return _KINDS_BY_MESSAGE.get(number, "")
