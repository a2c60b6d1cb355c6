"""How a host gets to speak for itself: it joins by a token, and changes its credential later.

The credential is made on the host and never leaves it but to be shown to a server: servers keep its digest.
"""

from __future__ import annotations

import os
import secrets
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import sha256
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from netglass.agent.config import Config
from netglass.base.errors import NetglassError
from netglass.model.protocol import Invitation, Join, NewCredential

T = TypeVar("T")

_TIMEOUT_S = 10.0


class JoinError(NetglassError):
    """The host could not join, or change its credential; the message says at which step and why."""


class _Unanswered(JoinError):
    """The server cannot be reached; or it did what was asked, and its answer was lost."""


def join(invitation: Invitation, directory: Path, roles: tuple[str, ...]) -> list[Path]:
    """Joins; writes ``agent.credential``, ``ca.pem`` and, where there is none, ``agent.toml``; gives what was written.

    Of several servers, the first that answers is asked.  Raises JoinError, with nothing written.
    """
    credential = secrets.token_hex(32)
    ca = _first_answer(invitation.server, lambda url: _join_by(url, invitation, credential))
    directory.mkdir(parents=True, exist_ok=True)
    written = [_write(directory / "agent.credential", credential + "\n", 0o600)]
    if ca:
        written.append(_write(directory / "ca.pem", ca, 0o644))
    config = directory / "agent.toml"
    if not config.exists():
        written.append(_write(config, _config(invitation, directory, roles, tls=bool(ca)), 0o644))
    return written


def _join_by(url: str, invitation: Invitation, credential: str) -> str:
    """Joins by a server; gives the cloud's authority, empty where there is none."""
    ca = _fetch_ca(url, invitation.ca) if url.startswith("https:") else ""
    if ca == "" and invitation.ca:
        raise JoinError(f"the token names a certificate authority, and its server {url} speaks no TLS")
    body = Join(token=invitation.token, digest=_digest(credential))
    context = ssl.create_default_context(cadata=ca) if ca else None
    _call(url, context, f"/netglass/v1/hosts/{quote(invitation.host, safe='')}/join", msgspec.json.encode(body), "")
    return ca


def _first_answer(servers: Sequence[str], ask: Callable[[str], T]) -> T:
    """Gives what the first server says that answers; raises JoinError, of no answer the last server's."""
    *others, last = servers
    for url in others:
        with suppress(_Unanswered):
            return ask(url)
    return ask(last)


def rotate(config: Config, path: Path) -> None:
    """Changes the host's credential: the servers take the new one, then `path` holds it.

    The one before is good until the next change, so that an agent that runs goes on with it.  A change that no server
    answered may have been made all the same: the next one is to the same credential.  Raises JoinError.
    """
    beside = path.with_name(path.name + ".next")
    if not beside.exists():
        _write(beside, secrets.token_hex(32) + "\n", 0o600)
    body = msgspec.json.encode(NewCredential(digest=_digest(beside.read_text().strip())))
    where = f"/netglass/v1/hosts/{quote(config.host, safe='')}/credential"

    def change(url: str) -> None:
        context = ssl.create_default_context(cafile=config.ca_file or None) if url.startswith("https:") else None
        _call(url, context, where, body, config.credential)

    _first_answer(config.server, change)
    beside.replace(path)


def _fetch_ca(url: str, fingerprint: str) -> str:
    """Gives the CA's certificate, PEM, from a server that nobody vouches for yet; the fingerprint does."""
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    pem = _call(url, blind, "/netglass/v1/ca", None, "")
    try:
        found = sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    except ValueError as error:
        raise JoinError(f"{url} gave no certificate: {error}") from error
    if not secrets.compare_digest(found, fingerprint):
        raise JoinError(
            f"{url} is not the server of the token: its certificate authority has the fingerprint {found},"
            f" the token names {fingerprint}; somebody may stand between"
        )
    return pem


def _call(url: str, context: ssl.SSLContext | None, path: str, body: bytes | None, credential: str) -> str:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection = (
        HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
        if context is not None
        else HTTPConnection(host, port, timeout=_TIMEOUT_S)
    )
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {credential}"} if credential else {})
    try:
        connection.request("GET" if body is None else "POST", parts.path.rstrip("/") + path, body, headers)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, HTTPException) as error:
        raise _Unanswered(f"{url} does not answer: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if response.status >= 300:
        raise JoinError(f"{url} refused: {response.status} {text[:600]}")
    return text


def _digest(credential: str) -> str:
    return sha256(credential.encode()).hexdigest()


def _config(invitation: Invitation, directory: Path, roles: tuple[str, ...], *, tls: bool) -> str:
    servers = ", ".join(f'"{url}"' for url in invitation.server)
    lines = [
        "# Written by netglass agent join; what else may stand here: netglass.agent.config.",
        f'host = "{invitation.host}"',
        f"roles = [{', '.join(f'{chr(34)}{role}{chr(34)}' for role in roles)}]",
        f"server = [{servers}]",
        f'credential_file = "{directory}/agent.credential"',
        *([f'ca_file = "{directory}/ca.pem"'] if tls else []),
    ]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str, mode: int) -> Path:
    beside = path.with_name(path.name + ".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.chmod(mode)
    beside.replace(path)
    return path
