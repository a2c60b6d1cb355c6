"""How a flavor looks on the wire."""

from __future__ import annotations

from typing import Any

from netglass.api.compute.calls import Call
from netglass.model.resources import Flavor


def brief_flavor(call: Call, flavor: Flavor) -> dict[str, Any]:
    """Gives a flavor as lists without detail show it."""
    shown: dict[str, Any] = {
        "id": flavor.id,
        "name": flavor.name,
        "links": [
            {"rel": "self", "href": f"{call.base}/flavors/{flavor.id}"},
            {"rel": "bookmark", "href": f"{call.services.public_url}/compute/flavors/{flavor.id}"},
        ],
    }
    if call.minor >= 55:
        shown["description"] = flavor.description
    return shown


def whole_flavor(call: Call, flavor: Flavor) -> dict[str, Any]:
    """Gives a flavor with everything."""
    shown = brief_flavor(call, flavor) | {
        "ram": flavor.ram_mb,
        "disk": flavor.disk_gb,
        "vcpus": flavor.vcpus,
        "swap": 0 if call.minor >= 75 else "",
        "rxtx_factor": 1.0,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": flavor.is_public,
    }
    if call.minor >= 61:
        shown["extra_specs"] = flavor.extra_specs
    return shown


def embedded_flavor(flavor: Flavor | None) -> dict[str, Any]:
    """Gives a flavor as servers carry it from 2.47 on."""
    if flavor is None:
        return {"original_name": "", "vcpus": 0, "ram": 0, "disk": 0, "ephemeral": 0, "swap": 0, "extra_specs": {}}
    return {
        "original_name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram_mb,
        "disk": flavor.disk_gb,
        "ephemeral": 0,
        "swap": 0,
        "extra_specs": flavor.extra_specs,
    }
