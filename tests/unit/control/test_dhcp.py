from __future__ import annotations

import msgspec
from deciding import ADMIN, COMPUTE1, CONTROL, MAPPED, Cloud, addresses, refused

from netglass.control.binding import bind_port, rebind_host
from netglass.control.dhcp import (
    decide_host_network,
    decide_unhost_network,
    dhcp_device_id,
    is_dhcp_server,
    schedule_dhcp,
)
from netglass.control.ports import status_of
from netglass.model.resources import Host, HostSettings, LocalVlan, Network, Port

SECOND = msgspec.structs.replace(CONTROL, id="control2", availability_zone="b")


def hosts_of(cloud: Cloud, network: Network) -> list[str]:
    return sorted(p.host_id for p in cloud.dhcp_ports(network))


def put(cloud: Cloud, *rows: object) -> None:
    for row in rows:
        cloud.decide(lambda d, r=row: d.draft.put(r), ADMIN)


def schedule(cloud: Cloud, network: Network) -> None:
    cloud.decide(lambda d: schedule_dhcp(d, network.id))


def test_a_network_is_served_as_soon_as_it_has_a_subnet_with_dhcp() -> None:
    cloud = Cloud(CONTROL, COMPUTE1)
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/24", enable_dhcp=False)
    assert cloud.dhcp_ports(network) == []
    cloud.subnet(network, "10.0.1.0/24")
    (port,) = cloud.dhcp_ports(network)
    assert (port.host_id, port.project_id, addresses(port)) == ("control", "alice", ["10.0.1.2"])
    assert port.device_id == dhcp_device_id("control", network.id)
    assert (is_dhcp_server(port), port.port_security_enabled) == (True, False)
    assert cloud.tags() == {("control", network.id): 1}


