"""MAC addresses of ports: chosen by the caller, or made under the cloud's base MAC."""

from __future__ import annotations

import re

from netglass.control.decision import Decision
from netglass.control.faults import bad_value, fault

_TRIES = 16
"""How often a made MAC may hit a taken one; with 16.7 million of them, twice in a row is a broken entropy source."""

_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")


def pick_mac(d: Decision, network_id: str, wanted: str | None) -> str:
    """Gives a MAC that is free on the network: the one wanted, or a new one.

    Raises HTTPBadRequest (no unicast MAC), MacAddressInUse, NetworkMacAddressGenerationFailure (503).
    """
    if wanted:
        mac = checked_mac(wanted)
        if _taken(d, network_id, mac):
            raise fault("MacAddressInUse", net_id=network_id, mac=mac)
        return mac
    for _ in range(_TRIES):
        mac = d.fresh.mac(d.settings.base_mac)
        if not _taken(d, network_id, mac):
            return mac
    raise fault("NetworkMacAddressGenerationFailure", net_id=network_id)


def checked_mac(text: str) -> str:
    """Gives a MAC's canonical text; raises HTTPBadRequest for text that is none, group addresses and all zeros."""
    mac = text.lower().replace("-", ":")
    # The lowest bit of the first byte marks a group address (IEEE 802): no port may send from one.
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise bad_value("mac_address", f"'{text}' is not a valid MAC address")
    return mac


def _taken(d: Decision, network_id: str, mac: str) -> bool:
    return len(d.snapshot.ids("ports_by_mac", (network_id, mac))) > 0
