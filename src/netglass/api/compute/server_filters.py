"""What a list of servers is asked for: filters and order.

Filters are compared, never matched as regular expressions (CVE 2014-3708): ``name`` and ``ip`` find parts of texts,
with ``^`` and ``$`` standing for the ends, which is all that people write there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netglass.api.compute.calls import Call
from netglass.api.compute.server_view import addresses_of, status_of
from netglass.base.errors import Forbidden, Invalid
from netglass.model.resources import Server

_TRUE = ("1", "t", "true", "on", "y", "yes")
_ORDER = ("limit", "marker", "sort_key", "sort_dir", "all_tenants", "all_projects", "deleted")

_KEYS: dict[str, Callable[[Server], Any]] = {
    "created_at": lambda s: s.created_at,
    "updated_at": lambda s: s.updated_at,
    "display_name": lambda s: s.name,
    "uuid": lambda s: s.id,
    "id": lambda s: s.id,
    "host": lambda s: s.host,
    "vm_state": lambda s: s.vm_state,
    "task_state": lambda s: s.task_state or "",
    "launched_at": lambda s: s.launched_at or "",
    "project_id": lambda s: s.project_id,
    "user_id": lambda s: s.user_id,
    "availability_zone": lambda s: s.availability_zone,
}

_FILTERS: dict[str, Callable[[Call, Server, str], bool]] = {
    "name": lambda c, s, v: _finds(v, s.name),
    "status": lambda c, s, v: v.upper() == status_of(s),
    "vm_state": lambda c, s, v: v == s.vm_state,
    "flavor": lambda c, s, v: v == s.flavor_id,
    "image": lambda c, s, v: v == s.image_id,
    "uuid": lambda c, s, v: v == s.id,
    "ip": lambda c, s, v: any(_finds(v, a) for a in _texts(c, s) if ":" not in a),
    "ip6": lambda c, s, v: any(_finds(v, a) for a in _texts(c, s) if ":" in a),
    "availability_zone": lambda c, s, v: v == s.availability_zone,
    "user_id": lambda c, s, v: v == s.user_id,
    "key_name": lambda c, s, v: v == (s.key_name or ""),
    "description": lambda c, s, v: _finds(v, s.description or ""),
    "changes-since": lambda c, s, v: s.updated_at >= v.replace("+00:00", "Z"),
    "changes-before": lambda c, s, v: s.updated_at <= v.replace("+00:00", "Z"),
    "tags": lambda c, s, v: set(v.split(",")) <= set(s.tags),
    "tags-any": lambda c, s, v: not set(v.split(",")).isdisjoint(s.tags),
}

_FOR_ADMINS: dict[str, Callable[[Call, Server, str], bool]] = {
    "host": lambda c, s, v: v == s.host,
    "node": lambda c, s, v: v == s.host,
    "hostname": lambda c, s, v: _finds(v, s.hostname),
    "project_id": lambda c, s, v: v == s.project_id,
    "tenant_id": lambda c, s, v: v == s.project_id,
}


def found_servers(call: Call) -> list[Server]:
    """Gives the servers that the query asks for and the caller may see, in its order; newest first without one.

    Raises Forbidden for ``all_tenants`` by other than admins; Invalid for an unknown sort key, and from microversion
    2.75 on for an unknown filter.
    """
    query = call.request.query_params
    checks = []
    for name, value in query.multi_items():
        if name in _FILTERS:
            checks.append((_FILTERS[name], value))
        elif name in _FOR_ADMINS:
            # As in Nova, what only admins may filter by is left alone for others: they see their own project anyway.
            if call.caller.is_admin:
                checks.append((_FOR_ADMINS[name], value))
        elif name not in _ORDER and call.minor >= 75:
            raise Invalid(f"Invalid input for query parameters {name}.", fault="ValidationError")
    if call.caller.is_admin and query.get("deleted", "").lower() in _TRUE:
        return []  # a server that is deleted is gone
    rows = [s for s in _in_scope(call) if all(check(call, s, value) for check, value in checks)]
    return _ordered(call, rows)


def _in_scope(call: Call) -> list[Server]:
    query = call.request.query_params
    wide = next((query[name] for name in ("all_tenants", "all_projects") if name in query), None)
    if wide is None or (wide and wide.lower() not in _TRUE):
        return call.snapshot.rows("servers_by_project", call.caller.project_id)
    if not call.caller.is_admin:
        raise Forbidden("Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.")
    return list(call.snapshot.all(Server))


def _ordered(call: Call, rows: list[Server]) -> list[Server]:
    keys = call.request.query_params.getlist("sort_key") or ["created_at", "id"]
    directions = call.request.query_params.getlist("sort_dir")
    rows = sorted(rows, key=lambda s: s.id)  # so that equal ones have an order, and pages fit together
    for place in reversed(range(len(keys))):
        if keys[place] not in _KEYS:
            raise Invalid(f"Invalid input for query parameters sort_key: {keys[place]}.", fault="ValidationError")
        descending = (directions[place] if place < len(directions) else "desc") == "desc"
        rows = sorted(rows, key=_KEYS[keys[place]], reverse=descending)
    return rows


def _texts(call: Call, server: Server) -> list[str]:
    entries = (entry for found in addresses_of(server, call.snapshot).values() for entry in found)
    return [entry["addr"] for entry in entries if entry["OS-EXT-IPS:type"] == "fixed"]  # as Nova's ip and ip6 are


def _finds(wanted: str, text: str) -> bool:
    at_start, at_end = wanted.startswith("^"), wanted.endswith("$")
    part = wanted.removeprefix("^").removesuffix("$")
    if at_start and at_end:
        return text == part
    if at_start:
        return text.startswith(part)
    return text.endswith(part) if at_end else part in text
