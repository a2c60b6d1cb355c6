from __future__ import annotations

from typing import Any

import pytest
from deciding import ADMIN, ALICE, Cloud, refused

from netglass.base.errors import Forbidden, NotFound, Unauthorized
from netglass.control.identity import (
    ROLE_BY_NAME,
    ROLES,
    SYSTEM,
    Account,
    decide_change_password,
    decide_create_project,
    decide_create_user,
    decide_delete_project,
    decide_delete_user,
    decide_grant_role,
    decide_revoke_token,
    decide_update_project,
    decide_update_user,
    decide_withdraw_role,
    effective_roles,
    ensure_cloud,
    projects_of,
    visible_projects,
    visible_users,
)
from netglass.model.caller import Caller
from netglass.model.resources import Project, Quota, RevokedToken, RoleAssignment, User

ACCOUNTS = (Account("admin", "hash-a", "admin", "admin", "admin"), Account("demo", "hash-d", "demo"))
MEMBER = ROLE_BY_NAME["member"].id


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud()
    made.decide(lambda d: ensure_cloud(d, ACCOUNTS), ADMIN)
    return made


def user(cloud: Cloud, name: str) -> User:
    return next(row for row in cloud.snapshot.all(User) if row.name == name)


def project(cloud: Cloud, name: str) -> Project:
    return next(row for row in cloud.snapshot.all(Project) if row.name == name)


def names(cloud: Cloud, who: str, target: str) -> list[str]:
    return [role.name for role in effective_roles(cloud.snapshot, user(cloud, who).id, target)]


def test_a_new_cloud_has_admin_and_demo(cloud: Cloud) -> None:
    assert names(cloud, "admin", project(cloud, "admin").id) == ["admin", "member", "reader"]
    assert names(cloud, "admin", SYSTEM) == ["admin", "member", "reader"]
    assert names(cloud, "demo", project(cloud, "demo").id) == ["member", "reader"]
    assert names(cloud, "demo", project(cloud, "admin").id) == []
    assert user(cloud, "demo").default_project_id == project(cloud, "demo").id


def test_ensuring_a_cloud_twice_changes_nothing(cloud: Cloud) -> None:
    before = cloud.snapshot
    cloud.decide(lambda d: ensure_cloud(d, [Account("demo", "another hash", "demo")]), ADMIN)
    assert cloud.snapshot == before


def test_ids_of_roles_are_the_same_everywhere() -> None:
    assert [role.id for role in ROLES] == [
        "70cdd25d78cb52dc8f56c82e32fe31cc",
        "fc60132172b25c469c8ff7b97014f0ef",
        "85f91743fd7b5276b463b686f21ee4f5",
    ]


@pytest.mark.parametrize(
    "decision",
    [
        lambda d: decide_create_project(d, {"name": "x"}),
        lambda d: decide_create_user(d, {"name": "x"}),
        lambda d: decide_grant_role(d, "u-alice", "alice", MEMBER),
        lambda d: decide_grant_role(d, "u-alice", SYSTEM, ROLE_BY_NAME["admin"].id),
    ],
)
def test_who_is_no_admin_makes_nothing(cloud: Cloud, decision: Any) -> None:
    with pytest.raises(Forbidden):
        cloud.decide(decision, ALICE)


def test_a_name_is_given_once(cloud: Cloud) -> None:
    for decision in (
        lambda d: decide_create_project(d, {"name": "demo"}),
        lambda d: decide_create_user(d, {"name": "demo"}),
        lambda d: decide_update_project(d, project(cloud, "admin").id, {"name": "demo"}),
        lambda d: decide_update_user(d, user(cloud, "admin").id, {"name": "demo"}),
    ):
        with refused("Conflict", 409, "Duplicate entry found with name demo"):
            cloud.decide(decision, ADMIN)


def test_foreign_users_and_projects_are_not_there(cloud: Cloud) -> None:
    demo = Caller(user_id=user(cloud, "demo").id, project_id=project(cloud, "demo").id, roles=("member", "reader"))
    assert [row.name for row in visible_users(cloud.snapshot, demo)] == ["demo"]
    assert [row.name for row in visible_projects(cloud.snapshot, demo)] == ["demo"]
    with pytest.raises(NotFound):
        cloud.decide(lambda d: decide_delete_project(d, project(cloud, "admin").id), demo)
    with pytest.raises(NotFound):
        cloud.decide(lambda d: decide_update_user(d, user(cloud, "admin").id, {"name": "x"}), demo)
    with pytest.raises(Forbidden):
        cloud.decide(lambda d: decide_update_user(d, demo.user_id, {"name": "x"}), demo)


