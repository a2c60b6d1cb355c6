"""Decides on projects, users, their roles, and tokens that end early.

There is one domain, and three roles that never change: admin implies member, member implies reader.  What somebody
may do is read off the role assignments at every request, so that a role that is taken away is gone at once.

Passwords come hashed; this module never sees one.  Whoever calls is checked here too, so that no edge can forget it.
Source: Identity API v3; the wording of faults is Keystone's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

from netglass.base.errors import Conflict, Forbidden, NotFound, Unauthorized, UserError
from netglass.control.decision import Decision
from netglass.control.security_groups import default_group, drop_group, ensure_default_group
from netglass.model.caller import Caller
from netglass.model.resources import Project, Quota, RevokedToken, RoleAssignment, Row, User
from netglass.model.snapshot import Snapshot

DOMAIN_ID: Final = "default"
DOMAIN_NAME: Final = "Default"
SYSTEM: Final = "system"
"""The target of a role in the whole system, where a project's id stands otherwise."""

_NAMES: Final = UUID("5b8f3c0e-7c1d-4a64-9d0b-2f1c8a9e6d37")


def stable_id(*words: str) -> str:
    """Gives the id of what is constant, the same in every cloud: 32 hexadecimal digits, as Keystone's ids are."""
    return uuid5(_NAMES, "/".join(words)).hex


@dataclass(frozen=True)
class Role:
    """One of the three roles."""

    id: str
    name: str
    description: str


ROLES: Final = (
    Role(stable_id("role", "admin"), "admin", "Sees and changes everything in the cloud."),
    Role(stable_id("role", "member"), "member", "Sees and changes what belongs to the project."),
    Role(stable_id("role", "reader"), "reader", "Sees what belongs to the project."),
)
"""Every role, each implying those after it."""

ROLE_BY_ID: Final[Mapping[str, Role]] = {role.id: role for role in ROLES}
ROLE_BY_NAME: Final[Mapping[str, Role]] = {role.name: role for role in ROLES}


def assignment_id(user_id: str, target: str, role_id: str) -> str:
    """Gives the id of a role assignment; `target` is a project's id, or `SYSTEM`."""
    return f"{user_id}/{target}/{role_id}"


def effective_roles(snapshot: Snapshot, user_id: str, target: str) -> tuple[Role, ...]:
    """Gives the roles that the user has in a project or the system, implied ones included; strongest first."""
    for place, role in enumerate(ROLES):
        if snapshot.get(RoleAssignment, assignment_id(user_id, target, role.id)) is not None:
            return ROLES[place:]
    return ()


def projects_of(snapshot: Snapshot, user_id: str) -> list[Project]:
    """Gives the projects in which the user has a role, ascending by name; disabled ones too."""
    targets = {assignment.target for assignment in snapshot.rows("roles_by_user", user_id)}
    found = [snapshot.get(Project, target) for target in targets]
    return sorted((project for project in found if project is not None), key=lambda project: project.name)


def visible_projects(snapshot: Snapshot, caller: Caller) -> Iterator[Project]:
    """Gives the projects that the caller may know of: their own, or all for an admin."""
    return snapshot.all(Project) if caller.is_admin else iter(projects_of(snapshot, caller.user_id))


def visible_users(snapshot: Snapshot, caller: Caller) -> Iterator[User]:
    """Gives the users that the caller may know of: themselves, or all for an admin."""
    if caller.is_admin:
        return snapshot.all(User)
    own = snapshot.get(User, caller.user_id)
    return iter(()) if own is None else iter((own,))


def find_project(snapshot: Snapshot, caller: Caller, project_id: str) -> Project:
    """Gives a project that the caller may know of; raises NotFound otherwise."""
    project = snapshot.get(Project, project_id)
    if project is None or not (caller.is_admin or effective_roles(snapshot, caller.user_id, project_id)):
        raise _missing("project", project_id)
    return project


def find_user(snapshot: Snapshot, caller: Caller, user_id: str) -> User:
    """Gives a user that the caller may know of; raises NotFound otherwise."""
    user = snapshot.get(User, user_id)
    if user is None or not (caller.is_admin or caller.user_id == user_id):
        raise _missing("user", user_id)
    return user


def find_role(role_id: str) -> Role:
    """Gives a role by its id; raises NotFound."""
    role = ROLE_BY_ID.get(role_id)
    if role is None:
        raise _missing("role", role_id)
    return role


def user_by_name(snapshot: Snapshot, name: str) -> User | None:
    """Gives the user of that name, or None."""
    rows: list[User] = snapshot.rows("users_by_name", name)
    return rows[0] if rows else None


