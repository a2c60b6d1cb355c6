"""Tokens: what a caller shows instead of a password, and who they are by it.

A token is a Fernet message (encrypted and signed, cryptography's implementation): nothing is stored when one is
issued.  It says who, for what, until when; never what they may do.  Roles, and whether user and project are still
there and enabled, are read off the newest snapshot at every request, so whatever is withdrawn is gone at once.

A token also carries a stamp of its user's password hash and ``tokens_after``: when either changes, it has ended.
Comparing stamps rather than times needs no clock finer than the store's seconds.
Source: Identity API v3; Fernet specification (cryptography's documentation).
"""

from __future__ import annotations

import binascii
import hmac
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from netglass.base.errors import Unauthorized
from netglass.control.identity import SYSTEM, Role, effective_roles
from netglass.model.caller import Caller
from netglass.model.resources import Project, RevokedToken, User

if TYPE_CHECKING:
    from netglass.store.store import Store

_CACHED = 8192
"""Tokens whose content is kept decrypted; the oldest makes room.  About 0.6 KB each."""


class Payload(msgspec.Struct, frozen=True, array_like=True):
    """What a token says.

    target      project id, ``system``, or empty for a token that is scoped to nothing
    issued_us   microseconds since 1970
    expires_s   seconds since 1970
    parent      audit id of the token that this one was got by; empty when by password
    stamp       of the user's password hash and ``tokens_after`` when it was issued
    """

    user_id: str
    target: str
    methods: tuple[str, ...]
    issued_us: int
    expires_s: int
    audit_id: str
    parent: str
    stamp: bytes

    @property
    def issued_at(self) -> str:
        """Gives RFC 3339 in UTC with microseconds, as Keystone does."""
        return datetime.fromtimestamp(self.issued_us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    @property
    def expires_at(self) -> str:
        """Gives RFC 3339 in UTC with microseconds, as Keystone does."""
        return datetime.fromtimestamp(self.expires_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class Holder:
    """Who holds a token, now.

    project  None when the token is for the system or for nothing
    roles    strongest first, implied ones included; empty only for a token that is scoped to nothing
    """

    user: User
    project: Project | None
    roles: tuple[Role, ...]
    payload: Payload


class Tokens:
    """Issues tokens and tells who holds one; used on the server's event loop.

    key         Fernet keys (``Fernet.generate_key()``), one a line: the first issues, all are accepted
    lifetime_s  how long a token is good for, in seconds
    store       where users, projects and roles are read
    clock       seconds since 1970
    """

    def __init__(self, key: bytes, lifetime_s: int, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._fernet = MultiFernet([Fernet(line) for line in key.split()])
        self._lifetime_s = lifetime_s
        self._store = store
        self._clock = clock
        self._payloads: dict[str, Payload] = {}

    def issue(
        self, user: User, target: str, methods: tuple[str, ...], got_by: Payload | None = None
    ) -> tuple[str, Payload]:
        """Issues a token and gives it with what it says; the caller has made sure that `user` may have it.

        target  project id, ``system``, or empty
        got_by  the token that was shown in place of a password: the new one expires with it
        """
        now = self._clock()
        payload = Payload(
            user_id=user.id,
            target=target,
            methods=methods,
            issued_us=int(now * 1e6),
            expires_s=got_by.expires_s if got_by is not None else int(now) + self._lifetime_s,
            audit_id=urlsafe_b64encode(os.urandom(15)).decode(),
            parent=got_by.audit_id if got_by is not None else "",
            stamp=_stamp(user),
        )
        token = self._fernet.encrypt(msgspec.msgpack.encode(payload)).decode()
        self._keep(token, payload)
        return token, payload

    def caller(self, token: str, request_id: str) -> Caller:
        """Tells who makes a request.

        Raises Unauthorized when there is no token, or one that is unknown, revoked or expired, or whose user,
        project or roles are gone or disabled.
        """
        holder = self.holder(token)
        project = holder.project
        return Caller(
            user_id=holder.user.id,
            user_name=holder.user.name,
            project_id=project.id if project is not None else "",
            project_name=project.name if project is not None else "",
            roles=tuple(role.name for role in holder.roles),
            system_scope=holder.payload.target == SYSTEM,
            request_id=request_id,
        )

    def holder(self, token: str) -> Holder:
        """Tells who holds a token and what it is for; raises as `caller` does."""
        payload = self._payloads.get(token)
        if payload is None:
            payload = self._decrypt(token)
            self._keep(token, payload)
        if payload.expires_s <= self._clock():
            raise Unauthorized("The token has expired: authenticate again.")
        snapshot = self._store.snapshot
        user = snapshot.get(User, payload.user_id)
        if (
            user is None
            or not user.enabled
            or not hmac.compare_digest(payload.stamp, _stamp(user))
            or snapshot.get(RevokedToken, payload.audit_id) is not None
        ):
            raise Unauthorized
        if not payload.target:
            return Holder(user, None, (), payload)
        roles = effective_roles(snapshot, user.id, payload.target)
        project = snapshot.get(Project, payload.target) if payload.target != SYSTEM else None
        if not roles or (payload.target != SYSTEM and (project is None or not project.enabled)):
            raise Unauthorized
        return Holder(user, project, roles, payload)

    def _decrypt(self, token: str) -> Payload:
        if not token:
            raise Unauthorized
        try:
            # One spelling of a token only: base64 passes over what is not its own.  The size of what strangers send is
            # bounded by the HTTP server's limit on headers.
            spelled = urlsafe_b64encode(urlsafe_b64decode(token)).decode()
            if spelled != token:  # no secret: both are what the stranger sent
                raise Unauthorized
            return msgspec.msgpack.decode(self._fernet.decrypt(token), type=Payload)
        except (InvalidToken, binascii.Error, ValueError, msgspec.DecodeError):
            raise Unauthorized from None

    def _keep(self, token: str, payload: Payload) -> None:
        while len(self._payloads) >= _CACHED:
            del self._payloads[next(iter(self._payloads))]
        self._payloads[token] = payload


def _stamp(user: User) -> bytes:
    # Needs no key of its own: a token is encrypted, so nobody reads it and nobody makes it up.
    return blake2b(f"{user.password_hash}|{user.tokens_after}".encode(), digest_size=8).digest()
