from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from deciding import ADMIN, ALICE, BOB, COMPUTE1, COMPUTE2, CONTROL, Cloud, addresses, refused
from hypothesis import given
from hypothesis import strategies as st

from netglass.base.errors import Conflict, Forbidden, NotFound
from netglass.control.attachments import Nic
from netglass.control.flavors import decide_create_flavor, decide_delete_flavor, ensure_catalogue
from netglass.control.servers import (
    NO_HOST,
    WantedServer,
    decide_create_server,
    decide_delete_server,
    decide_guest_report,
    decide_reboot_server,
    decide_start_server,
    decide_stop_server,
    decide_update_server,
    find_server,
    hostname_of,
)
from netglass.model.caller import Caller
from netglass.model.protocol import GuestReport
from netglass.model.resources import Flavor, Image, LocalVlan, Network, Port, Server

UP = frozenset({"control", "compute1", "compute2"})
READER = Caller(user_id="u-rita", project_id="alice", roles=("reader",))


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud(CONTROL, COMPUTE1, COMPUTE2)
    made.decide(ensure_catalogue, ADMIN)
    return made


@pytest.fixture
def net1(cloud: Cloud) -> Network:
    network = cloud.network(name="net1")
    cloud.subnet(network)
    return network


def wanted(cloud: Cloud, nics: Any = None, **more: Any) -> WantedServer:
    flavor, image = next(cloud.snapshot.all(Flavor)), next(cloud.snapshot.all(Image))
    values = {"name": "web", "flavor_id": flavor.id, "image_id": image.id, "nics": nics, "hosts_up": UP, **more}
    return WantedServer(**values)


def create(cloud: Cloud, nics: Any = None, caller: Caller = ALICE, **more: Any) -> Server:
    made = cloud.decide(lambda d: decide_create_server(d, wanted(cloud, nics, **more)), caller)
    return made[0]


def report(cloud: Cloud, server: Server, state: str, boot: int | None = None, host: str | None = None) -> Server:
    newest = cloud.now(server).boot
    told = GuestReport(server_id=server.id, boot=newest if boot is None else boot, state=state, error="it burns")
    cloud.decide(lambda d: decide_guest_report(d, host or server.host, told), ADMIN)
    return cloud.now(server)


def running(cloud: Cloud, network: Network, **more: Any) -> Server:
    return report(cloud, create(cloud, [Nic(network_id=network.id)], **more), "running")


def act(cloud: Cloud, decision: Callable[..., Server], server: Server, caller: Caller = ALICE, **more: Any) -> Server:
    return cloud.decide(lambda d: decision(d, server.id, **more), caller)


def test_a_server_gets_a_port_of_its_own_on_its_host(cloud: Cloud, net1: Network) -> None:
    server = create(cloud, [Nic(network_id=net1.id)])
    assert (server.host, server.vm_state, server.task_state, server.power) == (
        "compute1",
        "building",
        "spawning",
        "running",
    )
    port = cloud.snapshot.get(Port, server.port_ids[0])
    assert port is not None
    assert server.own_port_ids == server.port_ids == (port.id,)
    assert (port.device_id, port.device_owner, port.host_id) == (server.id, "compute:nova", "compute1")
    assert port.project_id == server.project_id == "alice"
    assert ("compute1", net1.id) in cloud.tags()


def test_servers_spread_over_hosts(cloud: Cloud, net1: Network) -> None:
    made = cloud.decide(lambda d: decide_create_server(d, wanted(cloud, [Nic(network_id=net1.id)], count=3)))
    assert [server.name for server in made] == ["web-1", "web-2", "web-3"]
    assert [server.host for server in made] == ["compute1", "compute2", "compute1"]
    assert len({server.hostname for server in made}) == 3


def test_any_member_names_a_host(cloud: Cloud, net1: Network) -> None:
    server = create(cloud, [Nic(network_id=net1.id)], availability_zone="nova:compute2")
    assert (server.host, server.availability_zone) == ("compute2", "nova")


