"""External gateways of routers: the one port that a router has on an external network.

Source: Networking API v2.0, ``external_gateway_info``; Neutron's ext-gw-mode extension for SNAT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netglass.control.addresses import Claimant, repick_addresses
from netglass.control.decision import Decision
from netglass.control.faults import fault
from netglass.control.owners import ROUTER_GATEWAY
from netglass.control.router_scheduling import place_router
from netglass.control.router_subnets import bad_router, refuse_overlap
from netglass.control.service_ports import Service, drop_port, make_port
from netglass.control.visibility import find_network, is_external
from netglass.model.resources import Network, Port, Router
from netglass.model.snapshot import Snapshot

Wanted = Mapping[str, Any] | None
"""``network_id`` (absent: none), and perhaps ``enable_snat`` and ``external_fixed_ips``."""


def gateway_port(snapshot: Snapshot, router_id: str) -> Port | None:
    """Gives the port that a router has on its external network; None when it has none."""
    ports = snapshot.rows("ports_by_device", router_id)
    return next((port for port in ports if port.device_owner == ROUTER_GATEWAY), None)


def set_gateway(d: Decision, router: Router, wanted: Wanted) -> Router:
    """Gives a router the gateway that is wanted, changing or dropping the one it has; gives the new row.

    Raises NetworkNotFound, BadRequest (no external network; a subnet's own gateway as address; overlapping subnets),
    RouterExternalGatewayInUseByFloatingIp, and what `pick_addresses` raises.
    """
    wanted = wanted or {}
    network_id = wanted.get("network_id") or ""
    held = gateway_port(d.snapshot, router.id)
    if held is not None and held.network_id != network_id:
        _refuse_in_use(d, router, held.network_id)
        drop_port(d, held)
        held = None
    snat = wanted.get("enable_snat")
    values = {"gateway_network_id": network_id, "enable_snat": True if snat is None else snat}
    if network_id:
        network = _external(d, network_id)
        _refuse_gateways_own(d, network, wanted.get("external_fixed_ips") or ())
        _plug(d, router, network, held, wanted.get("external_fixed_ips"))
    return place_router(d, d.draft.update(router, d.now, **values))


def _external(d: Decision, network_id: str) -> Network:
    network = find_network(d, network_id)
    if not is_external(d.snapshot, network):
        raise bad_router(f"Network {network_id} is not an external network")
    return network


def _plug(d: Decision, router: Router, network: Network, held: Port | None, wishes: Any) -> None:
    """Makes the port, or gives the one that is there the addresses that are wished for."""
    if held is None:
        # An empty list is no wish here, as in Neutron.
        held = make_port(d, network, Service(ROUTER_GATEWAY, router.id, host_id=router.host_id), wishes or None)
    elif wishes:
        claimant = Claimant(network.id, held.mac_address, held.device_owner)
        fixed_ips = repick_addresses(d, claimant, held.fixed_ips, wishes)
        held = d.draft.update(held, d.now, fixed_ips=fixed_ips)
    refuse_overlap(d, router, d.snapshot.rows("subnets_by_network", network.id), without=held.id)


def _refuse_gateways_own(d: Decision, network: Network, wishes: Iterable[Mapping[str, str]]) -> None:
    taken = {subnet.gateway_ip for subnet in d.snapshot.rows("subnets_by_network", network.id)}
    for wish in wishes:
        if wish.get("ip_address") in taken - {None}:
            raise bad_router(f"External IP {wish['ip_address']} is the same as the gateway IP")


def _refuse_in_use(d: Decision, router: Router, network_id: str) -> None:
    if d.snapshot.ids("floating_ips_by_router", router.id):
        raise fault("RouterExternalGatewayInUseByFloatingIp", router_id=router.id, net_id=network_id)
