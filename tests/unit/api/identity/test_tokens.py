from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from netglass.base.errors import Unauthorized
from netglass.control.identity import ROLE_BY_NAME
from netglass.model.resources import RevokedToken
from support.clients import Client

PROJECT = {"project": {"name": "demo", "domain": {"name": "Default"}}}
TOKENS = "/identity/v3/auth/tokens"


def project_id(client: Client, name: str) -> str:
    return str(client.get(f"/identity/v3/projects?name={name}").json()["projects"][0]["id"])


def user_id(client: Client, name: str) -> str:
    return str(client.get(f"/identity/v3/users?name={name}").json()["users"][0]["id"])


def works(client: Client) -> bool:
    status = client.get("/identity/v3/auth/projects").status_code
    assert status in (200, 401)
    return status == 200


def test_a_password_gets_a_token_for_a_project(served: Any) -> None:
    response = served.login("demo", scope=PROJECT)
    assert response.status_code == 201
    token = response.json()["token"]
    assert response.headers["X-Subject-Token"]
    assert token["methods"] == ["password"]
    assert token["user"]["name"] == "demo"
    assert token["user"]["domain"] == {"id": "default", "name": "Default"}
    assert token["project"]["name"] == "demo"
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert token["is_domain"] is False
    urls = {entry["type"]: {end["url"] for end in entry["endpoints"]} for entry in token["catalog"]}
    assert urls == {
        "identity": {"http://cloud.test:9696/identity/v3"},
        "network": {"http://cloud.test:9696"},
        "compute": {"http://cloud.test:9696/compute/v2.1"},
        "image": {"http://cloud.test:9696/image"},
    }


def test_an_admin_is_member_and_reader_too(served: Any) -> None:
    assert [role["name"] for role in served.login("admin").json()["token"]["roles"]] == ["admin", "member", "reader"]


def test_without_a_scope_it_is_the_default_project(served: Any) -> None:
    assert served.login("demo").json()["token"]["project"]["name"] == "demo"


@pytest.mark.parametrize("scope", ["unscoped", {"unscoped": {}}])
def test_an_unscoped_token_has_no_roles_and_no_catalog(served: Any, scope: Any) -> None:
    response = served.login("demo", scope=scope)
    token = response.json()["token"]
    assert not {"project", "roles", "catalog", "system"} & set(token)
    headers = {"X-Auth-Token": response.headers["X-Subject-Token"]}
    assert served.http.get("/identity/v3/auth/projects", headers=headers).json()["projects"][0]["name"] == "demo"
    assert served.http.get("/identity/v3/auth/catalog", headers=headers).status_code == 403


def test_a_system_token_is_for_who_has_a_role_there(served: Any) -> None:
    token = served.login("admin", scope={"system": {"all": True}}).json()["token"]
    assert token["system"] == {"all": True}
    assert "project" not in token
    assert served.login("demo", scope={"system": {"all": True}}).status_code == 401