def test_a_server_that_no_host_takes_is_in_error_and_has_no_ports(cloud: Cloud, net1: Network) -> None:
    ports = cloud.snapshot.count(Port)
    server = create(cloud, [Nic(network_id=net1.id)], hosts_up=frozenset())
    assert (server.vm_state, server.fault, server.host, server.port_ids) == ("error", NO_HOST, "", ())
    assert cloud.snapshot.count(Port) == ports
    with refused("InstanceNotReady", 409):
        act(cloud, decide_stop_server, server)
    cloud.decide(lambda d: decide_delete_server(d, server.id))
    assert cloud.snapshot.count(Server) == 0


def test_an_address_may_be_chosen(cloud: Cloud, net1: Network) -> None:
    server = create(cloud, [Nic(network_id=net1.id, fixed_ip="10.0.0.77")])
    assert addresses(cloud.snapshot.get(Port, server.port_ids[0])) == ["10.0.0.77"]  # type: ignore[arg-type]
    with refused("IpAddressAlreadyAllocated", 409):
        create(cloud, [Nic(network_id=net1.id, fixed_ip="10.0.0.77")])
    with refused("InvalidIpForNetwork", 400):
        create(cloud, [Nic(network_id=net1.id, fixed_ip="192.0.2.1")])


def test_a_given_port_outlives_the_server(cloud: Cloud, net1: Network) -> None:
    port = cloud.port(net1, name="mine")
    server = create(cloud, [Nic(port_id=port.id), Nic(network_id=net1.id)])
    assert server.port_ids[0] == port.id
    assert server.own_port_ids == server.port_ids[1:]
    cloud.decide(lambda d: decide_delete_server(d, server.id))
    freed = cloud.now(port)
    assert (freed.device_id, freed.device_owner, freed.host_id) == ("", "", "")
    assert cloud.snapshot.get(Port, server.port_ids[1]) is None
    assert not [vlan for vlan in cloud.snapshot.all(LocalVlan) if vlan.host == "compute1"]


def test_a_port_in_use_is_refused_and_nothing_is_left_behind(cloud: Cloud, net1: Network) -> None:
    port = cloud.port(net1)
    create(cloud, [Nic(port_id=port.id)])
    before = cloud.snapshot
    for nics in ([Nic(network_id=net1.id), Nic(port_id=port.id)], [Nic(port_id=port.id)]):
        with refused("PortInUse", 409, f"Port {port.id} is still in use"):
            create(cloud, nics)
    assert cloud.snapshot == before


def test_one_port_named_twice_is_refused(cloud: Cloud, net1: Network) -> None:
    port = cloud.port(net1)
    with refused("PortInUse", 409):
        create(cloud, [Nic(port_id=port.id), Nic(port_id=port.id)])


def test_foreign_networks_and_ports_are_not_there(cloud: Cloud, net1: Network) -> None:
    port = cloud.port(net1)
    with refused("NetworkNotFound", 400):
        create(cloud, [Nic(network_id=net1.id)], BOB)
    with refused("PortNotFound", 400):
        create(cloud, [Nic(port_id=port.id)], BOB)
    with refused("PortNotUsable", 400):
        create(cloud, [Nic(port_id=port.id)], ADMIN)


def test_a_shared_network_may_be_used_by_all(cloud: Cloud) -> None:
    network = cloud.network(ADMIN, name="all", shared=True)
    cloud.subnet(network, caller=ADMIN)
    server = create(cloud, [Nic(network_id=network.id)], BOB)
    assert cloud.snapshot.get(Port, server.port_ids[0]).project_id == "bob"  # type: ignore[union-attr]


def test_a_network_without_subnet_takes_no_server(cloud: Cloud) -> None:
    with refused("NetworkRequiresSubnet", 400):
        create(cloud, [Nic(network_id=cloud.network().id)])


@pytest.mark.parametrize("word", ["auto", None])
def test_the_only_network_is_meant_when_none_is_named(cloud: Cloud, net1: Network, word: str | None) -> None:
    server = create(cloud, word)
    assert cloud.snapshot.get(Port, server.port_ids[0]).network_id == net1.id  # type: ignore[union-attr]
    cloud.subnet(cloud.network(name="net2"), "10.1.0.0/24")
    with refused("NetworkAmbiguous", 409, "Multiple possible networks found"):
        create(cloud, word)


