"""The table of cases: scenes (who is there, with which rules) and the packets that are shot in each.

A case is one packet to one guest.  Every scene of `rule_scenes` varies the rules of one side while the other side lets
everything pass, and shoots the same packets in both families at a guest of the same host and at one of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from firewall.expected import ICMP, ICMP6, TCP, UDP, Group, Guest, Model, Packet, Rule, link_local

ANY = (Rule("egress"), Rule("egress", 6), Rule("ingress"), Rule("ingress", 6))
GRE = 47
FOREIGN_MAC = "fa:16:3e:99:99:99"
_PORTS = count(20000)  # no two packets of a run are of one connection by accident


@dataclass(frozen=True)
class Shot:
    """One packet, at whom, and what it is about."""

    name: str
    packet: Packet
    target: str


@dataclass(frozen=True)
class Scene:
    """Guests and groups, and what is shot among them, in this order."""

    name: str
    guests: tuple[Guest, ...]
    groups: tuple[Group, ...]
    shots: tuple[Shot, ...]

    def model(self) -> Model:
        return Model({guest.name: guest for guest in self.guests}, {group.name: group for group in self.groups})


def guest(name: str, number: int, host: str, *groups: str, **more: object) -> Guest:
    """Gives a guest with an address of each family."""
    addresses = (f"10.0.0.{number}", f"2001:db8::{number:x}")
    made = Guest(name, host, f"fa:16:3e:00:00:{number:02x}", addresses, tuple(groups))
    return replace(made, **more)  # type: ignore[arg-type]


def packet(
    sender: Guest, target: Guest, version: int, protocol: int, second: int = 0, first: int | None = None
) -> Packet:
    """Gives an honest packet of one guest to another; ICMP's type is `first`, a fresh port elsewhere."""
    place = 0 if version == 4 else 1
    if first is None:
        first = next(_PORTS) % 40000 + 20000 if protocol in (TCP, UDP) else 0
    return Packet(
        sender.name,
        sender.mac,
        target.mac,
        sender.addresses[place],
        target.addresses[place],
        protocol,
        first,
        second,
    )


# --- rules


@dataclass(frozen=True)
class Variant:
    """Rules of one direction in one family, told by `name`; `stateful` of their group."""

    name: str
    rules: tuple[Rule, ...]
    stateful: bool = True


