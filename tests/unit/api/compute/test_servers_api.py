from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest

from netglass.model.protocol import Answer, GuestReport, Question
from netglass.model.resources import Flavor, Image, Port, Server
from support.clients import Client

V21 = "/compute/v2.1"
NEWEST = {"OpenStack-API-Version": "compute 2.79"}


class Lab:
    """A served cloud with two computes and the demo user's network."""

    def __init__(self, served: Any) -> None:
        self.served = served
        for host in ("compute1", "compute2"):
            served.register(host, "hypervisor")
        served.register("control", "network")
        self.demo: Client = served.as_("demo")
        self.demo.headers.update(NEWEST)
        self.flavor = next(served.store.snapshot.all(Flavor)).id
        self.image = next(served.store.snapshot.all(Image)).id
        self.network = self.make_network(self.demo, "net1", "10.0.0.0/24")

    def make_network(self, client: Client, name: str, cidr: str) -> str:
        network = client.post("/v2.0/networks", json={"network": {"name": name}}).json()["network"]["id"]
        subnet = {"network_id": network, "cidr": cidr, "ip_version": 4}
        assert client.post("/v2.0/subnets", json={"subnet": subnet}).status_code == 201
        return str(network)

    def body(self, **more: Any) -> dict[str, Any]:
        wanted = {"name": "web", "flavorRef": self.flavor, "imageRef": self.image, "networks": "auto", **more}
        return {"server": {name: value for name, value in wanted.items() if value is not ...}}

    def create(self, client: Client | None = None, **more: Any) -> str:
        response = (client or self.demo).post(V21 + "/servers", json=self.body(**more))
        assert response.status_code == 202, response.text
        return str(response.json()["server"]["id"])

    def running(self, client: Client | None = None, **more: Any) -> str:
        server_id = self.create(client, **more)
        self.report(server_id, "running")
        return server_id

    def report(self, server_id: str, state: str, error: str = "") -> None:
        row = self.served.store.snapshot.get(Server, server_id)
        self.served.report(row.host, GuestReport(server_id=server_id, boot=row.boot, state=state, error=error))

    def show(self, server_id: str, client: Client | None = None, version: str = "2.79") -> Any:
        headers = {"OpenStack-API-Version": f"compute {version}"}
        return (client or self.demo).get(f"{V21}/servers/{server_id}", headers=headers).json()["server"]

    def act(self, server_id: str, client: Client | None = None, **action: Any) -> int:
        action = {name.replace("_", "-", 1) if name.startswith("os_") else name: v for name, v in action.items()}
        return (client or self.demo).post(f"{V21}/servers/{server_id}/action", json=action).status_code


@pytest.fixture
def lab(served: Any) -> Iterator[Lab]:
    return Lab(served)


def names(client: Client, query: str = "", detail: bool = False) -> list[str]:
    path = "/servers/detail" if detail else "/servers"
    return [server["name"] for server in client.get(f"{V21}{path}{query}").json()["servers"]]


def test_a_server_is_built_and_becomes_active(lab: Lab) -> None:
    response = lab.demo.post(V21 + "/servers", json=lab.body(networks=[{"uuid": lab.network}]))
    assert response.status_code == 202
    answer = response.json()["server"]
    assert set(answer) == {"id", "links", "OS-DCF:diskConfig", "security_groups"}
    assert response.headers["Location"] == f"http://cloud.test:9696{V21}/servers/{answer['id']}"
    building = lab.show(answer["id"])
    assert (building["status"], building["OS-EXT-STS:task_state"], building["OS-EXT-STS:power_state"]) == (
        "BUILD",
        "spawning",
        0,
    )
    lab.report(answer["id"], "running")
    server = lab.show(answer["id"])
    assert (server["status"], server["OS-EXT-STS:vm_state"], server["OS-EXT-STS:power_state"]) == (
        "ACTIVE",
        "active",
        1,
    )
    assert server["flavor"]["original_name"] == "nano"
    assert server["image"]["id"] == lab.image
    (address,) = server["addresses"]["net1"]
    assert (address["addr"], address["version"], address["OS-EXT-IPS:type"]) == ("10.0.0.3", 4, "fixed")
    port = next(p for p in lab.served.store.snapshot.all(Port) if p.device_id == answer["id"])
    assert address["OS-EXT-IPS-MAC:mac_addr"] == port.mac_address


