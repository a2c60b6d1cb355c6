"""Compute's limits: shown as they are, and never set to what would not be kept."""

from __future__ import annotations

from typing import Any

import pytest

from support.clients import Client

V21 = "/compute/v2.1"


def version(number: str) -> dict[str, str]:
    return {"OpenStack-API-Version": f"compute {number}"}


@pytest.fixture
def project(demo: Client) -> str:
    return str(demo.get("/v2.0/quotas/project").json()["project"]["project_id"])


@pytest.fixture
def path(project: str) -> str:
    return f"{V21}/os-quota-sets/{project}"


def test_a_project_sees_its_limits_and_the_defaults(demo: Client, path: str, project: str) -> None:
    shown = demo.get(path, headers=version("2.57")).json()["quota_set"]
    assert (shown["id"], shown["instances"], shown["cores"], shown["ram"]) == (project, -1, -1, -1)
    assert (shown["metadata_items"], shown["server_groups"]) == (128, 0)
    assert demo.get(path + "/defaults", headers=version("2.57")).json()["quota_set"] == shown


def test_older_forms_show_more_names(demo: Client, path: str) -> None:
    for number, there, gone in (("2.1", "fixed_ips", ""), ("2.36", "injected_files", "fixed_ips")):
        shown = demo.get(path, headers=version(number)).json()["quota_set"]
        assert there in shown
        assert gone not in shown
    assert "injected_files" not in demo.get(path, headers=version("2.57")).json()["quota_set"]


def test_what_is_used_is_shown_beside(served: Any, demo: Client, path: str) -> None:
    served.register("compute1", "hypervisor")
    before = demo.get(path + "/detail").json()["quota_set"]
    assert before["instances"] == {"limit": -1, "in_use": 0, "reserved": 0}
    flavor = demo.get(V21 + "/flavors/detail").json()["flavors"][0]
    image = demo.get("/image/v2/images").json()["images"][0]["id"]
    body = {"name": "vm", "flavorRef": flavor["id"], "imageRef": image, "networks": "none"}
    made = demo.post(V21 + "/servers", json={"server": body}, headers=version("2.37"))
    assert made.status_code == 202, made.text
    after = demo.get(path + "/detail").json()["quota_set"]
    assert after["instances"]["in_use"] == 1
    assert (after["cores"]["in_use"], after["ram"]["in_use"]) == (flavor["vcpus"], flavor["ram"])


def test_another_project_and_one_that_is_none(admin: Client, rival: Client, path: str) -> None:
    for below in ("", "/defaults", "/detail"):
        assert rival.get(path + below).status_code == 403
    assert rival.put(path, json={"quota_set": {"instances": -1}}).status_code == 403
    assert rival.delete(path).status_code == 403
    answer = admin.get(V21 + "/os-quota-sets/nosuch")
    assert answer.status_code == 400
    assert answer.json()["badRequest"]["message"] == "Project ID nosuch is not a valid project."


def test_what_is_in_force_may_be_set_and_taken_back(admin: Client, path: str) -> None:
    answer = admin.put(path, json={"quota_set": {"instances": -1, "cores": "-1", "server_groups": 0, "force": True}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["quota_set"]["instances"] == -1
    assert admin.delete(path).status_code == 202


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"instances": 5}, "Quota 'instances' cannot be set to 5: Compute enforces no limits"),
        ({"cores": -1, "ram": 0}, "Quota 'ram' cannot be set to 0"),
        ({"server_groups": -1}, "the only value taken is the one in force, 0"),
        ({"instances": -2}, "Invalid input for instances"),
        ({"instances": "many"}, "Invalid input for instances"),
        ({"instances": None}, "Invalid input for instances"),
        ({"bananas": 1}, "Additional properties are not allowed ('bananas' unexpected)"),
        ({"force": "perhaps"}, "Invalid input for force"),
        ([], "Invalid input for quota_set"),
    ],
)
def test_limits_that_would_not_be_kept_are_refused(admin: Client, path: str, wanted: Any, said: str) -> None:
    answer = admin.put(path, json={"quota_set": wanted})
    assert answer.status_code == 400
    assert said in answer.json()["badRequest"]["message"]


def test_there_is_one_class_and_it_is_in_force(admin: Client, demo: Client) -> None:
    path = V21 + "/os-quota-class-sets/default"
    assert admin.get(path).json()["quota_class_set"]["instances"] == -1
    assert "server_groups" in admin.get(path, headers=version("2.50")).json()["quota_class_set"]
    assert "server_groups" not in admin.get(path).json()["quota_class_set"]
    assert admin.put(path, json={"quota_class_set": {"instances": -1}}).status_code == 200
    assert admin.put(path, json={"quota_class_set": {"instances": 5}}).status_code == 400
    assert admin.get(V21 + "/os-quota-class-sets/gold").status_code == 404
    assert demo.get(path).status_code == 403
