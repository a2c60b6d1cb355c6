"""Availability zones of network services: where DHCP servers may run."""

from __future__ import annotations

from collections.abc import Iterable

from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.model.resources import Host
from netglass.model.snapshot import Snapshot


def network_zones(snapshot: Snapshot) -> dict[str, bool]:
    """Gives the zones of hosts with the role network, ascending; True where one of them takes new DHCP servers."""
    zones: dict[str, bool] = {}
    host: Host
    for host in snapshot.rows("hosts_by_role", "network"):
        zones[host.availability_zone] = zones.get(host.availability_zone, False) or host.enabled
    return dict(sorted(zones.items()))


def require_zones(d: Decision, hints: Iterable[str]) -> tuple[str, ...]:
    """Gives the hints as they are; raises AvailabilityZoneNotFound for one in which no network host is."""
    wanted = tuple(hints)
    if wanted:
        known = network_zones(d.snapshot)
        for zone in wanted:
            if zone not in known:
                raise fault("AvailabilityZoneNotFound", availability_zone=zone)
    return wanted
