"""A cloud with a real store, real tokens and the Networking API in front of it."""

from __future__ import annotations

import time
from typing import Any

from cryptography.fernet import Fernet
from starlette.applications import Starlette

from netglass.api import networking
from netglass.api.questions import Questions
from netglass.api.services import Services
from netglass.api.tokens import Tokens
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.hosts import decide_register_host
from netglass.control.identity import ROLE_BY_NAME, assignment_id
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft
from netglass.model.protocol import Registration
from netglass.model.resources import HostSettings, Project, RoleAssignment, User
from netglass.store.healings import Healings
from netglass.store.reports import Reports
from netglass.store.store import Store
from support.clients import Client

# who -> (project, role)
PEOPLE = {
    "admin": ("operations", "admin"),
    "alice": ("red", "member"),
    "rita": ("red", "reader"),
    "bob": ("blue", "member"),
}
SETTINGS = CloudSettings(
    vlan_ranges=(("default", 1000, 1009),),
    flat_networks=("external",),
    default_quotas={"network": 5, "subnet": 5, "port": 20},
)


ROOT = Caller(user_name="test", roles=("admin",))


class Cloud:
    """One server process without its socket, and people with tokens."""

    def __init__(self, database_url: str, settings: CloudSettings = SETTINGS) -> None:
        self.now = time.time()
        self.store = Store.open(database_url)
        self.tokens = Tokens(Fernet.generate_key(), 3600, self.store, clock=lambda: self.now)
        self.reports = Reports(self.store, settings.agent_down_s)
        self.services = Services(
            store=self.store,
            healings=Healings(self.store),
            reports=self.reports,
            tokens=self.tokens,
            questions=Questions(),
            settings=settings,
            public_url="http://cloud.test:9696",
        )
        self.client = Client(Starlette(routes=networking.routes(self.services)), "http://cloud.test:9696")
        self.store.commit(_people, ROOT)

    def token_for(self, who: str, project: str) -> str:
        user = self.store.snapshot.get(User, who)
        assert user is not None
        return self.tokens.issue(user, project, ("password",))[0]

    def as_(self, who: str) -> Client:
        """Gives a client that shows this person's token."""
        return Client(
            self.client.app, "http://cloud.test:9696", headers={"X-Auth-Token": self.token_for(who, PEOPLE[who][0])}
        )

    def register(self, host: str, *roles: str, zone: str = "nova") -> None:
        """Has a host's agent register now."""
        settings = HostSettings(bridge_mappings={"default": "br-eth2"}, datapath_type="netdev")
        registration = Registration(roles=roles, availability_zone=zone, settings=settings)
        self.reports.register(host, registration, self.now_text)

        def decide(draft: Draft, fresh: Fresh) -> None:
            decide_register_host(Decision(draft, ROOT, self.services.settings, fresh), host, registration)

        self.store.commit(decide, ROOT)

    @property
    def now_text(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def made(client: Client, path: str, resource: str, /, **wanted: Any) -> dict[str, Any]:
    """Makes an object, and gives it as it is shown; `path` is below /v2.0."""
    answer = client.post(f"/v2.0/{path}", json={resource: wanted})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()[resource]
    return found


def _people(draft: Draft, fresh: Fresh) -> None:
    for who, (project, role) in PEOPLE.items():
        draft.put(Project(id=project, name=project))
        draft.put(User(id=who, name=who))
        role_id = ROLE_BY_NAME[role].id
        key = assignment_id(who, project, role_id)
        draft.put(RoleAssignment(id=key, user_id=who, target=project, role_id=role_id))
