"""A server process without its socket, and hosts that only registered: enough to make intent through the API."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet

from netglass.api.app import create_app
from netglass.api.questions import Questions
from netglass.api.services import Services
from netglass.api.tokens import Tokens
from netglass.base.fresh import Fresh
from netglass.control.decision import Decision
from netglass.control.flavors import ensure_catalogue
from netglass.control.hosts import decide_register_host, decide_report
from netglass.control.identity import Account, ensure_cloud, project_by_name, user_by_name
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft
from netglass.model.protocol import GuestReport, Registration, Report
from netglass.model.resources import HostSettings, Server
from netglass.model.snapshot import Snapshot
from netglass.store.healings import Healings
from netglass.store.reports import Reports
from netglass.store.store import Store
from support.clients import Client

_URL = "http://cloud.test:9696"
_ROOT = Caller(user_name="test", roles=("admin",))
_ADMIN = Account("admin", "x", "admin", "admin", "admin")


class InProcess:
    """The API as its administrator sees it; `call` is what a client of a real server has."""

    def __init__(self, directory: Path) -> None:
        quotas = dict.fromkeys(("network", "subnet", "port", "router", "floatingip"), -1)
        self.settings = CloudSettings(
            tunnel_ranges=dict.fromkeys(("gre", "vxlan", "geneve"), (1, 1000)), default_quotas=quotas
        )
        self._store = Store.open(f"sqlite:///{directory}/netglass.db")
        self._reports = Reports(self._store, self.settings.agent_down_s)
        tokens = Tokens(Fernet.generate_key(), 3600, self._store)
        services = Services(
            store=self._store,
            healings=Healings(self._store),
            reports=self._reports,
            tokens=tokens,
            questions=Questions(),
            settings=self.settings,
            public_url=_URL,
        )
        self._decide(lambda d: (ensure_cloud(d, [_ADMIN]), ensure_catalogue(d)))
        user = user_by_name(self.snapshot, "admin")
        assert user is not None
        token, _ = tokens.issue(user, project_by_name(self.snapshot, "admin").id, ("password",))
        self._client = Client(create_app(services), _URL, headers={"X-Auth-Token": token})

    @property
    def snapshot(self) -> Snapshot:
        return self._store.snapshot

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self._client.request(method, path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    def register(self, host: str, roles: tuple[str, ...], settings: HostSettings) -> None:
        """Has a host's agent register; the host is alive from then on."""
        registration = Registration(roles=roles, settings=settings, vcpus=64, memory_mb=1 << 20, disk_gb=1000)
        self._decide(lambda d: decide_register_host(d, host, registration))
        self._reports.register(host, registration, _now())

    def has_booted(self, server_id: str) -> None:
        """Has the server's host report that the guest runs."""
        server = self.snapshot.get(Server, server_id)
        assert server is not None
        guest = GuestReport(server_id=server_id, boot=server.boot, state="running")
        report = Report(version="1", started_at=_now(), realised_revision=1, guests=(guest,))
        self._decide(lambda d: decide_report(d, server.host, report))

    def close(self) -> None:
        self._store.close()

    def _decide(self, decision: Any) -> None:
        def run(draft: Draft, fresh: Fresh) -> Any:
            return decision(Decision(draft, _ROOT, self.settings, fresh))

        self._store.commit(run, _ROOT)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