def test_a_server_follows_the_subnets() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    first, second = cloud.subnet(network, "10.0.0.0/24"), cloud.subnet(network, "10.0.1.0/24")
    slaac = cloud.subnet(network, "fd00::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
    (port,) = cloud.dhcp_ports(network)
    assert [f.subnet_id for f in port.fixed_ips] == [first.id, second.id, slaac.id]
    cloud.update(first, enable_dhcp=False)
    assert [f.subnet_id for f in cloud.now(port).fixed_ips] == [second.id, slaac.id]
    cloud.delete(slaac)
    cloud.update(second, enable_dhcp=False)
    assert (cloud.dhcp_ports(network), cloud.tags()) == ([], {})
    cloud.update(first, enable_dhcp=True)
    assert hosts_of(cloud, network) == ["control"]


def test_scheduling_again_changes_nothing() -> None:
    cloud = Cloud(CONTROL, SECOND, dhcp_agents_per_network=2)
    network = cloud.network()
    cloud.subnet(network)
    before = cloud.snapshot
    schedule(cloud, network)
    assert cloud.snapshot == before
    assert hosts_of(cloud, network) == ["control", "control2"]
    cloud.decide(lambda d: schedule_dhcp(d, "no such network"))
    assert cloud.snapshot == before


def test_the_least_loaded_host_serves() -> None:
    cloud = Cloud(CONTROL, SECOND)
    networks = [cloud.network() for _ in range(4)]
    for network in networks:
        cloud.subnet(network)
    assert [hosts_of(cloud, n)[0] for n in networks] == ["control", "control2", "control", "control2"]


def test_only_hosts_that_can_and_may_serve_do() -> None:
    unmapped = Host(id="a", roles=("network",), settings=HostSettings())
    disabled = Host(id="b", roles=("network",), settings=MAPPED, enabled=False)
    cloud = Cloud(unmapped, disabled, COMPUTE1)
    network = cloud.network()
    cloud.subnet(network)
    assert cloud.dhcp_ports(network) == []
    put(cloud, CONTROL)
    schedule(cloud, network)
    assert hosts_of(cloud, network) == ["control"]


def test_zones_that_a_network_names_are_kept_to() -> None:
    cloud = Cloud(CONTROL, SECOND)
    network = cloud.network(availability_zone_hints=["b"])
    cloud.subnet(network)
    assert hosts_of(cloud, network) == ["control2"]


def test_a_server_moves_when_its_host_can_no_longer_serve_and_not_when_it_takes_no_more() -> None:
    cloud = Cloud(CONTROL, SECOND)
    network = cloud.network()
    cloud.subnet(network)
    put(cloud, msgspec.structs.replace(CONTROL, enabled=False))
    schedule(cloud, network)
    assert hosts_of(cloud, network) == ["control"]
    put(cloud, msgspec.structs.replace(CONTROL, roles=("hypervisor",)))
    schedule(cloud, network)
    assert hosts_of(cloud, network) == ["control2"]
    assert cloud.tags() == {("control2", network.id): 1}


def test_a_server_added_by_hand_stays_beside_the_wanted_number() -> None:
    cloud = Cloud(CONTROL, SECOND)
    network = cloud.network()
    subnet = cloud.subnet(network)
    cloud.decide(lambda d: decide_host_network(d, network, SECOND, "agent-2"), ADMIN)
    schedule(cloud, network)
    cloud.update(subnet, name="changed")
    assert hosts_of(cloud, network) == ["control", "control2"]
    assert len({addresses(port)[0] for port in cloud.dhcp_ports(network)}) == 2
    with refused("NetworkHostedByDHCPAgent", 409, "agent-2"):
        cloud.decide(lambda d: decide_host_network(d, network, SECOND, "agent-2"), ADMIN)
    cloud.decide(lambda d: decide_unhost_network(d, network, CONTROL, "agent-1"), ADMIN)
    schedule(cloud, network)
    assert hosts_of(cloud, network) == ["control2"]
    assert cloud.tags() == {("control2", network.id): 1}
    with refused("NetworkNotHostedByDhcpAgent", 409, "agent-1"):
        cloud.decide(lambda d: decide_unhost_network(d, network, CONTROL, "agent-1"), ADMIN)


def test_a_server_taken_away_by_hand_comes_back_with_the_networks_next_change_where_too_few_are_left() -> None:
    cloud = Cloud(CONTROL, SECOND, dhcp_agents_per_network=2)
    network = cloud.network()
    cloud.subnet(network)
    cloud.decide(lambda d: decide_unhost_network(d, network, CONTROL, "agent-1"), ADMIN)
    assert hosts_of(cloud, network) == ["control2"]
    cloud.subnet(network, "10.0.1.0/24")
    assert hosts_of(cloud, network) == ["control", "control2"]


def test_only_hosts_that_can_serve_something_are_given_networks_by_hand() -> None:
    off = msgspec.structs.replace(SECOND, id="off", enabled=False)
    apart = Host(id="apart", roles=("network",), settings=HostSettings())
    cloud = Cloud(CONTROL, off, apart)
    network = cloud.network()
    with refused("InvalidInput", 400, "no subnet with DHCP"):
        cloud.decide(lambda d: decide_host_network(d, network, CONTROL, "agent-1"), ADMIN)
    cloud.subnet(network)
    for host in (off, apart):
        with refused("InvalidDHCPAgent", 404, "is not a valid DHCP Agent or has been disabled"):
            cloud.decide(lambda d, host=host: decide_host_network(d, network, host, "agent"), ADMIN)


def test_a_deleted_server_port_is_made_anew() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    cloud.subnet(network)
    (port,) = cloud.dhcp_ports(network)
    cloud.delete(port, ADMIN)
    (again,) = cloud.dhcp_ports(network)
    assert (again.id != port.id, again.host_id, addresses(again)) == (True, "control", ["10.0.0.2"])


def test_a_server_port_that_is_bent_is_put_right() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    cloud.subnet(network)
    (port,) = cloud.dhcp_ports(network)
    assert addresses(cloud.update(port, fixed_ips=[])) == ["10.0.0.2"]
    cloud.update(port, device_id="other")
    assert [is_dhcp_server(p) for p in cloud.dhcp_ports(network)].count(True) == 1


def test_a_full_subnet_gets_no_server_and_nobody_fails() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    cloud.subnet(network, "10.0.0.0/30", enable_dhcp=False)
    port = cloud.port(network)
    subnet = cloud.snapshot.rows("subnets_by_network", network.id)[0]
    cloud.update(subnet, enable_dhcp=True)
    assert cloud.dhcp_ports(network) == []
    cloud.delete(port)
    schedule(cloud, network)
    assert hosts_of(cloud, network) == ["control"]


def test_a_network_that_is_turned_off_is_not_served() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    cloud.subnet(network)
    cloud.update(network, admin_state_up=False)
    assert cloud.dhcp_ports(network) == []
    cloud.update(network, admin_state_up=True)
    assert hosts_of(cloud, network) == ["control"]


def test_a_server_port_that_is_moved_by_hand_is_made_anew_in_its_place() -> None:
    cloud = Cloud(CONTROL, SECOND)
    network = cloud.network()
    cloud.subnet(network)
    (port,) = cloud.dhcp_ports(network)
    for host in ("", "control2"):
        cloud.update(port, ADMIN, host_id=host)
        (port,) = cloud.dhcp_ports(network)
        assert (port.host_id, cloud.tags()) == ("control", {("control", network.id): 1})


def test_a_port_of_a_project_with_another_device_id_is_no_server() -> None:
    cloud = Cloud(CONTROL)
    network = cloud.network()
    other = cloud.port(network, device_owner="network:dhcp", device_id="reserved")
    cloud.subnet(network)
    assert [is_dhcp_server(p) for p in cloud.dhcp_ports(network)].count(True) == 1
    assert cloud.now(other).fixed_ips == ()


def test_servers_are_made_beyond_the_projects_quota() -> None:
    cloud = Cloud(CONTROL, default_quotas={"network": 1, "subnet": 1, "port": 0})
    network = cloud.network()
    cloud.subnet(network)
    assert hosts_of(cloud, network) == ["control"]


def test_a_port_is_active_when_its_host_and_a_dhcp_host_have_realised_it() -> None:
    cloud = Cloud(CONTROL, COMPUTE1)
    network = cloud.network()
    subnet = cloud.subnet(network)
    port = cloud.port(network, host_id="compute1")

    def status(row: Port, *hosts: str) -> str:
        return status_of(cloud.snapshot, msgspec.structs.replace(row, realised_on=hosts))

    assert status(port) == "DOWN"
    assert status(port, "control") == "DOWN"
    assert status(port, "compute1") == "DOWN"
    assert status(port, "compute1", "control") == "ACTIVE"
    assert status(cloud.dhcp_ports(network)[0], "control") == "ACTIVE"
    assert status(cloud.port(network, host_id="compute1", fixed_ips=[]), "compute1") == "ACTIVE"
    assert status(cloud.port(network), "compute1", "control") == "DOWN"
    put(cloud, msgspec.structs.replace(port, realised_on=("compute1",)))
    cloud.update(subnet, enable_dhcp=False)
    assert cloud.now(port).status == "ACTIVE"


def test_a_network_that_nobody_can_serve_does_not_hold_its_ports_back() -> None:
    cloud = Cloud(COMPUTE1)
    network = cloud.network()
    cloud.subnet(network)
    port = cloud.port(network, host_id="compute1")
    assert status_of(cloud.snapshot, msgspec.structs.replace(port, realised_on=("compute1",))) == "ACTIVE"


def test_tags_are_the_lowest_free_of_their_host_and_go_with_the_last_port() -> None:
    cloud = Cloud(COMPUTE1)
    first, second, third = (cloud.network() for _ in range(3))
    ports = [cloud.port(n, host_id="compute1") for n in (first, first, second)]
    assert cloud.tags() == {("compute1", first.id): 1, ("compute1", second.id): 2}
    cloud.delete(ports[0])
    assert ("compute1", first.id) in cloud.tags()
    cloud.decide(lambda d: bind_port(d, cloud.now(ports[1]), ""))
    assert cloud.tags() == {("compute1", second.id): 2}
    late = cloud.port(third)
    bound = cloud.decide(lambda d: bind_port(d, late, "compute1"))
    assert (bound.host_id, bound.revision_number) == ("compute1", 2)
    assert cloud.tags() == {("compute1", second.id): 2, ("compute1", third.id): 1}
    assert cloud.decide(lambda d: bind_port(d, bound, "compute1")) == bound


def test_a_host_that_comes_later_gets_the_tags_of_the_ports_that_wait_for_it() -> None:
    cloud = Cloud()
    network = cloud.network()
    cloud.port(network, host_id="compute1")
    assert cloud.tags() == {}
    put(cloud, COMPUTE1)
    cloud.decide(lambda d: rebind_host(d, "compute1"))
    assert cloud.tags() == {("compute1", network.id): 1}
    put(cloud, msgspec.structs.replace(COMPUTE1, settings=HostSettings()))
    cloud.decide(lambda d: rebind_host(d, "compute1"))
    assert cloud.tags() == {}


def test_a_host_with_4094_networks_takes_no_further_one() -> None:
    cloud = Cloud(COMPUTE1, vlan_ranges=(("default", 1, 4094), ("two", 1, 10)), default_quotas={})
    both = HostSettings(bridge_mappings={"default": "br-a", "two": "br-b"})
    put(cloud, msgspec.structs.replace(COMPUTE1, settings=both))
    for tag in range(1, 4095):
        put(cloud, LocalVlan(id=f"compute1/n{tag}", host="compute1", network_id=f"n{tag}", vlan=tag))
    port = cloud.port(cloud.network(), host_id="compute1")
    assert port.host_id == "compute1"
    assert len(cloud.tags()) == 4094
