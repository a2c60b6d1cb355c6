"""What an empty cloud is given at the first start: its first users, their projects and roles."""

from __future__ import annotations

from netglass.api.config import Secrets
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.identity import Account, ensure_cloud
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft
from netglass.model.resources import User
from netglass.store.store import Store


def bootstrap(store: Store, settings: CloudSettings, secrets: Secrets) -> None:
    """Makes users ``admin`` and ``demo`` with the passwords of the secrets' directory, unless there is any user."""
    if store.snapshot.count(User):
        return
    accounts = _accounts(secrets)
    caller = Caller(user_name="first start", roles=("admin",))

    def decide(draft: Draft, fresh: Fresh) -> None:
        ensure_cloud(Decision(draft=draft, caller=caller, settings=settings, fresh=fresh), accounts)

    store.commit(decide, caller)


def _accounts(secrets: Secrets) -> tuple[Account, ...]:
    from netglass.api.identity.passwords import hash_password

    return (
        Account("admin", hash_password(secrets.password("admin")), "admin", "admin", "admin"),
        Account("demo", hash_password(secrets.password("demo")), "demo"),
    )
