"""Attributes that most resources have, and the ways to their rows.

Source: Neutron's standard attributes (description, revisions, timestamps, tags) and its ``project-id`` extension.
"""

from __future__ import annotations

from typing import Any

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Index, View

WRITES = frozenset({"create", "update"})
"""Guards of an attribute that some may see and only others set."""

GUARDED = frozenset({"get", "create", "update"})
"""Guards of an attribute that only some may see and set."""

TIME = kinds.Kind(kinds.parse_text, {"type": "string", "format": "date-time"})

ID = Attribute(name="id", kind=kinds.UUID, about="Identifier; a UUID.", sort=True)

NAME = Attribute(
    name="name",
    kind=kinds.text(),
    about="Name for people; need not be unique.",
    post=True,
    put=True,
    default="",
    sort=True,
)

DESCRIPTION = Attribute(
    name="description", kind=kinds.text(), about="Words for people.", post=True, put=True, default="", sort=True
)

ADMIN_STATE_UP = Attribute(
    name="admin_state_up",
    kind=kinds.BOOLEAN,
    about="False takes it out of service.",
    post=True,
    put=True,
    default=True,
    sort=True,
)

OWNER: tuple[Attribute, ...] = (
    Attribute(
        name="project_id",
        kind=kinds.text(),
        about="Project that owns it; only an administrator may name another than their own.",
        post=True,
        sort=True,
    ),
    Attribute(
        name="tenant_id",
        field="project_id",
        kind=kinds.text(),
        about="The old name of project_id.",
        post=True,
        sort=True,
    ),
)

STAMPS: tuple[Attribute, ...] = (
    Attribute(name="created_at", kind=TIME, about="When it was made; RFC 3339 in UTC.", sort=True),
    Attribute(name="updated_at", kind=TIME, about="When it last changed; RFC 3339 in UTC.", sort=True),
    Attribute(
        name="revision_number",
        kind=kinds.integer(1),
        about="1 at first, one more with every change; If-Match compares it.",
        sort=True,
    ),
)

TAGS = Attribute(
    name="tags",
    kind=kinds.unique_texts(),
    about="Words for people, ascending.",
    post=True,
    default=(),
    filter=False,  # the four filters on tags are the same for every resource and live in query
)


def by(group: str, *, empty: bool = True) -> Index:
    """Gives an index of the snapshot as the index of a filter.

    group  its name in ``model.snapshot.GROUPS``
    empty  whether rows with an empty value are in it
    """

    def rows(view: View, texts: list[str]) -> list[Any] | None:
        if not empty and "" in texts:
            return None
        return [row for text in dict.fromkeys(texts) for row in view.snapshot.rows(group, text)]

    return rows
