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

SHARED = ("fernet.key", "agent.secret", "metadata.secret")


def check_shared_secrets(store: Store, secrets: Secrets, *, replaced: bool = False) -> None:
    """Compares this server's secrets with those of the cloud; the first server's become the cloud's.

    A key file of several lines is known by any of them, so that keys can be replaced one server after the other.

    replaced  the operator says that this server's are the cloud's from now on

    Raises Invalid, before any secret is made, when one that the cloud has is missing here or another one.
    """
    if not store.shared:
        return
    known = store.read(shared_marks.read)
    for name in SHARED:
        if name in known and not secrets.has(name) and not replaced:
            message = (
                f"{secrets.path(name)} is missing, and the cloud's other servers have it: copy it from one of them."
            )
            raise Invalid(message, fault="InvalidConfiguration")
    mine = {name: tuple(_mark(line) for line in secrets.value(name).split()) for name in SHARED}
    held = store.write(lambda connection: shared_marks.keep(connection, mine, replaced=replaced)).result()
    for name in SHARED:
        if held[name] != mine[name]:
            message = (
                f"{secrets.path(name)} is not what the cloud's other servers have: copy it from one of them. "
                "Was it replaced on all of them? Then start this one once with --replaced-secrets."
            )
            raise Invalid(message, fault="InvalidConfiguration")


def _mark(secret: str) -> str:
    return blake2b(secret.encode(), digest_size=8, person=b"netglass").hexdigest()
