"""Instances' metadata, as nova-api serves it to metadata agents: /metadata/openstack/…, /metadata/latest/…

Guests do not come here: a metadata agent does, says for which instance, and signs it.
"""

from __future__ import annotations

from starlette.routing import Route

from netglass.api.metadata.calls import MetadataCalls
from netglass.api.services import Services

__all__ = ["routes"]


def routes(services: Services) -> list[Route]:
    """Gives the metadata API's routes, and the one by which metadata agents find out who asks."""
    return MetadataCalls(services).routes()
