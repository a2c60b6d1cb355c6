"""Decisions on who may speak for a host: it is invited by a token, joins with it once, and is shut out by revoking.

Only digests are kept: whoever reads the database can speak for nobody.
Source: decision 0013.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from msgspec.structs import replace

from netglass.base.errors import Conflict, Forbidden, NotFound
from netglass.control.decision import Decision
from netglass.model.resources import HostKey


def digest(secret: str) -> str:
    """Gives what is kept of a secret: SHA-256 in hexadecimal; enough, as secrets are long and random."""
    return sha256(secret.encode()).hexdigest()


def decide_invite(d: Decision, host: str, token_digest: str, expires_at: str) -> HostKey:
    """Lets a host join until a time (RFC 3339 in UTC); what it spoke with before is good until it has joined anew."""
    old = d.snapshot.get(HostKey, host)
    if old is None:
        row = HostKey(id=host, created_at=d.now, updated_at=d.now, token_digest=token_digest, expires_at=expires_at)
        return d.draft.put(row)
    return d.draft.update(old, d.now, token_digest=token_digest, expires_at=expires_at)


def decide_join(d: Decision, host: str, token: str, credential_digest: str) -> HostKey:
    """Takes the credential of a host that has an unused token; once more is no change, as the answer may be lost.

    Raises Forbidden when there is none, it is another, or it is too late.
    """
    key = d.snapshot.get(HostKey, host)
    if key is not None and not key.token_digest and _is_newest(key, credential_digest):
        return key
    wanted = key.token_digest if key is not None else ""
    if key is None or not wanted or not hmac.compare_digest(wanted, digest(token)):
        text = f"The token does not let host {host} in, or was used before; get a new one: netglass host add {host}."
        raise Forbidden(text, fault="JoinTokenRefused")
    if key.expires_at < d.now:
        text = f"The token for host {host} was good until {key.expires_at}; get a new one: netglass host add {host}."
        raise Forbidden(text, fault="JoinTokenExpired")
    joined = replace(key, token_digest="", expires_at="", digests=(credential_digest,), revoked=False)
    return d.draft.put(replace(joined, updated_at=d.now, revision_number=key.revision_number + 1))


def decide_rotate(d: Decision, host: str, credential_digest: str) -> HostKey:
    """Takes a new credential of a host; the one before is good until the next.  Once more is no change.

    Raises Conflict for a host that never joined.
    """
    key = d.snapshot.get(HostKey, host)
    if key is None or not key.digests:
        text = f"Host {host} has not joined by a token, so that it has no credential of its own to replace."
        raise Conflict(text, fault="HostNotJoined")
    if _is_newest(key, credential_digest):
        return key
    return d.draft.update(key, d.now, digests=(credential_digest, key.digests[0]))


def decide_revoke(d: Decision, host: str) -> HostKey:
    """Shuts a host out until it joins again; NotFound for one that there is not."""
    key = d.snapshot.get(HostKey, host)
    if key is None:
        raise NotFound(f"Host {host} was not added by a token.", fault="HostNotFound")
    return d.draft.update(key, d.now, digests=(), token_digest="", expires_at="", revoked=True)


def _is_newest(key: HostKey, credential_digest: str) -> bool:
    return bool(key.digests) and hmac.compare_digest(key.digests[0], credential_digest)


def may_speak(key: HostKey, credential: str) -> bool:
    """Says whether a credential is one of the host's own."""
    found = digest(credential)
    return not key.revoked and any(hmac.compare_digest(found, held) for held in key.digests)
