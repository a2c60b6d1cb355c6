"""How Identity's objects look on the wire."""

from __future__ import annotations

from typing import Any

from netglass.api.identity.catalog import Catalog
from netglass.api.tokens import Holder
from netglass.control.identity import DOMAIN_ID, DOMAIN_NAME, SYSTEM, Role
from netglass.model.resources import Project, RoleAssignment, User
from netglass.model.snapshot import Snapshot

DOMAIN_REF = {"id": DOMAIN_ID, "name": DOMAIN_NAME}
"""The one domain, as other objects name it."""


class Shapes:
    """Renders rows; `public_url` is the base of links and of the catalogue."""

    def __init__(self, public_url: str) -> None:
        self._base = public_url + "/identity/v3"
        self.catalog = Catalog(public_url)

    def url(self, path: str) -> str:
        """Gives the whole URL of a path under ``/v3``."""
        return self._base + path

    def project(self, row: Project) -> dict[str, Any]:
        """Gives a project."""
        return {
            "id": row.id,
            "name": row.name,
            "description": row.description,
            "domain_id": DOMAIN_ID,
            "parent_id": DOMAIN_ID,
            "enabled": row.enabled,
            "is_domain": False,
            "tags": list(row.tags),
            "options": {},
            "links": {"self": self.url(f"/projects/{row.id}")},
        }

    def user(self, row: User) -> dict[str, Any]:
        """Gives a user, without anything of the password."""
        shown: dict[str, Any] = {
            "id": row.id,
            "name": row.name,
            "description": row.description,
            "domain_id": DOMAIN_ID,
            "enabled": row.enabled,
            "password_expires_at": None,
            "options": {},
            "links": {"self": self.url(f"/users/{row.id}")},
        }
        if row.email:
            shown["email"] = row.email
        if row.default_project_id is not None:
            shown["default_project_id"] = row.default_project_id
        return shown

    def role(self, role: Role) -> dict[str, Any]:
        """Gives a role."""
        return {
            "id": role.id,
            "name": role.name,
            "description": role.description,
            "domain_id": None,
            "options": {},
            "links": {"self": self.url(f"/roles/{role.id}")},
        }

    def domain(self) -> dict[str, Any]:
        """Gives the one domain."""
        return {
            "id": DOMAIN_ID,
            "name": DOMAIN_NAME,
            "description": "The one domain of this cloud.",
            "enabled": True,
            "tags": [],
            "options": {},
            "links": {"self": self.url(f"/domains/{DOMAIN_ID}")},
        }

    def assignment(self, row: RoleAssignment, role: Role, snapshot: Snapshot, *, names: bool) -> dict[str, Any]:
        """Gives a role assignment for `role`, which differs from the row's own where it is implied by it.

        names  also give the names of user, role and project
        """
        user, project = snapshot.get(User, row.user_id), snapshot.get(Project, row.target)
        shown_user: dict[str, Any] = {"id": row.user_id}
        shown_role: dict[str, Any] = {"id": role.id}
        shown_project: dict[str, Any] = {"id": row.target}
        if names:
            shown_user |= {"name": user.name if user is not None else "", "domain": DOMAIN_REF}
            shown_role |= {"name": role.name}
            shown_project |= {"name": project.name if project is not None else "", "domain": DOMAIN_REF}
        scope = {"system": {"all": True}} if row.target == SYSTEM else {"project": shown_project}
        place = "/system" if row.target == SYSTEM else f"/projects/{row.target}"
        links = {"assignment": self.url(f"{place}/users/{row.user_id}/roles/{row.role_id}")}
        return {"role": shown_role, "user": shown_user, "scope": scope, "links": links}

    def token(self, holder: Holder, *, catalog: bool) -> dict[str, Any]:
        """Gives what a token is, to the one who holds it or validates it."""
        payload = holder.payload
        shown: dict[str, Any] = {
            "methods": payload.methods,
            "user": {
                "id": holder.user.id,
                "name": holder.user.name,
                "domain": DOMAIN_REF,
                "password_expires_at": None,
            },
            "audit_ids": [payload.audit_id, *([payload.parent] if payload.parent else [])],
            "expires_at": payload.expires_at,
            "issued_at": payload.issued_at,
        }
        if not payload.target:
            return shown
        shown["roles"] = [{"id": role.id, "name": role.name} for role in holder.roles]
        if holder.project is not None:
            shown["project"] = {"id": holder.project.id, "name": holder.project.name, "domain": DOMAIN_REF}
            shown["is_domain"] = False
        else:
            shown["system"] = {"all": True}
        if catalog:
            shown["catalog"] = self.catalog.entries
        return shown