def test_without_a_network_only_auto_fails(cloud: Cloud) -> None:
    assert create(cloud, None).port_ids == ()
    assert create(cloud, "none").port_ids == ()
    with refused("UnableToAutoAllocateNetwork", 400):
        create(cloud, "auto")


def test_several_servers_cannot_share_a_port_or_address(cloud: Cloud, net1: Network) -> None:
    for nic in (Nic(port_id=cloud.port(net1).id), Nic(network_id=net1.id, fixed_ip="10.0.0.9")):
        with refused("InvalidInput", 400, "Unable to launch 2 servers"):
            create(cloud, [nic], count=2)


@pytest.mark.parametrize(("field", "fault"), [("flavor_id", "FlavorNotFound"), ("image_id", "ImageNotFound")])
def test_flavor_and_image_must_exist(cloud: Cloud, field: str, fault: str) -> None:
    with refused(fault, 400):
        create(cloud, "none", **{field: "nothing"})


def test_readers_change_nothing(cloud: Cloud, net1: Network) -> None:
    server = running(cloud, net1)
    with pytest.raises(Forbidden):
        create(cloud, "none", READER)
    for decision in (decide_delete_server, decide_stop_server, decide_start_server):
        with pytest.raises(Forbidden):
            act(cloud, decision, server, READER)
    assert find_server(cloud.snapshot, READER, server.id) == server


def test_foreign_servers_are_not_there(cloud: Cloud, net1: Network) -> None:
    server = running(cloud, net1)
    for decision in (decide_delete_server, decide_stop_server, decide_start_server):
        with pytest.raises(NotFound):
            act(cloud, decision, server, BOB)
    with pytest.raises(NotFound):
        act(cloud, decide_reboot_server, server, BOB, hard=True)
    with pytest.raises(NotFound):
        act(cloud, decide_update_server, server, BOB, changes={"name": "x"})
    assert act(cloud, decide_stop_server, server, ADMIN).power == "stopped"


def test_a_report_makes_a_server_active_and_says_since_when(cloud: Cloud, net1: Network) -> None:
    server = running(cloud, net1)
    assert (server.vm_state, server.task_state) == ("active", None)
    assert server.launched_at is not None
    assert report(cloud, server, "running") == server


def test_a_report_of_another_host_or_boot_changes_nothing(cloud: Cloud, net1: Network) -> None:
    server = create(cloud, [Nic(network_id=net1.id)])
    assert report(cloud, server, "running", host="compute2") == server
    assert report(cloud, server, "error", boot=7) == server
    unknown = GuestReport(server_id="nobody", boot=1, state="running")
    assert cloud.decide(lambda d: decide_guest_report(d, "compute1", unknown), ADMIN) is None


def test_a_guest_that_could_not_be_made_is_in_error(cloud: Cloud, net1: Network) -> None:
    server = create(cloud, [Nic(network_id=net1.id)])
    assert report(cloud, server, "running", boot=0) == server
    failed = report(cloud, server, "error", boot=0)
    assert (failed.vm_state, failed.task_state, failed.fault) == ("error", None, "it burns")
    assert report(cloud, server, "running").vm_state == "active"


def test_stopping_and_starting(cloud: Cloud, net1: Network) -> None:
    server = running(cloud, net1)
    stopping = act(cloud, decide_stop_server, server)
    assert (stopping.power, stopping.vm_state, stopping.task_state) == ("stopped", "active", "powering-off")
    assert report(cloud, server, "running").task_state == "powering-off"
    stopped = report(cloud, server, "stopped")
    assert (stopped.vm_state, stopped.task_state) == ("stopped", None)
    starting = act(cloud, decide_start_server, server)
    assert (starting.power, starting.task_state, starting.boot) == ("running", "powering-on", 2)
    assert report(cloud, server, "stopped", boot=1) == starting
    assert report(cloud, server, "stopped", boot=2).task_state == "powering-on"
    assert report(cloud, server, "running").vm_state == "active"


