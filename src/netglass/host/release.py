"""Takes addresses back from a DHCP server: DHCPRELEASE in the name of a client that is gone.

dnsmasq keeps a lease in memory, whatever its host file says after a SIGHUP, and refuses the address to its next
owner; a release is how it forgets.  The packet must seem to come in by the device that the server listens on, though
it is sent on the same machine: a socket that is bound to the device makes it so.

Source: RFC 2131, section 4.4.6 and figure 1; RFC 2132, options 53 and 54; dnsmasq's contrib/lease-tools do the same.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from contextlib import closing
from ipaddress import IPv4Address

import msgspec

from netglass.host.namespaces import entered
from netglass.host.netlink import Netlink

_SERVER_PORT = 67
_BOOTREQUEST, _ETHERNET, _RELEASE = 1, 1, 7
_MAGIC = b"\x63\x82\x53\x63"
_SMALLEST = 300  # bytes of a BOOTP message, RFC 1542


class Held(msgspec.Struct, frozen=True):
    """An address that a server may hold for a client.

    server  the server's own address on that subnet
    """

    mac: str
    address: str
    server: str


def release(netns: str, leases: Iterable[Held]) -> None:
    """Has the servers in `netns` forget `leases` (IPv4); what they do not hold means nothing to them.

    A lease of a server address that no device there has is left out: the server is not there, nor its memory.
    Raises OSError.
    """
    with closing(Netlink(netns)) as there:
        names = {device.index: device.name for device in there.devices()}
        device_by_address = {a.cidr.partition("/")[0]: names.get(a.index, "") for a in there.addresses()}
    for lease in leases:
        device = device_by_address.get(lease.server)
        if device:
            _send(netns, device, lease)


def _send(netns: str, device: str, lease: Held) -> None:
    with entered(netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
        out.sendto(packet(lease, os.urandom(4)), (lease.server, _SERVER_PORT))


def packet(lease: Held, transaction: bytes) -> bytes:
    """Packs the message; `transaction` is four bytes of the sender's choice."""
    head = struct.pack(
        "!BBBB4sHH4s4s4s4s16s64s128s",
        *(_BOOTREQUEST, _ETHERNET, 6, 0),
        transaction,
        *(0, 0),
        IPv4Address(lease.address).packed,
        *(b"", b"", b""),
        bytes.fromhex(lease.mac.replace(":", "")),
        *(b"", b""),
    )
    options = bytes((53, 1, _RELEASE, 54, 4)) + IPv4Address(lease.server).packed + b"\xff"
    return (head + _MAGIC + options).ljust(_SMALLEST, b"\0")