def test_only_admins_see_the_host(lab: Lab, admin: Client) -> None:
    server = lab.running(availability_zone="nova:compute2")
    assert not [name for name in lab.show(server) if name.startswith("OS-EXT-SRV-ATTR:")]
    assert lab.show(server)["OS-EXT-AZ:availability_zone"] == "nova"
    shown = lab.show(server, admin)
    assert shown["OS-EXT-SRV-ATTR:host"] == "compute2"
    assert shown["OS-EXT-SRV-ATTR:hostname"] == "web"
    assert shown["host_status"] == "UP"
    assert lab.show(server)["hostId"] != lab.show(lab.running(availability_zone="nova:compute1"))["hostId"]


@pytest.mark.parametrize(
    ("version", "has", "has_not"),
    [
        ("2.1", [], ["locked", "description", "tags", "server_groups", "locked_reason", "trusted_image_certificates"]),
        ("2.9", ["locked"], ["description"]),
        ("2.19", ["locked", "description"], ["tags"]),
        ("2.26", ["tags"], ["trusted_image_certificates"]),
        ("2.71", ["trusted_image_certificates", "server_groups"], ["locked_reason"]),
        ("2.79", ["locked_reason"], []),
    ],
)
def test_attributes_come_with_their_microversion(lab: Lab, version: str, has: list[str], has_not: list[str]) -> None:
    server = lab.show(lab.running(), version=version)
    assert set(has) <= set(server)
    assert not set(has_not) & set(server)


def test_the_flavor_is_embedded_from_2_47_on(lab: Lab) -> None:
    server = lab.running()
    assert set(lab.show(server, version="2.46")["flavor"]) == {"id", "links"}
    assert set(lab.show(server, version="2.47")["flavor"]) == {
        "original_name",
        "vcpus",
        "ram",
        "disk",
        "ephemeral",
        "swap",
        "extra_specs",
    }


def test_several_servers_at_once(lab: Lab) -> None:
    lab.create(min_count=2, max_count=3)
    assert sorted(names(lab.demo)) == ["web-1", "web-2", "web-3"]
    reserved = lab.demo.post(V21 + "/servers", json=lab.body(return_reservation_id=True)).json()
    assert reserved["reservation_id"].startswith("r-")


def test_without_a_host_the_server_is_in_error_with_a_reason(lab: Lab, admin: Client) -> None:
    for host in ("compute1", "compute2"):
        body = {"host": host, "binary": "nova-compute"}
        assert admin.put(V21 + "/os-services/disable", json=body).status_code == 200
    server = lab.show(lab.create())
    assert server["status"] == "ERROR"
    assert server["fault"]["message"] == "No valid host was found."
    assert server["fault"]["code"] == 500
    assert server["addresses"] == {}
    assert lab.act(server["id"], os_getConsoleOutput={}) == 409
    assert lab.demo.delete(f"{V21}/servers/{server['id']}").status_code == 204


def test_a_guest_that_fails_shows_why(lab: Lab) -> None:
    server = lab.create()
    lab.report(server, "error", "no such program")
    assert lab.show(server)["fault"]["message"] == "no such program"


def test_a_server_on_a_given_port(lab: Lab) -> None:
    fixed = {"ip_address": "10.0.0.50"}
    port = lab.demo.post("/v2.0/ports", json={"port": {"network_id": lab.network, "fixed_ips": [fixed]}}).json()["port"]
    server = lab.running(networks=[{"port": port["id"]}])
    assert lab.show(server)["addresses"]["net1"][0]["addr"] == "10.0.0.50"
    again = lab.demo.post(V21 + "/servers", json=lab.body(networks=[{"port": port["id"]}]))
    assert again.status_code == 409
    assert again.json() == {
        "conflictingRequest": {"code": 409, "message": f"Port {port['id']} is still in use."},
    }
    (interface,) = lab.demo.get(f"{V21}/servers/{server}/os-interface").json()["interfaceAttachments"]
    assert (interface["port_id"], interface["net_id"], interface["mac_addr"]) == (
        port["id"],
        lab.network,
        port["mac_address"],
    )
    one = lab.demo.get(f"{V21}/servers/{server}/os-interface/{port['id']}").json()["interfaceAttachment"]
    assert one["fixed_ips"][0]["ip_address"] == "10.0.0.50"
    assert lab.demo.get(f"{V21}/servers/{server}/os-interface/{lab.network}").status_code == 404
    assert lab.demo.delete(f"{V21}/servers/{server}").status_code == 204
    freed = lab.demo.get(f"/v2.0/ports/{port['id']}").json()["port"]
    assert (freed["device_id"], freed["device_owner"]) == ("", "")


