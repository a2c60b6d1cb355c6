"""Renders guards as iptables chains, for the driver that has a Linux bridge before the switch.

    raw     PREROUTING  -> neutron-openvswi-PREROUTING     which zone each bridge's packets are tracked in, if at all
    filter  FORWARD     -> neutron-openvswi-FORWARD -> neutron-openvswi-sg-chain
                              -> neutron-openvswi-i<port>   to the guest    -> neutron-openvswi-gi<groups>
                              -> neutron-openvswi-o<port>   from the guest  -> neutron-openvswi-s<port>  its sources
                                                                            -> neutron-openvswi-go<groups>
            INPUT       -> neutron-openvswi-INPUT           guests do not reach the host by their bridges
            OUTPUT      -> neutron-openvswi-OUTPUT          nor the host them
    mangle  POSTROUTING -> neutron-openvswi-POSTROUTING     the lock
    frames  FORWARD     -> neutron-openvswi-FORWARD         (ebtables) what iptables does not see: other Ethernet types

The chains are Neutron's.  Four things are not:

- The lock.  A packet that passed through a port's chains carries a mark, and none leaves a qbr without: a port whose
  chains are not there, or were flushed by hand, is closed and not open.
- What all ports have in common stands once, in ``…-i-base`` and ``…-o-base``.
- So do the rules of groups, for all ports with the same ones, in chains of their own.  Where the kernel refuses a rule
  there, those ports are closed, as the chain is then empty.  A packet of a new connection meets them one by one, so
  that those alike are said together: ports in one rule, and many prefixes in one set.
- An accepted connection is marked by each side that accepted it, and only packets of marked ones take the short way.
  So one entry of connection tracking, which two guests on one host share, does not let the one speak for the other;
  and a connection ends as soon as its mark is taken away (``desired.state.Connections``).

Bridged packets come to iptables by ``net.bridge.bridge-nf-call-iptables``.
Source: DATAPLANE.md, "Security groups"; Neutron's iptables_firewall for names, and for what is always let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from netglass.base.ids import groups_chain_name, part_name, part_of_chain, qbr_name, tap_name
from netglass.base.memory import remembered
from netglass.compile.firewall.guards import GROUPS, PORTS, Firewall, Guard, Members, halved
from netglass.compile.firewall.sayings import sayings_of
from netglass.compile.iptables import arrange
from netglass.compile.place import Place
from netglass.desired.state import CONNECTION_ACCEPTED, CONNECTION_OPENED, AddressSet, RuleSet, Sysctl, Thing
from netglass.model.resources import Port, ref

OWNER = "firewall"
WRAP = "neutron-openvswi"

_FALLBACK = f"{WRAP}-sg-fallback"
_DISPATCH = f"{WRAP}-sg-chain"
_NOBODY = f"{WRAP}-o-unspec"
_BASE = {True: f"{WRAP}-i-base", False: f"{WRAP}-o-base"}  # by whether it is to the guest
_ALL_BRIDGES = "qbr+"
_SEEN = "0x1000000/0x1000000"  # mark of a packet that a port's chains have seen
_NOT_SEEN = "0x0/0x1000000"
_BRIDGED = "-m physdev --physdev-is-bridged"

_SYSCTLS = ("bridge-nf-call-iptables", "bridge-nf-call-ip6tables")
_FRAMES = 0  # in place of an IP version
_KINDS = f"{WRAP}-i-kinds"

# What a guest may always send once its source is found right, and receive: neighbour discovery, multicast listening.
_ND_OUT = (131, 132, 133, 135, 136, 143)
_ND_OUT_UNSPECIFIED = (131, 133, 135, 143)
_ND_IN = (130, 131, 132, 133, 135, 136, 143)
_ADVERTISEMENT = 134

Rules = Mapping[str, Sequence[str]]


def render_chains(place: Place, firewall: Firewall) -> Iterator[Thing]:
    """Gives the chains and sets of all ports that sit on a Linux bridge of this host, and what they hang on."""
    for name in _SYSCTLS:
        yield Sysctl(owner=OWNER, intent=place.intent, netns="", name=f"net/bridge/{name}", value="1")
    yield from _shared(*place.intent)
    yield from _of_groups(firewall)
    for guard in firewall.guards:
        yield from _of_guard(guard, firewall.parts[guard.held])
    for port in firewall.open:
        yield from _of_open(port)
    for members in firewall.sets:
        yield _address_set(members)


@lru_cache(maxsize=64)
def _shared(*intent: str) -> tuple[RuleSet, ...]:
    frames = _rule_set(intent, (_FRAMES, "filter", ""), _frame_kinds())
    families = [(version, table, rules) for version in (4, 6) for table, rules in _frame(version).items()]
    return (*(_rule_set(intent, (version, table, ""), rules) for version, table, rules in families), frames)


@remembered(PORTS)
def _of_guard(guard: Guard, groups: str) -> tuple[RuleSet, ...]:
    """Gives a guarded port's own chains; `groups` is the part that has its groups' rules."""
    zone = f"-j CT --zone {guard.carried.vlan}" if guard.stateful else "-j CT --notrack"
    handed = (f"-o {tap_name(guard.port.id)} -j {_KINDS}",)
    parts = (_part(guard.port, guard.intent, version, _guarded(guard, version, groups), zone) for version in (4, 6))
    frames = (_FRAMES, "filter", part_name(guard.port.id))
    return (*chain.from_iterable(parts), _rule_set(guard.intent, frames, {f"{WRAP}-FORWARD": handed}, own=()))


@remembered(PORTS)
def _of_open(port: Port) -> tuple[RuleSet, ...]:
    parts = (_part(port, (ref(port),), version, _open(port), "-j CT --notrack") for version in (4, 6))
    return tuple(chain.from_iterable(parts))


def _of_groups(firewall: Firewall) -> Iterator[Thing]:
    """Gives the rules of groups, once for all ports that have the same ones."""
    by_part: dict[str, list[Guard]] = {}
    for guard in firewall.guards:
        by_part.setdefault(firewall.parts[guard.held], []).append(guard)
    for part, guards in by_part.items():
        yield from _of_part(part, *guards)


@remembered(GROUPS)
def _of_part(part: str, *guards: Guard) -> tuple[Thing, ...]:
    intent = tuple(sorted({one for guard in guards for one in guard.intent}))
    sayings = tuple(sayings_of(part, guards[0]))
    made: list[Thing] = []
    for version in (4, 6):
        rules: dict[str, Sequence[str]] = {}
        for to_guest in (True, False):
            here = [one for one in sayings if (one.joint.ip_version, one.to_guest) == (version, to_guest)]
            texts = (one.text for one in here)
            rules[groups_chain_name(part, to_guest=to_guest)] = (f"-j {_BASE[to_guest]}", *texts, f"-j {_FALLBACK}")
            made += (_set_of(intent, one.set_name, version, one.joint.remotes) for one in here if one.set_name)
        made.append(_rule_set(intent, (version, "filter", part), rules))
    return tuple(made)


def _part(port: Port, intent: tuple[str, ...], version: int, rules: Rules, tracking: str) -> Iterator[RuleSet]:
    part, tap = part_name(port.id), tap_name(port.id)
    dispatch = (
        f"-m physdev --physdev-out {tap} --physdev-is-bridged -g {_chain('i', port)}",
        f"-m physdev --physdev-in {tap} --physdev-is-bridged -g {_chain('o', port)}",
    )
    yield _rule_set(intent, (version, "filter", part), {_DISPATCH: dispatch, **rules})
    yield _rule_set(
        intent, (version, "raw", part), {f"{WRAP}-PREROUTING": (f"-i {qbr_name(port.id)} {tracking}",)}, own=()
    )


def _rule_set(
    intent: tuple[str, ...], at: tuple[int, str, str], rules: Rules, own: Sequence[str] | None = None
) -> RuleSet:
    """Gives a rule set; `at` is IP version, table and part, `own` its chains where they are not all of `rules`."""
    version, table, part = at
    ours = [chain for chain in rules if chain.startswith(WRAP) and (not part or part_of_chain(chain) == part)]
    return RuleSet(
        owner=OWNER,
        intent=intent,
        netns="",
        ip_version=version,
        table=table,
        part=part,
        chains=tuple(sorted(ours if own is None else own)),
        rules=arrange(rules),
    )


def _chain(kind: str, port: Port) -> str:
    return f"{WRAP}-{kind}{part_name(port.id)}"


# --- what all ports share


def _frame(version: int) -> dict[str, Rules]:
    """Gives what the parts hang on, by table."""
    return {
        "raw": {
            "PREROUTING": (f"-j {WRAP}-PREROUTING",),
            f"{WRAP}-PREROUTING": (f"-i {_ALL_BRIDGES} -j MARK --set-xmark {_NOT_SEEN}",),
        },
        "mangle": {
            "POSTROUTING": (f"-j {WRAP}-POSTROUTING",),
            f"{WRAP}-POSTROUTING": (f"-o {_ALL_BRIDGES} {_BRIDGED} -m mark ! --mark {_SEEN} -j DROP",),
        },
        "filter": {
            "FORWARD": (f"-j {WRAP}-FORWARD",),
            "INPUT": (f"-j {WRAP}-INPUT",),
            "OUTPUT": (f"-j {WRAP}-OUTPUT",),
            f"{WRAP}-FORWARD": _forward(),
            f"{WRAP}-INPUT": (f"-i {_ALL_BRIDGES} -j DROP",),
            f"{WRAP}-OUTPUT": (f"-o {_ALL_BRIDGES} -j DROP",),
            _DISPATCH: (),
            _FALLBACK: ("-j DROP",),
            _BASE[True]: (*_always_in(version), *_tracked(to_guest=True)),
            _BASE[False]: (*_always_out(version), *_tracked(to_guest=False)),
            **({_NOBODY: _unspecified()} if version == 6 else {}),
        },
    }


def _frame_kinds() -> Rules:
    """Gives what of frames reaches a guarded guest at all: what rules can speak of, and no tag to hide behind."""
    return {
        "FORWARD": (f"-j {WRAP}-FORWARD",),
        f"{WRAP}-FORWARD": (),
        _KINDS: (*(f"-p {kind} -j RETURN" for kind in ("IPv4", "IPv6", "ARP")), "-j DROP"),
    }


def _forward() -> Sequence[str]:
    """Gives what is done with packets of qbr: theirs are the chains; what comes back from those was accepted by rule.

    Packets of accepted connections do not come back, so that only those that open one set marks.
    """
    seen = f"--physdev-is-bridged -m mark --mark {_SEEN} -j CONNMARK --set-xmark"
    return (
        f"-i {_ALL_BRIDGES} -j {_DISPATCH}",
        f"-m physdev --physdev-out tap+ {seen} {_bit(CONNECTION_ACCEPTED)}",
        f"-m physdev --physdev-in tap+ {seen} {_bit(CONNECTION_OPENED)}",
        f"-i {_ALL_BRIDGES} -m mark --mark {_SEEN} -j ACCEPT",
    )


def _tracked(*, to_guest: bool) -> Sequence[str]:
    original, reply = CONNECTION_ACCEPTED, CONNECTION_OPENED  # which side must have accepted: the guest's
    if not to_guest:
        original, reply = reply, original
    known = "-m conntrack --ctstate RELATED,ESTABLISHED --ctdir"
    return (
        "-m conntrack --ctstate INVALID -j DROP",
        f"{known} ORIGINAL -m connmark --mark {_bit(original)} -j ACCEPT",
        f"{known} REPLY -m connmark --mark {_bit(reply)} -j ACCEPT",
        # An answer to what is not accepted any more must not count as the beginning of something else.
        "-m conntrack --ctdir REPLY -j DROP",
    )


def _always_in(version: int) -> Sequence[str]:
    mark = f"-j MARK --set-xmark {_SEEN}"
    if version == 4:
        return (mark, "-p udp -m udp --sport 67 --dport 68 -j ACCEPT")
    return (
        mark,
        f"-s fe80::/10 -p ipv6-icmp -m icmp6 --icmpv6-type {_ADVERTISEMENT} -j ACCEPT",
        f"-p ipv6-icmp -m icmp6 --icmpv6-type {_ADVERTISEMENT} -j DROP",
        *(f"-p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT" for kind in _ND_IN),
        "-p udp -m udp --sport 547 --dport 546 -j ACCEPT",
    )


def _always_out(version: int) -> Sequence[str]:
    mark = f"-j MARK --set-xmark {_SEEN}"
    if version == 4:
        return (
            mark,
            "-p udp -m udp --sport 68 --dport 67 -j ACCEPT",
            "-p udp -m udp --sport 67 --dport 68 -j DROP",
        )
    return (
        mark,
        f"-p ipv6-icmp -m icmp6 --icmpv6-type {_ADVERTISEMENT} -j DROP",
        *(f"-p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT" for kind in _ND_OUT),
        "-p udp -m udp --sport 546 --dport 547 -j ACCEPT",
        "-p udp -m udp --sport 547 --dport 546 -j DROP",
    )


def _unspecified() -> Sequence[str]:
    """Gives what a guest may send before it has an address (RFC 4862, 5.4; RFC 3590)."""
    return (*(f"-p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j RETURN" for kind in _ND_OUT_UNSPECIFIED), "-j DROP")


def _bit(bit: int) -> str:
    return f"{bit:#x}/{bit:#x}"


# --- one port


def _guarded(guard: Guard, version: int, groups: str) -> Rules:
    into, out, sources = (_chain(kind, guard.port) for kind in "ios")
    return {
        into: (f"-g {groups_chain_name(groups, to_guest=True)}",),
        out: (f"-j {sources}", f"-g {groups_chain_name(groups, to_guest=False)}"),
        sources: _sources(guard, version),
    }


def _open(port: Port) -> Rules:
    return {_chain(kind, port): (f"-j MARK --set-xmark {_SEEN}",) for kind in "io"}


def _sources(guard: Guard, version: int) -> Sequence[str]:
    without = "-s ::/128 -d ff02::/16 -p ipv6-icmp -g " + _NOBODY
    if version == 4:
        without = "-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j RETURN"
    allowed = [
        _rule("" if cidr.endswith("/0") else f"-s {cidr}", f"-m mac --mac-source {source.mac} -j RETURN")
        for source in guard.sources
        for cidr in source.of(version)
    ]
    return (without, *allowed, "-j DROP")


# --- groups


def _rule(*parts: str) -> str:
    return " ".join(part for part in parts if part)


@remembered(GROUPS)
def _address_set(members: Members) -> AddressSet:
    return _set_of(members.intent, members.name, members.ip_version, members.cidrs)


def _set_of(intent: tuple[str, ...], name: str, version: int, cidrs: Sequence[str]) -> AddressSet:
    alone = "/32" if version == 4 else "/128"
    told = (cidr.removesuffix(alone) for cidr in halved(cidrs))  # ipset takes none of length 0
    return AddressSet(owner=OWNER, intent=intent, name=name, ip_version=version, members=tuple(sorted(told)))
