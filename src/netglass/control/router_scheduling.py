"""Where routers run: which of the network hosts carries each of them.

`place_router` makes a router's host what it should be, whatever it is now; calling it once more changes nothing.  A
router stays where it is as long as that host can carry it, also while no server hears of that host: it may work on
(control.presence).
Source: DATAPLANE.md, "Routing"; ARCHITECTURE.md, "what must be chosen once and kept is chosen in the store".
"""

from __future__ import annotations

import msgspec

from netglass.control.binding import bind_port, can_carry
from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.owners import ROUTERS
from netglass.model.resources import Host, Network, Port, Router
from netglass.model.snapshot import Snapshot


def router_ports(snapshot: Snapshot, router_id: str) -> list[Port]:
    """Gives a router's own ports, inside and outside, ascending by id."""
    return [port for port in snapshot.rows("ports_by_device", router_id) if port.device_owner in ROUTERS]


def place_router(d: Decision, router: Router) -> Router:
    """Chooses the router's host and binds its ports there; gives the new row.

    The least loaded enabled host with the role network that reaches all of its networks (in its zones, if it names
    some) and is not away.  Where none does, it stays where it is, and its ports say binding_failed.
    """
    networks = _networks(d.snapshot, router)
    host = d.snapshot.get(Host, router.host_id)
    if host is None or not _can_run(host, networks):
        host = _least_loaded(d.snapshot, router, networks) or host
    return _settle(d, router, host.id if host is not None else "")


def take_over_router(d: Decision, router: Router) -> Router:
    """Gives a router whose host is away to another host, chosen as by `place_router`; none: it stays."""
    host = _least_loaded(d.snapshot, router, _networks(d.snapshot, router))
    return _settle(d, router, host.id if host is not None else router.host_id)


def decide_host_router(d: Decision, router: Router, host: Host) -> Router:
    """Has a host carry a router that no other host carries; gives the new row.

    Raises RouterHostedByL3Agent when one does, InvalidL3Agent for a host that cannot or is out of service.
    """
    if router.host_id and router.host_id != host.id:
        raise fault("RouterHostedByL3Agent", router_id=router.id, agent_id=router.host_id)
    if not host.enabled or not _can_run(host, _networks(d.snapshot, router)):
        raise fault("InvalidL3Agent", id=host.id)
    return _settle(d, router, host.id)


def decide_unhost_router(d: Decision, router: Router, host: Host) -> Router:
    """Takes a router from its host, until somebody or the next change of it gives it another; gives the new row.

    Raises RouterNotHostedByL3Agent when the host does not carry it.
    """
    if router.host_id != host.id:
        raise fault("RouterNotHostedByL3Agent", router_id=router.id, agent_id=host.id)
    return _settle(d, router, "")


def _settle(d: Decision, router: Router, host_id: str) -> Router:
    if host_id != router.host_id:
        # Not a change that its owner made or sees, so its revision number stays.
        router = d.draft.put(msgspec.structs.replace(router, host_id=host_id))
    for port in router_ports(d.snapshot, router.id):
        bind_port(d, port, host_id)
    return router


def place_routers_of(d: Decision, host_id: str) -> None:
    """Looks again at the routers on a host that changed, and at those that no host could take so far."""
    waiting = [router.id for router in d.snapshot.all(Router) if not router.host_id]
    for router_id in sorted({*waiting, *d.snapshot.ids("routers_by_host", host_id)}):
        router = d.snapshot.get(Router, router_id)
        if router is not None:
            place_router(d, router)


def _networks(snapshot: Snapshot, router: Router) -> list[Network]:
    return [n for port in router_ports(snapshot, router.id) if (n := snapshot.get(Network, port.network_id))]


def _can_run(host: Host | None, networks: list[Network]) -> bool:
    return host is not None and "network" in host.roles and all(can_carry(host, network) for network in networks)


def _least_loaded(snapshot: Snapshot, router: Router, networks: list[Network]) -> Host | None:
    zones = router.availability_zone_hints
    hosts: list[Host] = snapshot.rows("hosts_by_role", "network")
    able = [h for h in hosts if h.enabled and not h.away and _can_run(h, networks)]
    able = [h for h in able if not zones or h.availability_zone in zones]
    return min(able, key=lambda h: (len(snapshot.ids("routers_by_host", h.id)), h.id), default=None)
