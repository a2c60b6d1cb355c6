"""Packets that are not as anybody writes them: none brings another's frames along, or itself past the rules.

Each is shot as real frames on real switches, with both drivers, and looked for at the victims.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from firewall import frames
from firewall.cases import guest
from firewall.expected import Group, Guest, Model, Rule
from firewall.rows import port_id
from firewall.shooting import Range, closing, token
from firewall.site import site
from host.hosted import on_a_host, shell
from netglass.base.ids import qbr_name

pytestmark = [pytest.mark.host, pytest.mark.timeout(900)]

DRIVERS = ("iptables_hybrid", "openvswitch")
IP, IPV6, ARP = 0x0800, 0x86DD, 0x0806
ICMP6, UDP, TCP = 58, 17, 6
WEB = Group("web", tuple(Rule(way, v, TCP, 80, 80) for way in ("egress", "ingress") for v in (4, 6)))
OPEN = Group("open", tuple(Rule(way, v) for way in ("egress", "ingress") for v in (4, 6)))


class Gallery:
    """Guests on two hosts, with one driver, and what each of them got of what was sent."""

    def __init__(
        self, hosts: dict[str, Any], driver: str, guests: tuple[Guest, ...], groups: tuple[Group, ...]
    ) -> None:
        self.hosts = hosts
        self.model = Model({one.name: one for one in guests}, {one.name: one for one in groups})
        self.range = Range(hosts, driver)
        self.range.settle(self.model)
        for sender in self.model.guests:  # so that no switch has to flood what it does not know where to send
            self.shoot(sender, lambda mark: closing(self.model.guests[sender], self.model.guests[sender], mark))  # noqa: B023

    def shoot(self, sender: str, made: Callable[[bytes], bytes]) -> set[str]:
        """Sends one frame, made of the token that it holds; gives who got it."""
        mark, wire = token(), self.model.guests[sender]
        self.range.forget()
        self.range.send(self.model, sender, [made(mark)])
        got = set()
        for name, one in self.model.guests.items():
            if name != sender:
                last = token()
                self.range.send(self.model, sender, [closing(wire, one, last)])
                arrived = self.hosts[one.host].received(name, [last], [])
                got |= {name} if any(mark in frame for frame in arrived) else set()
        return got


def udp(sender: Guest, target: Guest, mark: bytes, protocol: int = UDP) -> bytes:
    """Gives a datagram of IPv4, or what looks like one under another protocol's number."""
    source, destination = sender.addresses[0], target.addresses[0]
    body = frames.transport(UDP, source, destination, (5000, 7), mark, 0)
    return frames.ethernet(sender.mac, target.mac, IP, frames.ip_packet(source, destination, protocol, body))


def tcp(sender: Guest, target: Guest, port: int, mark: bytes) -> bytes:
    source, destination = sender.addresses[0], target.addresses[0]
    body = frames.transport(TCP, source, destination, (int.from_bytes(mark[3:5], "big") | 1024, port), mark, frames.SYN)
    return frames.ethernet(sender.mac, target.mac, IP, frames.ip_packet(source, destination, TCP, body))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_packet_of_protocol_0_changes_nothing_for_those_that_come_after_it(driver: str) -> None:
    """CVE-2023-1668: one such packet made the switch let pass, or drop, all that came after."""

    @on_a_host
    def on_it() -> None:
        sender, near, far = (
            guest("sender", 16, "one", "web"),
            guest("near", 17, "one", "web"),
            guest("far", 18, "two", "web"),
        )
        with site("one", "two") as hosts:
            gallery = Gallery(hosts, driver, (sender, near, far), (WEB,))
            for target in (near, far):
                for _ in range(3):
                    assert gallery.shoot("sender", lambda mark: udp(sender, target, mark, 0)) == set()  # noqa: B023
                    assert gallery.shoot("sender", lambda mark: tcp(sender, target, 80, mark)) == {target.name}  # noqa: B023
                    assert gallery.shoot("sender", lambda mark: tcp(sender, target, 81, mark)) == set()  # noqa: B023
                    assert gallery.shoot("sender", lambda mark: udp(sender, target, mark)) == set()  # noqa: B023

    on_it()


