"""Kernel settings that keep the host itself off its guests' wires.

A device that only carries guests' frames still belongs to the host's own network stack.  Left alone, the kernel gives
it an IPv6 address and speaks there, answers a guest's ARP for any address of the host, and takes UDP that a guest
sends to the host's address in a broadcast frame.  Seen on a Linux bridge, which passes broadcasts up, and on the ports
of a userspace switch, which reads copies of frames that the kernel keeps (the kernel's own switch takes them away).

Filters proper come with the security groups; what is left open until then is a broadcast to 255.255.255.255.
"""

from __future__ import annotations

from collections.abc import Iterator

from netglass.desired.state import Sysctl


def silent(owner: str, intent: tuple[str, ...], device: str) -> Sysctl:
    """Keeps the host from taking an IPv6 address on a device, and so from speaking there unasked."""
    return Sysctl(owner=owner, intent=intent, netns="", name=f"net/ipv6/conf/{device}/disable_ipv6", value="1")


def deaf(owner: str, intent: tuple[str, ...], device: str) -> Iterator[Sysctl]:
    """Keeps the host from answering ARP on a device, and from taking IPv4 packets out of broadcast frames there."""
    wanted = (("arp_ignore", "8"), ("drop_unicast_in_l2_multicast", "1"))  # 8: answer for no address at all
    for setting, value in wanted:
        name = f"net/ipv4/conf/{device}/{setting}"
        yield Sysctl(owner=owner, intent=intent, netns="", name=name, value=value)


def blind(owner: str, intent: tuple[str, ...], nic: str) -> Iterator[Sysctl]:
    """Keeps the host from taking packets for its own addresses off a NIC that a userspace switch reads too.

    The addresses are on the switch's bridge, which has the NIC's MAC; the copy that the kernel gets would be answered
    a second time, or refused, as the kernel has no tunnel for it.
    """
    yield silent(owner, intent, nic)
    yield from deaf(owner, intent, nic)
    # Strict: what comes in must come by the device that its sender is reached by, which is the bridge.
    yield Sysctl(owner=owner, intent=intent, netns="", name=f"net/ipv4/conf/{nic}/rp_filter", value="1")