def project_by_name(snapshot: Snapshot, name: str) -> Project | None:
    """Gives the project of that name, or None."""
    rows: list[Project] = snapshot.rows("projects_by_name", name)
    return rows[0] if rows else None


def require_admin(caller: Caller, action: str) -> None:
    """Raises Forbidden when the caller is no admin; `action` is Keystone's name of it, as in ``create_user``."""
    if not caller.is_admin:
        raise Forbidden(f"You are not authorized to perform the requested action: identity:{action}.")


def decide_create_project(d: Decision, wanted: Mapping[str, Any]) -> Project:
    """Makes a project with its default security group; raises Forbidden, or Conflict when the name is taken.

    wanted  name; may hold description, enabled, tags
    """
    require_admin(d.caller, "create_project")
    _refuse_taken("project", project_by_name(d.snapshot, wanted["name"]))
    project = d.draft.put(Project(id=_new_id(d), created_at=d.now, updated_at=d.now, **wanted))
    ensure_default_group(d, project.id)
    return project


def decide_update_project(d: Decision, project_id: str, changes: Mapping[str, Any]) -> Project:
    """Changes a project; raises NotFound, Forbidden, or Conflict when the name is taken."""
    project = find_project(d.snapshot, d.caller, project_id)
    require_admin(d.caller, "update_project")
    if changes.get("name", project.name) != project.name:
        _refuse_taken("project", project_by_name(d.snapshot, changes["name"]))
    return d.draft.update(project, d.now, **changes)


def decide_delete_project(d: Decision, project_id: str) -> None:
    """Drops a project with its roles, its quota, and its default group if no port has it.

    As with Keystone, networks and servers of the project stay: an admin sees them and may delete them.
    Raises NotFound or Forbidden.
    """
    project = find_project(d.snapshot, d.caller, project_id)
    require_admin(d.caller, "delete_project")
    _drop_all(d, d.snapshot.rows("roles_by_target", project_id))
    quota = d.snapshot.get(Quota, project_id)
    _drop_all(d, [quota] if quota is not None else [])
    group = default_group(d.snapshot, project_id)
    if group is not None and not d.snapshot.ids("ports_by_security_group", group.id):
        drop_group(d, group)
    d.draft.drop(project)


def decide_create_user(d: Decision, wanted: Mapping[str, Any]) -> User:
    """Makes a user; raises Forbidden, Conflict when the name is taken, NotFound for an unknown default project.

    wanted  name; may hold password_hash, description, email, enabled, default_project_id
    """
    require_admin(d.caller, "create_user")
    _refuse_taken("user", user_by_name(d.snapshot, wanted["name"]))
    _require_default_project(d, wanted)
    return d.draft.put(User(id=_new_id(d), created_at=d.now, updated_at=d.now, **wanted))


def decide_update_user(d: Decision, user_id: str, changes: Mapping[str, Any]) -> User:
    """Changes a user; a new password, or being disabled, ends all tokens of theirs.

    Raises NotFound, Forbidden, or Conflict when the name is taken.
    """
    user = find_user(d.snapshot, d.caller, user_id)
    require_admin(d.caller, "update_user")
    if changes.get("name", user.name) != user.name:
        _refuse_taken("user", user_by_name(d.snapshot, changes["name"]))
    _require_default_project(d, changes)
    ends = "password_hash" in changes or (user.enabled and changes.get("enabled") is False)
    more = {"tokens_after": _later(user.tokens_after, d.now)} if ends else {}
    return d.draft.update(user, d.now, **changes, **more)


def decide_change_password(d: Decision, user_id: str, verified_hash: str, password_hash: str) -> User:
    """Changes a user's password on their own wish and ends all tokens of theirs.

    verified_hash  the stored hash that the old password was found to fit

    Raises Unauthorized when that is no longer the user's hash, or the user is gone.
    """
    user = d.snapshot.get(User, user_id)
    if user is None or user.password_hash != verified_hash:
        raise Unauthorized("The password was changed by somebody else meanwhile; nothing changed.")
    return d.draft.update(user, d.now, password_hash=password_hash, tokens_after=_later(user.tokens_after, d.now))


def decide_delete_user(d: Decision, user_id: str) -> None:
    """Drops a user with their roles; raises NotFound or Forbidden."""
    user = find_user(d.snapshot, d.caller, user_id)
    require_admin(d.caller, "delete_user")
    _drop_all(d, d.snapshot.rows("roles_by_user", user_id))
    d.draft.drop(user)


