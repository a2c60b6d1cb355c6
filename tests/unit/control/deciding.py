"""A cloud for tests of decisions: rows, callers, and one decision after the other on top of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

import pytest

from netglass.base.errors import UserError
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.floating_ips import (
    decide_create_floating_ip,
    decide_delete_floating_ip,
    decide_update_floating_ip,
)
from netglass.control.interfaces import Interface, decide_add_interface, decide_remove_interface
from netglass.control.networks import decide_create_network, decide_delete_network, decide_update_network
from netglass.control.port_forwardings import (
    decide_create_forwarding,
    decide_delete_forwarding,
    decide_update_forwarding,
)
from netglass.control.ports import decide_create_port, decide_delete_port, decide_update_port
from netglass.control.routers import decide_create_router, decide_delete_router, decide_update_router
from netglass.control.subnets import decide_create_subnet, decide_delete_subnet, decide_update_subnet
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft
from netglass.model.resources import (
    FloatingIp,
    Host,
    HostSettings,
    LocalVlan,
    Network,
    Port,
    PortForwarding,
    Router,
    Row,
    Subnet,
)
from netglass.model.snapshot import Snapshot

T = TypeVar("T")

ALICE = Caller(user_id="u-alice", project_id="alice", roles=("member",))
BOB = Caller(user_id="u-bob", project_id="bob", roles=("member",))
ADMIN = Caller(user_id="u-admin", project_id="admin", roles=("admin",))

MAPPED = HostSettings(bridge_mappings={"default": "br-eth2"})
CONTROL = Host(id="control", roles=("network",), settings=MAPPED)
COMPUTE1 = Host(id="compute1", roles=("hypervisor",), settings=MAPPED)
COMPUTE2 = Host(id="compute2", roles=("hypervisor",), settings=MAPPED)


class Cloud:
    """Intent that grows by decisions; a decision that raises leaves it as it was."""

    def __init__(self, *rows: Row, **settings: Any) -> None:
        self.snapshot = Snapshot.of(rows)
        self.settings = CloudSettings(**settings)
        self._entropy = count()
        self._clock = count()

    def decide(self, decision: Callable[[Decision], T], caller: Caller = ALICE) -> T:
        second = next(self._clock)
        fresh = Fresh(f"2026-11-21T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z", self._bytes)
        d = Decision(Draft(self.snapshot), caller, self.settings, fresh)
        result = decision(d)
        self.snapshot = d.snapshot
        return result

    def network(self, caller: Caller = ALICE, **wanted: Any) -> Network:
        return self.decide(lambda d: decide_create_network(d, wanted), caller)

    def subnet(self, network: Network, cidr: str = "10.0.0.0/24", caller: Caller = ALICE, **wanted: Any) -> Subnet:
        values = {"network_id": network.id, "cidr": cidr, "ip_version": 6 if ":" in cidr else 4, **wanted}
        return self.decide(lambda d: decide_create_subnet(d, values), caller)

    def port(self, network: Network, caller: Caller = ALICE, **wanted: Any) -> Port:
        return self.decide(lambda d: decide_create_port(d, {"network_id": network.id, **wanted}), caller)

    def external(self, cidr: str = "203.0.113.0/24", **wanted: Any) -> Network:
        """Makes an external network of the cloud's, with a subnet without DHCP."""
        network = self.network(ADMIN, external=True, **wanted)
        self.subnet(network, cidr, ADMIN, enable_dhcp=False)
        return network

    def router(self, caller: Caller = ALICE, **wanted: Any) -> Router:
        return self.decide(lambda d: decide_create_router(d, wanted), caller)

    def join(self, router: Router, subnet: str = "", port: str = "", caller: Caller = ALICE) -> Interface:
        return self.decide(lambda d: decide_add_interface(d, self.now(router), subnet, port), caller)

    def part(self, router: Router, subnet: str = "", port: str = "", caller: Caller = ALICE) -> Interface:
        return self.decide(lambda d: decide_remove_interface(d, self.now(router), subnet, port), caller)

    def floating(self, network: Network, caller: Caller = ALICE, **wanted: Any) -> FloatingIp:
        values = {"floating_network_id": network.id, **wanted}
        return self.decide(lambda d: decide_create_floating_ip(d, values), caller)

    def forward(self, floating: FloatingIp, port: Port, caller: Caller = ALICE, **wanted: Any) -> PortForwarding:
        values = {"floating_ip_id": floating.id, "internal_port_id": port.id, "protocol": "tcp", **wanted}
        return self.decide(lambda d: decide_create_forwarding(d, values), caller)

    def update(self, row: Any, caller: Caller = ALICE, **changes: Any) -> Any:
        decisions: dict[type, Callable[..., Any]] = {
            Network: decide_update_network,
            Subnet: decide_update_subnet,
            Port: decide_update_port,
            Router: decide_update_router,
            FloatingIp: decide_update_floating_ip,
            PortForwarding: decide_update_forwarding,
        }
        return self.decide(lambda d: decisions[type(row)](d, self.now(row), changes), caller)

    def delete(self, row: Any, caller: Caller = ALICE) -> None:
        decisions: dict[type, Callable[..., None]] = {
            Network: decide_delete_network,
            Subnet: decide_delete_subnet,
            Port: decide_delete_port,
            Router: decide_delete_router,
            FloatingIp: decide_delete_floating_ip,
            PortForwarding: decide_delete_forwarding,
        }
        self.decide(lambda d: decisions[type(row)](d, self.now(row)), caller)

    def now(self, row: T) -> T:
        found = self.snapshot.get(type(row), row.id)  # type: ignore[type-var,attr-defined]
        assert found is not None
        return found  # type: ignore[return-value]

    def dhcp_ports(self, network: Network) -> list[Port]:
        return self.snapshot.rows("dhcp_ports_by_network", network.id)

    def tags(self) -> dict[tuple[str, str], int]:
        return {(v.host, v.network_id): v.vlan for v in self.snapshot.all(LocalVlan)}

    def _bytes(self, size: int) -> bytes:
        return hashlib.sha256(str(next(self._entropy)).encode()).digest()[:size]


@contextmanager
def refused(fault: str, status: int, words: str = "") -> Iterator[None]:
    """Demands that the decision inside is refused with this fault and status, saying these words."""
    with pytest.raises(UserError) as caught:
        yield
    assert (caught.value.fault, caught.value.status) == (fault, status), caught.value.message
    assert words in caught.value.message


def addresses(port: Port) -> list[str]:
    return [f.ip_address for f in port.fixed_ips]
