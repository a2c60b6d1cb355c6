"""Shoots the packets of scenes on real hosts, and compares what arrived with what the model says."""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from firewall import frames
from firewall.cases import Scene, Shot
from firewall.expected import ICMP6, Guest, Model, Packet
from firewall.rows import port_id, rows_of

_ARP, _OWN = 0x0806, 0x88B5
_MOST_AT_ONCE = 16  # more would overrun a switch that sees each of them for the first time
_TRIES = 2
_FIRST_FRAGMENT = 1360  # bytes of IP payload
_numbers = count(1)


@dataclass(frozen=True)
class Verdict:
    """What became of one shot."""

    scene: str
    shot: Shot
    expected: bool
    seen: bool

    @property
    def text(self) -> str:
        words = ("must arrive and did not", "must not arrive and did")
        return f"{self.scene} | {self.shot.name} | {words[self.seen]}"


class Range:
    """Hosts with guests that stay plugged in from scene to scene as long as they are the same.

    driver  of both hosts, from the next scene on
    """

    def __init__(self, hosts: dict[str, Any], driver: str) -> None:
        self._hosts = hosts
        self.driver = driver
        self._plugged: dict[str, Guest] = {}

    def play(self, scene: Scene) -> list[Verdict]:
        """Gives what became of each shot of a scene."""
        return list(self.verdicts(scene))

    def verdicts(self, scene: Scene) -> Iterator[Verdict]:
        """Gives the same one by one, as they are shot."""
        model = scene.model()
        self.settle(model)
        for batch in _batches(scene):
            yield from self._judge(scene, model, batch)

    def shoot(self, scene: Scene) -> list[Verdict]:
        """Gives what becomes of each shot of a scene as the hosts are now, whatever they should be."""
        model = scene.model()
        return [verdict for batch in _batches(scene) for verdict in self._judge(scene, model, batch)]

    def settle(self, model: Model) -> None:
        """Plugs in the guests of a model and has the hosts become what it wants."""
        for guest in model.guests.values():
            known = self._plugged.get(guest.name)
            if known is None:
                self._hosts[guest.host].plug(guest.name, port_id(guest.name), guest.mac)
                self._plugged[guest.name] = guest
            assert known is None or (known.host, known.mac) == (guest.host, guest.mac), guest
        rows = rows_of(model, self.driver)
        for host in self._hosts.values():
            host.converge(rows)

    def _judge(self, scene: Scene, model: Model, batch: list[Shot]) -> list[Verdict]:
        expected = [_expected(model, shot) for shot in batch]
        seen = self._shoot(model, batch, expected)
        for _ in range(_TRIES):
            # A wire may lose a frame; what must not arrive gets no second chance.
            lost = [i for i, due in enumerate(expected) if due and not seen[i]]
            again = self._shoot(model, [batch[i] for i in lost], [True] * len(lost)) if lost else []
            for i, arrived in zip(lost, again, strict=True):
                seen[i] = arrived
        return [
            Verdict(scene.name, shot, due, arrived) for shot, due, arrived in zip(batch, expected, seen, strict=True)
        ]

    def _shoot(self, model: Model, batch: list[Shot], expected: list[bool]) -> list[bool]:
        """Gives which shots of a batch arrived; waits longer for those that are expected to."""
        tokens = {token(): shot for shot in batch}
        senders = sorted({shot.packet.sender for shot in batch})
        targets = sorted({shot.target for shot in batch})
        self.forget()
        for mark, shot in tokens.items():
            self.send(model, shot.packet.sender, frames_of(shot.packet, mark))
        heard = {target: _stand_in(model, target, senders) for target in targets}
        ends = {
            (_stand_in(model, sender, [ear]), ear): token()
            for sender in senders
            for ear in heard.values()
            if sender != ear
        }
        for (sender, ear), mark in ends.items():
            self.send(model, sender, [closing(model.guests[sender], model.guests[ear], mark)])
        due = {mark for mark, wanted in zip(tokens, expected, strict=True) if wanted}
        seen: set[bytes] = set()
        for target, ear in heard.items():
            host = self._hosts[model.guests[target].host]
            here = [mark for mark, shot in tokens.items() if shot.target == target]
            last = [mark for (_, one), mark in ends.items() if one == ear]
            arrived = host.received(ear, last, [m for m in here if m in due])
            if ear != target:
                arrived = host.so_far(target)
            seen |= {mark for mark in here if _came(arrived, mark)}
        return [mark in seen for mark in tokens]

    def forget(self) -> None:
        for host in self._hosts.values():
            host.forget()

    def send(self, model: Model, sender: str, what: list[bytes]) -> None:
        self._hosts[model.guests[sender].host].send(sender, what)