def decide_grant_role(d: Decision, user_id: str, target: str, role_id: str) -> RoleAssignment:
    """Gives a user a role in a project or the system; the same one twice is no error.

    Raises Forbidden, and NotFound for an unknown user, project or role.
    """
    require_admin(d.caller, "create_grant")
    _require_grant_ends(d, user_id, target, role_id)
    given = d.snapshot.get(RoleAssignment, assignment_id(user_id, target, role_id))
    if given is not None:
        return given
    return d.draft.put(
        RoleAssignment(
            id=assignment_id(user_id, target, role_id),
            user_id=user_id,
            target=target,
            role_id=role_id,
            created_at=d.now,
            updated_at=d.now,
        )
    )


def decide_withdraw_role(d: Decision, user_id: str, target: str, role_id: str) -> None:
    """Takes a role away; raises Forbidden, and NotFound when it was not given, or for unknown ends."""
    require_admin(d.caller, "revoke_grant")
    _require_grant_ends(d, user_id, target, role_id)
    given = d.snapshot.get(RoleAssignment, assignment_id(user_id, target, role_id))
    if given is None:
        raise NotFound(
            f"Could not find role assignment with role: {role_id}, user or group: {user_id},"
            f" project, domain, or system: {target}."
        )
    d.draft.drop(given)


def decide_revoke_token(d: Decision, audit_id: str, expires_at: str) -> None:
    """Ends a token before its time, and forgets those whose time has passed anyway.

    audit_id    the token's own
    expires_at  when it would have ended, RFC 3339 in UTC with seconds
    """
    # All rows are looked at: there are as many as tokens were revoked within one life time, and revoking is rare.
    _drop_all(d, [row for row in d.snapshot.all(RevokedToken) if row.expires_at < d.now])
    if d.snapshot.get(RevokedToken, audit_id) is None:
        d.draft.put(RevokedToken(id=audit_id, expires_at=expires_at, created_at=d.now, updated_at=d.now))


@dataclass(frozen=True)
class Account:
    """A user and project that shall exist when a cloud starts.

    password_hash  argon2id, PHC string; used only when the user is made now: a password changed later stays
    project        name; made when missing
    role           name of the user's role in the project
    system_role    name of the user's role in the system; empty for none
    """

    user: str
    password_hash: str
    project: str
    role: str = "member"
    system_role: str = ""


def ensure_cloud(d: Decision, accounts: Iterable[Account]) -> None:
    """Makes what is missing of the accounts: user, project, role; what is there already stays as it is.

    Projects made by an older version are given their default group.

    A new cloud is given ``Account("admin", hash, "admin", "admin", "admin")`` and
    ``Account("demo", hash, "demo")``.  Changes nothing when called again.  The caller must be admin.
    """
    for account in accounts:
        project = project_by_name(d.snapshot, account.project)
        if project is None:
            project = decide_create_project(d, {"name": account.project})
        user = user_by_name(d.snapshot, account.user)
        if user is None:
            wanted = {"name": account.user, "password_hash": account.password_hash, "default_project_id": project.id}
            user = decide_create_user(d, wanted)
        decide_grant_role(d, user.id, project.id, ROLE_BY_NAME[account.role].id)
        if account.system_role:
            decide_grant_role(d, user.id, SYSTEM, ROLE_BY_NAME[account.system_role].id)
    for project_id in sorted(project.id for project in d.snapshot.all(Project)):
        ensure_default_group(d, project_id)


def _new_id(d: Decision) -> str:
    return d.fresh.uuid().replace("-", "")


def _missing(kind: str, wanted: str) -> UserError:
    return NotFound(f"Could not find {kind}: {wanted}.")


def _refuse_taken(kind: str, holder: Project | User | None) -> None:
    if holder is not None:
        raise Conflict(
            f"Conflict occurred attempting to store {kind} - Duplicate entry found with name {holder.name}"
            f" at domain ID {DOMAIN_ID}.",
            fault="Conflict",
        )


def _require_default_project(d: Decision, wanted: Mapping[str, Any]) -> None:
    project_id = wanted.get("default_project_id")
    if project_id is not None and d.snapshot.get(Project, project_id) is None:
        raise _missing("project", project_id)


def _require_grant_ends(d: Decision, user_id: str, target: str, role_id: str) -> None:
    find_role(role_id)
    find_user(d.snapshot, d.caller, user_id)
    if target != SYSTEM:
        find_project(d.snapshot, d.caller, target)


def _later(before: str, now: str) -> str:
    """Gives `now`, or the second after `before` where the clock has not gone past it: the value must change."""
    if before < now:
        return now
    return (datetime.fromisoformat(before) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _drop_all(d: Decision, rows: Iterable[Row]) -> None:
    for row in rows:
        d.draft.drop(row)