def _variants(direction: str, version: int) -> Iterator[Variant]:
    sender, near, wide, other = (
        ("10.0.0.16/32", "10.0.0.16/31", "10.0.0.0/8", "10.0.0.32/27")
        if version == 4
        else ("2001:db8::10/128", "2001:db8::10/127", "2001:db8::/32", "2001:db8:1::/48")
    )
    remote = sender if direction == "ingress" else ("10.0.0.17/32" if version == 4 else "2001:db8::11/128")
    icmp, echo = (ICMP, 8) if version == 4 else (ICMP6, 128)

    def rule(protocol: int | None = None, low: int | None = None, high: int | None = None, **more: object) -> Rule:
        return Rule(direction, version, protocol, low, high, **more)  # type: ignore[arg-type]

    yield Variant("nothing", ())
    yield Variant("everything", (rule(),))
    yield Variant("the other family", (Rule(direction, 10 - version),))
    yield Variant("the other direction", (Rule("egress" if direction == "ingress" else "ingress", version),))
    yield Variant("tcp", (rule(TCP),))
    yield Variant("udp", (rule(UDP),))
    yield Variant("gre", (rule(GRE),))
    yield Variant("tcp 80", (rule(TCP, 80, 80),))
    yield Variant("tcp 0..79", (rule(TCP, 0, 79),))
    yield Variant("tcp 79..81", (rule(TCP, 79, 81),))
    yield Variant("tcp 1..65535", (rule(TCP, 1, 65535),))
    yield Variant("udp 1000..2047", (rule(UDP, 1000, 2047),))
    yield Variant("udp 53 and tcp 22", (rule(UDP, 53, 53), rule(TCP, 22, 22)))
    yield Variant("overlapping ranges", (rule(TCP, 20, 80), rule(TCP, 22, 22), rule(TCP, 80, 443), rule(TCP, 79, 81)))
    yield Variant("many ports", tuple(rule(TCP, port, port) for port in range(2, 120, 6)))  # 80 is one of them, 22 not
    yield Variant("icmp", (rule(icmp),))
    yield Variant("icmp echo", (rule(icmp, echo),))
    yield Variant("icmp echo, code 0", (rule(icmp, echo, 0),))
    yield Variant("icmp echo, code 1", (rule(icmp, echo, 1),))
    yield Variant("icmp of another type", (rule(icmp, 13 if version == 4 else 139),))
    yield Variant("from this address", (rule(prefix=remote),))
    yield Variant("from this address and its neighbour", (rule(TCP, prefix=near),))
    yield Variant("from all around", (rule(prefix=wide),))
    yield Variant("from elsewhere", (rule(prefix=other),))
    yield Variant("from everywhere", (rule(TCP, 80, 80, prefix="0.0.0.0/0" if version == 4 else "::/0"),))
    yield Variant("from its own group", (rule(UDP, group="varied"),))
    yield Variant("from a group of others", (rule(group="nobody"),))
    yield Variant("from the group of everybody", (rule(TCP, 80, 80, group="all"), rule(UDP, group="nobody")))
    yield Variant("from an address group", (rule(addresses=(remote,)),))
    yield Variant("from a wide address group", (rule(TCP, addresses=(other, wide)),))
    yield Variant("from an empty address group", (rule(addresses=()),))
    yield Variant("from half the world", (rule(addresses=("0.0.0.0/0",) if version == 4 else ("::/0",)),))
    others = [f"192.0.2.{n}/32" if version == 4 else f"2001:db8:2::{n}/128" for n in range(1, 10)]
    yield Variant("from many prefixes", tuple(rule(UDP, prefix=one) for one in (*others, wide)))
    yield Variant("from many other prefixes", tuple(rule(TCP, 80, 80, prefix=one) for one in others))
    yield Variant("one of each", (rule(TCP, 22, 22, prefix=remote), rule(UDP, 53, 53, group="all"), rule(icmp)))
    yield Variant("without tracking, tcp 80", (rule(TCP, 80, 80),), stateful=False)
    yield Variant("without tracking, everything", (rule(),), stateful=False)
    yield Variant("without tracking, from a group", (rule(UDP, group="all"), rule(icmp, echo)), stateful=False)


def _honest(sender: Guest, target: Guest, version: int) -> Iterator[Shot]:
    icmp, echo = (ICMP, 8) if version == 4 else (ICMP6, 128)
    about = f"v{version} {sender.name} to {target.name}"
    for protocol, name, ports in ((TCP, "tcp", (22, 79, 80, 81, 443)), (UDP, "udp", (53, 999, 1000, 2047, 2048))):
        for port in ports:
            yield Shot(f"{about}: {name} {port}", packet(sender, target, version, protocol, port), target.name)
    yield Shot(f"{about}: gre", packet(sender, target, version, GRE), target.name)
    yield Shot(f"{about}: echo", packet(sender, target, version, icmp, 0, echo), target.name)


def rule_scenes() -> Iterator[Scene]:
    """Gives the scenes in which rules differ."""
    for version in (4, 6):
        for direction in ("ingress", "egress"):
            for variant in _variants(direction, version):
                yield _rule_scene(version, direction, variant)


