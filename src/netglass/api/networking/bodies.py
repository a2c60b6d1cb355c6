"""Reads request bodies against a resource's declaration; knows nothing of intent.

Everything is checked before a decision is taken.  Source: order and wording of the checks are Neutron's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netglass.api.networking.declare import Attribute, Resource
from netglass.api.networking.kinds import Wrong
from netglass.base.errors import Invalid
from netglass.model.caller import Caller

_BULK_LIMIT = 1000
"""Most objects in one bulk request: what a list of them and one commit should stay within."""


def bad_request(message: str) -> Invalid:
    """Gives the fault of a request that is wrong in itself, as Neutron's own framework answers it."""
    return Invalid(message, fault="HTTPBadRequest")


def read_created(resource: Resource, body: Mapping[str, Any], caller: Caller) -> tuple[bool, list[dict[str, Any]]]:
    """Reads the body of a creation; gives whether it is a bulk, and each object's values by Netglass's names.

    Every object has ``project_id``; what was not given is left out.  Raises Invalid.
    """
    if not body:
        raise bad_request("Resource body required")
    if resource.collection in body:
        items = body[resource.collection]
        if not resource.bulk:
            raise bad_request("Bulk operation not supported")
        if not isinstance(items, list) or not items:
            raise bad_request("Resources required")
        if len(items) > _BULK_LIMIT:
            raise bad_request(f"A bulk of {len(items)} is more than the {_BULK_LIMIT} that one request may make")
        # Neutron also takes each object wrapped once more in the resource's own name.
        bare = [i[resource.name] if isinstance(i, dict) and resource.name in i else i for i in items]
        return True, [_created(resource, values, caller) for values in bare]
    return False, [_created(resource, _single(resource, body), caller)]


def read_updated(resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
    """Reads the body of an update; gives the values by Netglass's names.  Raises Invalid."""
    if not body:
        raise bad_request("Resource body required")
    values = _checked(resource, _single(resource, body))
    for name in values:
        if not resource.by_name[name].put:
            raise bad_request(f"Cannot update read-only attribute {name}")
    return _parsed(resource, values)


def _single(resource: Resource, body: Mapping[str, Any]) -> Any:
    if body.get(resource.name) is None:
        raise bad_request(f"Unable to find '{resource.name}' in request body")
    return body[resource.name]


def _checked(resource: Resource, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise bad_request("Body contains invalid data")
    unknown = [name for name in values if name not in resource.by_name]
    if unknown:
        raise bad_request(f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'")
    return values


def _created(resource: Resource, given: Any, caller: Caller) -> dict[str, Any]:
    values = _checked(resource, given)
    for name in resource.required:
        if name not in values:
            raise bad_request(f"Failed to parse request. Required attribute '{name}' not specified")
    for name in values:
        if not resource.by_name[name].post:
            raise bad_request(f"Attribute '{name}' not allowed in POST")
    project_id = _project(values, caller)
    return {**_parsed(resource, values), "project_id": project_id}


def _parsed(resource: Resource, values: Mapping[str, Any]) -> dict[str, Any]:
    parsed = {}
    for name, value in values.items():
        attribute = resource.by_name[name]
        parsed[attribute.key] = parse_value(attribute, value)
    return parsed


def parse_value(attribute: Attribute, value: Any) -> Any:
    """Reads one attribute's value; raises Invalid in Neutron's words."""
    try:
        return attribute.kind.parse(value)
    except Wrong as wrong:
        raise bad_request(f"Invalid input for {attribute.name}. Reason: {wrong}.") from None


def _project(values: Mapping[str, Any], caller: Caller) -> str:
    """Gives the owner of a new object; ``tenant_id`` is the old name of ``project_id``."""
    named = {str(values[name]) for name in ("project_id", "tenant_id") if name in values}
    if len(named) > 1:
        raise bad_request("'project_id' and 'tenant_id' do not match")
    project_id = named.pop() if named else caller.project_id
    if not project_id:
        raise bad_request("Running without keystone AuthN requires that tenant_id is specified")
    if project_id != caller.project_id and not caller.is_admin:
        raise bad_request(
            "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request "
            "is not allowed for current user."
        )
    return project_id
