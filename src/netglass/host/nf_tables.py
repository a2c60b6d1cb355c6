"""What the kernel's nf_tables, on which today's iptables is built, tells of itself without a process being started.

Of which families there are tables, which edition a namespace's rules are, and news of their changes.

Source: netlink(7); linux/netfilter/nfnetlink.h (NFNLGRP_NFTABLES), nf_tables.h (NFT_MSG_GETTABLE, NFT_MSG_GETGEN);
socket(7) has SO_NETNS_COOKIE since Linux 5.14.
"""

from __future__ import annotations

import socket
import struct

import msgspec

from netglass.host import rtnetlink as rt
from netglass.host.namespaces import entered

_NETLINK_NETFILTER = 12
_NFTABLES_GROUP = 1 << (7 - 1)
_GETTABLE = 10 << 8 | 1  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE
_GETGEN = 10 << 8 | 16
_GEN_ID = 1  # NFTA_GEN_ID
_ANY_FAMILY = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)  # struct nfgenmsg
_SO_NETNS_COOKIE = 71
_RECEIVE = 1 << 16


class Edition(msgspec.Struct, frozen=True):
    """Tells the rules of a namespace from all that it, or another, has or had at other times since the machine's boot.

    cookie      of the namespace; no other one has had it since the boot
    generation  counts the changes of the namespace's rules
    """

    cookie: int
    generation: int


def families() -> frozenset[int] | None:
    """Gives of which families (NFPROTO_…) the caller's namespace has tables; None where the kernel knows none."""
    found: set[int] = set()
    with _channel() as channel:
        channel.send(rt.message(_GETTABLE, rt.REQUEST | rt.DUMP, 1, _ANY_FAMILY))
        while True:
            for kind, _, body in rt.messages(channel.recv(_RECEIVE)):
                if kind == rt.NLMSG_DONE:
                    return frozenset(found)
                if kind == rt.NLMSG_ERROR:
                    return None
                found.add(body[0])


def edition() -> Edition | None:
    """Gives which edition the rules of the caller's namespace are now; None where the kernel does not say."""
    with _channel() as channel:
        try:
            cookie = channel.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8)
        except OSError:
            return None
        channel.send(rt.message(_GETGEN, rt.REQUEST, 1, _ANY_FAMILY))
        for kind, _, body in rt.messages(channel.recv(_RECEIVE)):
            if kind != rt.NLMSG_ERROR:
                number = rt.attributes(body, len(_ANY_FAMILY))[_GEN_ID]
                return Edition(*struct.unpack("=Q", cookie), *struct.unpack("!I", number))
    return None


def _channel() -> socket.socket:
    channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    channel.settimeout(10)
    return channel


class RuleEvents:
    """News of changed rules of one namespace.  Raises FileNotFoundError when there is no such namespace.

    edition  that the rules were when the listening had begun: of each later change there is news
    """

    def __init__(self, netns: str) -> None:
        with entered(netns):
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER
            )
            self._socket.bind((0, _NFTABLES_GROUP))
            self.edition = edition()

    def fileno(self) -> int:
        """Gives the descriptor that is readable when there is news."""
        return self._socket.fileno()

    def close(self) -> None:
        """Stops listening."""
        self._socket.close()

    def drain(self) -> bool:
        """Says whether there was news since the last call."""
        news = False
        while True:
            try:
                news = bool(self._socket.recv(_RECEIVE)) or news
            except BlockingIOError:
                return news
            except OSError:  # ENOBUFS: so much news that some was dropped
                news = True
