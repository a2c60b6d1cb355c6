"""Segments: which VLAN, or which bare physical network, carries a network between hosts.

A segment is chosen once, when the network is made, and is free again when the network goes: what is taken is read
off the networks themselves, so nothing can leak.
Source: Neutron's ML2 type drivers vlan and flat.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netglass.base.numbers import holds_number, pick_lowest
from netglass.control.decision import Decision
from netglass.control.faults import fault, invalid_input

VLAN_MIN = 1
VLAN_MAX = 4094


@dataclass(frozen=True)
class Segment:
    """What a network is carried by.

    number  VLAN 1..4094; None when flat
    """

    network_type: str
    physical_network: str
    number: int | None


def choose_segment(d: Decision, wanted: Mapping[str, Any]) -> Segment:
    """Chooses a new network's segment.

    wanted  may hold network_type, physical_network and segmentation_id (None or absent: no wish); with no wish at all
            the first of ``tenant_network_types`` that has a free segment is taken, its lowest number first

    Raises InvalidInput (wish contradicts itself, unknown physical network, out of range), VlanIdInUse,
    FlatNetworkInUse, and NoNetworkAvailable (503) when the pool is empty.
    """
    network_type = wanted.get("network_type") or ""
    physical_network = wanted.get("physical_network") or ""
    number = wanted.get("segmentation_id")
    if not (network_type or physical_network or number is not None):
        return _next_tenant_segment(d)
    if not network_type:
        raise invalid_input("network_type required")
    if network_type == "vlan":
        return _wanted_vlan(d, physical_network, number)
    if network_type == "flat":
        return _wanted_flat(d, physical_network, number)
    raise invalid_input(
        f"network_type value '{network_type}' not supported", detail="This cloud has the types vlan and flat."
    )


def check_vlan(d: Decision, physical_network: str, number: int) -> None:
    """Raises InvalidInput for a VLAN out of 1..4094 or on an unknown physical network, VlanIdInUse for a taken one.

    A number outside of ``vlan_ranges`` is allowed: ranges are what the system chooses from.
    """
    _require_physical_network(d, physical_network)
    if not VLAN_MIN <= number <= VLAN_MAX:
        raise invalid_input(f"segmentation_id out of range ({VLAN_MIN} through {VLAN_MAX})")
    if holds_number(d.snapshot.used("segments", ("vlan", physical_network)), number):
        raise fault("VlanIdInUse", vlan_id=number, physical_network=physical_network)


def _next_tenant_segment(d: Decision) -> Segment:
    if "vlan" in d.settings.tenant_network_types:
        found = _lowest_vlan(d, "")
        if found is not None:
            return found
    raise fault("NoNetworkAvailable", detail="Every segment of the cloud's VLAN ranges is taken.")


def _lowest_vlan(d: Decision, only: str) -> Segment | None:
    for physical_network, first, last in d.settings.vlan_ranges:
        if only in ("", physical_network):
            taken = d.snapshot.used("segments", ("vlan", physical_network))
            number = pick_lowest([(max(first, VLAN_MIN), min(last, VLAN_MAX))], taken)
            if number is not None:
                return Segment("vlan", physical_network, number)
    return None


def _wanted_vlan(d: Decision, physical_network: str, number: int | None) -> Segment:
    if number is None:
        if physical_network:
            _require_physical_network(d, physical_network)
        found = _lowest_vlan(d, physical_network)
        if found is None:
            raise fault("NoNetworkAvailable", detail=f"No free VLAN is left on {physical_network or 'any network'}.")
        return found
    if not physical_network:
        raise invalid_input("segmentation_id requires physical_network for VLAN provider network")
    check_vlan(d, physical_network, number)
    return Segment("vlan", physical_network, number)


def _require_physical_network(d: Decision, physical_network: str) -> None:
    if all(physical_network != known for known, _, _ in d.settings.vlan_ranges):
        raise invalid_input(f"physical_network '{physical_network}' unknown for VLAN provider network")


def _wanted_flat(d: Decision, physical_network: str, number: int | None) -> Segment:
    allowed = d.settings.flat_networks
    if not physical_network:
        raise invalid_input("physical_network required for flat provider network")
    if not allowed:
        raise invalid_input("Flat provider networks are disabled")
    if "*" not in allowed and physical_network not in allowed:
        raise invalid_input(f"physical_network '{physical_network}' unknown for flat provider network")
    if number is not None:
        raise invalid_input("segmentation_id prohibited for flat provider network")
    if len(d.snapshot.ids("networks_flat", physical_network)):
        raise fault("FlatNetworkInUse", physical_network=physical_network)
    return Segment("flat", physical_network, None)