def _rule_scene(version: int, direction: str, variant: Variant) -> Scene:
    shooter = ("open",) if direction == "ingress" else ("varied",)
    aimed_at = ("varied",) if direction == "ingress" else ("open",)
    also = ("all",) if variant.stateful else ()
    sender = guest("sender", 16, "one", *shooter, *(also if direction == "egress" else ("all",)))
    near = guest("near", 17, "one", *aimed_at, *(also if direction == "ingress" else ("all",)))
    far = guest("far", 18, "two", *aimed_at, *(also if direction == "ingress" else ("all",)))
    groups = (
        Group("open", ANY),
        Group("varied", variant.rules, variant.stateful),
        Group("all"),
        Group("nobody"),
    )
    shots = [shot for target in (near, far) for shot in _honest(sender, target, version)]
    return Scene(f"{direction} v{version}: {variant.name}", (sender, near, far), groups, tuple(shots))


# --- conversations


def conversation_scenes() -> Iterator[Scene]:
    """Gives the scenes in which what is shot answers, or only seems to."""
    for version in (4, 6):
        yield _answers(version, stateful=True)
        yield _answers(version, stateful=False)


def _answers(version: int, *, stateful: bool) -> Scene:
    """One side may only open, the other only be opened to: answers pass, and what has not been asked for does not."""
    opening = Group("opening", (Rule("egress"), Rule("egress", 6)), stateful)
    serving = Group("serving", tuple(Rule("ingress", v, TCP, 80, 80) for v in (4, 6)), stateful)
    client = guest("client", 16, "one", "opening")
    servers = (guest("near", 17, "one", "serving"), guest("far", 18, "two", "serving"))
    shots = []
    for server in servers:
        asked, in_vain = packet(client, server, version, TCP, 80), packet(client, server, version, TCP, 81)
        shots += [
            Shot(
                f"{server.name}: an answer that nobody asked for",
                packet(server, client, version, TCP, 5000, 80),
                "client",
            ),
            Shot(f"{server.name}: what opens", asked, server.name),
            Shot(f"{server.name}: its answer", asked.answer(server.name), "client"),
            Shot(f"{server.name}: what goes on", replace(asked, flags=16), server.name),
            Shot(f"{server.name}: an answer from another port", replace(asked.answer(server.name), first=81), "client"),
            Shot(
                f"{server.name}: an answer to another port", replace(asked.answer(server.name), second=5001), "client"
            ),
            Shot(f"{server.name}: the server opens", packet(server, client, version, TCP, 80), "client"),
            Shot(f"{server.name}: what asks in vain", in_vain, server.name),
            Shot(f"{server.name}: an answer to what never came", in_vain.answer(server.name), "client"),
        ]
    name = f"answers v{version}, {'tracked' if stateful else 'untracked'}"
    return Scene(name, (client, *servers), (opening, serving), tuple(shots))


# --- ports that are down


def dead_scenes() -> Iterator[Scene]:
    """Gives the scenes in which one end's port is down, with port security and without."""
    for secured in (True, False):
        groups = ("open",) if secured else ()
        thief, near, far = (
            guest("thief", 16, "one", "open"),
            guest("near", 17, "one", "open"),
            guest("far", 18, "two", "open"),
        )
        dead = (
            guest("dead", 21, "one", *groups, secured=secured, up=False),
            guest("gone", 22, "two", *groups, secured=secured, up=False),
        )
        ends = {"sends": [(dead[0], near), (dead[0], far)], "receives": [(thief, one) for one in dead]}
        for word, pairs in ends.items():
            shots = [shot for sender, target in pairs for shot in _to_the_dead(sender, target)]
            name = f"a dead port {word}, port security {'on' if secured else 'off'}"
            yield Scene(name, (thief, near, far, *dead), (Group("open", ANY),), tuple(shots))


def _to_the_dead(sender: Guest, target: Guest) -> Iterator[Shot]:
    about = f"{sender.name} to {target.name}"
    for version, icmp, echo in ((4, ICMP, 8), (6, ICMP6, 128)):
        yield Shot(f"{about}: v{version} udp", packet(sender, target, version, UDP, 7), target.name)
        yield Shot(f"{about}: v{version} echo", packet(sender, target, version, icmp, 0, echo), target.name)
    asks = Packet(sender.name, sender.mac, target.mac, kind="arp", claimed_mac=sender.mac, claims=sender.addresses[0])
    yield Shot(f"{about}: ARP answers", asks, target.name)
    yield Shot(f"{about}: ARP asks all", replace(asks, operation=1, to_mac="ff:ff:ff:ff:ff:ff"), target.name)


