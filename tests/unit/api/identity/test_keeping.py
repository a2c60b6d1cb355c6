"""Projects, users, roles and what never changes, as admins keep them."""

from __future__ import annotations

from typing import Any

import pytest

from netglass.control.identity import ROLE_BY_NAME
from support.clients import Client

V3 = "/identity/v3"
MEMBER = ROLE_BY_NAME["member"].id


def one(client: Client, plural: str, name: str) -> dict[str, Any]:
    (found,) = client.get(f"{V3}/{plural}?name={name}").json()[plural]
    return dict(found)


def test_version_documents_need_no_token(served: Any) -> None:
    for path in ("/identity", "/identity/"):
        response = served.http.get(path)
        assert response.status_code == 300
        (version,) = response.json()["versions"]["values"]
        assert version["links"] == [{"rel": "self", "href": "http://cloud.test:9696/identity/v3/"}]
    for path in (V3, V3 + "/"):
        assert served.http.get(path).json()["version"]["id"] == "v3.14"


def test_a_project_lives_and_dies(admin: Client) -> None:
    made = admin.post(V3 + "/projects", json={"project": {"name": "red", "description": None, "domain_id": "default"}})
    assert made.status_code == 201
    project = made.json()["project"]
    assert (project["name"], project["enabled"], project["domain_id"], project["is_domain"]) == (
        "red",
        True,
        "default",
        False,
    )
    url = f"{V3}/projects/{project['id']}"
    assert project["links"]["self"] == "http://cloud.test:9696" + url
    changed = admin.patch(url, json={"project": {"description": "x", "tags": ["b", "a", "b"]}})
    assert changed.json()["project"]["tags"] == ["a", "b"]
    assert admin.get(url).json()["project"]["description"] == "x"
    assert admin.get(V3 + "/projects/red").status_code == 404
    assert admin.get(V3 + "/projects?name=red&enabled=false").json()["projects"] == []
    assert admin.delete(url).status_code == 204
    assert admin.get(url).status_code == 404
    assert admin.get(V3 + "/projects?name=red").json()["projects"] == []


def test_a_user_lives_and_dies(served: Any, admin: Client) -> None:
    project = one(admin, "projects", "demo")
    body = {"name": "carol", "password": "pw", "default_project_id": project["id"], "email": "c@example.org"}
    user = admin.post(V3 + "/users", json={"user": body}).json()["user"]
    assert (user["name"], user["email"], user["default_project_id"]) == ("carol", "c@example.org", project["id"])
    assert "password" not in user
    url = f"{V3}/users/{user['id']}"
    assert admin.patch(url, json={"user": {"name": "caroline"}}).json()["user"]["name"] == "caroline"
    assert served.login("caroline", "pw", "unscoped").status_code == 201
    assert "project" not in served.login("caroline", "pw").json()["token"]
    assert admin.get(url + "/groups").json()["groups"] == []
    assert admin.get(url + "/projects").json()["projects"] == []
    assert admin.delete(url).status_code == 204
    assert admin.get(url).status_code == 404


def test_a_user_without_a_password_cannot_log_in(served: Any, admin: Client) -> None:
    user = admin.post(V3 + "/users", json={"user": {"name": "dave"}}).json()["user"]
    assert served.login("dave", "x").status_code == 401
    admin.patch(f"{V3}/users/{user['id']}", json={"user": {"password": "x"}})
    assert served.login("dave", "x").status_code == 201
    admin.patch(f"{V3}/users/{user['id']}", json={"user": {"password": None}})
    assert served.login("dave", "x").status_code == 401


