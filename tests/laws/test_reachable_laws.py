"""What decisions make, hosts can honour: laws of compiling over clouds that are reached by deciding."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from netglass.base.errors import UserError
from netglass.compile.compiler import compile_host
from netglass.desired.state import DEAD_VLAN
from netglass.model.resources import Host, LocalVlan, Network, Port, Row, Subnet
from unit.control.deciding import ADMIN, COMPUTE1, COMPUTE2, CONTROL, Cloud

HOSTS = (CONTROL, COMPUTE1, COMPUTE2)
PREFIXES = ("10.0.0.0/24", "10.0.0.0/29", "10.1.0.0/30", "2001:db8::/64", "2001:db8:1::/80")
Act = Callable[[Cloud], object]


def one_of(cloud: Cloud, kind: type[Row], number: int) -> Any:
    rows = sorted(cloud.snapshot.all(kind), key=lambda row: row.id)
    if not rows:
        raise UserError("there is none", fault="None")
    return rows[number % len(rows)]


def acts() -> st.SearchStrategy[Act]:
    """Draws what a caller might do next; what cannot be done is refused, and changes nothing."""
    n, up = st.integers(0, 9), st.booleans()
    hosts = st.sampled_from(["", "compute1", "compute2", "control"])
    owners = st.sampled_from(["", "compute:nova"])
    options = st.sampled_from([[], [{"opt_name": "ntp-server", "opt_value": "10.0.0.9"}]])
    modes = st.sampled_from([None, "slaac", "dhcpv6-stateless", "dhcpv6-stateful"])
    return st.one_of(
        st.builds(_make_network, st.sampled_from(["vlan", "flat"])),
        st.builds(_make_subnet, n, st.sampled_from(PREFIXES), modes, up),
        *[st.builds(_make_port, n, hosts, owners, options)] * 4,
        st.builds(lambda i, h: lambda c: c.update(one_of(c, Port, i), ADMIN, host_id=h), n, hosts),
        st.builds(lambda i, u: lambda c: c.update(one_of(c, Port, i), ADMIN, admin_state_up=u), n, up),
        st.builds(lambda i, u: lambda c: c.update(one_of(c, Network, i), ADMIN, admin_state_up=u), n, up),
        st.builds(lambda i, u: lambda c: c.update(one_of(c, Subnet, i), ADMIN, enable_dhcp=u), n, up),
        st.builds(lambda i: lambda c: c.delete(one_of(c, Port, i), ADMIN), n),
        st.builds(lambda i: lambda c: c.delete(one_of(c, Subnet, i), ADMIN), n),
        st.builds(lambda i: lambda c: c.delete(one_of(c, Network, i), ADMIN), n),
    )


def _make_network(network_type: str) -> Act:
    return lambda cloud: cloud.network(ADMIN, network_type=network_type, physical_network="default")


def _make_subnet(number: int, cidr: str, mode: str | None, dhcp: bool) -> Act:
    modes = {"ipv6_ra_mode": mode, "ipv6_address_mode": mode} if mode and ":" in cidr else {}
    return lambda cloud: cloud.subnet(one_of(cloud, Network, number), cidr, ADMIN, enable_dhcp=dhcp, **modes)


def _make_port(number: int, host: str, owner: str, options: list[dict[str, str]]) -> Act:
    return lambda cloud: cloud.port(
        one_of(cloud, Network, number), ADMIN, host_id=host, device_owner=owner, extra_dhcp_opts=options
    )


def reached(doings: list[Act]) -> Cloud:
    cloud = Cloud(*HOSTS)
    for cidr in PREFIXES[:2]:
        cloud.subnet(cloud.network(ADMIN), cidr, ADMIN)
    for act in doings:
        with suppress(UserError):
            act(cloud)
    return cloud


@given(st.lists(acts(), min_size=5, max_size=30))
@settings(max_examples=150)
def test_a_host_can_honour_whatever_was_decided(doings: list[Act]) -> None:
    cloud = reached(doings)
    for host in HOSTS:
        state = compile_host(cloud.snapshot, host.id)
        assert state.diagnostics == ()
        tags = {tag.port[3:]: tag.vlan for tag in state.port_tags}
        wanted = {port.id[:11]: _vlan(cloud, port) for port in cloud.snapshot.rows("ports_by_host", host.id)}
        assert tags == wanted


def _vlan(cloud: Cloud, port: Port) -> int:
    network = cloud.snapshot.get(Network, port.network_id)
    row = cloud.snapshot.get(LocalVlan, f"{port.host_id}/{port.network_id}")
    assert network is not None
    assert row is not None
    return row.vlan if network.admin_state_up and port.admin_state_up else DEAD_VLAN


@given(st.lists(acts(), min_size=5, max_size=30))
@settings(max_examples=75)
def test_when_everything_is_deleted_every_host_is_as_before(doings: list[Act]) -> None:
    cloud = reached(doings)
    for kind in (Port, Subnet, Network):
        for row in list(cloud.snapshot.all(kind)):
            if cloud.snapshot.get(kind, row.id) is not None:  # DHCP's ports go with what they serve
                with suppress(UserError):
                    cloud.delete(row, ADMIN)
    for network in list(cloud.snapshot.all(Network)):
        cloud.delete(network, ADMIN)
    bare = Cloud(*HOSTS).snapshot
    for host in bare.all(Host):
        assert compile_host(cloud.snapshot, host.id) == compile_host(bare, host.id)
