"""``If-Match: revision_number=N``: change an object only if nobody else has in between.

Source: Networking API extension ``revision-if-match``; RFC 9110, section 13.1.1.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request

from netglass.api.networking.bodies import bad_request
from netglass.base.errors import PreconditionFailed

_CONSTRAINT = re.compile(r"revision_number=(\d{1,18})")


def read_precondition(request: Request) -> int | None:
    """Gives the revision number that the request insists on, or None; raises Invalid for any other ``If-Match``."""
    header = request.headers.get("if-match")
    if header is None:
        return None
    found = _CONSTRAINT.fullmatch(header.strip())
    if found is None:
        raise bad_request(f"Invalid value for If-Match header: {header!r}; revision_number=N is wanted")
    return int(found[1])


def require_revision(wanted: int | None, row: Any) -> None:
    """Raises PreconditionFailed (412) when the row's revision number is another than the one insisted on."""
    if wanted is not None and row.revision_number != wanted:
        raise PreconditionFailed(f"Constrained to {wanted}, but current revision is {row.revision_number}")