# --- forged senders


_PAIRS = (
    ("10.0.0.99/32", ""),
    ("10.0.0.128/30", "fa:16:3e:00:00:aa"),
    ("2001:db8::99/128", ""),
    ("2001:db8::f0/126", ""),
)
_AROUND_PAIRS = ("2001:db8::98", "2001:db8::99", "2001:db8::ef", "2001:db8::f0", "2001:db8::f3", "2001:db8::f4")


def forging_scenes() -> Iterator[Scene]:
    """Gives the matrix of forged senders: every trick, by guests that may not and by one that may."""
    groups = (Group("open", ANY), Group("loose", ANY, stateful=False))
    near, far = (guest("near", 17, "one", "open"), guest("far", 18, "two", "open"))
    bare = guest("bare", 19, "two", secured=False)
    thieves = {
        "on, no pairs": guest("thief", 16, "one", "open"),
        "on, pairs": guest("thief", 16, "one", "open", pairs=_PAIRS),
        "on, no state": guest("thief", 16, "one", "loose"),
        "off, no pairs": guest("thief", 16, "one", secured=False),
    }
    for name, thief in thieves.items():
        shots = [shot for target in (near, far, bare) for shot in _tricks(thief, target)]
        yield Scene(f"forged senders, port security {name}", (thief, near, far, bare), groups, tuple(shots))


def _tricks(thief: Guest, target: Guest) -> Iterator[Shot]:
    def shot(name: str, forged: Packet) -> Shot:
        return Shot(f"to {target.name}: {name}", forged, target.name)

    honest = {version: packet(thief, target, version, UDP, 7) for version in (4, 6)}
    for version, one in honest.items():
        fresh = lambda: packet(thief, target, version, UDP, 7)  # noqa: B023, E731
        victim = "10.0.0.20" if version == 4 else "2001:db8::14"
        yield shot(f"v{version} honest", one)
        yield shot(f"v{version} another's MAC", replace(fresh(), mac=FOREIGN_MAC))
        yield shot(f"v{version} another's address", replace(fresh(), source=victim))
        yield shot(f"v{version} another's MAC and address", replace(fresh(), source=victim, mac=FOREIGN_MAC))
        yield shot(f"v{version} fragments, honest", replace(fresh(), fragmented=True))
        yield shot(f"v{version} fragments, another's address", replace(fresh(), source=victim, fragmented=True))
        for tags in ((0,), (5,), (1000,), (4095,), (0, 6), (5, 6)):
            yield shot(f"v{version} behind tags {tags}", replace(fresh(), tags=tags))
    four, six = honest[4], honest[6]
    for source in (
        "10.0.0.99",
        "10.0.0.98",
        "10.0.0.127",
        "10.0.0.128",
        "10.0.0.131",
        "10.0.0.132",
        "127.0.0.1",
        "255.255.255.255",
    ):
        yield shot(f"as {source}", replace(packet(thief, target, 4, UDP, 7), source=source))
        yield shot(
            f"as {source} by the pair's MAC", replace(four, first=four.first, source=source, mac="fa:16:3e:00:00:aa")
        )
    for source in (*_AROUND_PAIRS, link_local(thief.mac), link_local(target.mac), "fe80::1"):
        yield shot(f"as {source}", replace(packet(thief, target, 6, UDP, 7), source=source))
    yield from _arp_tricks(thief, target, shot)
    yield from _service_tricks(thief, target, six, shot)
    yield shot("an Ethernet type of its own", replace(four, kind="other", source="", destination=""))
    yield shot("the same as another", replace(four, kind="other", source="", destination="", mac=FOREIGN_MAC))