def advertised(sender: Guest, target: Guest, claims: str, headers: bytes, first: int, mark: bytes) -> bytes:
    """Gives a neighbour advertisement of `claims` with the override flag, behind extension headers."""
    source, destination = sender.addresses[1], target.addresses[1]
    body = frames.neighbour(136, claims, sender.mac) + bytes([253, 1]) + mark
    message = frames.transport(ICMP6, source, destination, (136, 0), body, 0)
    packet = frames.ip_packet(source, destination, first, headers + message, 255)
    return frames.ethernet(sender.mac, target.mac, IPV6, packet)


def _extension(following: int) -> bytes:
    return bytes([following, 0, 1, 4, 0, 0, 0, 0])  # eight bytes, of which six are padding (RFC 8200, 4.2)


HIDDEN: tuple[tuple[int, bytes], ...] = (
    (ICMP6, b""),
    (0, _extension(ICMP6)),  # hop by hop
    (60, _extension(ICMP6)),  # for the destination
    (0, _extension(60) + _extension(ICMP6)),
    (43, bytes([ICMP6, 0, 0, 0, 0, 0, 0, 0])),  # a route of no hops
    (44, struct.pack(">BBHI", ICMP6, 0, 0, 7)),  # the only fragment
)


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_neighbour_is_spoken_for_from_behind_extension_headers(driver: str) -> None:
    """CVE-2021-20267, and its like with headers in between."""

    @on_a_host
    def on_it() -> None:
        thief, near, far = (
            guest("thief", 16, "one", "open"),
            guest("near", 17, "one", "open"),
            guest("far", 18, "two", "open"),
        )
        with site("one", "two") as hosts:
            gallery = Gallery(hosts, driver, (thief, near, far), (OPEN,))
            for target in (near, far):
                own = advertised_by(thief, target, thief.addresses[1], (ICMP6, b""))
                assert gallery.shoot("thief", own) == {target.name}
                for claims in ("2001:db8::14", "fe80::1", target.addresses[1]):
                    for hidden in HIDDEN:
                        assert gallery.shoot("thief", advertised_by(thief, target, claims, hidden)) == set(), hidden

    on_it()


def advertised_by(thief: Guest, target: Guest, claims: str, hidden: tuple[int, bytes]) -> Callable[[bytes], bytes]:
    first, headers = hidden
    return lambda mark: advertised(thief, target, claims, headers, first, mark)


def _malformed(thief: Guest, target: Guest) -> dict[str, Callable[[bytes], bytes]]:
    """Gives frames of wrong lengths, all of them by somebody whom the thief is not."""
    victim = "10.0.0.20"

    def ip(change: Callable[[bytearray], None]) -> Callable[[bytes], bytes]:
        def made(mark: bytes) -> bytes:
            body = frames.transport(UDP, victim, target.addresses[0], (5000, 7), mark, 0)
            packet = bytearray(frames.ip_packet(victim, target.addresses[0], UDP, body))
            change(packet)
            packet[10:12] = b"\0\0"
            packet[10:12] = struct.pack(">H", frames.checksum(bytes(packet[:20])))
            return frames.ethernet(thief.mac, target.mac, IP, bytes(packet))

        return made

    def set_byte(at: int, value: int) -> Callable[[bytes], bytes]:
        return ip(lambda packet: packet.__setitem__(at, value))

    def short(ethertype: int, size: int) -> Callable[[bytes], bytes]:
        def made(mark: bytes) -> bytes:
            body = frames.arp(2, (thief.mac, victim), (target.mac, target.addresses[0]))
            return frames.ethernet(thief.mac, target.mac, ethertype, body[:size] + mark)

        return made

    def neighbour(mark: bytes) -> bytes:
        source = thief.addresses[1]
        message = frames.transport(ICMP6, source, target.addresses[1], (136, 0), b"\x60\0\0\0" + mark, 0)
        packet = frames.ip_packet(source, target.addresses[1], ICMP6, message, 255)
        return frames.ethernet(thief.mac, target.mac, IPV6, packet)

    return {
        "a header of 4 words": set_byte(0, 0x44),
        "a header longer than the packet": set_byte(0, 0x4F),
        "version 5": set_byte(0, 0x55),
        "a total of nothing": ip(lambda packet: packet.__setitem__(slice(2, 4), b"\0\0")),
        "a total beyond the end": ip(lambda packet: packet.__setitem__(slice(2, 4), b"\x05\xdc")),
        "half an ARP message": short(ARP, 14),
        "ARP without its end": short(ARP, 26),
        "an advertisement without its target": neighbour,
    }