def test_a_deleted_server_is_gone_with_its_ports(lab: Lab) -> None:
    server = lab.running()
    url = f"{V21}/servers/{server}"
    assert lab.demo.delete(url).status_code == 204
    assert lab.demo.get(url).status_code == 404
    assert lab.demo.delete(url).status_code == 404
    assert lab.demo.get(f"/v2.0/ports?device_id={server}").json()["ports"] == []


def test_stop_start_and_reboot(lab: Lab) -> None:
    server = lab.running()
    assert lab.act(server, os_stop=None) == 202
    assert lab.show(server)["OS-EXT-STS:task_state"] == "powering-off"
    lab.report(server, "stopped")
    assert (lab.show(server)["status"], lab.show(server)["OS-EXT-STS:power_state"]) == ("SHUTOFF", 4)
    assert lab.act(server, os_stop=None) == 409
    assert lab.act(server, os_start=None) == 202
    lab.report(server, "running")
    assert lab.act(server, reboot={"type": "SOFT"}) == 202
    assert lab.show(server)["status"] == "REBOOT"
    lab.report(server, "running")
    assert lab.act(server, reboot={"type": "HARD"}) == 202
    assert lab.show(server)["status"] == "HARD_REBOOT"
    lab.report(server, "running")
    assert lab.show(server)["status"] == "ACTIVE"


@pytest.mark.parametrize(
    "action", [{}, {"pause": None}, {"os-start": None, "os-stop": None}, {"reboot": {"type": "KICK"}}, {"reboot": None}]
)
def test_actions_that_there_are_not(lab: Lab, action: Any) -> None:
    server = lab.running()
    assert lab.demo.post(f"{V21}/servers/{server}/action", json=action).status_code == 400


def test_the_console_is_asked_of_the_servers_host(lab: Lab) -> None:
    server = lab.running()
    asked: list[tuple[str, Question]] = []
    answering: list[asyncio.Future[None]] = []

    def agent(host: str, question: Question) -> bool:
        asked.append((host, question))
        answer = Answer(ok=True, value="login:")
        answering.append(asyncio.ensure_future(lab.served.questions.answer(host, question.id, answer)))
        return True

    lab.served.questions.carry_by(agent)
    url = f"{V21}/servers/{server}/action"
    response = lab.demo.post(url, json={"os-getConsoleOutput": {"length": 5}})
    assert response.json() == {"output": "login:"}
    assert lab.demo.post(url, json={"os-getConsoleOutput": {}}).status_code == 200
    assert [(host, q.ask, q.arguments) for host, q in asked] == [
        ("compute1", "console", {"server_id": server, "length": "5"}),
        ("compute1", "console", {"server_id": server, "length": "-1"}),
    ]
    assert lab.demo.post(url, json={"os-getConsoleOutput": {"length": "x"}}).status_code == 400


def test_the_console_of_a_silent_host_is_unavailable(lab: Lab) -> None:
    server = lab.running()
    lab.served.questions.carry_by(lambda host, question: False)
    response = lab.demo.post(f"{V21}/servers/{server}/action", json={"os-getConsoleOutput": {}})
    assert response.status_code == 503
    assert "compute1" in response.json()["serviceUnavailable"]["message"]


