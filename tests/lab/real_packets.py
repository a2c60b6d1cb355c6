"""Packets that guests and the world really send, and where the hosts see them; beside what the model says of them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec
from captures import Sight, Space, Watches
from labs import TestLab

from netglass.trace.model import Wish
from netglass.trace.packet import Packet
from netglass.trace.result import Enter, Hop, Output, Trace, hops_of
from support.api import Api

CLIENT = "198.51.100.20"
METADATA = "169.254.169.254"
_SETTLED_S = 0.4  # how long nothing new must be seen of a packet
_MOST_S = 6.0

Seen = frozenset[tuple[str, str, str]]
"""Where a packet was: host, namespace (empty: the host's own), device."""


@dataclass(frozen=True)
class Wiring:
    """What of a lab decides where packets can be seen.

    tunnel_nics  by host
    hubs         NICs on segments that learn nothing: they get every frame, whether it is for them or not
    patched      hosts whose provider bridges are joined by patch ports, which no tcpdump sees
    watched      spaces in which there is one
    """

    tunnel_nics: dict[str, str]
    hubs: frozenset[tuple[str, str]]
    patched: frozenset[str]
    watched: frozenset[Space]


@dataclass(frozen=True)
class Outcome:
    """What became of a packet.

    answered  its sender got an answer; None: not known
    """

    answered: bool | None
    there: Seen
    back: Seen
    said: str = ""


def asked(api: Api, wish: Wish) -> Trace | str:
    """Asks the lab's server for a trace; gives what it says where it refuses."""
    words = {"source": wish.source, "destination": wish.destination, "protocol": wish.protocol}
    words |= {name: str(value) for name, value in (("port", wish.port), ("size", wish.size)) if value}
    status, answer = api.call("GET", f"/netglass/v1/trace?{urlencode(words)}")
    return msgspec.convert(answer["trace"], Trace) if status == 200 else str(answer)


def expected(trace: Trace, wiring: Wiring) -> Outcome:
    """Gives what the model says."""
    answered: bool | None = trace.delivered and trace.reply is not None and trace.reply.delivered
    if trace.unknown or (trace.reply is not None and trace.reply.unknown):
        answered = None
    back = _places(trace.reply.hops, wiring) if trace.reply is not None else frozenset()
    said = " ".join([trace.why, *([trace.reply.why] if trace.reply is not None else [])])
    return Outcome(answered, _places(trace.hops, wiring), back, said)


def _places(hops: tuple[Hop, ...], wiring: Wiring) -> Seen:
    found = set[tuple[str, str, str]]()
    for start in hops:
        found |= set(_visited(start, wiring))
    inside = {device for _, netns, device in found if netns}
    return frozenset(
        (host, netns, device)
        for host, netns, device in found
        if Space(host, netns) in wiring.watched and (netns or device not in inside) and _is_seen(host, device, wiring)
    )


def _visited(hop: Hop, wiring: Wiring) -> Iterator[tuple[str, str, str]]:
    """Gives the devices that a packet passes at a hop and after it; not those that questions pass."""
    netns = hop.place if hop.kind == "namespace" else ""
    for step in hop.steps:
        if isinstance(step, Enter) and hop.kind in ("switch", "bridge", "namespace", "guest"):
            yield hop.host, netns, step.device
        elif isinstance(step, Output) and not step.packet.is_question:
            if hop.kind == "tunnel":
                yield hop.host, "", wiring.tunnel_nics[hop.host]
                yield step.next.host, "", wiring.tunnel_nics[step.next.host]
            elif hop.kind == "wire":
                yield step.next.host, "", step.device
            elif hop.kind != "outside":
                yield hop.host, netns, step.device
            yield from _visited(step.next, wiring)


def _is_seen(host: str, device: str, wiring: Wiring) -> bool:
    if device.startswith(("patch-", "gre-", "vxlan-", "geneve-", "br-")):
        return False
    return not (host in wiring.patched and device.startswith(("int-", "phy-")))


# --- sending


def sent(lab: TestLab, watches: Watches, wish: Wish, trace: Trace, model: Outcome) -> Outcome:
    """Sends a packet as a trace was asked for, and gives what became of it, once all that the model says has come."""
    argv, server = _words(wish, trace), trace.source.name
    from_outside = wish.source.startswith(CLIENT)
    run, where, asking = (lab.on, "client", "provider") if from_outside else (lab.inside, server, server)
    run(asking, "ip", "neigh", "flush", "all")
    since = time.time()
    said = run(where, *argv, check=False)
    there, back = _patterns(wish, trace)
    sights = _settled(watches, since, lambda seen: model.back <= _matching(seen, back))
    return Outcome(_was_answered(wish, said), _matching(sights, there), _matching(sights, back), said)


def same(model: Seen, real: Seen, wiring: Wiring) -> bool:
    """Says whether a packet was where it is said to be, and nowhere else but before the doors of others."""
    extra = real - model
    return model <= real and all(not netns and (host, device) in wiring.hubs for host, netns, device in extra)


def _settled(watches: Watches, since: float, whole: Callable[[list[Sight]], bool]) -> list[Sight]:
    """Gives what was seen once nothing more comes; who asks in vain for a MAC says so after three seconds only."""
    end, sights = time.time() + _MOST_S, watches.sights(since)
    while time.time() < end:
        time.sleep(_SETTLED_S)
        before, sights = len(sights), watches.sights(since)
        if len(sights) == before and whole(sights):
            break
    return sights


def _words(wish: Wish, trace: Trace) -> tuple[str, ...]:
    address = trace.packet.ip_dst
    if wish.protocol == "icmp":
        size = str((wish.size or 104) - (48 if ":" in address else 28))
        return "sh", "-c", f"ping -n -c 1 -W 1 -M do -s {size} {address} 2>&1"
    kind = "-u" if wish.protocol == "udp" else ""
    return "sh", "-c", f"echo x | busybox nc {kind} -w 1 {address} {wish.port} 2>&1; echo status $?"


def _was_answered(wish: Wish, said: str) -> bool:
    if wish.protocol == "icmp":
        # An answer from elsewhere is none to anybody but ping.
        return " 1 received" in said and "DIFFERENT ADDRESS" not in said
    return "status 0" in said or "refused" in said.lower()


def _patterns(wish: Wish, trace: Trace) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Gives how tcpdump prints the packet, and what may come back."""
    targets = "|".join(sorted({re.escape(packet.ip_dst) for packet in _forms(trace.hops)}))
    # What ICMP says of this packet, and not late of the one before; a packet too big is not named.
    told = (
        rf"ICMP6?,? (.*({targets})\b.*unreachable|destination unreachable.*({targets})\b|packet too big|time exceeded)"
    )
    if wish.protocol == "icmp":
        return re.compile(r"ICMP6?,? echo request"), re.compile(rf"ICMP6?,? echo reply|{told}")
    if wish.protocol == "tcp":
        # Guests that get no metadata ask for it again and again, by TCP too.
        other = rf"^(?!.*\b{re.escape(METADATA)}\b).*"
        return re.compile(rf"{other}Flags \[S\]"), re.compile(rf"{other}(Flags \[(S\.|R\.)\]|{told})")
    return re.compile(rf"\.(?:{wish.port}|9697): UDP|\.{wish.port}: \d"), re.compile(
        r"ICMP \S+ udp port \d+ unreachable"
    )


def _forms(hops: tuple[Hop, ...]) -> Iterator[Packet]:
    """Gives a packet as it was at each hop."""
    yield from (
        step.packet for start in hops for hop in hops_of(start) for step in hop.steps if isinstance(step, Enter)
    )


def _matching(sights: list[Sight], pattern: re.Pattern[str]) -> Seen:
    found = set()
    for sight in sights:
        # What an ICMP error cites is printed by -v only, so that each line is about one packet.
        if pattern.search(sight.text) and not sight.device.startswith(("qbr", "br-", "lo", "ovs-")):
            found.add((sight.space.host, sight.space.netns, sight.device))
    return frozenset(found)
