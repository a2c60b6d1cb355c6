"""Makes sure that all servers over one database have the same secrets.

Otherwise a token that one server issued would be refused by the next, and a host's credential as well.  The database
holds marks of the secrets, by which they are recognised and from which they cannot be had.
"""

from __future__ import annotations

from hashlib import blake2b

from netglass.api.config import Secrets
from netglass.base.errors import Invalid
from netglass.store import shared_marks
from netglass.store.store import Store

KEYS = ("fernet.key", "agent.secret", "metadata.secret")
CA = "ca.pem"


def require_shared_secrets(store: Store, secrets: Secrets) -> None:
    """Makes sure, before any secret is made, that those are here which other servers of the cloud have.

    Raises Invalid.
    """
    if not store.shared:
        return
    for name in store.read(shared_marks.read):
        if not secrets.has(name):
            message = f"{secrets.path(name)} is missing, and the cloud's other servers have it: copy it from one."
            raise Invalid(message, fault="InvalidConfiguration")


def compare_shared_secrets(store: Store, secrets: Secrets, *, replaced: bool = False) -> None:
    """Compares this server's secrets with those of the cloud; the first server's become the cloud's.

    A key file of several lines is known by any of them, so that keys can be replaced one server after the other.

    replaced  the operator says that this server's are the cloud's from now on

    Raises Invalid.
    """
    if not store.shared:
        return
    mine = {name: tuple(_mark(line) for line in secrets.value(name).split()) for name in KEYS}
    if secrets.has(CA):
        mine[CA] = (_mark(secrets.path(CA).read_text()),)
    held = store.write(lambda connection: shared_marks.keep(connection, mine, replaced=replaced)).result()
    for name, marks in mine.items():
        if held[name] != marks:
            message = (
                f"{secrets.path(name)} is not what the cloud's other servers have: copy it from one of them. "
                "Was it replaced on all of them? Then start this one once with --replaced-secrets."
            )
            raise Invalid(message, fault="InvalidConfiguration")


def _mark(secret: str) -> str:
    return blake2b(secret.encode(), digest_size=8, person=b"netglass").hexdigest()
