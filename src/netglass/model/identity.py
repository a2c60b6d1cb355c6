"""Rows of Identity, and each project's limits; imported by way of ``model.resources``."""

from __future__ import annotations

from typing import ClassVar

from netglass.model.row import Row


class Project(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A project (tenant) of the one domain ``default``."""

    kind: ClassVar[str] = "project"

    name: str
    description: str = ""
    enabled: bool = True
    tags: tuple[str, ...] = ()


class User(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who can get a token."""

    kind: ClassVar[str] = "user"

    name: str
    description: str = ""
    email: str = ""
    enabled: bool = True
    default_project_id: str | None = None
    password_hash: str = ""  # argon2id, PHC string; empty: cannot log in by password
    tokens_after: str = ""  # tokens issued before this time are revoked


class RoleAssignment(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A user's role in a project, or in the whole system.

    id  ``<user id>/<project id or "system">/<role id>``
    """

    kind: ClassVar[str] = "role_assignment"

    user_id: str
    target: str  # project id, or "system"
    role_id: str


class RevokedToken(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A token that was revoked before its end.

    id  the token's audit id; the row is dropped once the token has expired
    """

    kind: ClassVar[str] = "revoked_token"

    expires_at: str


class Quota(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A project's own limits; what it does not name has the default.

    id  the project's id
    """

    kind: ClassVar[str] = "quota"

    limits: dict[str, int] = {}  # resource -> most; -1 is without limit