def test_a_reboot_ends_with_a_report_of_the_new_boot(cloud: Cloud, net1: Network) -> None:
    server = running(cloud, net1)
    rebooting = act(cloud, decide_reboot_server, server, hard=False)
    assert (rebooting.boot, rebooting.task_state, rebooting.vm_state) == (2, "rebooting", "active")
    assert report(cloud, server, "running", boot=1) == rebooting
    assert report(cloud, server, "running", boot=2).task_state is None


def test_a_hard_reboot_gets_a_stopped_or_failed_server_up(cloud: Cloud, net1: Network) -> None:
    server = report(cloud, running(cloud, net1), "error")
    assert (server.vm_state, server.fault) == ("error", "it burns")
    with refused("InstanceInvalidState", 409):
        act(cloud, decide_reboot_server, server, hard=False)
    act(cloud, decide_reboot_server, server, hard=True)
    up = report(cloud, server, "running")
    assert (up.vm_state, up.fault) == ("active", "")


def test_a_guest_that_ends_by_itself_is_shown_stopped(cloud: Cloud, net1: Network) -> None:
    server = report(cloud, running(cloud, net1), "stopped")
    assert (server.vm_state, server.power) == ("stopped", "running")
    assert report(cloud, server, "running").vm_state == "active"


def test_actions_wait_for_their_state(cloud: Cloud, net1: Network) -> None:
    building = create(cloud, [Nic(network_id=net1.id)])
    with pytest.raises(Conflict):
        act(cloud, decide_stop_server, building)
    with pytest.raises(Conflict):
        act(cloud, decide_reboot_server, building, hard=True)
    server = running(cloud, net1)
    with refused("InstanceInvalidState", 409, "Cannot 'start' instance"):
        act(cloud, decide_start_server, server)
    act(cloud, decide_stop_server, server)
    with refused("InstanceInvalidState", 409, "task_state powering-off"):
        act(cloud, decide_stop_server, server)


def test_a_port_deleted_behind_the_server_is_no_matter(cloud: Cloud, net1: Network) -> None:
    server = running(cloud, net1)
    cloud.delete(cloud.snapshot.get(Port, server.port_ids[0]))
    cloud.decide(lambda d: decide_delete_server(d, server.id))
    assert cloud.snapshot.count(Server) == 0


def test_renaming_keeps_the_host_name(cloud: Cloud, net1: Network) -> None:
    server = running(cloud, net1)
    assert act(cloud, decide_update_server, server, changes={"name": "other"}).hostname == "web"


@pytest.mark.parametrize(
    ("name", "hostname"),
    [
        ("web", "web"),
        ("My Web_server.example", "my-web-server-example"),
        ("-a-", "a"),
        ("Grün", "grn"),
        ("x" * 80, "x" * 63),
        ("日本", "server-id"),
        ("a/../b", "a-b"),
    ],
)
def test_host_names_follow_from_names(name: str, hostname: str) -> None:
    assert hostname_of(name, "id") == hostname


@given(st.text(min_size=1, max_size=255))
def test_every_name_gives_a_host_name_that_is_safe(name: str) -> None:
    found = hostname_of(name, "8c1f1e1e-0000-4000-8000-000000000000")
    assert 1 <= len(found) <= 63
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not found.startswith("-")
    assert not found.endswith("-")


def test_ensuring_the_catalogue_twice_changes_nothing(cloud: Cloud) -> None:
    before = cloud.snapshot
    cloud.decide(ensure_catalogue, ADMIN)
    assert cloud.snapshot == before


def test_a_flavor_in_use_stays(cloud: Cloud) -> None:
    flavor = cloud.decide(lambda d: decide_create_flavor(d, {"name": "big", "ram_mb": 512}), ADMIN)
    server = create(cloud, "none", flavor_id=flavor.id)
    with refused("FlavorInUse", 409):
        cloud.decide(lambda d: decide_delete_flavor(d, flavor.id), ADMIN)
    cloud.decide(lambda d: decide_delete_server(d, server.id))
    cloud.decide(lambda d: decide_delete_flavor(d, flavor.id), ADMIN)
    with refused("FlavorExists", 409):
        cloud.decide(lambda d: decide_create_flavor(d, {"name": "nano"}), ADMIN)
    with pytest.raises(Forbidden):
        cloud.decide(lambda d: decide_create_flavor(d, {"name": "x"}), ALICE)
