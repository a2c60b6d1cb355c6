"""The whole exception tree.

    NetglassError
    ├── UserError            the caller can fix it; carries the fault's type name and the HTTP status
    │   ├── Invalid          400   wrong value, unknown attribute, contradiction inside one request
    │   ├── Unauthorized     401   no token, expired token
    │   ├── Forbidden        403   the caller's roles do not allow it
    │   ├── NotFound         404   no such object, or one whose existence is a secret from the caller
    │   ├── Conflict         409   the object's present state does not allow it; also quotas and empty pools
    │   ├── PreconditionFailed 412 If-Match named another revision
    │   ├── Unavailable      503   the server cannot do it now (no database, empty segment pool)
    │   └── OutcomeUnknown   504   the server cannot tell whether it was done
    ├── ApplyError           one object could not be applied to a host
    ├── NotUnderstood        a row says what this version does not know
    ├── Gone                 the feed was compacted past the wanted revision: list again
    └── Bug                  an invariant we believed is false; never caught below main

Source: ARCHITECTURE.md, "Errors"; fault types are Neutron's (neutron-lib exceptions), since clients parse them.
"""

from __future__ import annotations

from typing import ClassVar


class NetglassError(Exception):
    """Root of every error that Netglass raises on purpose."""


class UserError(NetglassError):
    """A request that the caller can put right.

    message  a full sentence: what failed, on which object, what was wanted
    fault    the fault's type name as Neutron spells it, such as ``NetworkNotFound``
    detail   more for the reader; empty in most faults
    """

    status: ClassVar[int] = 400

    def __init__(self, message: str, *, fault: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fault = fault
        self.detail = detail


class Invalid(UserError):
    """The request itself is wrong (HTTP 400)."""

    status = 400

    def __init__(self, message: str, *, fault: str = "InvalidInput", detail: str = "") -> None:
        super().__init__(message, fault=fault, detail=detail)


class Unauthorized(UserError):
    """No token, or one that is unknown, revoked or expired (HTTP 401)."""

    status = 401

    def __init__(self, message: str = "The request you have made requires authentication.") -> None:
        super().__init__(message, fault="HTTPUnauthorized")


class Forbidden(UserError):
    """The caller is known, and may not do this (HTTP 403)."""

    status = 403

    def __init__(self, message: str, *, fault: str = "PolicyNotAuthorized") -> None:
        super().__init__(message, fault=fault)


class NotFound(UserError):
    """No such object for this caller (HTTP 404)."""

    status = 404

    def __init__(self, message: str, *, fault: str = "HTTPNotFound") -> None:
        super().__init__(message, fault=fault)


class Conflict(UserError):
    """The state of the world does not allow it (HTTP 409)."""

    status = 409


class PreconditionFailed(UserError):
    """``If-Match`` asked for a revision that the object no longer has (HTTP 412)."""

    status = 412

    def __init__(self, message: str) -> None:
        super().__init__(message, fault="RevisionNumberConstraintFailed")


class Unavailable(UserError):
    """The server cannot do it now, through no fault of the request (HTTP 503)."""

    status = 503


class OutcomeUnknown(UserError):
    """What was asked for may have been done or not, and nobody can tell at the moment (HTTP 504)."""

    status = 504


class ApplyError(NetglassError):
    """One object of a host's desired state could not be applied.

    kind      the kind of the object, as in ``desired.state``
    key       the object's key, as printed by ``netglass plan``
    evidence  the command and what it printed, or the errno's text
    """

    def __init__(self, kind: str, key: str, evidence: str) -> None:
        super().__init__(f"{kind} {key}: {evidence}")
        self.kind = kind
        self.key = key
        self.evidence = evidence


class NotUnderstood(NetglassError):
    """A row that another version wrote has a kind, a field or a value that this one does not know."""


class Gone(NetglassError):
    """The change log no longer reaches back to the wanted revision; the watcher must list again."""

    def __init__(self, wanted: int, oldest: int) -> None:
        super().__init__(f"revision {wanted} is compacted; the oldest kept is {oldest}")
        self.wanted = wanted
        self.oldest = oldest


class Bug(NetglassError):
    """An invariant that this program believed is false."""
