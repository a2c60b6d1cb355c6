"""What an empty cloud is given at the first start: its first users with their projects, an image and a flavor."""

from __future__ import annotations

from netglass.api.config import Secrets
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.flavors import ensure_catalogue
from netglass.control.identity import Account, ensure_cloud
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft
from netglass.model.resources import User
from netglass.store.store import Store


def bootstrap(store: Store, settings: CloudSettings, secrets: Secrets) -> None:
    """Makes users ``admin`` and ``demo`` with the passwords among the secrets, image ``light`` and flavor ``nano``.

    A cloud that has any user is left alone: what its operator has deleted stays deleted.
    """
    if store.snapshot.count(User):
        return
    accounts = _accounts(secrets)
    caller = Caller(user_name="first start", roles=("admin",))

    def decide(draft: Draft, fresh: Fresh) -> None:
        if draft.now.count(User):
            return  # another server was faster
        decision = Decision(draft=draft, caller=caller, settings=settings, fresh=fresh)
        ensure_cloud(decision, accounts)
        ensure_catalogue(decision)

    store.commit(decide, caller)


def _accounts(secrets: Secrets) -> tuple[Account, ...]:
    # Late: a server that is not empty hashes nothing before somebody logs in.
    from netglass.api.identity.passwords import hash_password

    return (
        Account("admin", hash_password(secrets.password("admin")), "admin", "admin", "admin"),
        Account("demo", hash_password(secrets.password("demo")), "demo"),
    )