def _arp_tricks(thief: Guest, target: Guest, shot: object) -> Iterator[Shot]:
    assert callable(shot)
    base = Packet("thief", thief.mac, target.mac, kind="arp", claimed_mac=thief.mac, claims=thief.addresses[0])
    for operation, word in ((1, "asks"), (2, "answers")):
        for claims in (thief.addresses[0], "10.0.0.20", "10.0.0.99", "10.0.0.129", "0.0.0.0", "10.0.0.1"):
            yield shot(f"ARP {word} as {claims}", replace(base, operation=operation, claims=claims))
        yield shot(f"ARP {word} with another's MAC", replace(base, operation=operation, claimed_mac=FOREIGN_MAC))
        yield shot(f"ARP {word} from another's MAC", replace(base, operation=operation, mac=FOREIGN_MAC))
        both = replace(base, operation=operation, mac=FOREIGN_MAC, claimed_mac=FOREIGN_MAC, claims="10.0.0.20")
        yield shot(f"ARP {word} as another", both)
        yield shot(f"ARP {word} behind a tag", replace(base, operation=operation, tags=(0,)))
        yield shot(f"ARP {word} to all", replace(base, operation=operation, to_mac="ff:ff:ff:ff:ff:ff"))


def _service_tricks(thief: Guest, target: Guest, six: Packet, shot: object) -> Iterator[Shot]:
    assert callable(shot)
    nd = replace(six, protocol=ICMP6, first=136, second=0)
    own = link_local(thief.mac)
    for claims in (thief.addresses[1], own, "2001:db8::14", "fe80::1", "2001:db8::99", target.addresses[1]):
        yield shot(f"neighbour advertisement of {claims}", replace(nd, claims=claims))
        yield shot(f"neighbour advertisement of {claims}, link-local", replace(nd, claims=claims, source=own))
    yield shot("neighbour advertisement as another", replace(nd, claims="2001:db8::14", source="2001:db8::14"))
    yield shot("neighbour solicitation", replace(nd, first=135))
    yield shot("neighbour solicitation as another", replace(nd, first=135, source="2001:db8::14"))
    to_all = replace(nd, to_mac="33:33:00:00:00:01", destination="ff02::1")
    yield shot("address detection", replace(to_all, first=135, source="::"))
    yield shot("router solicitation", replace(to_all, first=133, source=own))
    for source in (own, "fe80::1", thief.addresses[1]):
        yield shot(f"router advertisement as {source}", replace(to_all, first=134, source=source))
        yield shot(f"router advertisement as {source}, to one", replace(nd, first=134, source=source))
        if thief.secured:  # else whether it arrives is up to who puts it together; nobody takes it (RFC 6980)
            hidden = replace(nd, first=134, source=source, fragmented=True)
            yield shot(f"router advertisement as {source}, in fragments", hidden)
    for source, destination, first, second in (
        (thief.addresses[0], target.addresses[0], 67, 68),
        (thief.addresses[0], "255.255.255.255", 67, 68),
        ("10.0.0.20", "255.255.255.255", 67, 68),
        ("0.0.0.0", "255.255.255.255", 68, 67),
        (thief.addresses[0], "255.255.255.255", 68, 67),
        ("0.0.0.0", "255.255.255.255", 5000, 67),
        ("0.0.0.0", target.addresses[0], 68, 67),
        (own, "ff02::1:2", 546, 547),
        (own, "ff02::1", 547, 546),
        (own, target.addresses[1], 547, 546),
        ("fe80::1", target.addresses[1], 547, 546),
    ):
        to_mac = (
            target.mac
            if destination in target.addresses
            else ("ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01")[":" in destination]
        )
        base = Packet("thief", thief.mac, to_mac, source, destination, UDP, first, second)
        yield shot(f"udp {source}:{first} to {destination}:{second}", base)
