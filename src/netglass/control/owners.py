"""Device owners (`device_owner` of a port): which of them mean something to Netglass.

Source: the Networking API's constants, as neutron-lib spells them.
"""

from __future__ import annotations

from typing import Final

DHCP: Final = "network:dhcp"
"""Ports of DHCP servers; made and dropped by ``control.dhcp``."""

ROUTER_INTERFACES: Final = frozenset(
    {
        "network:router_interface",
        "network:ha_router_replicated_interface",
        "network:router_interface_distributed",
    }
)
"""A router's ports inside of tenant networks."""

ROUTERS: Final = ROUTER_INTERFACES | {"network:router_centralized_snat", "network:router_gateway"}
"""Every port that a router itself owns and that only the router's own calls may delete."""

AUTO_DELETED: Final = frozenset({DHCP, "network:distributed"})
"""Ports that never keep a network or a subnet from being deleted; they go with it."""

PRIVILEGED: Final = ("network:", "neutron:")
"""Prefixes of owners whose ports filters trust, so that a project may not take them at will (CVE-2015-5240)."""


def is_privileged(device_owner: str) -> bool:
    """Says whether only an admin or the network's owner may give a port this owner."""
    return device_owner.startswith(PRIVILEGED)