@pytest.mark.parametrize(
    ("user", "password", "scope"),
    [
        ("demo", "wrong", None),
        ("nobody", "demo-secret", None),
        ("demo", "", None),
        ("demo", "demo-secret", {"project": {"name": "admin", "domain": {"id": "default"}}}),
        ("demo", "demo-secret", {"project": {"name": "nowhere", "domain": {"id": "default"}}}),
        ("demo", "demo-secret", {"project": {"id": "nowhere"}}),
        ("demo", "demo-secret", {"project": {"name": "demo", "domain": {"id": "other"}}}),
        ("demo", "demo-secret", {"domain": {"id": "default"}}),
    ],
)
def test_whatever_is_wrong_is_answered_with_the_same_words(served: Any, user: str, password: str, scope: Any) -> None:
    response = served.login(user, password or " ", scope)
    assert response.status_code == 401
    assert response.json() == {
        "error": {
            "code": 401,
            "message": "The request you have made requires authentication.",
            "title": "Unauthorized",
        }
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"auth": {}},
        {"auth": {"identity": {"methods": []}}},
        {"auth": {"identity": {"methods": ["password"]}}},
        {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": 7}}}}},
        {"auth": {"identity": {"methods": "password"}}},
        {"auth": 7},
    ],
)
def test_a_malformed_login_is_a_bad_request(served: Any, body: Any) -> None:
    response = served.http.post(TOKENS, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["title"] == "Bad Request"


def test_an_unknown_method_is_refused(served: Any) -> None:
    assert served.http.post(TOKENS, json={"auth": {"identity": {"methods": ["saml2"]}}}).status_code == 401


def test_a_token_gets_a_token_that_ends_with_it(served: Any) -> None:
    first = served.login("demo", scope="unscoped")
    served.now += 100
    identity = {"methods": ["token"], "token": {"id": first.headers["X-Subject-Token"]}}
    second = served.http.post(TOKENS, json={"auth": {"identity": identity, "scope": PROJECT}})
    assert second.status_code == 201
    old, new = first.json()["token"], second.json()["token"]
    assert new["expires_at"] == old["expires_at"]
    assert new["methods"] == ["password", "token"]
    assert new["audit_ids"][1] == old["audit_ids"][0]
    assert new["project"]["name"] == "demo"


def test_a_token_is_validated_by_its_holder_and_by_admins_only(served: Any, admin: Client, demo: Client) -> None:
    mine = demo.headers["X-Auth-Token"]
    for client in (demo, admin):
        response = client.get(TOKENS, headers={"X-Subject-Token": mine})
        assert response.status_code == 200
        assert response.json()["token"]["user"]["name"] == "demo"
        assert client.head(TOKENS, headers={"X-Subject-Token": mine}).status_code == 200
    assert "catalog" not in demo.get(TOKENS + "?nocatalog", headers={"X-Subject-Token": mine}).json()["token"]
    theirs = {"X-Subject-Token": admin.headers["X-Auth-Token"]}
    assert demo.get(TOKENS, headers=theirs).status_code == 403
    assert demo.delete(TOKENS, headers=theirs).status_code == 403
    assert admin.get(TOKENS, headers={"X-Subject-Token": "nothing"}).status_code == 404


def test_a_revoked_token_is_worth_nothing_and_others_are(served: Any, admin: Client, demo: Client) -> None:
    other = served.as_("demo")
    assert admin.delete(TOKENS, headers={"X-Subject-Token": demo.headers["X-Auth-Token"]}).status_code == 204
    assert not works(demo)
    assert works(other)
    assert served.store.snapshot.count(RevokedToken) == 1


def test_a_token_expires(served: Any, demo: Client) -> None:
    served.now += 3599
    assert works(demo)
    served.now += 1
    assert not works(demo)
    assert "expired" in demo.get("/identity/v3/projects").json()["error"]["message"]


@pytest.mark.parametrize("token", ["", "x", "gAAAAAB", "a" * 300, "gAAAAABr\u00e9"])
def test_what_is_no_token_is_refused(served: Any, token: str) -> None:
    with pytest.raises(Unauthorized):
        served.tokens.caller(token, "req")


def test_a_token_of_another_cloud_is_refused(served: Any, demo: Client) -> None:
    token = demo.headers["X-Auth-Token"]
    changed = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
    for other in (changed, token + "x", token + "!", " " + token):
        with pytest.raises(Unauthorized):
            served.tokens.caller(other, "req")


def test_what_is_withdrawn_is_gone_at_once(served: Any, admin: Client) -> None:
    who, where = user_id(admin, "demo"), project_id(admin, "demo")
    user, project = f"/identity/v3/users/{who}", f"/identity/v3/projects/{where}"
    role = f"{project}/users/{who}/roles/{ROLE_BY_NAME['member'].id}"

    def patch(url: str, **values: Any) -> None:
        kind = url.split("/")[3][:-1]
        assert admin.patch(url, json={kind: values}).status_code == 200

    demo = served.as_("demo")
    patch(project, enabled=False)
    assert not works(demo)
    patch(project, enabled=True)
    assert works(demo)
    assert admin.delete(role).status_code == 204
    assert not works(demo)
    assert admin.put(role).status_code == 204
    assert works(demo)
    patch(user, enabled=False)
    assert not works(demo)
    assert served.login("demo").status_code == 401
    patch(user, enabled=True)
    assert not works(demo)
    demo = served.as_("demo")
    patch(user, password="changed")
    assert not works(demo)
    assert served.login("demo").status_code == 401
    demo = served.as_("demo", "changed")
    assert admin.delete(project).status_code == 204
    assert not works(demo)
    demo = served.as_("demo", "changed")
    assert admin.delete(user).status_code == 204
    assert not works(demo)


def test_a_role_that_is_raised_counts_for_tokens_that_are_out(served: Any, admin: Client) -> None:
    watcher = served.as_("watcher")
    network = {"network": {"name": "n"}}
    assert watcher.post("/v2.0/networks", json=network).status_code == 403
    where, who = project_id(admin, "demo"), user_id(admin, "watcher")
    role = ROLE_BY_NAME["member"].id
    assert admin.put(f"/identity/v3/projects/{where}/users/{who}/roles/{role}").status_code == 204
    assert watcher.post("/v2.0/networks", json=network).status_code == 201


def test_users_change_their_own_password_and_no_other(served: Any, admin: Client, demo: Client) -> None:
    mine, theirs = (f"/identity/v3/users/{user_id(admin, name)}/password" for name in ("demo", "rival"))
    change = {"user": {"original_password": "demo-secret", "password": "better"}}
    assert demo.post(theirs, json=change).status_code == 404
    wrong = {"user": {"original_password": "guess", "password": "better"}}
    assert demo.post(mine, json=wrong).status_code == 401
    assert demo.post(mine, json=change).status_code == 204
    assert not works(demo)
    assert served.login("demo").status_code == 401
    assert served.login("demo", "better").status_code == 201


def test_a_second_login_costs_no_hash(served: Any) -> None:
    served.login("demo")
    started = time.process_time()
    for _ in range(20):
        assert served.login("demo").status_code == 201
    known = time.process_time() - started
    started = time.process_time()
    for _ in range(20):
        assert served.login("demo", "wrong").status_code == 401
    assert known < (time.process_time() - started) / 2


def test_an_unknown_user_takes_as_long_as_a_wrong_password(served: Any) -> None:
    def cost(user: str) -> float:
        started = time.process_time()
        for _ in range(10):
            assert served.login(user, "wrong").status_code == 401
        return time.process_time() - started

    assert 0.5 < cost("nobody") / cost("demo") < 2


def test_no_secret_is_logged_or_shown(served: Any, admin: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"user": {"name": "carol", "password": "carols-own"}}
    made = admin.post("/identity/v3/users", json=body)
    assert made.status_code == 201
    served.login("carol", "carols-own", scope="unscoped")
    served.login("carol", "carols-typo")
    shown = made.text + admin.get("/identity/v3/users").text
    for secret in ("carols-own", "carols-typo", "argon2", admin.headers["X-Auth-Token"]):
        assert secret not in caplog.text
        assert secret not in shown


def test_services_hang_together_for_a_fresh_token(demo: Client) -> None:
    catalog = demo.get("/identity/v3/auth/catalog").json()["catalog"]
    paths = [entry["endpoints"][0]["url"].removeprefix("http://cloud.test:9696") for entry in catalog]
    assert [demo.get(path or "/").status_code for path in paths] == [200, 200, 200, 300]
