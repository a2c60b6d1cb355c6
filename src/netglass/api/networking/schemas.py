"""JSON Schemas (2020-12, as in OpenAPI 3.1) of a resource's bodies and answers, out of its declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netglass.api.networking.declare import Attribute, Resource

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "array", "items": TEXT}

_LINKS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"rel": {"type": "string", "enum": ["next", "previous"]}, "href": {"type": "string"}},
        "required": ["rel", "href"],
    },
}

_PAGING: Mapping[str, Schema] = {
    "fields": TEXTS,
    "sort_dir": {"type": "array", "items": {"type": "string", "enum": ["asc", "desc"]}},
    "limit": {"type": "integer", "minimum": 0},
    "marker": TEXT,
    "page_reverse": {"type": "boolean"},
}


def reference(resource: Resource) -> Schema:
    """Gives a reference to the schema of one shown object."""
    return {"$ref": f"#/components/schemas/{resource.name}"}


def shown(resource: Resource) -> Schema:
    """Gives the schema of one object as it is shown to whoever may see all of it."""
    return {
        "type": "object",
        "description": resource.about,
        "properties": {a.name: _described(a) for a in resource.attributes if a.visible},
    }


def wrapped(resource: Resource) -> Schema:
    """Gives the schema of an answer with one object."""
    return _object({resource.name: reference(resource)})


def listed(resource: Resource) -> Schema:
    """Gives the schema of an answer with a list."""
    items = {"type": "array", "items": reference(resource)}
    properties = {resource.collection: items, f"{resource.collection}_links": _LINKS}
    return {"type": "object", "properties": properties, "required": [resource.collection]}


def creation(resource: Resource) -> Schema:
    """Gives the schema of the body of a creation."""
    properties = {a.name: _described(a, default=True) for a in resource.attributes if a.post}
    one: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if resource.required:
        one["required"] = list(resource.required)
    single = _object({resource.name: one})
    if not resource.bulk:
        return single
    return {"oneOf": [single, _object({resource.collection: {"type": "array", "minItems": 1, "items": one}})]}


def change(resource: Resource) -> Schema:
    """Gives the schema of the body of an update."""
    properties = {a.name: _described(a) for a in resource.attributes if a.put}
    return _object({resource.name: {"type": "object", "properties": properties, "additionalProperties": False}})


def list_parameters(resource: Resource) -> Mapping[str, Schema]:
    """Gives the query parameters of a list: filters, then sorting and paging."""
    found: dict[str, Schema] = {a.name: {"type": "array", "items": TEXT} for a in resource.attributes if a.filter}
    if resource.taggable:
        found |= dict.fromkeys(("tags", "tags-any", "not-tags", "not-tags-any"), TEXT)
        found["changed_since"] = {"type": "string", "format": "date-time"}
    keys = [a.name for a in resource.attributes if a.sort]
    return {**found, "sort_key": {"type": "array", "items": {"type": "string", "enum": keys}}, **_PAGING}


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _described(attribute: Attribute, *, default: bool = False) -> Schema:
    schema = {**attribute.kind.schema, "description": attribute.about}
    if default and not attribute.required:
        schema["default"] = attribute.default
    return schema
