"""The metadata API: who may ask, and what there is."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace as but
from typing import Any

import pytest

from netglass.api.app import create_app
from netglass.model.protocol import host_credential, instance_signature
from netglass.model.resources import FixedIp, Flavor, HostRoute, Network, Port, Server, Subnet
from support.clients import Client

SECRET, AGENTS = "shared", "agents"
DATA = b"#!/bin/sh\necho \x00\xff\n"
PORT = "0a1b2c3d-4e5f-4797-b7c0-7d420d84040c"


@pytest.fixture
def guests(served: Any) -> Client:
    rows = [
        Network(id="blue", project_id="p1", mtu=1450),
        Subnet(id="s4", network_id="blue", cidr="10.0.0.0/24", gateway_ip="10.0.0.1", dns_nameservers=("9.9.9.9",)),
        Subnet(
            id="s6",
            network_id="blue",
            ip_version=6,
            cidr="fd00::/64",
            gateway_ip="fd00::1",
            enable_dhcp=False,
            host_routes=(HostRoute("fd01::/64", "fd00::9"),),
        ),
        Port(
            id="dhcp", network_id="blue", mac_address="fa:16:3e:00:00:02", device_owner="network:dhcp", host_id="net1"
        ),
        Port(
            id=PORT,
            network_id="blue",
            mac_address="fa:16:3e:00:00:05",
            device_id="vm",
            device_owner="compute:nova",
            fixed_ips=(FixedIp("s4", "10.0.0.5"), FixedIp("s6", "fd00::5")),
        ),
        Flavor(id="f1", name="m1.nano"),
        Server(
            id="vm",
            project_id="p1",
            name="One",
            hostname="one",
            flavor_id="f1",
            image_id="image",
            availability_zone="west",
            metadata={"role": "web"},
            user_data=b64encode(DATA).decode(),
            port_ids=(PORT,),
        ),
        Server(id="bare", project_id="p1", name="bare", hostname="bare", flavor_id="gone", image_id="image"),
    ]
    served.decide(lambda d: [d.draft.put(row) for row in rows])
    services = but(served.services, metadata_secret=SECRET, agent_secret=AGENTS)
    return Client(create_app(services), "http://cloud.test:9696")


def signed(instance: str = "vm", project: str = "p1", secret: str = SECRET) -> dict[str, str]:
    signature = instance_signature(secret, instance)
    return {"X-Instance-ID": instance, "X-Tenant-ID": project, "X-Instance-ID-Signature": signature}


def get(guests: Client, path: str, instance: str = "vm") -> Any:
    answer = guests.get(f"/metadata{path}", headers=signed(instance))
    assert answer.status_code == 200, (path, answer.status_code)
    return answer


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"X-Instance-ID": "vm", "X-Tenant-ID": "p1"}, 400),
        (signed(secret="another"), 403),
        (signed() | {"X-Instance-ID": "bare"}, 403),
        (signed() | {"X-Instance-ID-Signature": "ä"}, 403),
        (signed(project="p2"), 404),
        (signed("nobody"), 404),
    ],
)
def test_only_what_is_signed_for_an_instance_of_that_project_is_answered(
    guests: Client, headers: dict[str, str], status: int
) -> None:
    encoded = {name: value.encode() for name, value in headers.items()}
    for path in ("", "/", "/openstack/latest/meta_data.json", "/latest/user-data"):
        assert guests.get(f"/metadata{path}", headers=encoded).status_code == status


def test_headers_that_come_twice_are_refused(guests: Client) -> None:
    for name, value in signed().items():
        twice = [*signed().items(), (name, value)]
        assert guests.get("/metadata/latest/", headers=twice).status_code == 400


def test_without_a_secret_nobody_is_answered(served: Any) -> None:
    answer = served.http.get("/metadata/latest/", headers=signed())
    assert answer.status_code == 403


def test_meta_data_says_who_the_instance_is(guests: Client) -> None:
    found = get(guests, "/openstack/latest/meta_data.json").json()
    assert len(found.pop("random_seed")) > 600
    assert found == {
        "uuid": "vm",
        "name": "One",
        "hostname": "one.openstacklocal",
        "availability_zone": "west",
        "project_id": "p1",
        "launch_index": 0,
        "meta": {"role": "web"},
        "public_keys": {},
        "keys": [],
        "devices": [],
        "dedicated_cpus": [],
    }


def test_network_data_leaves_to_dhcp_what_dhcp_says_and_tells_the_rest(guests: Client) -> None:
    found = get(guests, "/openstack/latest/network_data.json").json()
    tap = "tap0a1b2c3d-4e"
    assert found["links"] == [
        {"id": tap, "vif_id": PORT, "type": "ovs", "mtu": 1450, "ethernet_mac_address": "fa:16:3e:00:00:05"}
    ]
    ffff64 = "ffff:ffff:ffff:ffff::"
    assert found["networks"] == [
        {"id": "network0", "type": "ipv4_dhcp", "link": tap, "network_id": "blue"},
        {
            "id": "network1",
            "type": "ipv6",
            "link": tap,
            "network_id": "blue",
            "ip_address": "fd00::5",
            "netmask": ffff64,
            "routes": [
                {"network": "::", "netmask": "::", "gateway": "fd00::1"},
                {"network": "fd01::", "netmask": ffff64, "gateway": "fd00::9"},
            ],
            "services": [],
        },
    ]
    assert found["services"] == [{"type": "dns", "address": "9.9.9.9"}]


def test_user_data_comes_as_the_bytes_that_were_given(guests: Client) -> None:
    for path in ("/openstack/latest/user_data", "/latest/user-data", "/2009-04-04/user-data"):
        answer = get(guests, path)
        assert answer.content == DATA
        assert answer.headers["content-type"] == "application/octet-stream"
        assert guests.get(f"/metadata{path}", headers=signed("bare")).status_code == 404
    assert "user-data" not in get(guests, "/latest/", "bare").text


def test_a_version_has_what_it_had_when_it_was_named(guests: Client) -> None:
    oldest, latest = (get(guests, f"/openstack/{version}").text.split() for version in ("2012-08-10", "latest"))
    assert oldest == ["meta_data.json", "user_data"]
    assert latest == [*oldest, "password", "vendor_data.json", "network_data.json", "vendor_data2.json"]
    assert "project_id" not in get(guests, "/openstack/2012-08-10/meta_data.json").json()
    assert "keys" not in get(guests, "/openstack/2015-10-15/meta_data.json").json()
    for version in get(guests, "/openstack/").text.split():
        for name in get(guests, f"/openstack/{version}/").text.split():
            get(guests, f"/openstack/{version}/{name}")


def test_every_entry_of_the_ec2_tree_can_be_read(guests: Client) -> None:
    def walk(path: str) -> dict[str, str]:
        found = {}
        for name in get(guests, path).text.split():
            found |= walk(path + name) if name.endswith("/") else {path + name: get(guests, path + name).text}
        return found

    versions = get(guests, "/").text.split()
    assert versions[-2:] == ["2009-04-04", "latest"]
    for version in versions:
        found = walk(f"/{version}/meta-data/")
        at = f"/{version}/meta-data"
        assert found[f"{at}/local-ipv4"] == "10.0.0.5"
        assert found[f"{at}/hostname"] == "one.openstacklocal"
        assert found[f"{at}/instance-type"] == "m1.nano"
        assert found[f"{at}/placement/availability-zone"] == "west"
    assert get(guests, "/latest/meta-data/instance-type", "bare").text == ""


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/openstack/1999-01-01",
        "/openstack/latest/nothing",
        "/openstack/latest/meta_data.json/more",
        "/openstack/2012-08-10/network_data.json",
        "/latest/nothing",
        "/latest/meta-data/hostname/more",
        "/latest/user-data/more",
    ],
)
def test_what_is_not_there_is_not_found(guests: Client, path: str) -> None:
    assert guests.get(f"/metadata{path}", headers=signed()).status_code == 404


def ask(guests: Client, query: str, host: str = "net1", of: str = "net1") -> Any:
    headers = {"Authorization": f"Bearer {host_credential(AGENTS, of)}"}
    return guests.get(f"/netglass/v1/hosts/{host}/instance?{query}", headers=headers)


def test_a_host_is_told_who_has_an_address_on_a_network_that_it_serves(guests: Client) -> None:
    answer = ask(guests, "network_id=blue&address=10.0.0.5")
    assert json.loads(answer.content) == {"id": "vm", "project_id": "p1"}
    assert ask(guests, "network_id=blue&address=10.0.0.6").status_code == 404
    assert ask(guests, "network_id=blue&address=10.0.0.5", "net2", "net2").status_code == 404
    assert ask(guests, "network_id=blue&address=10.0.0.5", "net1", "net2").status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "",
        "network_id=blue",
        "address=10.0.0.5",
        "network_id=blue&router_id=r&address=10.0.0.5",
        "network_id=blue&network_id=red&address=10.0.0.5",
        "network_id=blue&address=10.0.0.5&address=10.0.0.6",
    ],
)
def test_a_question_that_could_be_read_in_two_ways_is_refused(guests: Client, query: str) -> None:
    assert ask(guests, query).status_code == 400
