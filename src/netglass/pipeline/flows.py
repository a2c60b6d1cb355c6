"""Matches and actions in their canonical text: what ``ovs-ofctl --names dump-flows`` prints, as OpenFlow 1.0 words it.

Two flows are the same if and only if their texts are, so comparing what a switch has with what it should have needs
no understanding of either.  ``pipeline.text`` brings what OpenFlow 1.5 prints into this form.
Source: ovs-ofctl(8) and ovs-fields(7); tried on Open vSwitch 3.1 (tests/host/test_switch_prints.py).
"""

from __future__ import annotations

from dataclasses import dataclass

UNTAGGED = -1
"""In place of a VLAN: frames that carry no 802.1Q tag."""

NORMAL = "NORMAL"
DROP = "drop"
STRIP_VLAN = "strip_vlan"

_UNTAGGED_TEXT = "vlan_tci=0x0000/0x1fff"


@dataclass(frozen=True)
class Match:
    """Which packets a flow is for; with nothing set, all.

    in_port  name of the port that they came in by; empty: any
    vlan     1..4095, `UNTAGGED`, or None: any
    """

    in_port: str = ""
    vlan: int | None = None

    def text(self) -> str:
        """Gives the canonical text; empty for the match on all packets."""
        parts = []
        if self.in_port:
            parts.append(f"in_port={port_text(self.in_port)}")
        if self.vlan == UNTAGGED:
            parts.append(_UNTAGGED_TEXT)
        elif self.vlan is not None:
            parts.append(f"dl_vlan={self.vlan}")
        return ",".join(parts)


def port_text(name: str) -> str:
    """Writes a port's name as ``ovs-ofctl --names`` does: bare when it is letters and digits after a letter."""
    plain = name.isascii() and name.isalnum() and name[0].isalpha()
    return name if plain else f'"{name}"'


def set_vlan(vlan: int) -> str:
    """Gives the action that puts a VLAN tag on a packet, or changes the one that it has."""
    return f"mod_vlan_vid:{vlan}"


def actions(*parts: str) -> str:
    """Joins actions in their order of execution; none at all is `DROP`."""
    return ",".join(parts) or DROP


def knows_vlan(match: str) -> bool:
    """Says whether a canonical match leaves only packets with a VLAN tag."""
    return "dl_vlan=" in match


def knows_untagged(match: str) -> bool:
    """Says whether a canonical match leaves only packets without a VLAN tag."""
    return _UNTAGGED_TEXT in match
