"""Traces over HTTP: administrators between all ports, projects between their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from cryptography.fernet import Fernet
from starlette.applications import Starlette

from netglass.api import operations
from netglass.api.feed import Feed
from netglass.api.questions import Questions
from netglass.api.services import Services
from netglass.api.tokens import Tokens
from netglass.control.decision import Decision
from netglass.control.identity import Account, ensure_cloud, project_by_name, user_by_name
from netglass.model.caller import Caller, CloudSettings
from netglass.model.resources import Row
from netglass.store.healings import Healings
from netglass.store.reports import Reports
from netglass.store.store import Store
from netglass.trace.result import Trace
from support.clients import Client
from unit.trace.test_traces_told import two_networks
from unit.trace.trace_cloud import TraceCloud

ADMIN = Caller(roles=("admin",))


class Asking:
    """A server with the traces' cloud, of which project demo owns net1 and what is on it."""

    def __init__(self, store: Store) -> None:
        tokens = Tokens(Fernet.generate_key(), 3600, store)
        services = Services(
            store=store,
            healings=Healings(store),
            reports=Reports(store, 15),
            tokens=tokens,
            questions=Questions(),
            settings=CloudSettings(),
            public_url="http://127.0.0.1:9696",
        )
        accounts = [Account("admin", "x", "admin", "admin"), Account("demo", "x", "demo")]
        self._commit(store, lambda d: ensure_cloud(d, accounts))
        demo = project_by_name(store.snapshot, "demo")
        self.cloud = TraceCloud()
        two_networks(self.cloud)
        theirs = self.cloud.network_of("uno")
        rows = [_owned(row, demo.id, theirs) for row in self.cloud.rows.values()]
        self._commit(store, lambda d: [d.draft.put(row) for row in rows])
        self.client = Client(Starlette(routes=operations.routes(services, Feed(store))))
        self.tokens = {}
        for name in ("admin", "demo"):
            user = user_by_name(store.snapshot, name)
            assert user is not None
            project = project_by_name(store.snapshot, name)
            self.tokens[name] = tokens.issue(user, project.id, ("password",))[0]

    def ask(self, name: str = "admin", **query: Any) -> Any:
        return self.client.get("/netglass/v1/trace", params=query, headers={"X-Auth-Token": self.tokens[name]})

    def _commit(self, store: Store, decide: Any) -> None:
        def on_draft(draft: Any, fresh: Any) -> Any:
            return decide(Decision(draft=draft, caller=ADMIN, settings=CloudSettings(), fresh=fresh))

        store.commit(on_draft, ADMIN)


def _owned(row: Row, project: str, theirs: str) -> Row:
    another = theirs in (row.id, getattr(row, "network_id", "")) or getattr(row, "name", "") in ("uno", "due", "tre")
    return msgspec.structs.replace(row, project_id="another" if another else project) if row.project_id else row


@pytest.fixture
def asking(database_url: str) -> Iterator[Asking]:
    store = Store.open(database_url)
    yield Asking(store)
    store.close()


def test_a_trace_is_answered_as_a_tree(asking: Asking) -> None:
    answer = asking.ask(source="vm1", destination="vm2", protocol="tcp", port=80)
    assert answer.status_code == 200, answer.text
    trace = msgspec.convert(answer.json()["trace"], Trace)
    assert trace.delivered
    assert (trace.evidence, trace.packet.port_dst, trace.destination.name) == ("model", 80, "vm2")


def test_a_project_traces_between_its_own_ports_and_no_others(asking: Asking) -> None:
    assert asking.ask("demo", source="vm1", destination="vm2").json()["trace"]["delivered"] is True
    assert asking.ask("admin", source="vm1", destination="due").status_code == 200
    for source, destination in (("vm1", "due"), ("uno", "vm1"), ("vm1", asking.cloud.port_of("due"))):
        assert asking.ask("demo", source=source, destination=destination).status_code == 404


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ({"source": "vm1"}, 400, "'destination' must be given"),
        ({}, 400, "'source' and 'destination' must be given"),
        ({"source": "vm1", "destination": "vm2", "port": "x"}, 400, "a number is wanted"),
        ({"source": "vm1", "destination": "vm2", "size": "9k"}, 400, "a number is wanted"),
        ({"source": "vm1", "destination": "vm2", "one_way": "perhaps"}, 400, "true or false is wanted"),
        ({"source": "vm1", "destination": "vm2", "evidence": "live"}, 400, "model is known"),
        ({"source": "vm1", "destination": "nobody"}, 404, "no server, no router and no port 'nobody'"),
    ],
)
def test_a_question_that_means_nothing_is_refused(
    asking: Asking, query: dict[str, Any], status: int, says: str
) -> None:
    answer = asking.ask(**query)
    assert answer.status_code == status
    assert says in answer.text


def test_strangers_get_nothing(asking: Asking) -> None:
    assert asking.client.get("/netglass/v1/trace", params={"source": "vm1", "destination": "vm2"}).status_code == 401