def _batches(scene: Scene) -> Iterator[list[Shot]]:
    """Gives the shots in groups within which order does not matter: where something may answer, each alone."""
    talks = len({shot.packet.sender for shot in scene.shots}) > 1
    size = 1 if talks else _MOST_AT_ONCE
    yield from (list(scene.shots[start : start + size]) for start in range(0, len(scene.shots), size))


def _stand_in(model: Model, name: str, others: Collection[str]) -> str:
    """Gives a guest, or where its port is down, another on its host, that is none of `others`: it sends and hears."""
    if model.guests[name].up:
        return name
    here = (guest for guest in model.guests.values() if guest.up and guest.host == model.guests[name].host)
    return next(guest.name for guest in here if guest.name not in others)


def _expected(model: Model, shot: Shot) -> bool:
    expected = model.receives(shot.packet, shot.target)
    if expected and shot.packet.kind == "ip":
        model.note(shot.packet)
    return expected


def _came(received: Iterable[bytes], mark: bytes) -> bool:
    return any(mark in frame for frame in received)


def token() -> bytes:
    """Gives six bytes that no other frame of this run holds."""
    return b"~" + struct.pack(">I", next(_numbers)) + b"~"


def closing(sender: Guest, target: Guest, mark: bytes) -> bytes:
    """Gives a frame that always arrives: an ARP answer by whom it says it is from."""
    body = frames.arp(2, (sender.mac, sender.addresses[0]), (target.mac, target.addresses[0]))
    return frames.ethernet(sender.mac, target.mac, _ARP, body + mark)


def frames_of(packet: Packet, mark: bytes) -> list[bytes]:
    """Gives a packet as the frames that a guest puts on its wire; the last of them holds the token."""
    if packet.kind == "arp":
        body = frames.arp(packet.operation, (packet.claimed_mac, packet.claims), (packet.to_mac, "10.0.0.20"))
        return [frames.ethernet(packet.mac, packet.to_mac, _ARP, body + mark, packet.tags)]
    if packet.kind == "other":
        return [frames.ethernet(packet.mac, packet.to_mac, _OWN, mark, packet.tags)]
    ports = (packet.first, packet.second)
    body = frames.transport(
        packet.protocol, packet.source, packet.destination, ports, _body(packet, mark), packet.flags
    )
    hops = 255 if packet.protocol == ICMP6 else 64
    whole = frames.ip_packet(packet.source, packet.destination, packet.protocol, body, hops)
    parts = frames.fragments(whole, _FIRST_FRAGMENT, next(_numbers)) if packet.fragmented else [whole]
    ethertype = 0x86DD if packet.version == 6 else 0x0800
    return [frames.ethernet(packet.mac, packet.to_mac, ethertype, part, packet.tags) for part in parts]


def _body(packet: Packet, mark: bytes) -> bytes:
    hidden = bytes([253, 1]) + mark  # an option that nobody knows, for neighbour discovery
    if packet.fragmented:
        hidden = (bytes([254, 255]) + bytes(8 * 255 - 2)) + hidden
    if packet.protocol == ICMP6 and packet.first in (135, 136):
        return frames.neighbour(packet.first, packet.claims or packet.destination, packet.mac) + hidden
    if packet.protocol == ICMP6 and packet.first == 134:
        return frames.advertisement() + hidden
    if packet.protocol == ICMP6 and packet.first == 133:
        return bytes(4) + hidden
    # The switch takes no fragments, but the last, of less than 1200 bytes (IPv4) or 1280 (IPv6).
    filling = _FIRST_FRAGMENT if packet.fragmented else 20
    return struct.pack(">HH", next(_numbers) & 0xFFFF, 1) + bytes(filling) + mark
