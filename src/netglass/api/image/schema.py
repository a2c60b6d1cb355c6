"""JSON schemas of images, as Image v2 gives them to clients that render by them."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": ["null", "string"]}
_NUMBER = {"type": "integer"}

IMAGE_SCHEMA: dict[str, Any] = {
    "name": "image",
    "properties": {
        **dict.fromkeys(("id", "name", "owner", "checksum", "os_hash_algo", "os_hash_value"), _TEXT),
        **dict.fromkeys(("disk_format", "container_format", "created_at", "updated_at"), _TEXT),
        **dict.fromkeys(("self", "file", "schema", "netglass_guest"), _TEXT),
        **dict.fromkeys(("min_disk", "min_ram"), _NUMBER),
        **{name: {"type": ["null", "integer"]} for name in ("size", "virtual_size")},
        **{name: {"type": "boolean"} for name in ("protected", "os_hidden")},
        "status": {"type": "string", "enum": ["queued", "active", "deactivated"]},
        "visibility": {"type": "string", "enum": ["public", "private", "shared", "community"]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}},
    },
    "additionalProperties": {"type": "string"},
    "links": [{"href": "{self}", "rel": "self"}, {"href": "{schema}", "rel": "describedby"}],
}

IMAGES_SCHEMA: dict[str, Any] = {
    "name": "images",
    "properties": {
        "images": {"type": "array", "items": IMAGE_SCHEMA},
        "first": {"type": "string"},
        "next": {"type": "string"},
        "schema": {"type": "string"},
    },
    "links": [{"href": "{first}", "rel": "first"}, {"href": "{next}", "rel": "next"}],
}
