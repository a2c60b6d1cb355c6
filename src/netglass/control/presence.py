"""Which hosts are away, and what moves because of it.

A host that was not heard of for too long may be dead, or cut off from the servers only.  Of its routers and DHCP
servers, those that stopped (control.signs) go to hosts that are there, and only where there is one that can take them.
They stay there when it comes back, and it takes down what is no longer its own as soon as it is told.  Those that work
on stay; a DHCP server, which is told of nothing new meanwhile, gets another beside it until then.

Nothing else moves routers or DHCP servers because their host is away.  Source: decision 0017.
"""

from __future__ import annotations

from collections.abc import Set

from msgspec.structs import replace

from netglass.control.decision import Decision
from netglass.control.dhcp import is_dhcp_server, schedule_dhcp, step_back
from netglass.control.router_scheduling import place_routers_of, take_over_router
from netglass.model.resources import Host, Port, Router


def hosts_to_note(hosts: list[Host], alive: Set[str]) -> bool:
    """Says whether `decide_presence` would note anything of a host."""
    return any(host.away == (host.id in alive) for host in hosts)


def decide_presence(d: Decision, alive: Set[str], stopped: Set[str]) -> None:
    """Notes which hosts are away, and has others do what those did and do no longer.

    alive    ids of the hosts that were heard of lately
    stopped  ids of routers and of DHCP servers' ports, on hosts that are not alive, that nobody can say to work

    Changes nothing when all is noted and nothing of what stopped can be taken over.
    """
    hosts: list[Host] = sorted(d.snapshot.all(Host), key=lambda host: host.id)
    changed = [host for host in hosts if host.away == (host.id in alive)]
    for host in changed:  # all of them first: nothing may go to another one that is away
        d.draft.update(host, d.now, away=host.id not in alive)
    back = [host for host in changed if host.away and "network" in host.roles]
    if back:
        _announce_anew(d)
    for host in back:
        place_routers_of(d, host.id)
        for network_id in _served_by(d, host):
            step_back(d, network_id, host.id)
    for host in hosts:
        if host.id not in alive and "network" in host.roles:
            _stand_in(d, host, stopped, all_dhcp=not host.away)


def _stand_in(d: Decision, host: Host, stopped: Set[str], *, all_dhcp: bool) -> None:
    """Has others do what stopped; `all_dhcp`: and serve DHCP beside the host where it works on."""
    for router in d.snapshot.rows("routers_by_host", host.id):
        if router.id in stopped:
            take_over_router(d, router)
    for network_id in _served_by(d, host, None if all_dhcp else stopped):
        schedule_dhcp(d, network_id, stopped)


def _announce_anew(d: Decision) -> None:
    """Has routers announce their addresses: one that came back may have claimed some before it was told better."""
    for router in d.snapshot.all(Router):
        d.draft.put(replace(router, announced=router.announced + 1))


def _served_by(d: Decision, host: Host, only: Set[str] | None = None) -> list[str]:
    """Gives the ids of the networks whose DHCP a host serves; `only`: those where it does so by one of these ports."""
    ports: list[Port] = d.snapshot.rows("dhcp_ports_by_host", host.id)
    return sorted({p.network_id for p in ports if is_dhcp_server(p) and (only is None or p.id in only)})
