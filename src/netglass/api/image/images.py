"""The calls of Image v2."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.edge import Endpoint, endpoint, reply
from netglass.api.image.schema import IMAGE_SCHEMA, IMAGES_SCHEMA
from netglass.api.services import Services
from netglass.base.errors import Forbidden, Invalid, NotFound, UserError
from netglass.control.flavors import visible_image
from netglass.model.resources import Image

PAGE = 25
"""Images of a page when the query does not say, as in Glance."""

LARGEST_PAGE = 1000

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_PAGING = ("limit", "marker", "sort", "sort_key", "sort_dir", "member_status")
_SORTABLE = ("name", "status", "created_at", "updated_at", "id", "size", "disk_format", "container_format")


def fault_shape(error: UserError, request_id: str) -> dict[str, Any]:
    """Gives a fault; clients show its message."""
    return {"code": error.status, "title": HTTPStatus(error.status).phrase, "message": error.message}


class Images:
    """Answers the calls under /image."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def route(self, method: str, path: str, function: Endpoint) -> Route:
        """Gives one route, with faults in Image's shape."""
        return Route(path, endpoint(fault_shape, self._services.store.caught_up)(function), methods=[method])

    def routes(self) -> list[Route]:
        """Gives the routes."""
        nothing = endpoint(fault_shape, self._services.store.caught_up)(self.not_offered)
        return [
            self.route("GET", "/v2/images", self.list),
            self.route("GET", "/v2/images/{image}", self.show),
            self.route("GET", "/", self.versions),
            self.route("GET", "/versions", self.versions),
            self.route("GET", "/v2/schemas/image", self.schema),
            self.route("GET", "/v2/schemas/images", self.schemas),
            Route("/{rest:path}", nothing, methods=_METHODS),
        ]

    async def versions(self, request: Request) -> Response:
        """Answers GET /image; needs no token."""
        links = [{"rel": "self", "href": self._services.public_url + "/image/v2/"}]
        return reply({"versions": [{"id": "v2.9", "status": "CURRENT", "links": links}]}, 300)

    async def schema(self, request: Request) -> Response:
        """Answers GET /image/v2/schemas/image."""
        self._services.caller(request)
        return reply(IMAGE_SCHEMA)

    async def schemas(self, request: Request) -> Response:
        """Answers GET /image/v2/schemas/images."""
        self._services.caller(request)
        return reply(IMAGES_SCHEMA)

    async def list(self, request: Request) -> Response:
        """Answers GET /image/v2/images."""
        caller = self._services.caller(request)
        rows = [image for image in self._services.store.snapshot.all(Image) if visible_image(caller, image)]
        shown = _ordered(request, [image_view(row) for row in rows])
        shown = [image for image in shown if _passes(request, image)]
        query = request.query_params
        limit, first = _limit(query.get("limit")), 0
        if "marker" in query:
            places = [place for place, image in enumerate(shown) if image["id"] == query["marker"]]
            if not places:
                raise Invalid(f"Invalid marker: there is no image {query['marker']} in this list.")
            first = places[0] + 1
        page = shown[first : first + limit]
        answer: dict[str, Any] = {"images": page, "schema": "/v2/schemas/images", "first": _link(request, None)}
        if page and len(shown) > first + limit:
            answer["next"] = _link(request, page[-1]["id"])
        return reply(answer)

    async def show(self, request: Request) -> Response:
        """Answers GET /image/v2/images/{id}."""
        caller = self._services.caller(request)
        wanted = request.path_params["image"]
        image = self._services.store.snapshot.get(Image, wanted)
        if image is None or not visible_image(caller, image):
            raise NotFound(f"Failed to find image {wanted}")
        return reply(image_view(image))

    async def not_offered(self, request: Request) -> Response:
        """Answers everything else: images are not made, changed or read here."""
        self._services.caller(request)
        if request.method != "GET" and request.url.path.partition("/image")[2].startswith("/v2/images"):
            raise Forbidden("Images are part of this cloud: they are not made, changed or deleted by requests.")
        raise NotFound(f"There is nothing at {request.url.path}.")


def image_view(image: Image) -> dict[str, Any]:
    """Gives an image as it looks on the wire; its further properties stand beside the named ones."""
    return {
        **image.properties,
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "visibility": image.visibility,
        "protected": image.protected,
        "size": image.size,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "os_hidden": False,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "owner": image.project_id or None,
        "tags": list(image.tags),
        "created_at": image.created_at,
        "updated_at": image.updated_at,
        "netglass_guest": image.guest,
        "self": f"/v2/images/{image.id}",
        "file": f"/v2/images/{image.id}/file",
        "schema": "/v2/schemas/image",
    }


def _passes(request: Request, image: dict[str, Any]) -> bool:
    """Says whether an image is what the query asks for; a name that no image has as property finds nothing."""
    for name, wanted in request.query_params.multi_items():
        if name in _PAGING or (name, wanted) in (("visibility", "all"), ("os_hidden", "false")):
            continue
        if name == "tag":
            if wanted not in image["tags"]:
                return False
        elif name in ("size_min", "size_max"):
            size = _limit(wanted, largest=2**63)
            if (image["size"] < size) if name == "size_min" else (image["size"] > size):
                return False
        elif not _is(image.get(name), wanted):
            return False
    return True


def _is(have: Any, wanted: str) -> bool:
    if isinstance(have, bool):
        return wanted.lower() == str(have).lower()
    text = "" if have is None else str(have)
    if wanted.startswith("in:"):
        return text in [part.strip('"') for part in wanted.removeprefix("in:").split(",")]
    return text == wanted


def _ordered(request: Request, shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Gives images in the query's order, as ``sort=name:asc,id`` or ``sort_key`` and ``sort_dir``; newest first."""
    query = request.query_params
    keys: list[tuple[str, str]] = []
    if "sort" in query:
        for part in query["sort"].split(","):
            name, _, direction = part.partition(":")
            keys.append((name, direction or "desc"))
    else:
        directions = query.getlist("sort_dir")
        for place, name in enumerate(query.getlist("sort_key")):
            keys.append((name, directions[min(place, len(directions) - 1)] if directions else "desc"))
    shown = sorted(shown, key=lambda image: str(image["id"]))
    for name, direction in reversed(keys or [("created_at", "desc")]):
        if name not in _SORTABLE or direction not in ("asc", "desc"):
            raise Invalid(f"Invalid sort: {name}:{direction}; keys are {', '.join(_SORTABLE)}.")
        shown = sorted(shown, key=lambda image: image[name], reverse=direction == "desc")
    return shown


def _limit(text: str | None, largest: int = LARGEST_PAGE) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit()):
        raise Invalid(f"limit param must be an integer, it is {text!r}")
    return min(int(text), largest)


def _link(request: Request, marker: str | None) -> str:
    pairs = [(k, v) for k, v in request.query_params.multi_items() if k != "marker"]
    pairs += [("marker", marker)] if marker is not None else []
    return "/v2/images" + (f"?{urlencode(pairs)}" if pairs else "")
