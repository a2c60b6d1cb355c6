"""Versions, flavors, hosts and the small calls."""

from __future__ import annotations

from typing import Any

import pytest

from support.clients import Client

V21 = "/compute/v2.1"


def version(number: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {number}"}


def test_the_version_document_needs_no_token(served: Any) -> None:
    for path in (V21, V21 + "/"):
        found = served.http.get(path).json()["version"]
        assert (found["id"], found["status"], found["min_version"], found["version"]) == (
            "v2.1",
            "CURRENT",
            "2.1",
            "2.79",
        )
    assert served.http.get("/compute").json()["versions"][0]["id"] == "v2.1"


@pytest.mark.parametrize(
    ("headers", "spoken"),
    [
        ({}, "2.1"),
        (version("2.79"), "2.79"),
        (version("latest"), "2.79"),
        ({"OpenStack-API-Version": "volume 3.1, compute 2.10"}, "2.10"),
        ({"OpenStack-API-Version": "volume 3.1"}, "2.1"),
        ({"X-OpenStack-Nova-API-Version": "2.42"}, "2.42"),
    ],
)
def test_answers_say_which_microversion_they_speak(demo: Client, headers: dict[str, str], spoken: str) -> None:
    response = demo.get(V21 + "/flavors", headers=headers)
    assert response.status_code == 200
    assert response.headers["OpenStack-API-Version"] == f"compute {spoken}"
    assert response.headers["X-OpenStack-Nova-API-Version"] == spoken
    assert "OpenStack-API-Version" in response.headers["Vary"]


@pytest.mark.parametrize(("wanted", "status"), [("2.80", 406), ("3.1", 400), ("new", 400), ("2.0", 400), ("2.01", 400)])
def test_microversions_that_are_not_spoken(demo: Client, wanted: str, status: int) -> None:
    assert demo.get(V21 + "/flavors", headers=version(wanted)).status_code == status


def test_without_a_token_there_is_nothing(served: Any) -> None:
    response = served.http.get(V21 + "/servers")
    assert response.status_code == 401
    assert response.json()["unauthorized"]["code"] == 401


def test_an_unknown_path_is_answered_in_computes_shape(demo: Client) -> None:
    response = demo.get(V21 + "/os-floating-ips")
    assert response.status_code == 404
    assert response.json()["itemNotFound"]["code"] == 404


def test_flavors_are_made_shown_and_deleted_by_admins(admin: Client, demo: Client) -> None:
    body = {"flavor": {"name": "big", "ram": 512, "vcpus": 2, "disk": 1, "id": "auto"}}
    assert demo.post(V21 + "/flavors", json=body).status_code == 403
    made = admin.post(V21 + "/flavors", json=body, headers=version("2.61")).json()["flavor"]
    assert (made["name"], made["ram"], made["vcpus"], made["disk"], made["extra_specs"]) == ("big", 512, 2, 1, {})
    assert admin.post(V21 + "/flavors", json=body).status_code == 409
    url = f"{V21}/flavors/{made['id']}"
    assert "extra_specs" not in demo.get(url).json()["flavor"]
    assert demo.get(url).json()["flavor"]["swap"] == ""
    assert demo.get(url, headers=version("2.75")).json()["flavor"]["swap"] == 0
    assert demo.get(url + "/os-extra_specs").json() == {"extra_specs": {}}
    assert demo.get(V21 + "/flavors/big").status_code == 404
    assert {f["name"] for f in demo.get(V21 + "/flavors/detail?is_public=None").json()["flavors"]} == {"nano", "big"}
    assert [f["name"] for f in demo.get(V21 + "/flavors?minRam=100").json()["flavors"]] == ["big"]
    assert demo.get(V21 + "/flavors?minRam=x").status_code == 400
    assert len(demo.get(V21 + "/flavors?limit=1").json()["flavors_links"]) == 1
    assert demo.delete(url).status_code == 403
    assert admin.delete(url).status_code == 202
    assert admin.delete(url).status_code == 404


def test_private_flavors_are_for_admins(admin: Client, demo: Client) -> None:
    body = {"flavor": {"name": "own", "ram": 64, "vcpus": 1, "id": "own", "os-flavor-access:is_public": False}}
    assert admin.post(V21 + "/flavors", json=body).status_code == 200
    assert demo.get(V21 + "/flavors/own").status_code == 404
    assert "own" not in demo.get(V21 + "/flavors?is_public=None").text
    assert [f["id"] for f in admin.get(V21 + "/flavors?is_public=false").json()["flavors"]] == ["own"]


@pytest.mark.parametrize(
    "change",
    [{"ram": 0}, {"ram": "x"}, {"name": ""}, {"swap": 5}, {"rxtx_factor": 2.0}, {"colour": "red"}, {"id": "é"}],
)
def test_bad_flavors_are_refused(admin: Client, change: dict[str, Any]) -> None:
    body = {"flavor": {"name": "big", "ram": 512, "vcpus": 2, **change}}
    assert admin.post(V21 + "/flavors", json=body).status_code == 400


def test_hypervisors_are_shown_to_admins(served: Any, admin: Client, demo: Client) -> None:
    served.register("compute1", "hypervisor")
    served.register("compute2", "hypervisor")
    served.register("control", "network")
    for path in ("/os-hypervisors", "/os-hypervisors/detail", "/os-services", "/os-availability-zone/detail"):
        assert demo.get(V21 + path).status_code == 403
    found = admin.get(V21 + "/os-hypervisors/detail", headers=version("2.79")).json()["hypervisors"]
    assert [(h["hypervisor_hostname"], h["state"], h["status"], h["memory_mb"]) for h in found] == [
        ("compute1", "up", "enabled", 2048),
        ("compute2", "up", "enabled", 2048),
    ]
    one = admin.get(f"{V21}/os-hypervisors/{found[0]['id']}", headers=version("2.79")).json()["hypervisor"]
    assert one["hypervisor_hostname"] == "compute1"
    old = admin.get(V21 + "/os-hypervisors").json()["hypervisors"]
    assert all(isinstance(h["id"], int) for h in old)
    assert admin.get(V21 + "/os-hypervisors/statistics").json()["hypervisor_statistics"]["memory_mb"] == 4096
    assert admin.get(V21 + "/os-hypervisors/nothing").status_code == 404
    # The client shows a hypervisor without its uptime only after this status.
    assert admin.get(f"{V21}/os-hypervisors/{old[0]['id']}/uptime").status_code == 501
    assert admin.get(V21 + "/os-hypervisors?hypervisor_hostname_pattern=e2").json()["hypervisors"][0]["state"] == "up"


def test_compute_services_are_disabled_and_enabled(served: Any, admin: Client, demo: Client) -> None:
    served.register("compute1", "hypervisor")
    new = version("2.79")
    (service,) = admin.get(V21 + "/os-services", headers=new).json()["services"]
    assert (service["binary"], service["host"], service["zone"], service["status"], service["state"]) == (
        "nova-compute",
        "compute1",
        "nova",
        "enabled",
        "up",
    )
    url = f"{V21}/os-services/{service['id']}"
    assert demo.put(url, json={"status": "disabled"}, headers=new).status_code == 403
    assert admin.put(url, json={"status": "broken"}, headers=new).status_code == 400
    assert admin.put(url, json={"status": "disabled"}, headers=new).json()["service"]["status"] == "disabled"
    zone = demo.get(V21 + "/os-availability-zone").json()["availabilityZoneInfo"]
    assert zone == [{"zoneName": "nova", "zoneState": {"available": False}, "hosts": None}]
    body = {"host": "compute1", "binary": "nova-compute"}
    assert admin.put(V21 + "/os-services/enable", json=body).json()["service"]["status"] == "enabled"
    assert admin.put(V21 + "/os-services/enable", json={"host": "nobody"}).status_code == 404
    (detail,) = admin.get(V21 + "/os-availability-zone/detail").json()["availabilityZoneInfo"]
    assert detail["hosts"]["compute1"]["nova-compute"]["available"] is True


def test_a_host_that_falls_silent_is_down(served: Any, admin: Client) -> None:
    served.register("compute1", "hypervisor")
    served.reports.register("compute1", served.reports.get("compute1").registration, "2026-01-01T00:00:00Z")
    assert admin.get(V21 + "/os-hypervisors").json()["hypervisors"][0]["state"] == "down"


def test_small_calls(demo: Client, admin: Client) -> None:
    absolute = demo.get(V21 + "/limits").json()["limits"]["absolute"]
    assert (absolute["totalInstancesUsed"], absolute["maxTotalInstances"]) == (0, -1)
    assert demo.get(V21 + "/limits?tenant_id=other").status_code == 403
    assert demo.get(V21 + "/os-keypairs").json() == {"keypairs": []}
    assert demo.get(V21 + "/os-keypairs/x").status_code == 404
    assert demo.get(V21 + "/os-server-groups").json() == {"server_groups": []}
    assert admin.get(V21 + "/os-aggregates").json() == {"aggregates": []}
