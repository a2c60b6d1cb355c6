"""Placement: which host a new server runs on, and which hosts take servers at all.

Source: Compute API v2.1, ``availability_zone``; unlike Nova, any member of a project may name a host
(``nova:compute2``), as whoever looks at networks wants to say where a guest is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from netglass.base.errors import Forbidden, Invalid, NotFound
from netglass.control.binding import can_carry
from netglass.control.decision import Decision
from netglass.model.resources import Host, Network
from netglass.model.snapshot import Snapshot

HYPERVISOR: Final = "hypervisor"
DEFAULT_ZONE: Final = "nova"


@dataclass(frozen=True)
class Place:
    """Where a server is wanted; an empty string means anywhere."""

    zone: str = ""
    host: str = ""


def read_place(snapshot: Snapshot, availability_zone: str | None) -> Place:
    """Reads ``<zone>``, ``<zone>:<host>`` or ``<zone>:<host>:<node>``, where a host is its own node.

    Raises Invalid for a zone or host that there is not, or a host outside of the zone.
    """
    if not availability_zone:
        return Place()
    zone, _, rest = availability_zone.partition(":")
    host_id, _, node = rest.partition(":")
    host_id = host_id or node
    if zone and zone not in zones(snapshot):
        raise Invalid("The requested availability zone is not available", fault="InvalidRequest")
    if not host_id:
        return Place(zone)
    host = snapshot.get(Host, host_id)
    if host is None or HYPERVISOR not in host.roles or node not in ("", host_id) or zone not in ("", _zone(host)):
        raise Invalid(f"Compute host {host_id} could not be found.", fault="ComputeHostNotFound")
    return Place(_zone(host), host_id)


def choose_host(d: Decision, place: Place, networks: Iterable[Network], up: Collection[str]) -> Host | None:
    """Chooses the host with the fewest servers, then by name; None when none will do.

    networks  those that the server will be on: its host must reach their physical networks
    up        hosts that were heard of lately
    """
    wanted = list(networks)
    found: list[tuple[int, str, Host]] = []
    host: Host
    for host in d.snapshot.rows("hosts_by_role", HYPERVISOR):
        if place.host not in ("", host.id) or place.zone not in ("", _zone(host)):
            continue
        if host.enabled and host.id in up and all(can_carry(host, network) for network in wanted):
            found.append((len(d.snapshot.ids("servers_by_host", host.id)), host.id, host))
    return min(found)[2] if found else None


def zones(snapshot: Snapshot) -> dict[str, list[Host]]:
    """Gives the zones in which there are hypervisors, with these; ascending by name."""
    found: dict[str, list[Host]] = {}
    for host in snapshot.rows("hosts_by_role", HYPERVISOR):
        found.setdefault(_zone(host), []).append(host)
    return dict(sorted(found.items()))


def decide_enable_host(d: Decision, host_id: str, *, enabled: bool) -> Host:
    """Says whether a hypervisor takes new servers; raises Forbidden for other than admins, NotFound."""
    if not d.caller.is_admin:
        raise Forbidden("Policy doesn't allow os_compute_api:os-services:update to be performed.")
    host = d.snapshot.get(Host, host_id)
    if host is None or HYPERVISOR not in host.roles:
        raise NotFound(f"Compute host {host_id} could not be found.", fault="ComputeHostNotFound")
    return d.draft.update(host, d.now, enabled=enabled)


def _zone(host: Host) -> str:
    return host.availability_zone or DEFAULT_ZONE
