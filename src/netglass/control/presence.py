"""Which hosts are away, and what moves because of it.

A host that was not heard of for too long may be dead, or cut off from the servers only: its routers and DHCP servers go
to hosts that are there, and only where there is one that can take them.  They stay there when it comes back, and it
takes down what is no longer its own as soon as it is told.
"""

from __future__ import annotations

from collections.abc import Set

from msgspec.structs import replace

from netglass.control.decision import Decision
from netglass.control.dhcp import schedule_dhcp
from netglass.control.router_scheduling import place_routers_of
from netglass.model.resources import Host, Port, Router


def hosts_to_note(hosts: list[Host], alive: Set[str]) -> bool:
    """Says whether `decide_presence` would change anything."""
    return any(host.away == (host.id in alive) for host in hosts)


def decide_presence(d: Decision, alive: Set[str]) -> None:
    """Notes which hosts are away, and has others do what those did; changes nothing when all is noted.

    alive  ids of the hosts that were heard of lately
    """
    changed = [host for host in d.snapshot.all(Host) if host.away == (host.id in alive)]
    for host in changed:  # all of them first: nothing may go to another one that is away
        d.draft.update(host, d.now, away=host.id not in alive)
    if any(host.away and "network" in host.roles for host in changed):
        _announce_anew(d)
    for host in sorted(changed, key=lambda host: host.id):
        if "network" not in host.roles:
            continue
        place_routers_of(d, host.id)
        for network_id in sorted({port.network_id for port in _servers(d, host)}):
            schedule_dhcp(d, network_id)


def _announce_anew(d: Decision) -> None:
    """Has routers announce their addresses: one that came back may have claimed some before it was told better."""
    for router in d.snapshot.all(Router):
        d.draft.put(replace(router, announced=router.announced + 1))


def _servers(d: Decision, host: Host) -> list[Port]:
    found: list[Port] = d.snapshot.rows("dhcp_ports_by_host", host.id)
    return found
