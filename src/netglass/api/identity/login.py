"""Logging in: from the body of POST /auth/tokens to a user, and to what their token is for.

Whatever is wrong with a user, a password or a scope is answered with the same words: who has no token learns nothing
of who and what there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec import UNSET, UnsetType

from netglass.api.identity.passwords import Passwords
from netglass.api.tokens import Payload, Tokens
from netglass.base.errors import Invalid, Unauthorized
from netglass.control.identity import (
    DOMAIN_ID,
    DOMAIN_NAME,
    SYSTEM,
    effective_roles,
    project_by_name,
    user_by_name,
)
from netglass.model.resources import Project, User
from netglass.model.snapshot import Snapshot

LONGEST_PASSWORD = 4096
"""Characters; far beyond what anybody types, short enough to hash."""


class DomainRef(msgspec.Struct, frozen=True):
    """A domain by id or name."""

    id: str | None = None
    name: str | None = None


class UserRef(msgspec.Struct, frozen=True):
    """A user by id, or by name and domain; with the password."""

    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None
    password: str = ""


class ProjectRef(msgspec.Struct, frozen=True):
    """A project by id, or by name and domain."""

    id: str | None = None
    name: str | None = None
    domain: DomainRef | None = None


class PasswordMethod(msgspec.Struct, frozen=True):
    """What the method ``password`` needs."""

    user: UserRef


class TokenMethod(msgspec.Struct, frozen=True):
    """What the method ``token`` needs."""

    id: str


class IdentityBody(msgspec.Struct, frozen=True):
    """Who one is, and how that is shown."""

    methods: list[str]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None


class SystemScope(msgspec.Struct, frozen=True):
    """The whole system."""

    all: bool


class ScopeBody(msgspec.Struct, frozen=True):
    """What the token shall be for; exactly one of them."""

    project: ProjectRef | UnsetType = UNSET
    system: SystemScope | UnsetType = UNSET
    domain: DomainRef | UnsetType = UNSET
    unscoped: dict[str, str] | UnsetType = UNSET


class AuthBody(msgspec.Struct, frozen=True):
    """The body's ``auth``."""

    identity: IdentityBody
    scope: ScopeBody | str | None = None


@dataclass(frozen=True)
class Shown:
    """Who has shown who they are.

    methods  how, as the new token says
    token    the token that was shown; None when none was
    """

    user: User
    methods: tuple[str, ...]
    token: Payload | None


async def authenticate(body: IdentityBody, snapshot: Snapshot, passwords: Passwords, tokens: Tokens) -> Shown:
    """Checks every method that the body names; raises Unauthorized when one does not hold, or for unknown ones."""
    if not body.methods:
        raise Invalid("Invalid input for auth: 'methods' is empty.", fault="ValidationError")
    found: list[Shown] = []
    for method in dict.fromkeys(body.methods):
        if method == "password" and body.password is not None:
            found.append(await _by_password(body.password.user, snapshot, passwords))
        elif method == "token" and body.token is not None:
            holder = tokens.holder(body.token.id)
            methods = tuple(dict.fromkeys((*holder.payload.methods, "token")))
            found.append(Shown(holder.user, methods, holder.payload))
        elif method in ("password", "token"):
            raise Invalid(f"Expecting to find {method} in identity.", fault="ValidationError")
        else:
            raise Unauthorized("Attempted to authenticate with an unsupported method.")
    if len({shown.user.id for shown in found}) != 1:
        raise Unauthorized
    methods = tuple(dict.fromkeys(method for shown in found for method in shown.methods))
    return Shown(found[0].user, methods, next((shown.token for shown in found if shown.token), None))


async def _by_password(wanted: UserRef, snapshot: Snapshot, passwords: Passwords) -> Shown:
    user: User | None = None
    if wanted.id is not None:
        user = snapshot.get(User, wanted.id)
    elif wanted.name is not None and _is_default(wanted.domain):
        user = user_by_name(snapshot, wanted.name)
    if len(wanted.password) > LONGEST_PASSWORD:
        raise Unauthorized
    # The password is looked at whoever it is: a quick no would tell that there is no such user.
    if not await passwords.fits(user, wanted.password) or user is None or not user.enabled:
        raise Unauthorized
    return Shown(user, ("password",), None)


def choose_target(scope: ScopeBody | str | None, user: User, snapshot: Snapshot) -> str:
    """Gives what the token is for: a project's id, ``system``, or nothing.

    Without a scope it is the user's default project, if they have a role there.
    Raises Unauthorized where the user has no role.
    """
    if scope is None:
        return user.default_project_id or "" if _may_enter(snapshot, user, user.default_project_id or "") else ""
    if isinstance(scope, str):
        if scope != "unscoped":
            raise Invalid(f"Invalid input for scope: {scope!r} is no scope.", fault="ValidationError")
        return ""
    if isinstance(scope.project, ProjectRef):
        project_id = _project_id(scope.project, snapshot)
        if not _may_enter(snapshot, user, project_id):
            raise Unauthorized
        return project_id
    if isinstance(scope.system, SystemScope):
        if not scope.system.all or not effective_roles(snapshot, user.id, SYSTEM):
            raise Unauthorized
        return SYSTEM
    if scope.unscoped is not UNSET:
        return ""
    raise Unauthorized  # a domain: nobody has a role in it, as roles are given in projects and the system


def _project_id(wanted: ProjectRef, snapshot: Snapshot) -> str:
    if wanted.id is not None:
        return wanted.id
    if wanted.name is None or not _is_default(wanted.domain):
        return ""
    project = project_by_name(snapshot, wanted.name)
    return project.id if project is not None else ""


def _may_enter(snapshot: Snapshot, user: User, project_id: str) -> bool:
    project = snapshot.get(Project, project_id)
    return project is not None and project.enabled and bool(effective_roles(snapshot, user.id, project_id))


def _is_default(domain: DomainRef | None) -> bool:
    if domain is None:
        return False
    if domain.id is not None:
        return domain.id == DOMAIN_ID
    # Keystone's databases compare names without case, and people's credentials files rely on it.
    return domain.name is not None and domain.name.lower() == DOMAIN_NAME.lower()
