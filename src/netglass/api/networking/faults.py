"""Errors in Neutron's shape: ``{"NeutronError": {"type", "message", "detail"}}``, which clients parse.

Only 401 differs: in front of Neutron stands Keystone's middleware, and clients know its words.
"""

from __future__ import annotations

from typing import Any, ClassVar

from netglass.base.errors import NotFound, UserError


def shape(error: UserError, request_id: str) -> dict[str, Any]:
    """Gives an error's body."""
    if error.status == 401:
        return {"error": {"code": 401, "title": "Unauthorized", "message": error.message}}
    return {"NeutronError": {"type": error.fault, "message": error.message, "detail": error.detail}}


class MethodNotAllowed(UserError):
    """The path is there, and does not take this method (HTTP 405)."""

    status: ClassVar[int] = 405

    def __init__(self, method: str) -> None:
        super().__init__(f"The method {method} is not allowed for this resource.", fault="HTTPMethodNotAllowed")


def nothing_here() -> NotFound:
    """Gives the error for a path that names nothing."""
    return NotFound("The resource could not be found.")
