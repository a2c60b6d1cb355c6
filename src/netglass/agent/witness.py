"""Answers the question whether another host, of which no server hears, shows signs of life to this one.

It looks for two seconds at most, with frames of its own past the switch; the host's intent and its state do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address

import msgspec

from netglass.host.reaching import Neighbour, answers_echo, answers_of
from netglass.model.protocol import Answer, Question, Sign, SignsSeen
from netglass.model.resources import HostSettings

_LOOK_S = 2.0


class Witness:
    """Looks by this host's tunnel address, and by the NICs of its bridges."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings

    def answer(self, question: Question) -> Answer:
        """Says which signs are seen and which are missed; never raises."""
        try:
            signs = msgspec.json.decode(question.arguments.get("signs", ""), type=list[Sign])
            looks = [*self._by_tunnel(signs), *self._by_nics(signs)]
        except (msgspec.MsgspecError, ValueError) as error:
            return Answer(ok=False, error=str(error))
        places = {sign: place for place, sign in enumerate(signs)}
        seen: set[int] = set()
        missed: set[int] = set()
        with ThreadPoolExecutor(max_workers=max(1, len(looks))) as pool:
            for about, looking in [(about, pool.submit(look)) for about, look in looks]:
                found = _found(looking)
                if found is not None:
                    seen |= {places[sign] for sign in found}
                    missed |= {places[sign] for sign in about if sign not in found}
        return Answer(ok=True, value=msgspec.to_builtins(SignsSeen(seen=tuple(seen), missed=tuple(missed))))

    def _by_tunnel(self, signs: Iterable[Sign]) -> list[_Look]:
        here = self._settings.local_ip
        if not here:
            return []
        return [([sign], partial(_echo, sign, here)) for sign in signs if not sign.physical_network]

    def _by_nics(self, signs: Iterable[Sign]) -> list[_Look]:
        by_nic: dict[str, list[Sign]] = {}
        for sign in signs:
            bridge = self._settings.bridge_mappings.get(sign.physical_network, "")
            nic = self._settings.bridge_nics.get(bridge)
            if nic:
                by_nic.setdefault(nic, []).append(sign)
        return [
            (about, partial(_arp, nic, {_neighbour(sign): sign for sign in about})) for nic, about in by_nic.items()
        ]


_Look = tuple[list[Sign], Callable[[], set[Sign]]]
"""Signs, and what gives those of them that are seen; it raises OSError when it cannot look."""


def _echo(sign: Sign, here: str) -> set[Sign]:
    return {sign} if answers_echo(sign.address, here, _LOOK_S) else set()


def _arp(nic: str, asked: dict[Neighbour, Sign]) -> set[Sign]:
    return {asked[neighbour] for neighbour in answers_of(nic, asked, _LOOK_S)}


def _neighbour(sign: Sign) -> Neighbour:
    """Raises ValueError for a sign that is none."""
    return Neighbour(sign.vlan, IPv4Address(sign.address), bytes.fromhex(sign.mac.replace(":", "")))


def _found(looking: Future[set[Sign]]) -> set[Sign] | None:
    """Gives what was seen; None where this host cannot tell."""
    try:
        return looking.result()
    except OSError:
        return None
