"""Who in a namespace takes a packet that its stack lets in: the daemons that the desired state puts there.

Source: what ``compile.dnsmasq`` and ``compile.haproxy`` write; RFC 2131 for DHCP.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from netglass.desired.state import Daemon, Lease
from netglass.trace.fabric import Machine
from netglass.trace.making import ANYBODY, DHCP_SERVER
from netglass.trace.packet import TCP, UDP, Packet, is_flooded
from netglass.trace.place import why
from netglass.trace.result import Detail, Step

_BIND = re.compile(r"^\s*bind (\S+):(\d+)(?: interface (\S+))?\s*$", re.MULTILINE)
_AGENT = re.compile(r"^\s*server agent unix@(\S+)", re.MULTILINE)
_IPV4_RANGE = re.compile(r"--dhcp-range=set:[^,]*,[0-9.]+,")  # without one, dnsmasq does not open DHCP's port
_DNS = 53


@dataclass(frozen=True)
class Hearing:
    """What becomes of a packet that a stack took.

    takes   it counts as delivered, though it may be refused
    daemon  that gets it; None: none of ours
    steps   worth telling
    text    why it does not count, in words that follow "because"
    """

    takes: bool
    daemon: Daemon | None = None
    steps: tuple[Step, ...] = ()
    text: str = ""


def heard(machine: Machine, netns: str, packet: Packet) -> Hearing:
    """Says who gets a packet for an address of a namespace."""
    if packet.ip_proto not in (TCP, UDP):
        if is_flooded(packet.eth_dst):
            return Hearing(False, text="nobody answers an echo request that is for everybody")
        return Hearing(True)
    found = next((one for one in machine.daemons(netns) if _listens(machine, one, packet)), None)
    if found is not None:
        return Hearing(True, found, _told(machine, found, packet))
    name = f"{'TCP' if packet.ip_proto == TCP else 'UDP'} port {packet.port_dst}"
    if is_flooded(packet.eth_dst):
        return Hearing(False, text=f"nobody there listens on {name}")
    return Hearing(True, steps=(Detail(text=f"Nothing that is wanted there listens on {name}: it is refused."),))


def is_refused(machine: Machine, netns: str, packet: Packet) -> bool:
    """Says whether a stack answers a packet by saying that nobody listens."""
    return packet.ip_proto in (TCP, UDP) and heard(machine, netns, packet).daemon is None


def _listens(machine: Machine, daemon: Daemon, packet: Packet) -> bool:
    if daemon.name.startswith("dnsmasq-"):
        if packet.port_dst == DHCP_SERVER:
            return packet.ip_proto == UDP and any(_IPV4_RANGE.match(word) for word in daemon.argv)
        return packet.port_dst == _DNS and not is_flooded(packet.eth_dst)
    if packet.ip_proto != TCP:
        return False
    binds = _BIND.findall(_configuration(machine, daemon))
    return any(int(port) == packet.port_dst and _is_at(address, packet) for address, port, _ in binds)


def _is_at(bound: str, packet: Packet) -> bool:
    return bound in ("0.0.0.0", "::", "[::]", packet.ip_dst, f"[{packet.ip_dst}]")


def _configuration(machine: Machine, daemon: Daemon) -> str:
    return "".join(machine.text(word) for word in daemon.argv if word.startswith("/"))


def _told(machine: Machine, daemon: Daemon, packet: Packet) -> tuple[Step, ...]:
    named: dict[str, Any] = why(daemon)
    if packet.port_dst == DHCP_SERVER and packet.ip_dst == ANYBODY:
        lease = _lease(daemon, packet.eth_src)
        text = f"{daemon.name} has no address for {packet.eth_src}"
        if lease is not None:
            text = f"{daemon.name} has {lease.address} for {packet.eth_src}"
        return (Detail(text=f"{text}.", **named),)
    found = _AGENT.search(_configuration(machine, daemon))
    if found is None:
        return (Detail(text=f"{daemon.name} listens there.", **named),)
    text = f"{daemon.name} listens there, says who asks, and hands the request on to the metadata agent at {found[1]}"
    return (Detail(text=f"{text}, which asks the metadata API.", **named),)


def lease_for(machine: Machine, netns: str, mac: str) -> Lease | None:
    """Gives the address that a DHCP server in a namespace has for a MAC; None: it answers nothing."""
    found = (_lease(daemon, mac) for daemon in machine.daemons(netns))
    return next((lease for lease in found if lease is not None), None)


def _lease(daemon: Daemon, mac: str) -> Lease | None:
    return next((one for one in daemon.leases if one.mac == mac and ":" not in one.address), None)
