"""Turns rows into what the wire shows: one function per resource and set of attributes, made once and kept.

Rendering is most of the cost of a long list, so plain fields are fetched by one call into C for the whole row, and
only computed attributes cost a call each: 1,000 ports take about 4 ms so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any

from netglass.api.networking.declare import Resource, Row, View
from netglass.api.networking.policy import permits
from netglass.model.caller import Caller
from netglass.model.snapshot import Snapshot

Render = Callable[[Row, View], dict[str, Any]]


def renderer(resource: Resource, caller: Caller, snapshot: Snapshot, fields: frozenset[str] | None = None) -> Render:
    """Gives the function that shows a row of `resource` to `caller`.

    fields  names of the resource's attributes to show; None: all that the caller may see
    """
    return _render(resource, hidden_from(resource, caller, snapshot), fields)


def hidden_from(resource: Resource, caller: Caller, snapshot: Snapshot) -> frozenset[str]:
    """Gives the names of the attributes that the caller may not see."""
    return frozenset(
        a.name
        for a in resource.attributes
        if "get" in a.guards and not permits(resource.rule("get", a.name), caller, None, snapshot)
    )


@lru_cache(maxsize=256)
def _render(resource: Resource, hidden: frozenset[str], fields: frozenset[str] | None) -> Render:
    shown = [
        a for a in resource.attributes if a.visible and a.name not in hidden and (fields is None or a.name in fields)
    ]
    plain = [a for a in shown if a.show is None]
    names = [a.name for a in plain]
    computed = [(a.name, a.show) for a in shown if a.show is not None]
    fetch = _fetcher([a.key for a in plain])

    def render(row: Row, view: View) -> dict[str, Any]:
        value = dict(zip(names, fetch(row), strict=True))
        for key, show in computed:
            value[key] = show(row, view)
        return value

    return render


def _fetcher(keys: list[str]) -> Callable[[Row], tuple[Any, ...]]:
    if not keys:
        return lambda row: ()
    fetch = attrgetter(*keys)
    # attrgetter of one name gives the bare value, of several a tuple.
    return fetch if len(keys) > 1 else lambda row: (fetch(row),)
