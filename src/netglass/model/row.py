"""What all rows of intent have; the kinds of rows are in ``model.resources``, which is where to import these from."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=False, omit_defaults=True):
    """One object of intent.

    id               unique within its kind; a UUID except where the kind says otherwise
    project_id       the owner; empty for objects that belong to the cloud
    revision_number  1 at creation, one more with every change (Neutron's ``standard-attr-revisions``)
    """

    kind: ClassVar[str]

    id: str
    project_id: str = ""
    revision_number: int = 1
    created_at: str = ""
    updated_at: str = ""


class Described(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A row with the attributes that Neutron calls standard."""

    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()  # ascending, each once