def test_foreign_servers_are_not_there(lab: Lab, rival: Client, admin: Client) -> None:
    server = lab.running()
    url = f"{V21}/servers/{server}"
    calls = [
        rival.get(url),
        rival.put(url, json={"server": {"name": "x"}}),
        rival.delete(url),
        rival.post(url + "/action", json={"os-stop": None}),
        rival.post(url + "/action", json={"os-getConsoleOutput": {}}),
        rival.get(url + "/os-interface"),
        rival.get(url + "/metadata"),
        rival.post(url + "/metadata", json={"metadata": {"a": "b"}}),
        rival.delete(url + "/metadata/a"),
        rival.get(url + "/ips"),
    ]
    assert {call.status_code for call in calls} == {404}
    assert calls[0].json() == {"itemNotFound": {"code": 404, "message": f"Instance {server} could not be found."}}
    assert names(rival) == names(rival, "", True) == []
    assert rival.get(V21 + "/servers?all_tenants=1").status_code == 403
    assert names(admin) == []
    assert names(admin, "?all_tenants=1") == ["web"]
    assert admin.get(url).status_code == 200


def test_foreign_networks_cannot_be_used(lab: Lab, rival: Client) -> None:
    rival.headers.update(NEWEST)
    response = rival.post(V21 + "/servers", json=lab.body(networks=[{"uuid": lab.network}]))
    assert response.status_code == 400
    assert response.json()["badRequest"]["message"] == f"Network {lab.network} could not be found."


def test_readers_look_and_do_nothing(lab: Lab) -> None:
    server = lab.running()
    watcher: Client = lab.served.as_("watcher")
    watcher.headers.update(NEWEST)
    url = f"{V21}/servers/{server}"
    assert watcher.get(url).status_code == 200
    assert watcher.post(V21 + "/servers", json=lab.body()).status_code == 403
    assert watcher.delete(url).status_code == 403
    assert watcher.put(url, json={"server": {"name": "x"}}).status_code == 403
    assert watcher.post(url + "/action", json={"os-stop": None}).status_code == 403
    assert watcher.post(url + "/metadata", json={"metadata": {"a": "b"}}).status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"name": ...},
        {"name": ""},
        {"name": " "},
        {"name": "x" * 256},
        {"name": "a\nb"},
        {"name": 5},
        {"flavorRef": ...},
        {"flavorRef": "nothing"},
        {"imageRef": ...},
        {"imageRef": "nothing"},
        {"networks": ...},
        {"networks": "some"},
        {"networks": [{}]},
        {"networks": [{"uuid": "nothing"}]},
        {"networks": [{"port": "nothing"}]},
        {"networks": [{"uuid": "nothing", "colour": "red"}]},
        {"networks": [{"port": "x", "fixed_ip": "10.0.0.9"}]},
        {"networks": [{"uuid": "x", "fixed_ip": "10.0.0.999"}]},
        {"min_count": 0},
        {"min_count": 3, "max_count": 2},
        {"max_count": 101},
        {"availability_zone": "mars"},
        {"availability_zone": "nova:nobody"},
        {"key_name": "mine"},
        {"security_groups": [{"name": "web"}]},
        {"user_data": "not base64!"},
        {"user_data": b64encode(b"x" * 60000).decode()},
        {"metadata": {"a": 1}},
        {"metadata": {"a": "x" * 256}},
        {"metadata": {"": "x"}},
        {"block_device_mapping_v2": [{"source_type": "volume", "destination_type": "volume", "boot_index": 0}]},
        {"OS-DCF:diskConfig": "MAYBE"},
        {"OS-SCH-HNT:scheduler_hints": {"group": "x"}},
        {"colour": "red"},
    ],
    ids=str,
)
def test_bad_requests_make_nothing(lab: Lab, change: dict[str, Any]) -> None:
    before = lab.served.store.snapshot.revision
    response = lab.demo.post(V21 + "/servers", json=lab.body(**change))
    assert response.status_code == 400
    assert response.json()["badRequest"]["code"] == 400
    assert lab.served.store.snapshot.revision == before


def test_too_many_ports_are_forbidden(lab: Lab, admin: Client) -> None:
    project = lab.demo.get("/identity/v3/projects").json()["projects"][0]["id"]
    assert admin.put(f"/v2.0/quotas/{project}", json={"quota": {"port": 1}}).status_code == 200
    response = lab.demo.post(V21 + "/servers", json=lab.body())
    assert response.status_code == 403
    assert "Quota exceeded" in response.json()["forbidden"]["message"]
    assert names(lab.demo) == []


