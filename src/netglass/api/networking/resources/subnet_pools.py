"""Subnet pools: prefixes out of which subnets get their CIDR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from netglass.api.networking import kinds, schemas
from netglass.api.networking.bodies import bad_request
from netglass.api.networking.declare import Action, Attribute, Resource, Row, View
from netglass.api.networking.kinds import Kind, Wrong, quoted
from netglass.api.networking.resources.common import DESCRIPTION, ID, OWNER, STAMPS, TAGS, WRITES, by
from netglass.control.subnet_pools import (
    decide_add_prefixes,
    decide_create_subnet_pool,
    decide_delete_subnet_pool,
    decide_onboard,
    decide_remove_prefixes,
    decide_update_subnet_pool,
)
from netglass.control.visibility import granted_ids, is_shared
from netglass.model.caller import Caller
from netglass.model.resources import Subnet, SubnetPool

_MOST_PREFIXES = 1000
_CREATE = frozenset({"create"})


def _parse_prefixes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_PREFIXES:
        raise Wrong(f"{quoted(value)} is not a list of at most {_MOST_PREFIXES} IP subnets")
    found = tuple(kinds.parse_cidr(item) for item in value)
    if twice := sorted({item for item in found if found.count(item) > 1}):
        raise Wrong(f"Duplicate items in the list: {quoted(', '.join(twice))}")
    return found


PREFIXES = Kind(_parse_prefixes, {"type": "array", "maxItems": _MOST_PREFIXES, "items": kinds.CIDR.schema})
_LENGTH = Kind(kinds.integer(0, 128).parse, {"type": ["string", "integer"], "examples": ["24"]}, str)


def _length(name: str, about: str) -> Attribute:
    """Gives an attribute that is a prefix length; as in Neutron, it is shown as text."""
    return Attribute(
        name=name,
        kind=_LENGTH,
        about=about,
        post=True,
        put=True,
        show=lambda pool, view: str(getattr(pool, name)),
        sort=True,
    )


def _rows(view: View, caller: Caller) -> Iterable[SubnetPool]:
    """Gives the caller's own, and those that are shared with the caller's project."""
    if caller.is_admin:
        return view.snapshot.all(SubnetPool)
    ids = {
        *view.snapshot.ids("subnetpools_by_project", caller.project_id),
        *view.snapshot.ids("subnetpools_shared", True),
        *granted_ids(view.snapshot, caller.project_id, SubnetPool.kind),
    }
    found = (view.snapshot.get(SubnetPool, pool_id) for pool_id in ids)
    return [pool for pool in found if pool is not None]


def _read_prefixes(body: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        found: tuple[str, ...] = PREFIXES.parse(body.get("prefixes"))
    except Wrong as wrong:
        raise bad_request(f"Invalid input for prefixes. Reason: {wrong}.") from None
    return found


def _show_prefixes(pool: SubnetPool, view: View, render: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    return {"prefixes": pool.prefixes}


def _read_network(body: Mapping[str, Any]) -> str:
    try:
        return kinds.parse_uuid(body.get("network_id"))
    except Wrong as wrong:
        raise bad_request(f"Invalid input for network_id. Reason: {wrong}.") from None


def _show_subnets(subnets: list[Subnet], view: View, render: Callable[[Row], dict[str, Any]]) -> list[dict[str, str]]:
    return [{"id": subnet.id, "cidr": subnet.cidr} for subnet in subnets]


_BODY: schemas.Schema = {"type": "object", "properties": {"prefixes": PREFIXES.schema}, "required": ["prefixes"]}

_ACTIONS = (
    Action(
        name="add_prefixes",
        about="Adds prefixes to a subnet pool.",
        body=_BODY,
        answer=_BODY,
        read=_read_prefixes,
        decide=decide_add_prefixes,
        show=_show_prefixes,
    ),
    Action(
        name="remove_prefixes",
        about="Takes prefixes of which no subnet has addresses out of a subnet pool.",
        body=_BODY,
        answer=_BODY,
        read=_read_prefixes,
        decide=decide_remove_prefixes,
        show=_show_prefixes,
    ),
    Action(
        name="onboard_network_subnets",
        about="Makes a network's subnets subnets of the pool.",
        body={"type": "object", "properties": {"network_id": kinds.UUID.schema}, "required": ["network_id"]},
        answer={
            "type": "array",
            "items": {"type": "object", "properties": {"id": kinds.UUID.schema, "cidr": kinds.CIDR.schema}},
        },
        read=_read_network,
        decide=decide_onboard,
        show=_show_subnets,
    ),
)

SUBNET_POOL = Resource(
    name="subnetpool",
    collection="subnetpools",
    about="Prefixes out of which subnets get their CIDR, no two the same addresses.",
    missing="SubnetPoolNotFound",
    find=lambda view, row_id: view.snapshot.get(SubnetPool, row_id),
    rows=_rows,
    indexes={
        "address_scope_id": by("subnetpools_by_scope", empty=False),
        "project_id": by("subnetpools_by_project"),
        "tenant_id": by("subnetpools_by_project"),
    },
    create=decide_create_subnet_pool,
    update=decide_update_subnet_pool,
    delete=decide_delete_subnet_pool,
    actions=_ACTIONS,
    attributes=(
        ID,
        Attribute(
            name="name",
            kind=kinds.text(blank=False),
            about="Name for people; need not be unique.",
            post=True,
            put=True,
            required=True,
            sort=True,
        ),
        *OWNER,
        Attribute(
            name="prefixes",
            kind=PREFIXES,
            about="What it may give away; of one address family. An update may add, never take away.",
            post=True,
            put=True,
            required=True,
            filter=False,
        ),
        Attribute(name="ip_version", kind=kinds.one_of(4, 6), about="Address family, by its prefixes.", sort=True),
        _length("default_prefixlen", "Prefix length of subnets that ask for none; by default the least."),
        _length("min_prefixlen", "Least prefix length of its subnets: 8 or, in IPv6, 64 when not given."),
        _length("max_prefixlen", "Largest prefix length of its subnets: 32 or, in IPv6, 128 when not given."),
        Attribute(
            name="default_quota",
            kind=kinds.nullable(kinds.integer(0)),
            about="Most that each project gets of it: addresses or, in IPv6, /64s; null and 0 for no limit.",
            post=True,
            put=True,
            sort=True,
        ),
        Attribute(
            name="is_default",
            kind=kinds.BOOLEAN,
            about="Whether subnets may ask for it without a name; one at most for each address family.",
            post=True,
            put=True,
            default=False,
            guards=WRITES,
            sort=True,
        ),
        Attribute(
            name="shared",
            kind=kinds.BOOLEAN,
            about="Whether every project may have subnets out of it.",
            show=lambda pool, view: is_shared(view.snapshot, pool, view.caller.project_id),
            post=True,
            default=False,
            guards=_CREATE,
            sort=True,
        ),
        Attribute(
            name="address_scope_id",
            kind=kinds.nullable(kinds.UUID),
            about="Address scope that it is in, with all of its subnets; null for none.",
            post=True,
            put=True,
            show=lambda pool, view: pool.address_scope_id or None,
            sort=True,
        ),
        DESCRIPTION,
        *STAMPS,
        TAGS,
    ),
)
