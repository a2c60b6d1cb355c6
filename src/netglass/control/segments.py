"""Segments: which VLAN, bare physical network, or tunnel id, carries a network between hosts.

A segment is chosen once, when the network is made, and is free again when the network goes: what is taken is read
off the networks themselves, so nothing can leak.
Source: Neutron's ML2 type drivers vlan, flat, gre, vxlan and geneve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netglass.base.numbers import holds_number, pick_lowest
from netglass.control.decision import Decision
from netglass.control.faults import fault, invalid_input
from netglass.model.resources import TUNNEL_ID_MAX, TUNNEL_TYPES

VLAN_MIN = 1
VLAN_MAX = 4094

_IP_HEADER = {4: 20, 6: 40}  # bytes
_GRE_HEADER = 22  # bytes: GRE with key 8, inner Ethernet 14
_VXLAN_HEADER = 30  # bytes: UDP 8, VXLAN 8, inner Ethernet 14


@dataclass(frozen=True)
class Segment:
    """What a network is carried by.

    physical_network  empty for tunnels
    number            VLAN 1..4094, or tunnel id; None when flat
    """

    network_type: str
    physical_network: str
    number: int | None


def choose_segment(d: Decision, wanted: Mapping[str, Any]) -> Segment:
    """Chooses a new network's segment.

    wanted  may hold network_type, physical_network and segmentation_id (None or absent: no wish); with no wish at all
            the first of ``tenant_network_types`` that has a free segment is taken, its lowest number first

    Raises InvalidInput (wish contradicts itself, unknown physical network, out of range), VlanIdInUse,
    FlatNetworkInUse, TunnelIdInUse, and NoNetworkAvailable (503) when the pool is empty.
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
    if network_type in TUNNEL_TYPES:
        return _wanted_tunnel(d, network_type, physical_network, number)
    known = ", ".join(("vlan", "flat", *TUNNEL_TYPES))
    raise invalid_input(f"network_type value '{network_type}' not supported", detail=f"This cloud has {known}.")


def largest_mtu(d: Decision, network_type: str) -> int:
    """Gives the largest IP packet, in bytes, that guests of a network of the type can send in one piece.

    It is what the physical network carries, less what a tunnel puts around it.
    """
    headers = {"gre": _GRE_HEADER, "vxlan": _VXLAN_HEADER, "geneve": d.settings.geneve_header_size}
    around = headers[network_type] + _IP_HEADER[d.settings.overlay_ip_version] if network_type in headers else 0
    return d.settings.physical_network_mtu - around


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
    for network_type in d.settings.tenant_network_types:
        found = _lowest_vlan(d, "") if network_type == "vlan" else _lowest_tunnel(d, network_type)
        if found is not None:
            return found
    types = ", ".join(d.settings.tenant_network_types) or "no type"
    raise fault("NoNetworkAvailable", detail=f"Every segment that the cloud gives to projects ({types}) is taken.")


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
    known = {name for name, _, _ in d.settings.vlan_ranges} | set(d.settings.vlan_networks)
    if physical_network not in known:
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


def _lowest_tunnel(d: Decision, network_type: str) -> Segment | None:
    ids = d.settings.tunnel_ranges.get(network_type)
    if ids is None or network_type not in TUNNEL_ID_MAX:
        return None
    number = pick_lowest([(max(ids[0], 1), min(ids[1], TUNNEL_ID_MAX[network_type]))], _taken_ids(d, network_type))
    return None if number is None else Segment(network_type, "", number)


def _wanted_tunnel(d: Decision, network_type: str, physical_network: str, number: int | None) -> Segment:
    if physical_network:
        raise invalid_input(f"provider:physical_network specified for {network_type} network")
    if number is None:
        found = _lowest_tunnel(d, network_type)
        if found is None:
            raise fault("NoNetworkAvailable", detail=f"No tunnel id is left in this cloud's range for {network_type}.")
        return found
    if not 1 <= number <= TUNNEL_ID_MAX[network_type]:
        raise invalid_input(f"segmentation_id out of range (1 through {TUNNEL_ID_MAX[network_type]})")
    if holds_number(_taken_ids(d, network_type), number):
        raise fault("TunnelIdInUse", tunnel_id=number)
    return Segment(network_type, "", number)


def _taken_ids(d: Decision, network_type: str) -> tuple[int, ...]:
    return d.snapshot.used("segments", (network_type, ""))