def test_the_image_may_be_named_as_a_disk(lab: Lab) -> None:
    disk = {"uuid": lab.image, "boot_index": 0, "source_type": "image", "destination_type": "local"}
    disk["delete_on_termination"] = True
    server = lab.create(imageRef=..., block_device_mapping_v2=[disk])
    assert lab.show(server)["image"]["id"] == lab.image


def test_before_2_37_networks_may_be_left_out(lab: Lab) -> None:
    old = {"OpenStack-API-Version": "compute 2.1"}
    body = lab.body(networks=...)
    server = lab.demo.post(V21 + "/servers", json=body, headers=old).json()["server"]["id"]
    assert list(lab.show(server)["addresses"]) == ["net1"]
    lab.make_network(lab.demo, "net2", "10.2.0.0/24")
    response = lab.demo.post(V21 + "/servers", json=body, headers=old)
    assert response.status_code == 409
    assert "Multiple possible networks found" in response.json()["conflictingRequest"]["message"]


def test_servers_are_found_by_what_the_query_says(lab: Lab, admin: Client) -> None:
    for name in ("web1", "web2", "db"):
        lab.running(name=name)
    stopped = lab.running(name="old", availability_zone="nova:compute2")
    lab.act(stopped, os_stop=None)
    lab.report(stopped, "stopped")
    assert sorted(names(lab.demo)) == ["db", "old", "web1", "web2"]
    assert sorted(names(lab.demo, "?name=web")) == ["web1", "web2"]
    assert names(lab.demo, "?name=^web1$") == ["web1"]
    assert names(lab.demo, "?name=^eb") == []
    assert names(lab.demo, "?status=SHUTOFF") == ["old"]
    assert names(lab.demo, "?ip=10.0.0.3") == ["web1"]
    assert names(lab.demo, f"?uuid={stopped}") == ["old"]
    assert names(lab.demo, "?flavor=nothing") == []
    assert len(names(lab.demo, f"?image={lab.image}&deleted=False", True)) == 4
    assert names(lab.demo, "?sort_key=display_name&sort_dir=asc") == ["db", "old", "web1", "web2"]
    assert names(admin, "?all_tenants=True&host=compute2&name=old") == ["old"]
    assert names(admin, "?all_tenants=True&deleted=True") == []
    assert lab.demo.get(V21 + "/servers?sort_key=colour").status_code == 400
    assert lab.demo.get(V21 + "/servers?colour=red").status_code == 400
    assert len(names(admin, "?all_tenants=1&colour=red")) == 4  # 2.1 leaves unknown filters alone, as Nova does


def test_a_hostile_name_filter_costs_nothing(lab: Lab) -> None:
    lab.running(name="a" * 100)
    assert names(lab.demo, "?name=(a%2B)%2B$") == []


def test_pages_of_servers_fit_together(lab: Lab) -> None:
    lab.create(min_count=5)
    url, found = f"{V21}/servers?limit=2", []
    for _ in range(3):
        page = lab.demo.get(url).json()
        found += [server["name"] for server in page["servers"]]
        url = page["servers_links"][0]["href"] if "servers_links" in page else ""
    assert url == ""
    assert len(found) == len(set(found)) == 5
    assert lab.demo.get(V21 + "/servers?limit=x").status_code == 400
    assert lab.demo.get(V21 + "/servers?marker=nothing").status_code == 400


def test_name_description_and_metadata_change(lab: Lab) -> None:
    server = lab.running(metadata={"a": "1"}, description="first")
    url = f"{V21}/servers/{server}"
    changed = lab.demo.put(url, json={"server": {"name": "other", "description": None}}).json()["server"]
    assert (changed["name"], changed["description"]) == ("other", None)
    assert lab.demo.put(url, json={"server": {"status": "ERROR"}}).status_code == 400
    assert lab.demo.post(url + "/metadata", json={"metadata": {"b": "2"}}).json() == {"metadata": {"a": "1", "b": "2"}}
    assert lab.demo.put(url + "/metadata", json={"metadata": {"c": "3"}}).json() == {"metadata": {"c": "3"}}
    assert lab.demo.delete(url + "/metadata/c").status_code == 204
    assert lab.demo.delete(url + "/metadata/c").status_code == 404
    assert lab.demo.get(url + "/metadata").json() == {"metadata": {}}


