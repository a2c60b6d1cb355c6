"""Address scopes on a router: what may pass between its devices as it is, and what is translated.

Inside of one scope addresses are unique, so that packets are routed and never translated.  Between scopes nothing
passes but what is translated: out by the gateway's address, in by a floating address.  Subnets in no scope are among
themselves as if they were one scope, but for their way out, where they are translated all the same.

    mangle  neutron-l3-agent-scope   marks what comes in by a device with the scope of its subnets, in the upper half
    filter  neutron-l3-agent-scope   drops what would leave by a device of another scope
    nat     neutron-l3-agent-snat    leaves alone what came from the external network's own scope

A router none of whose subnets is in a scope has no such rules.  Both families are apart from each other; without
translation in IPv6, nothing of a scope leaves it there.
Called by compile.routing and compile.router_rules.  Source: Neutron's l3 agent, whose chains and marks these are; it
tells answers by marks on connections, this by their state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from netglass.compile.iptables import host_prefix

_MASK = "0xffff0000"
_FIRST = 1024  # mark, in the upper half, of what is in no scope; scopes have the next ones


class Scopes(msgspec.Struct, frozen=True):
    """A router's devices by address scope, in one address family.

    marks    (device, mark) of each device with addresses of the family, ascending
    outside  mark of the outer device when it is in a scope; empty otherwise
    """

    marks: tuple[tuple[str, str], ...]
    outside: str = ""


def scopes_of(scope_by_device: Mapping[str, str], outer: str) -> Scopes | None:
    """Gives the marks of devices; None when all are in no scope.

    scope_by_device  empty for none; of one address family
    outer            the outer device; empty when there is none
    """
    scopes = sorted({*scope_by_device.values()} - {""})
    if not scopes:
        return None
    mark_by_scope = {scope: f"{_FIRST + at << 16:#x}/{_MASK}" for at, scope in enumerate(("", *scopes))}
    marks = tuple((device, mark_by_scope[scope]) for device, scope in sorted(scope_by_device.items()))
    external = scope_by_device.get(outer, "")
    return Scopes(marks, mark_by_scope[external] if external else "")


def marking(scopes: Scopes) -> Sequence[str]:
    """Gives the rules that mark what comes in."""
    return [f"-i {device} -j MARK --set-xmark {mark}" for device, mark in scopes.marks]


def keeping_apart(scopes: Scopes, translated_at: str, floating: Iterable[str], outer: str) -> Sequence[str]:
    """Gives the rules that drop what would pass into another scope as it is.

    translated_at  the outer device when all that leaves by it is translated; empty otherwise
    floating       addresses that have a floating one, by which they go out
    outer          the outer device; empty when there is none
    """
    return [
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-m conntrack --ctstate DNAT -j RETURN",
        *(f"-s {host_prefix(fixed)} -o {outer} -j RETURN" for fixed in floating if outer and not translated_at),
        *(f"-o {device} -m mark ! --mark {mark} -j DROP" for device, mark in scopes.marks if device != translated_at),
    ]


def leaving_as_it_is(scopes: Scopes | None, outer: str) -> Sequence[str]:
    """Gives the rule that leaves alone what goes out from the external network's own scope; none where it has none."""
    return [f"-o {outer} -m mark --mark {scopes.outside} -j ACCEPT"] if scopes is not None and scopes.outside else []
