"""Device owners (`device_owner` of a port): which of them mean something to Netglass.

Source: the Networking API's constants, as neutron-lib spells them.
"""

from __future__ import annotations

from typing import Final

from netglass.model import snapshot

DHCP: Final = "network:dhcp"
"""Ports of DHCP servers; made and dropped by ``control.dhcp``."""

ROUTER_INTERFACE: Final = "network:router_interface"
"""A router's port inside; made and dropped by ``control.interfaces``."""

ROUTER_GATEWAY: Final = "network:router_gateway"
"""A router's port on an external network; made and dropped by ``control.gateways``."""

FLOATING: Final = "network:floatingip"
"""The port that holds a floating IP's address; made and dropped by ``control.floating_ips``."""

ROUTER_INTERFACES: Final = snapshot.ROUTER_INTERFACES
"""A router's ports inside of tenant networks."""

ROUTERS: Final = ROUTER_INTERFACES | {"network:router_centralized_snat", ROUTER_GATEWAY}
"""Every port that a router itself owns and that only the router's own calls may delete."""

SERVED: Final = ROUTERS | {FLOATING}
"""Ports that are another object's, and change only with it."""

AUTO_DELETED: Final = frozenset({DHCP, "network:distributed"})
"""Ports that never keep a network or a subnet from being deleted; they go with it."""

PRIVILEGED: Final = ("network:", "neutron:")
"""Prefixes of owners whose ports filters trust, so that a project may not take them at will (CVE-2015-5240)."""


TRUSTED: Final = "network:"
"""Prefix of owners whose ports are not filtered."""


def is_trusted(device_owner: str) -> bool:
    """Says whether ports of this owner are the cloud's own, and so have neither port security nor security groups."""
    return device_owner.startswith(TRUSTED)


def is_privileged(device_owner: str) -> bool:
    """Says whether only an admin or the network's owner may give a port this owner."""
    return device_owner.startswith(PRIVILEGED)
