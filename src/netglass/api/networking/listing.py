"""Answers a list: candidates out of an index, what the caller may see, filters, order, page.

Cost: that of the candidates, not of the table, whenever a filter or the caller's project has an index.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from netglass.api.networking.declare import Attribute, Resource, Row, View
from netglass.api.networking.policy import POLICY
from netglass.api.networking.query import Page, Query, filters_of
from netglass.base.errors import NotFound
from netglass.model.caller import Caller


@dataclass(frozen=True)
class Listed:
    """A page of rows.

    next      id after which the next page begins; empty when there is none
    previous  id before which the previous page ends; empty when there is none
    """

    rows: list[Row]
    next: str = ""
    previous: str = ""


def list_rows(
    resource: Resource, query: Query, view: View, caller: Caller, within: Iterable[Row] | None = None
) -> Listed:
    """Gives the rows that a query asks for, as far as the caller may see them.

    within  rows out of which they are; None: all of the resource

    Raises Invalid for a filter's text that cannot be, NotFound for a marker that the caller does not see.
    """
    sees = POLICY[resource.rule("get")]
    tests = filters_of(resource, query, view)
    rows = _candidates(resource, query, view, caller) if within is None else within
    for passes in tests:
        rows = [row for row in rows if passes(row)]
    rows = [row for row in rows if sees(caller, row, view.snapshot)]
    if not query.page.limit:
        return Listed(_sorted(rows, query.sorts, view))
    marker = _marker(resource, query.page, view, caller)
    return _paged(rows, marker, query, view)


def find_visible(resource: Resource, row_id: str, view: View, caller: Caller) -> Row:
    """Gives the row of an id; raises NotFound when there is none, or the caller must not know of it."""
    row = resource.find(view, row_id)
    if row is None or not POLICY[resource.rule("get")](caller, row, view.snapshot):
        raise missing(resource, row_id)
    return row


def missing(resource: Resource, row_id: str) -> NotFound:
    """Gives the error for an id that the caller knows of no object by."""
    title = resource.name.replace("_", " ").capitalize()
    return NotFound(f"{title} {row_id} could not be found.", fault=resource.missing)


def _candidates(resource: Resource, query: Query, view: View, caller: Caller) -> Iterable[Row]:
    """Gives rows among which all are that can pass."""
    if "id" in query.filters:
        found = (resource.find(view, row_id) for row_id in dict.fromkeys(query.filters["id"]))
        return [row for row in found if row is not None]
    for name, index in resource.indexes.items():
        if name in query.filters:
            rows = index(view, query.filters[name])
            if rows is not None:
                return rows
    return resource.rows(view, caller)


def _sorted(rows: list[Row], sorts: tuple[tuple[Attribute, bool], ...], view: View) -> list[Row]:
    """Sorts by the attributes asked for, then by id, so that pages never overlap."""
    ordered = sorted(rows, key=attrgetter("id"))
    for attribute, ascending in reversed(sorts):
        ordered.sort(key=lambda row, a=attribute: _rank(a.value(row, view)), reverse=not ascending)  # type: ignore[misc]
    return ordered


def _rank(value: Any) -> tuple[bool, Any]:
    """Puts null before everything else; containers in the order of their text."""
    if value is None:
        return (False, "")
    return (True, value if isinstance(value, (str, int)) else str(value))


def _marker(resource: Resource, page: Page, view: View, caller: Caller) -> Row | None:
    return find_visible(resource, page.marker, view, caller) if page.marker else None


def _paged(rows: list[Row], marker: Row | None, query: Query, view: View) -> Listed:
    page = query.page
    if marker is not None and all(row.id != marker.id for row in rows):
        # It no longer passes the filters, and still says where the page begins.
        ordered = _sorted([*rows, marker], query.sorts, view)
        at = next(i for i, row in enumerate(ordered) if row.id == marker.id)
        del ordered[at]
        before, after = at, at
    else:
        ordered = _sorted(rows, query.sorts, view)
        at = next((i for i, row in enumerate(ordered) if marker is not None and row.id == marker.id), -1)
        before, after = (at, at + 1) if marker is not None else (len(ordered), 0)
    found = ordered[max(0, before - page.limit) : before] if page.reverse else ordered[after : after + page.limit]
    return _linked(found, page)


def _linked(rows: list[Row], page: Page) -> Listed:
    """Says which neighbours a page has as Neutron does: a full page may have one; an empty one leads back."""
    full = len(rows) >= page.limit
    first, last = (rows[0].id, rows[-1].id) if rows else ("", "")
    if page.reverse:
        return Listed(rows, next=last or page.marker, previous=first if full else "")
    return Listed(rows, next=last if full else "", previous=first or page.marker)
