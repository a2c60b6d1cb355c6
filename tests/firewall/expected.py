"""What a network with security groups must do with a packet: the small model that real frames are held against.

Imports nothing of the product.  A guest behind a *secured* port

- sends from its own addresses and pairs, each with its MAC, and from nobody else's;
- sends what an egress rule of its groups lets through, and receives what an ingress rule lets through;
- with *stateful* groups, sends and receives whatever belongs to a connection that both ends' rules let through, as it
  was opened;
- always does what it needs to have an address (DHCP client, neighbour discovery), and never serves it to others.

A port that is not secured sends and receives everything; one that is down, secured or not, nothing at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, ip_address, ip_network

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
EVERYBODY = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class Rule:
    """One rule of a group; None and empty: any."""

    direction: str
    version: int = 4
    protocol: int | None = None
    low: int | None = None
    high: int | None = None
    prefix: str = ""
    group: str = ""
    addresses: tuple[str, ...] | None = None  # of an address group


@dataclass(frozen=True)
class Group:
    """A security group by its name."""

    name: str
    rules: tuple[Rule, ...] = ()
    stateful: bool = True


@dataclass(frozen=True)
class Guest:
    """A guest with one port; pairs are (prefix, MAC or empty)."""

    name: str
    host: str
    mac: str
    addresses: tuple[str, ...]
    groups: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    secured: bool = True
    up: bool = True
    network: str = "one"

    @property
    def link_local(self) -> str:
        return link_local(self.mac)


def link_local(mac: str) -> str:
    """Gives the address that a device of this MAC gives itself."""
    octets = bytes.fromhex(mac.replace(":", ""))
    ours = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(IPv6Address(bytes.fromhex("fe80000000000000") + ours))


@dataclass(frozen=True)
class Packet:
    """A packet as a guest puts it on its wire.

    kind       ip; arp; other (an Ethernet type of its own)
    first, second  source and destination port, or ICMP type and code
    claims     ARP sender's or advertised neighbour's address; `claimed_mac` the ARP sender's MAC
    tags       VLANs of 802.1Q tags
    """

    sender: str
    mac: str
    to_mac: str
    source: str = ""
    destination: str = ""
    protocol: int = 0
    first: int = 0
    second: int = 0
    kind: str = "ip"
    claims: str = ""
    claimed_mac: str = ""
    tags: tuple[int, ...] = ()
    fragmented: bool = False
    flags: int = 2  # TCP: SYN
    operation: int = 2  # ARP: answer

    @property
    def version(self) -> int:
        return 6 if ":" in self.source else 4

    def answer(self, sender: str) -> Packet:
        """Gives the packet that answers this one."""
        first, second = self.second, self.first
        if self.protocol in (ICMP, ICMP6):
            first, second = {8: 0, 128: 129}[self.first], 0
        return replace(
            self,
            sender=sender,
            mac=self.to_mac,
            to_mac=self.mac,
            source=self.destination,
            destination=self.source,
            first=first,
            second=second,
            flags=18,
        )


@dataclass
class Model:
    """The network, and the connections that it knows."""

    guests: dict[str, Guest]
    groups: dict[str, Group]
    opened: list[Packet] = field(default_factory=list)

    def receives(self, packet: Packet, receiver: str) -> bool:
        """Says whether a packet that is sent now reaches a guest."""
        sender, target = self.guests[packet.sender], self.guests[receiver]
        if not (sender.up and target.up):
            return False
        if sender.network != target.network or packet.tags[:1] not in ((), (0,)):
            return False
        if packet.tags[1:] and target.secured:
            return False  # a tag within a tag of no VLAN: rules would not see behind it
        if sender.secured and (packet.tags or not self._is_itself(sender, packet)):
            return False
        if not self._hears(target, packet):
            return False
        if packet.kind != "ip":
            return packet.kind == "arp" or not (sender.secured or target.secured)
        return self._leaves(sender, packet) and self._enters(target, packet)

    def note(self, packet: Packet) -> None:
        """Takes note of the connection that a packet which arrived has opened, if it is not an answer."""
        if self._before(packet) is None:
            self.opened.append(packet)

    # --- who

    def _hears(self, target: Guest, packet: Packet) -> bool:
        group = int(packet.to_mac.partition(":")[0], 16) & 1
        return bool(group) or packet.to_mac == target.mac

    def _is_itself(self, sender: Guest, packet: Packet) -> bool:
        if packet.mac not in {sender.mac, *(mac for _, mac in sender.pairs if mac)}:
            return False
        if packet.kind == "other":
            return True
        if packet.kind == "arp":
            if packet.claimed_mac != packet.mac:
                return False
            return packet.claims == "0.0.0.0" or self._may_be(sender, packet.mac, packet.claims)
        if (
            packet.protocol == ICMP6
            and packet.first == 136
            and not any(self._may_be(sender, mac, packet.claims) for mac in self._macs(sender))
        ):
            return False
        if packet.source == "0.0.0.0":
            return packet.destination == "255.255.255.255" and (packet.protocol, packet.first, packet.second) == (
                UDP,
                68,
                67,
            )
        if packet.source == "::":
            return packet.protocol == ICMP6 and packet.first in (131, 133, 135, 143)
        return self._may_be(sender, packet.mac, packet.source)

    def _macs(self, guest: Guest) -> set[str]:
        return {guest.mac, *(mac for _, mac in guest.pairs if mac)}

    def _may_be(self, guest: Guest, mac: str, address: str) -> bool:
        held = {*guest.addresses, link_local(guest.mac)} if mac == guest.mac else set()
        held |= {link_local(own) for _, own in guest.pairs if own == mac}
        held |= {prefix for prefix, own in guest.pairs if (own or guest.mac) == mac}
        return any(_within(address, prefix) for prefix in held)

    # --- what

    def _leaves(self, sender: Guest, packet: Packet) -> bool:
        if not sender.secured:
            return True
        if packet.protocol == ICMP6 and packet.first == 134:
            return False
        if packet.protocol == ICMP6 and packet.first in (131, 132, 133, 135, 136, 143):
            return True
        if packet.protocol == UDP and (packet.first, packet.second) in ((67, 68), (547, 546)):
            return False
        if packet.protocol == UDP and (packet.first, packet.second) == (
            (68, 67) if packet.version == 4 else (546, 547)
        ):
            return True
        return self._permits(sender, packet, "egress")

    def _enters(self, target: Guest, packet: Packet) -> bool:
        if not target.secured:
            return True
        if packet.protocol == ICMP6 and packet.first in (130, 131, 132, 133, 135, 136, 143):
            return True
        if packet.protocol == ICMP6 and packet.first == 134:
            return _within(packet.source, "fe80::/10")
        if packet.protocol == UDP and (packet.first, packet.second) == (
            (67, 68) if packet.version == 4 else (547, 546)
        ):
            return True
        return self._permits(target, packet, "ingress")

    def _permits(self, guest: Guest, packet: Packet, direction: str) -> bool:
        groups = [self.groups[name] for name in guest.groups]
        if any(not group.stateful for group in groups):
            return self._by_rule(guest, packet, direction)
        before = self._before(packet)
        if before is not None:
            return self._by_rule(guest, before, "ingress" if direction == "egress" else "egress")
        return self._by_rule(guest, packet, direction)

    def _before(self, packet: Packet) -> Packet | None:
        """Gives the packet that opened the connection that this one answers."""
        for one in self.opened:
            answered = (one.source, one.destination, one.protocol) == (
                packet.destination,
                packet.source,
                packet.protocol,
            )
            echo = packet.protocol in (ICMP, ICMP6) and (one.first, packet.first) in ((8, 0), (128, 129))
            if answered and (echo or (one.first, one.second) == (packet.second, packet.first)):
                return one
        return None

    def _by_rule(self, guest: Guest, packet: Packet, direction: str) -> bool:
        remote = packet.destination if direction == "egress" else packet.source
        rules = [rule for name in guest.groups for rule in self.groups[name].rules if rule.direction == direction]
        return any(self._matches(rule, packet, remote) for rule in rules)

    def _matches(self, rule: Rule, packet: Packet, remote: str) -> bool:
        if rule.version != packet.version or rule.protocol not in (None, packet.protocol):
            return False
        if packet.protocol in (ICMP, ICMP6):
            if rule.low not in (None, packet.first) or rule.high not in (None, packet.second):
                return False
        elif rule.low is not None and not rule.low <= packet.second <= (rule.high or 0):
            return False
        if rule.prefix:
            return _within(remote, rule.prefix)
        if rule.addresses is not None:
            return any(_within(remote, prefix) for prefix in rule.addresses)
        return not rule.group or any(_within(remote, prefix) for prefix in self._members(rule.group))

    def _members(self, name: str) -> list[str]:
        found = []
        for guest in self.guests.values():
            if name in guest.groups:
                found += [*guest.addresses, *(prefix for prefix, _ in guest.pairs)]
        return found


def _within(address: str, prefix: str) -> bool:
    network, one = ip_network(prefix), ip_address(address)
    return one.version == network.version and one in network
