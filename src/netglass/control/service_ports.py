"""Ports that Netglass makes for its own services: routers' and floating IPs'.

Nobody asked for such a port, so no quota and no right is checked here; the calls that it serves have done that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netglass.control.addresses import Claimant, WantedIp, pick_addresses
from netglass.control.binding import hold_tag, release_tag
from netglass.control.decision import Decision
from netglass.control.macs import pick_mac
from netglass.model.resources import Network, Port


@dataclass(frozen=True)
class Service:
    """What a port is made for.

    project_id  empty for a port that only administrators see
    host_id     empty where it is not bound
    """

    device_owner: str
    device_id: str
    project_id: str = ""
    host_id: str = ""


def make_port(d: Decision, network: Network, service: Service, wishes: Sequence[WantedIp] | None) -> Port:
    """Makes a service's port on a network; gives the row.

    wishes  as `pick_addresses`, whose faults it raises
    """
    mac_address = pick_mac(d, network.id, None)
    port = d.draft.put(
        Port(
            id=d.fresh.uuid(),
            project_id=service.project_id,
            network_id=network.id,
            mac_address=mac_address,
            device_id=service.device_id,
            device_owner=service.device_owner,
            fixed_ips=pick_addresses(d, Claimant(network.id, mac_address, service.device_owner), wishes),
            port_security_enabled=False,
            host_id=service.host_id,
            created_at=d.now,
            updated_at=d.now,
        )
    )
    hold_tag(d, port)
    return port


def drop_port(d: Decision, port: Port) -> None:
    """Drops a port; its addresses are free, and its host's tag too when it was the last there."""
    d.draft.drop(port)
    release_tag(d, port.host_id, port.network_id)
