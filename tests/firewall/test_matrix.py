"""The table of cases has every forged sender that there is, with port security and without, to both hosts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from firewall.cases import Scene, Shot, conversation_scenes, dead_scenes, forging_scenes, rule_scenes
from firewall.expected import ICMP6, UDP, Guest, Packet

Trick = Callable[[Packet, Guest], bool]

TRICKS: dict[str, Trick] = {
    "MAC": lambda p, thief: p.kind == "ip" and p.mac not in (thief.mac, "fa:16:3e:00:00:aa"),
    "IPv4 source": lambda p, thief: p.kind == "ip" and p.version == 4 and p.source not in thief.addresses,
    "IPv6 source": lambda p, thief: p.kind == "ip" and p.version == 6 and p.source not in thief.addresses,
    "ARP sender": lambda p, thief: p.kind == "arp" and p.claims not in thief.addresses,
    "ARP sender's MAC": lambda p, thief: p.kind == "arp" and thief.mac not in (p.mac, p.claimed_mac),
    "neighbour's address": lambda p, thief: (p.protocol, p.first) == (ICMP6, 136) and p.claims == "2001:db8::14",
    "router": lambda p, _: (p.protocol, p.first) == (ICMP6, 134),
    "DHCPv4 server": lambda p, _: (p.protocol, p.first, p.second) == (UDP, 67, 68),
    "DHCPv6 server": lambda p, _: (p.protocol, p.first, p.second) == (UDP, 547, 546),
    "VLAN tag": lambda p, _: bool(p.tags),
    "fragments": lambda p, thief: p.fragmented and p.source not in thief.addresses,
}
PAIRS = {
    "10.0.0.99": True,
    "10.0.0.98": False,
    "2001:db8::99": True,
    "2001:db8::98": False,
    "2001:db8::ef": False,
    "2001:db8::f0": True,
    "2001:db8::f3": True,
    "2001:db8::f4": False,
}
PAIRS_BY_MAC = {"10.0.0.127": False, "10.0.0.128": True, "10.0.0.131": True, "10.0.0.132": False}


def _cases(*, secured: bool, pairs: bool) -> list[tuple[Scene, Shot, bool]]:
    """Gives the shots at guests that may receive everything by their rules, and whether each must arrive."""
    found = []
    for scene in forging_scenes():
        model = scene.model()
        thief = model.guests["thief"]
        if (thief.secured, bool(thief.pairs)) == (secured, pairs):
            found += [(scene, shot, model.receives(shot.packet, shot.target)) for shot in scene.shots]
    return found


@pytest.mark.parametrize(("trick", "host"), list(product(TRICKS, ("one", "two"))))
def test_each_trick_is_tried_by_a_guest_that_may_and_by_one_that_may_not(trick: str, host: str) -> None:
    for secured in (True, False):
        due = {
            arrives
            for scene, shot, arrives in _cases(secured=secured, pairs=False)
            if scene.model().guests[shot.target].host == host
            and TRICKS[trick](shot.packet, scene.model().guests["thief"])
        }
        # Who has no port security gets some of it through, to show that the frames are sound.
        assert (not secured) in due, f"{trick}, port security {'on' if secured else 'off'}: {due}"


@pytest.mark.parametrize("host", ["one", "two"])
def test_allowed_pairs_are_tried_to_their_edges(host: str) -> None:
    seen: dict[str, bool] = {}
    by_mac: dict[str, bool] = {}
    for scene, shot, arrives in _cases(secured=True, pairs=True):
        if scene.model().guests[shot.target].host == host and shot.packet.kind == "ip" and shot.name.find(": as ") > 0:
            held = by_mac if shot.packet.mac == "fa:16:3e:00:00:aa" else seen
            held.setdefault(shot.packet.source, arrives)
    assert {source: seen[source] for source in PAIRS} == PAIRS
    assert {source: by_mac[source] for source in PAIRS_BY_MAC} == PAIRS_BY_MAC
    assert not seen["10.0.0.128"]  # that pair's address by another MAC than the pair's


def test_the_table_has_five_hundred_cases_and_more() -> None:
    scenes = [*rule_scenes(), *conversation_scenes(), *dead_scenes(), *forging_scenes()]
    arriving = sum(scene.model().receives(shot.packet, shot.target) for scene in scenes for shot in scene.shots)
    shots = sum(len(scene.shots) for scene in scenes)
    assert shots >= 500
    assert min(arriving, shots - arriving) >= 100
