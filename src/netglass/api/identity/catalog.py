"""Regions, services and endpoints: where a cloud's services are.  Constants, made of the server's public URL."""

from __future__ import annotations

from typing import Any

from netglass.control.identity import stable_id

REGION = "RegionOne"
"""The one region."""

_SERVICES = (
    # type, name, path under the public URL, description
    ("identity", "keystone", "/identity/v3", "Identity v3"),
    ("network", "neutron", "", "Networking v2.0"),
    ("compute", "nova", "/compute/v2.1", "Compute v2.1"),
    ("image", "glance", "/image", "Image v2"),
)
# Networking's URL has no version: clients append it themselves (API.md, point 2).

_INTERFACES = ("public", "internal", "admin")


class Catalog:
    """The catalogue under one public URL.

    entries    as tokens carry it
    services   as /v3/services lists them
    endpoints  as /v3/endpoints lists them
    """

    def __init__(self, public_url: str) -> None:
        self.entries: list[dict[str, Any]] = []
        self.services: list[dict[str, Any]] = []
        self.endpoints: list[dict[str, Any]] = []
        base = public_url + "/identity/v3"
        self.regions = [
            {"id": REGION, "description": "", "parent_region_id": None, "links": {"self": f"{base}/regions/{REGION}"}}
        ]
        for kind, name, path, description in _SERVICES:
            service_id = stable_id("service", kind)
            ends = [_endpoint(kind, interface, public_url + path) for interface in _INTERFACES]
            self.entries.append({"id": service_id, "type": kind, "name": name, "endpoints": ends})
            self.services.append(
                {
                    "id": service_id,
                    "type": kind,
                    "name": name,
                    "description": description,
                    "enabled": True,
                    "links": {"self": f"{base}/services/{service_id}"},
                }
            )
            self.endpoints += [
                end | {"service_id": service_id, "enabled": True, "links": {"self": f"{base}/endpoints/{end['id']}"}}
                for end in ends
            ]


def _endpoint(kind: str, interface: str, url: str) -> dict[str, Any]:
    return {
        "id": stable_id("endpoint", kind, interface),
        "interface": interface,
        "region": REGION,
        "region_id": REGION,
        "url": url,
    }
