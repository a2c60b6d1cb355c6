"""Image v2, read only: what servers can be started from.  Images are part of the cloud; nobody uploads any yet.

Source: Image API v2; faults are answered as Glance does, in plain words that clients show.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount

from netglass.api.image.images import Images
from netglass.api.services import Services

PREFIX = "/image"
"""Where Image lies under the server's address."""


def routes(services: Services) -> list[BaseRoute]:
    """Gives Image's routes."""
    images = Images(services)
    return [images.route("GET", PREFIX, images.versions), Mount(PREFIX, routes=images.routes())]
