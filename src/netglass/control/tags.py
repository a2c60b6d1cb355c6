"""Tags: free words on networks, subnets and ports.

Source: the Networking API's ``standard-attr-tag`` extension.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from netglass.control.decision import Decision
from netglass.control.faults import fault, invalid_input
from netglass.control.visibility import require_update
from netglass.model.resources import Described

D = TypeVar("D", bound=Described)

MOST_TAGS = 50
LONGEST_TAG = 255  # characters


def ordered_tags(kind: str, tags: Iterable[str]) -> tuple[str, ...]:
    """Gives tags ascending, each once.

    Raises InvalidInput for an empty or overlong tag, BadRequest for too many.
    """
    found = tuple(sorted(set(tags)))
    for tag in found:
        if not 0 < len(tag) <= LONGEST_TAG:
            raise invalid_input(f"Tag '{tag[:20]}…' must have 1 to {LONGEST_TAG} characters")
    if len(found) > MOST_TAGS:
        raise fault("BadRequest", resource=kind, msg=f"The number of tags exceed the per-resource limit of {MOST_TAGS}")
    return found


def decide_set_tags(d: Decision, row: D, tags: Iterable[str]) -> D:
    """Replaces all tags of a row; none is allowed.  Raises as `ordered_tags`, and when the row is another's."""
    require_update(d, row)
    return d.draft.update(row, d.now, tags=ordered_tags(row.kind, tags))


def decide_add_tag(d: Decision, row: D, tag: str) -> D:
    """Adds a tag; nothing changes when the row has it.  Raises as `decide_set_tags`."""
    return decide_set_tags(d, row, (*row.tags, tag))


def decide_drop_tag(d: Decision, row: D, tag: str) -> D:
    """Takes one tag away; raises TagNotFound when the row has it not."""
    if tag not in row.tags:
        raise fault("TagNotFound", tag=tag)
    return decide_set_tags(d, row, [kept for kept in row.tags if kept != tag])
