"""Reads the query string of a list: filters, fields, sorting, page.

Source: Networking API v2.0; the wording is Neutron's.  An unknown filter is 400 (extension ``filter-validation``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from starlette.datastructures import QueryParams

from netglass.api.networking.bodies import bad_request
from netglass.api.networking.declare import Attribute, Passes, Resource, View
from netglass.api.networking.kinds import Wrong
from netglass.base.errors import Invalid
from netglass.control.faults import disallowed

_CONTROLS = frozenset({"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"})
_TAG_FILTERS: Mapping[str, Callable[[frozenset[str]], Passes]] = {
    "tags": lambda wanted: lambda row: wanted <= set(row.tags),
    "tags-any": lambda wanted: lambda row: not wanted.isdisjoint(row.tags),
    "not-tags": lambda wanted: lambda row: not wanted <= set(row.tags),
    "not-tags-any": lambda wanted: lambda row: wanted.isdisjoint(row.tags),
}


@dataclass(frozen=True)
class Page:
    """What part of a list is wanted.

    limit    most rows; 0: all of them
    marker   id after (reversed: before) which to begin; empty: at the end
    """

    limit: int = 0
    marker: str = ""
    reverse: bool = False


@dataclass(frozen=True)
class Query:
    """A list's query string, checked.

    filters  attribute -> texts, any of which may match
    tags     tag filter -> tags
    fields   names to show; None: all
    since    changed_since, RFC 3339 in UTC; empty: not asked
    sorts    attribute and whether it ascends, the most important first
    """

    filters: Mapping[str, list[str]]
    tags: Mapping[str, frozenset[str]]
    since: str
    fields: frozenset[str] | None
    sorts: tuple[tuple[Attribute, bool], ...]
    page: Page


def read_query(resource: Resource, parameters: QueryParams, hidden: Collection[str] = ()) -> Query:
    """Reads a list's query string against the resource's declaration.

    hidden  attributes that the caller may not see; asking by them would tell what they are

    Raises Invalid, and Forbidden for a filter or a sort key that is hidden.
    """
    given: dict[str, list[str]] = {}
    for key, value in parameters.multi_items():
        if key not in _CONTROLS:
            given.setdefault(key, []).append(value)
    tags: dict[str, frozenset[str]] = {}
    since = ""
    if resource.taggable:
        tags = {
            key: frozenset(tag for text in given.pop(key) for tag in text.split(",") if tag)
            for key in _TAG_FILTERS
            if key in given
        }
        since = _since(given.pop("changed_since", [""])[0])
    unknown = [key for key in given if key not in resource.by_name or not resource.by_name[key].filter]
    if unknown:
        raise bad_request(f"{sorted(unknown)} is invalid attribute for filtering")
    sorts = _sorts(resource, parameters)
    for name in (*given, *(attribute.name for attribute, _ in sorts)):
        if name in hidden:
            raise disallowed(resource.rule("get", name))
    return Query(given, tags, since, read_fields(resource, parameters), sorts, _page(parameters))


def read_fields(resource: Resource, parameters: QueryParams) -> frozenset[str] | None:
    """Gives the names that ``fields`` asks for, or None when all are wanted; unknown ones are passed over."""
    given = [name for name in parameters.getlist("fields") if name]
    return frozenset(name for name in given if name in resource.by_name) if given else None


def _since(text: str) -> str:
    if not text:
        return ""
    try:
        # A "+" that was not escaped in a URL arrives as a blank.
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        raise Invalid(
            "Invalid input for operation: The input changed_since must be in the following format: "
            "YYYY-MM-DDTHH:MM:SSZ."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sorts(resource: Resource, parameters: QueryParams) -> tuple[tuple[Attribute, bool], ...]:
    keys = [key for key in parameters.getlist("sort_key") if key]
    directions = [direction for direction in parameters.getlist("sort_dir") if direction]
    # A direction may be left out: openstacksdk does when none was asked for.
    if directions and len(directions) != len(keys):
        raise bad_request("The number of sort_keys and sort_dirs must be same")
    unknown = [key for key in keys if key not in resource.by_name or not resource.by_name[key].sort]
    if unknown:
        raise bad_request(f"{unknown} is invalid attribute for sort_keys")
    wrong = [direction for direction in directions if direction not in ("asc", "desc")]
    if wrong:
        raise bad_request(f"{wrong} is invalid value for sort_dirs, valid value is 'asc' and 'desc'")
    ascending = [direction == "asc" for direction in directions] or [True] * len(keys)
    return tuple((resource.by_name[key], up) for key, up in zip(keys, ascending, strict=True))


def _page(parameters: QueryParams) -> Page:
    text = parameters.get("limit", "") or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Invalid(f"Bad limit request: Limit must be an integer 0 or greater and not '{text}'.", fault="BadRequest")
    reverse = parameters.get("page_reverse", "").lower() == "true"
    return Page(int(text), parameters.get("marker", ""), reverse)


def filters_of(resource: Resource, query: Query, view: View) -> list[Passes]:
    """Gives the tests that a row must pass; raises Invalid for a filter's text that its attribute cannot have."""
    found = [_test(resource.by_name[name], texts, view) for name, texts in query.filters.items()]
    found += [_TAG_FILTERS[key](wanted) for key, wanted in query.tags.items()]
    if query.since:
        since = query.since
        found.append(lambda row: row.updated_at >= since)
    return found


def _test(attribute: Attribute, texts: list[str], view: View) -> Passes:
    try:
        if attribute.passes is not None:
            return attribute.passes(texts)
        wanted = {attribute.kind.from_text(text) for text in texts}
    except Wrong as wrong:
        raise Invalid(f"Invalid input for operation: {wrong}.") from None
    show = attribute.show
    if show is not None:
        return lambda row: _equals(show(row, view), wanted)
    fetch = attrgetter(attribute.key)
    return lambda row: _equals(fetch(row), wanted)


def _equals(value: Any, wanted: set[Any]) -> bool:
    if isinstance(value, (list, tuple)):
        return any(item in wanted for item in value)
    return value in wanted
