"""Rules of groups in the words of iptables, permits put together.  Called by ``chains``, and by ``reasons``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from netglass.base.ids import prefix_set_name
from netglass.compile.firewall.guards import Guard
from netglass.compile.firewall.joints import Joint, joints_of
from netglass.compile.firewall.numbers import numbers
from netglass.model.rules import ICMP, ICMPV6

_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}
_WITH_PORTS = ("tcp", "udp", "sctp")  # those that have a match of their own; the others have multiport's


class Saying(NamedTuple):
    """A rule of groups; `set_name` names the set that its remotes are in, and is empty where they are one."""

    joint: Joint
    to_guest: bool
    set_name: str
    text: str


def sayings_of(part: str, guard: Guard) -> Iterator[Saying]:
    """Gives the rules of a guard's groups, in their order; `part` is the one that has them."""
    for to_guest, permits in ((True, guard.ingress), (False, guard.egress)):
        for version in (4, 6):
            joints = list(joints_of(permit for permit in permits if permit.ip_version == version))
            names = numbers(_kind(joint) for joint in joints)
            for joint in joints:
                digits = f"{names[_kind(joint)]:08x}"
                name = prefix_set_name(part, digits, version, to_guest=to_guest) if len(joint.remotes) > 1 else ""
                yield Saying(joint, to_guest, name, _text(joint, to_guest, name))


def _text(joint: Joint, to_guest: bool, set_name: str) -> str:
    alone = "" if set_name else joint.remotes[0]
    remote = f"{'-s' if to_guest else '-d'} {alone}" if alone else ""
    named = set_name or joint.remote_set
    members = f"-m set --match-set {named} {'src' if to_guest else 'dst'}" if named else ""
    return " ".join(word for word in (remote, _kind(joint), members, "-j RETURN") if word)


def _kind(joint: Joint) -> str:
    if joint.protocol is None:
        return ""
    name = _NAMES.get(joint.protocol, str(joint.protocol))
    if not joint.ranges:
        return f"-p {name}"
    if joint.protocol in (ICMP, ICMPV6):
        ((number, code),) = joint.ranges
        match, option = ("icmp", "icmp-type") if joint.protocol == ICMP else ("icmp6", "icmpv6-type")
        return f"-p {name} -m {match} --{option} {number}{'' if code is None else f'/{code}'}"
    ports = ",".join(f"{low}" if low == high else f"{low}:{high}" for low, high in joint.ranges)
    if name in _WITH_PORTS and len(joint.ranges) == 1:
        return f"-p {name} -m {name} --dport {ports}"
    return f"-p {name} -m multiport --dports {ports}"