def test_a_new_password_changes_what_tokens_are_stamped_with(cloud: Cloud) -> None:
    before = user(cloud, "demo")
    after = cloud.decide(lambda d: decide_update_user(d, before.id, {"password_hash": "other"}), ADMIN)
    assert after.tokens_after > before.tokens_after


def test_being_disabled_twice_in_a_second_ends_tokens_twice(cloud: Cloud) -> None:
    row = user(cloud, "demo")

    def twice(d: Any) -> list[str]:
        found = []
        for enabled in (False, True, False, True):
            found.append(decide_update_user(d, row.id, {"enabled": enabled}).tokens_after)
        return found

    first, kept, second, _ = cloud.decide(twice, ADMIN)
    assert first == kept
    assert second > first


def test_a_changed_description_ends_no_token(cloud: Cloud) -> None:
    row = user(cloud, "demo")
    changed = cloud.decide(lambda d: decide_update_user(d, row.id, {"description": "x", "enabled": True}), ADMIN)
    assert changed.tokens_after == row.tokens_after


def test_a_password_is_changed_only_over_the_one_that_was_verified(cloud: Cloud) -> None:
    row = user(cloud, "demo")
    with pytest.raises(Unauthorized):
        cloud.decide(lambda d: decide_change_password(d, row.id, "stale", "new"), ADMIN)
    assert cloud.decide(lambda d: decide_change_password(d, row.id, "hash-d", "new"), ADMIN).password_hash == "new"


def test_a_role_is_given_and_taken_away(cloud: Cloud) -> None:
    who, where = user(cloud, "demo").id, project(cloud, "admin").id
    cloud.decide(lambda d: decide_grant_role(d, who, where, MEMBER), ADMIN)
    cloud.decide(lambda d: decide_grant_role(d, who, where, MEMBER), ADMIN)
    assert [row.name for row in projects_of(cloud.snapshot, who)] == ["admin", "demo"]
    cloud.decide(lambda d: decide_withdraw_role(d, who, where, MEMBER), ADMIN)
    assert names(cloud, "demo", where) == []
    with pytest.raises(NotFound):
        cloud.decide(lambda d: decide_withdraw_role(d, who, where, MEMBER), ADMIN)


@pytest.mark.parametrize(("who", "where", "role"), [("x", "", MEMBER), ("", "x", MEMBER), ("", "", "x")])
def test_a_role_has_ends_that_exist(cloud: Cloud, who: str, where: str, role: str) -> None:
    ends = (who or user(cloud, "demo").id, where or project(cloud, "demo").id, role)
    with pytest.raises(NotFound):
        cloud.decide(lambda d: decide_grant_role(d, *ends), ADMIN)


def test_a_deleted_project_takes_its_roles_and_quota_along(cloud: Cloud) -> None:
    demo = project(cloud, "demo")
    cloud.decide(lambda d: d.draft.put(Quota(id=demo.id, limits={"port": 1})), ADMIN)
    cloud.decide(lambda d: decide_delete_project(d, demo.id), ADMIN)
    assert not cloud.snapshot.ids("roles_by_target", demo.id)
    assert cloud.snapshot.get(Quota, demo.id) is None
    assert projects_of(cloud.snapshot, user(cloud, "demo").id) == []


def test_a_deleted_user_takes_their_roles_along(cloud: Cloud) -> None:
    demo = user(cloud, "demo")
    cloud.decide(lambda d: decide_delete_user(d, demo.id), ADMIN)
    assert [row for row in cloud.snapshot.all(RoleAssignment) if row.user_id == demo.id] == []


def test_a_default_project_must_exist(cloud: Cloud) -> None:
    with pytest.raises(NotFound):
        cloud.decide(lambda d: decide_create_user(d, {"name": "x", "default_project_id": "nowhere"}), ADMIN)


def test_revoked_tokens_are_forgotten_once_they_have_expired(cloud: Cloud) -> None:
    cloud.decide(lambda d: decide_revoke_token(d, "old", "2026-11-20T00:00:00Z"), ADMIN)
    cloud.decide(lambda d: decide_revoke_token(d, "new", "2026-11-22T00:00:00Z"), ADMIN)
    cloud.decide(lambda d: decide_revoke_token(d, "new", "2026-11-22T00:00:00Z"), ADMIN)
    assert [row.id for row in cloud.snapshot.all(RevokedToken)] == ["new"]
