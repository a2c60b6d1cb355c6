"""Pages of a list: ``limit`` and ``marker``, and the link to what follows."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request

from netglass.base.errors import Invalid

LARGEST_PAGE = 1000


class Identified(Protocol):
    """Whatever has an id."""

    @property
    def id(self) -> str: ...  # noqa: D102  # explained above


R = TypeVar("R", bound=Identified)


def cut(request: Request, rows: list[R]) -> tuple[list[R], bool]:
    """Gives the page of `rows` that the query asks for, and whether there is more after it.

    Raises Invalid for a limit that is no number, or a marker that is not in the list.
    """
    query = request.query_params
    text = query.get("limit", str(LARGEST_PAGE))
    if not (text.isascii() and text.isdigit()):
        raise Invalid("limit param must be an integer")
    limit = min(int(text) or LARGEST_PAGE, LARGEST_PAGE)
    first = 0
    marker = query.get("marker")
    if marker:
        places = [place for place, row in enumerate(rows) if row.id == marker]
        if not places:
            raise Invalid(f"marker [{marker}] not found")
        first = places[0] + 1
    return rows[first : first + limit], len(rows) > first + limit


def next_link(request: Request, url: str, last_id: str) -> list[dict[str, Any]]:
    """Gives the link to the page after the one that ends with `last_id`."""
    pairs = [(k, v) for k, v in request.query_params.multi_items() if k != "marker"]
    return [{"rel": "next", "href": f"{url}?{urlencode([*pairs, ('marker', last_id)])}"}]
