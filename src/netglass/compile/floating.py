"""What a router translates of floating IPs: whole addresses to fixed ones, and single ports or ranges of them.

Called by compile.routing, which gives their addresses to the router's outer device; compile.router_rules makes the
rules.  What cannot be read is left out, and said.
Source: Networking API v2.0, floatingips; extension ``floating-ip-port-forwarding``.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

import msgspec

from netglass.compile.place import Place, is_word
from netglass.compile.router_rules import Forwarded
from netglass.desired.state import Diagnostic
from netglass.model.resources import FORWARDED_PROTOCOLS, FloatingIp, Port, PortForwarding, Router, ref


class Floating(msgspec.Struct):
    """What became of a router's floating IPs.

    addresses  of all that it translates, each with the rows that say so
    pairs      (floating address, fixed address), ascending
    forwarded  ascending by address, protocol and port
    """

    addresses: dict[str, tuple[str, ...]] = {}
    pairs: list[tuple[str, str]] = []
    forwarded: list[Forwarded] = []
    intent: set[str] = set()
    diagnostics: list[Diagnostic] = []

    def complain(self, code: str, intent: str, text: str) -> None:
        """Keeps a diagnostic."""
        self.diagnostics.append(Diagnostic(code=code, intent=(intent,), text=text))


def floating_of(place: Place, router: Router) -> Floating:
    """Gives what the router translates; of two floating IPs with one address the first by id."""
    found = Floating()
    for floating in place.snapshot.rows("floating_ips_by_router", router.id):
        address = floating.floating_ip_address
        forwardings = place.snapshot.rows("port_forwardings_by_floating_ip", floating.id)
        pair = (address,) if forwardings and not floating.port_id else (address, floating.fixed_ip_address)
        if not all(_is_address(text) for text in pair) or address in found.addresses:
            text = (
                f"Floating IP {floating.id} translates {address!r} to {floating.fixed_ip_address!r}, which cannot be,"
                " or is done already."
            )
            found.complain("bad-floating-ip", ref(floating), text)
            continue
        intent = (ref(floating), f"{Port.kind}:{floating.floating_port_id}")
        found.addresses[address] = intent
        found.intent.update(intent)
        if floating.port_id:
            found.pairs.append((address, floating.fixed_ip_address))
        else:
            found.forwarded += _forwarded(found, floating, forwardings)
    found.pairs.sort()
    found.forwarded.sort(key=lambda one: (one.address, one.protocol, one.ports, one.chain))
    return found


def _forwarded(found: Floating, floating: FloatingIp, forwardings: list[PortForwarding]) -> Iterator[Forwarded]:
    for one in forwardings:
        outer = (one.external_port, one.external_port_last)
        inner = (one.internal_port, one.internal_port_last)
        known = one.protocol in FORWARDED_PROTOCOLS and is_word(one.id)
        if not known or not _is_address(one.internal_ip_address) or not _are_ports(outer, inner):
            text = (
                f"Port forwarding {one.id!r} translates {one.protocol!r} ports {outer} of"
                f" {floating.floating_ip_address} to {inner} of {one.internal_ip_address!r}, which cannot be."
            )
            found.complain("bad-port-forwarding", ref(one), text)
            continue
        found.intent.add(ref(one))
        yield Forwarded(one.id, floating.floating_ip_address, one.protocol, outer, one.internal_ip_address, inner)


def _are_ports(outer: tuple[int, int], inner: tuple[int, int]) -> bool:
    """Says whether both are ranges of ports, and the inner one is as long as the outer one or a single port."""
    ranges = all(1 <= first <= last <= 65535 for first, last in (outer, inner))
    return ranges and inner[1] - inner[0] in (0, outer[1] - outer[0])


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