@pytest.mark.parametrize("driver", DRIVERS)
def test_nobody_gets_past_by_a_header_that_is_cut_short(driver: str) -> None:
    """CVE-2016-10377 and 2023-5366: what cannot be read is no reason to let it pass."""

    @on_a_host
    def on_it() -> None:
        thief, near, far = (
            guest("thief", 16, "one", "open"),
            guest("near", 17, "one", "open"),
            guest("far", 18, "two", "open"),
        )
        with site("one", "two") as hosts:
            gallery = Gallery(hosts, driver, (thief, near, far), (OPEN,))
            passed = {
                f"{name} to {target.name}": got
                for target in (near, far)
                for name, made in _malformed(thief, target).items()
                if (got := gallery.shoot("thief", made))
            }
            assert passed == {}
            assert gallery.shoot("thief", lambda mark: udp(thief, near, mark)) == {"near"}

    on_it()


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_third_guest_hears_nothing_of_two_that_talk(driver: str) -> None:
    """CVE-2019-15753: a bridge that forgets at once floods what it should switch."""

    @on_a_host
    def on_it() -> None:
        one, near, far = (
            guest("one", 16, "one", "open"),
            guest("near", 17, "one", "open"),
            guest("far", 18, "two", "open"),
        )
        ears = (guest("ear", 19, "one", "open"), guest("ear2", 20, "two", secured=False))
        with site("one", "two") as hosts:
            gallery = Gallery(hosts, driver, (one, near, far, *ears), (OPEN,))
            for target in (near, far):
                for sender, receiver in ((one, target), (target, one)) * 5:
                    got = gallery.shoot(sender.name, lambda mark: udp(sender, receiver, mark))  # noqa: B023
                    assert got == {receiver.name}
            if driver == "iptables_hybrid":
                ageing = f"/sys/class/net/{qbr_name(port_id('one'))}/bridge/ageing_time"
                assert int(shell("cat", ageing)) > 0

    on_it()


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_a_host_serves_is_behind_the_rules_of_its_guests(driver: str) -> None:
    """The idea of CVE-2025-0650: a service of the hypervisor's own is no way around the rules."""

    @on_a_host
    def on_it() -> None:
        caller = guest("caller", 16, "one", "open")
        with site("one", "two") as hosts:
            gallery = Gallery(hosts, driver, (caller, guest("far", 18, "two", "open")), (OPEN,))
            bridges = [name for name in ("br-int", "br-eth2", qbr_name(port_id("caller"))) if _is_there(name)]
            assert {bridge: _answers(gallery, bridge) for bridge in bridges} == dict.fromkeys(bridges, False)
            if driver == "iptables_hybrid":  # without what keeps them apart, it would
                for chain in ("INPUT", "OUTPUT"):
                    shell("iptables", "-F", f"neutron-openvswi-{chain}")
                assert _answers(gallery, qbr_name(port_id("caller")))

    on_it()


def _answers(gallery: Gallery, bridge: str) -> bool:
    """Says whether a host answers its guest at an address beside the guest's, given to a bridge by mistake."""
    caller, far = (gallery.model.guests[name] for name in ("caller", "far"))
    shell("ip", "address", "replace", "10.0.0.1/16", "dev", bridge)
    shell("ip", "link", "set", bridge, "up")
    shell("ip", "neighbor", "replace", caller.addresses[0], "lladdr", caller.mac, "dev", bridge)
    mac = shell("cat", f"/sys/class/net/{bridge}/address").strip()
    mark = token()
    echo = frames.transport(1, caller.addresses[0], "10.0.0.1", (8, 0), bytes(4) + mark, 0)
    ping = frames.ip_packet(caller.addresses[0], "10.0.0.1", 1, echo)
    gallery.range.forget()
    gallery.range.send(gallery.model, "caller", [frames.ethernet(caller.mac, mac, IP, ping)])
    last = token()
    for sender, receiver in ((caller, far), (far, caller)):
        gallery.range.send(gallery.model, sender.name, [closing(sender, receiver, last)])
    heard = gallery.hosts["one"].received("caller", [last], [])
    shell("ip", "address", "flush", "dev", bridge)
    return any(mark in frame and frame[6:12] == frames.mac_bytes(mac) for frame in heard)


def _is_there(name: str) -> bool:
    return name in shell("ip", "-br", "link")