@pytest.mark.parametrize(
    ("plural", "body"),
    [
        ("projects", {"project": {}}),
        ("projects", {"project": {"name": ""}}),
        ("projects", {"project": {"name": "x" * 65}}),
        ("projects", {"project": {"name": "a\nb"}}),
        ("projects", {"project": {"name": 5}}),
        ("projects", {"project": {"name": "x", "enabled": "yes"}}),
        ("projects", {"project": {"name": "x", "colour": "red"}}),
        ("projects", {"project": {"name": "x", "domain_id": "other"}}),
        ("projects", {"project": {"name": "x", "is_domain": True}}),
        ("projects", {}),
        ("projects", []),
        ("users", {"user": {"password": "x"}}),
        ("users", {"user": {"name": "x", "password": 7}}),
        ("users", {"user": {"name": "x", "description": "\x00"}}),
        ("users", {"user": {"name": "x", "options": {"lock": True}}}),
    ],
)
def test_bad_bodies_change_nothing(served: Any, admin: Client, plural: str, body: Any) -> None:
    before = served.store.snapshot.revision
    response = admin.post(f"{V3}/{plural}", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == 400
    assert served.store.snapshot.revision == before


def test_bodies_that_are_no_json_or_too_large(admin: Client) -> None:
    url = V3 + "/projects"
    json_type = {"Content-Type": "application/json"}
    assert admin.post(url, content=b"{", headers=json_type).status_code == 400
    assert admin.post(url, content=b"<x/>", headers={"Content-Type": "text/xml"}).status_code == 415
    assert admin.post(url, content=b" " * 1_048_576, headers=json_type).status_code == 413


def test_a_taken_name_is_a_conflict(admin: Client) -> None:
    response = admin.post(V3 + "/projects", json={"project": {"name": "demo"}})
    assert response.status_code == 409
    assert response.json()["error"]["title"] == "Conflict"


def test_nobody_but_an_admin_keeps_anything(demo: Client, admin: Client) -> None:
    assert demo.post(V3 + "/projects", json={"project": {"name": "x"}}).status_code == 403
    assert demo.post(V3 + "/users", json={"user": {"name": "x", "password": "y"}}).status_code == 403
    rival, mine = one(admin, "users", "rival"), one(demo, "users", "demo")
    assert demo.get(f"{V3}/users/{rival['id']}").status_code == 404
    assert demo.patch(f"{V3}/users/{rival['id']}", json={"user": {"name": "x"}}).status_code == 404
    assert demo.get(f"{V3}/users/{mine['id']}").status_code == 200
    assert demo.patch(f"{V3}/users/{mine['id']}", json={"user": {"name": "x"}}).status_code == 403
    assert [user["name"] for user in demo.get(V3 + "/users").json()["users"]] == ["demo"]
    assert [project["name"] for project in demo.get(V3 + "/projects").json()["projects"]] == ["demo"]
    assert demo.get(V3 + "/projects?name=rival").json()["projects"] == []
    project = one(demo, "projects", "demo")
    grant = f"{V3}/projects/{project['id']}/users/{mine['id']}/roles/{ROLE_BY_NAME['admin'].id}"
    assert demo.put(grant).status_code == 403
    assert demo.delete(grant).status_code == 403


def test_without_a_token_there_is_nothing(served: Any) -> None:
    for path in ("projects", "users", "roles", "domains", "regions", "services", "endpoints", "role_assignments"):
        response = served.http.get(f"{V3}/{path}")
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == 'Keystone uri="/identity/v3"'


def test_roles_are_given_listed_checked_and_taken(admin: Client) -> None:
    user, project = one(admin, "users", "rival"), one(admin, "projects", "demo")
    place = f"{V3}/projects/{project['id']}/users/{user['id']}/roles"
    assert admin.head(f"{place}/{MEMBER}").status_code == 404
    assert admin.put(f"{place}/{MEMBER}").status_code == 204
    assert admin.head(f"{place}/{MEMBER}").status_code == 204
    assert [role["name"] for role in admin.get(place).json()["roles"]] == ["member"]
    query = f"user.id={user['id']}&scope.project.id={project['id']}"
    (brief,) = admin.get(f"{V3}/role_assignments?{query}").json()["role_assignments"]
    assert brief["role"] == {"id": MEMBER}
    assert brief["scope"] == {"project": {"id": project["id"]}}
    (named,) = admin.get(f"{V3}/role_assignments?{query}&include_names=True").json()["role_assignments"]
    assert (named["role"]["name"], named["user"]["name"], named["scope"]["project"]["name"]) == (
        "member",
        "rival",
        "demo",
    )
    effective = admin.get(f"{V3}/role_assignments?{query}&effective&include_names").json()["role_assignments"]
    assert [entry["role"]["name"] for entry in effective] == ["member", "reader"]
    assert admin.delete(f"{place}/{MEMBER}").status_code == 204
    assert admin.delete(f"{place}/{MEMBER}").status_code == 404
    assert admin.get(f"{V3}/role_assignments?{query}").json()["role_assignments"] == []


def test_roles_in_the_system(served: Any, admin: Client) -> None:
    user = one(admin, "users", "rival")
    place = f"{V3}/system/users/{user['id']}/roles"
    assert admin.put(f"{place}/{ROLE_BY_NAME['reader'].id}").status_code == 204
    assert [role["name"] for role in admin.get(place).json()["roles"]] == ["reader"]
    token = served.login("rival", scope={"system": {"all": True}}).json()["token"]
    assert [role["name"] for role in token["roles"]] == ["reader"]
    assigned = admin.get(f"{V3}/role_assignments?scope.system=all").json()["role_assignments"]
    assert {entry["user"]["id"] for entry in assigned} == {user["id"], one(admin, "users", "admin")["id"]}


def test_somebody_lists_their_own_assignments_only(demo: Client, admin: Client) -> None:
    mine, rival = one(demo, "users", "demo"), one(admin, "users", "rival")
    (only,) = demo.get(V3 + "/role_assignments").json()["role_assignments"]
    assert only["user"]["id"] == mine["id"]
    assert demo.get(f"{V3}/role_assignments?user.id={rival['id']}").json()["role_assignments"] == []


@pytest.mark.parametrize(
    ("plural", "singular", "count"),
    [
        ("domains", "domain", 1),
        ("roles", "role", 3),
        ("regions", "region", 1),
        ("services", "service", 4),
        ("endpoints", "endpoint", 12),
        ("groups", "group", 0),
    ],
)
def test_what_never_changes(admin: Client, plural: str, singular: str, count: int) -> None:
    rows = admin.get(f"{V3}/{plural}").json()[plural]
    assert len(rows) == count
    for row in rows:
        assert admin.get(f"{V3}/{plural}/{row['id']}").json()[singular] == row
        assert admin.delete(f"{V3}/{plural}/{row['id']}").status_code == 403
    assert admin.get(f"{V3}/{plural}/some-name").status_code == 404
    assert admin.get(f"{V3}/{plural}?name=some-name").json()[plural] == [] or plural in ("regions", "endpoints")
    assert admin.post(f"{V3}/{plural}", json={singular: {"name": "x"}}).status_code == 403


def test_which_role_implies_which(admin: Client) -> None:
    found = admin.get(V3 + "/role_inferences").json()["role_inferences"]
    assert [(e["prior_role"]["name"], [r["name"] for r in e["implies"]]) for e in found] == [
        ("admin", ["member", "reader"]),
        ("member", ["reader"]),
    ]


def test_an_unknown_path_is_answered_in_identitys_shape(admin: Client) -> None:
    response = admin.get(V3 + "/credentials")
    assert response.status_code == 404
    assert response.json()["error"]["title"] == "Not Found"