def test_tags_are_set_asked_for_and_taken_away(lab: Lab) -> None:
    url = f"{V21}/servers/{lab.running(tags=['a'])}/tags"
    assert lab.demo.put(url + "/b").status_code == 201
    assert lab.demo.put(url + "/b").status_code == 204
    assert lab.demo.get(url).json() == {"tags": ["a", "b"]}
    assert [lab.demo.get(f"{url}/{tag}").status_code for tag in "bc"] == [204, 404]
    assert [lab.demo.delete(f"{url}/{tag}").status_code for tag in "ac"] == [204, 404]
    assert lab.demo.put(url, json={"tags": ["z", "y"]}).json() == {"tags": ["y", "z"]}
    for tags in (["a,b"], ["x" * 61], [1], [f"t{number}" for number in range(51)]):
        assert lab.demo.put(url, json={"tags": tags}).status_code == 400
    assert lab.demo.put(url + "/a,b").status_code == 400
    assert lab.demo.get(url, headers={"OpenStack-API-Version": "compute 2.25"}).status_code == 404
    assert lab.served.as_("rival").put(url + "/b", headers=NEWEST).status_code == 404
    assert lab.demo.delete(url).status_code == 204
    assert lab.demo.get(url).json() == {"tags": []}


def test_addresses_alone(lab: Lab) -> None:
    server = lab.running()
    found = lab.demo.get(f"{V21}/servers/{server}/ips").json()["addresses"]
    assert found == {"net1": [{"addr": "10.0.0.3", "version": 4}]}


def test_floating_addresses_stand_after_the_own_ones_and_are_not_searched(lab: Lab, admin: Client) -> None:
    public = admin.post("/v2.0/networks", json={"network": {"router:external": True}}).json()["network"]["id"]
    outer = {"network_id": public, "cidr": "203.0.113.0/24", "ip_version": 4}
    assert admin.post("/v2.0/subnets", json={"subnet": outer}).status_code == 201
    gateway = {"router": {"external_gateway_info": {"network_id": public}}}
    router = lab.demo.post("/v2.0/routers", json=gateway).json()["router"]["id"]
    subnet = lab.demo.get(f"/v2.0/subnets?network_id={lab.network}").json()["subnets"][0]["id"]
    added = lab.demo.put(f"/v2.0/routers/{router}/add_router_interface", json={"subnet_id": subnet})
    assert added.status_code == 200, added.text
    server = lab.running()
    port = lab.demo.get(f"/v2.0/ports?device_id={server}").json()["ports"][0]
    wanted = {"floatingip": {"floating_network_id": public, "port_id": port["id"]}}
    made = lab.demo.post("/v2.0/floatingips", json=wanted).json()["floatingip"]
    own = port["fixed_ips"][0]["ip_address"]

    shown = [(e["addr"], e["OS-EXT-IPS:type"], e["version"]) for e in lab.show(server)["addresses"]["net1"]]
    assert shown == [(own, "fixed", 4), (made["floating_ip_address"], "floating", 4)]
    assert {e["OS-EXT-IPS-MAC:mac_addr"] for e in lab.show(server)["addresses"]["net1"]} == {port["mac_address"]}
    assert names(lab.demo, f"?ip={own}$") == ["web"]
    assert names(lab.demo, f"?ip={made['floating_ip_address']}") == []
    lab.demo.put(f"/v2.0/floatingips/{made['id']}", json={"floatingip": {"port_id": None}})
    assert [e["addr"] for e in lab.show(server)["addresses"]["net1"]] == [own]


def test_there_are_no_screens_and_no_volumes(lab: Lab) -> None:
    server = lab.running()
    console = {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    assert lab.demo.post(f"{V21}/servers/{server}/remote-consoles", json=console).status_code == 400
    assert lab.demo.get(f"{V21}/servers/{server}/os-volume_attachments").json() == {"volumeAttachments": []}
