"""A whole server without its socket: real store, real tokens, all services, and agents that are played by the test."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from netglass.api.app import create_app
from netglass.api.identity.passwords import hash_password
from netglass.api.questions import Questions
from netglass.api.services import Services
from netglass.api.tokens import Tokens
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.flavors import ensure_catalogue
from netglass.control.hosts import decide_register_host, decide_report
from netglass.control.identity import Account, ensure_cloud, user_by_name
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft
from netglass.model.protocol import GuestReport, Registration, Report
from netglass.model.resources import HostSettings
from netglass.store.healings import Healings
from netglass.store.reports import Reports
from netglass.store.store import Store
from support.clients import Client

URL = "http://cloud.test:9696"
PASSWORDS = {name: f"{name}-secret" for name in ("admin", "demo", "rival", "watcher")}
ROOT = Caller(user_name="test", roles=("admin",))

# Hashing is slow on purpose, so it is done once for all tests.
_HASHES = {name: hash_password(password) for name, password in PASSWORDS.items()}
_ACCOUNTS = (
    Account("admin", _HASHES["admin"], "admin", "admin", "admin"),
    Account("demo", _HASHES["demo"], "demo"),
    Account("rival", _HASHES["rival"], "rival"),
    Account("watcher", _HASHES["watcher"], "demo", "reader"),
)


class Served:
    """One server, the people who use it, and the hosts that report to it.

    now  the tokens' clock, in seconds since 1970; tests move it
    """

    def __init__(self, database_url: str) -> None:
        self.now = time.time()
        self.settings = CloudSettings()
        self.store = Store.open(database_url)
        self.tokens = Tokens(Fernet.generate_key(), 3600, self.store, clock=lambda: self.now)
        self.reports = Reports(self.store, self.settings.agent_down_s)
        self.questions = Questions()
        self.services = Services(
            store=self.store,
            healings=Healings(self.store),
            reports=self.reports,
            tokens=self.tokens,
            questions=self.questions,
            settings=self.settings,
            public_url=URL,
        )
        self.app = create_app(self.services)
        self.http = Client(self.app, URL)
        self.decide(lambda d: (ensure_cloud(d, _ACCOUNTS), ensure_catalogue(d)))

    def decide(self, decision: Any) -> Any:
        def run(draft: Draft, fresh: Fresh) -> Any:
            return decision(Decision(draft, ROOT, self.settings, fresh))

        return self.store.commit(run, ROOT).result

    def login(self, user: str, password: str | None = None, scope: Any = None) -> Any:
        """Asks for a token by user name, without a scope unless one is given; gives the response."""
        named = {"name": user, "domain": {"id": "default"}, "password": password or PASSWORDS.get(user, "")}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": named}}}
        if scope is not None:
            auth["scope"] = scope
        return self.http.post("/identity/v3/auth/tokens", json={"auth": auth})

    def as_(self, user: str, password: str | None = None) -> Client:
        """Gives a client that shows a token of the user's default project, got by the password if one is given."""
        if password is not None:
            response = self.login(user, password)
            assert response.status_code == 201, response.text
            token = response.headers["X-Subject-Token"]
        else:  # the same without the time that hashing takes
            row = user_by_name(self.store.snapshot, user)
            assert row is not None
            token, _ = self.tokens.issue(row, row.default_project_id or "", ("password",))
        return Client(self.app, URL, headers={"X-Auth-Token": token})

    def register(self, host: str, *roles: str) -> None:
        """Has a host's agent register."""
        settings = HostSettings(bridge_mappings={"default": "br-eth2"}, datapath_type="netdev")
        registration = Registration(roles=roles, settings=settings, vcpus=2, memory_mb=2048, disk_gb=10, address="::1")
        self.decide(lambda d: decide_register_host(d, host, registration))
        self.reports.register(host, registration, _time())

    def report(self, host: str, *guests: GuestReport, ports: tuple[str, ...] = ()) -> None:
        """Has a host's agent report."""
        report = Report(version="1", started_at=_time(), realised_revision=1, guests=guests, ports_realised=ports)
        self.reports.report(host, report, _time())
        self.decide(lambda d: decide_report(d, host, report))


def _time() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database's file with the newest schema and nothing in it: migrating takes as long as a test does."""
    path = tmp_path_factory.mktemp("migrated") / "intent.db"
    Store.open(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def database_url(database_url: str, migrated: Path) -> str:
    """An empty database, on either engine, that need not be migrated any more where it is a file."""
    engine, _, path = database_url.partition(":///")
    if engine == "sqlite":
        shutil.copy(migrated, path)
    return database_url


@pytest.fixture
def served(database_url: str) -> Iterator[Served]:
    made = Served(database_url)
    yield made
    made.store.close()


@pytest.fixture
def admin(served: Served) -> Client:
    return served.as_("admin")


@pytest.fixture
def demo(served: Served) -> Client:
    return served.as_("demo")


@pytest.fixture
def rival(served: Served) -> Client:
    return served.as_("rival")
