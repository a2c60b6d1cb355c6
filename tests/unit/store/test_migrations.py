"""A database of any earlier schema comes along with all that is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from netglass.base.errors import Invalid
from netglass.model.caller import Caller
from netglass.model.resources import FixedIp, Network, Port, User
from netglass.store import migrations, schema
from netglass.store.dialect import open_engine, writing
from netglass.store.reports import Reports
from netglass.store.store import Store
from support.databases import BOTH
from support.postgres import Cluster

# As the first version wrote them: later ones may know more fields, and must read these for ever.
NETWORK = {
    "id": "n1",
    "project_id": "p1",
    "created_at": "2026-11-20T12:00:00Z",
    "name": "blue",
    "segmentation_id": 1000,
}
PORT = {
    "id": "p1",
    "project_id": "p1",
    "network_id": "n1",
    "mac_address": "fa:16:3e:00:00:01",
    "fixed_ips": [{"subnet_id": "s1", "ip_address": "10.0.0.2"}],
}
NAMED = PORT | {"name": "web \u00e9", "revision_number": 2}
USER = {"id": "u1", "name": "ann", "password_hash": "$argon2id$x"}
REPORT = {"version": "0.1.0", "started_at": "2026-11-20T12:00:00Z", "realised_revision": 3}

OBJECTS = [("network", NETWORK, 1), ("port", NAMED, 3), ("user", USER, 2)]
CLAIMS = [
    ("segment", "vlan//1000", "network", "n1"),
    ("mac", "n1/fa:16:3e:00:00:01", "port", "p1"),
    ("address", "s1/10.0.0.2", "port", "p1"),
    ("user_name", "ann", "user", "u1"),
]
LOG: list[tuple[int, int, str, str, str, Any, Any]] = [
    (1, 0, "network", "n1", "create", None, NETWORK),
    (2, 0, "port", "p1", "create", None, PORT),
    (2, 1, "user", "u1", "create", None, USER),
    (3, 0, "port", "p1", "update", PORT, NAMED),
]

REVISIONS = [
    s.revision for s in reversed(list(ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()))
]


@pytest.fixture(params=BOTH)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database in which nothing was ever made."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/intent.db"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.create()
    yield cluster.url(name)
    cluster.drop(name)


def made_at(url: str, revision: str) -> None:
    """Makes the schema as of a revision, and fills it as a server of that time did."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = open_engine(url)
    with writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for kind, body, at in OBJECTS:
            insert = "INSERT INTO object (kind, id, project_id, revision, body) VALUES (:kind, :id, :project, :at, {})"
            values = {"kind": kind, "id": body["id"], "project": body.get("project_id", ""), "at": at}
            connection.execute(text(insert.format(json_of(url, "body"))), values | {"body": json.dumps(body)})
        for scope, key, kind, row_id in CLAIMS:
            claim = "INSERT INTO claim (scope, key, kind, id) VALUES (:scope, :key, :kind, :id)"
            connection.execute(text(claim), {"scope": scope, "key": key, "kind": kind, "id": row_id})
        for entry in LOG:
            log(url, connection, *entry)
        connection.execute(text("UPDATE counter SET revision = 3"))
        report = "INSERT INTO report (host, at, registration, report) VALUES ('h1', '2026-11-20T12:00:00Z', {}, {})"
        documents = {"registration": '{"roles": ["hypervisor"]}', "report": json.dumps(REPORT)}
        connection.execute(text(report.format(json_of(url, "registration"), json_of(url, "report"))), documents)
    engine.dispose()


def log(url: str, connection: Any, *entry: Any) -> None:
    revision, sequence, kind, row_id, op, before, after = entry
    columns = 'revision, sequence, at, request_id, "user", project, kind, id, op, before, after'
    names = ":revision, :sequence, '2026-11-20T12:00:00Z', 'req-1', 'u1', 'p1', :kind, :id, :op"
    documents = f"{json_of(url, 'before')}, {json_of(url, 'after')}"
    values = {"revision": revision, "sequence": sequence, "kind": kind, "id": row_id, "op": op}
    values |= {
        name: None if body is None else json.dumps(body) for name, body in (("before", before), ("after", after))
    }
    connection.execute(text(f"INSERT INTO change ({columns}) VALUES ({names}, {documents})"), values)


def json_of(url: str, name: str) -> str:
    return f"CAST(:{name} AS jsonb)" if url.startswith("postgresql") else f":{name}"


@pytest.mark.parametrize("revision", REVISIONS)
def test_everything_in_an_earlier_schema_is_there_in_the_newest(empty_url: str, revision: str) -> None:
    made_at(empty_url, revision)

    store = Store.open(empty_url)

    port = Port(
        id="p1",
        project_id="p1",
        network_id="n1",
        mac_address="fa:16:3e:00:00:01",
        fixed_ips=(FixedIp("s1", "10.0.0.2"),),
        name="web \u00e9",
        revision_number=2,
    )
    assert store.snapshot.revision == 3
    assert store.snapshot.get(Port, "p1") == port
    network = store.snapshot.get(Network, "n1")
    assert network is not None
    assert (network.name, network.segmentation_id, network.created_at) == ("blue", 1000, "2026-11-20T12:00:00Z")
    assert store.snapshot.get(User, "u1") == User(id="u1", name="ann", password_hash="$argon2id$x")
    assert [(e.revision, [c.op for c in e.changes]) for e in store.changes_since(0)] == [
        (1, ["create"]),
        (2, ["create", "create"]),
        (3, ["update"]),
    ]
    assert store.snapshot_at(1).count(Port) == 0
    (heard,) = Reports(store, agent_down_s=15).all()
    assert (heard.host, heard.registration.roles) == ("h1", ("hypervisor",))
    assert heard.report is not None
    assert heard.report.realised_revision == 3
    assert len(store.store_id) == 36
    assert store.commit(lambda draft, fresh: draft.drop(port), Caller()).revision == 4
    store.close()


def test_every_store_has_an_id_of_its_own_that_stays(database_url: str, tmp_path: Path) -> None:
    store = Store.open(database_url)
    another = Store.open(f"sqlite:///{tmp_path}/another.db")
    known = store.store_id
    store.close()
    again = Store.open(database_url)

    assert again.store_id == known != another.store_id
    again.close()
    another.close()


def test_schema_of_a_later_version_is_refused_and_left_alone(database_url: str) -> None:
    Store.open(database_url).close()
    engine = open_engine(database_url)
    with writing(engine).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(
        Invalid, match=f"schema 9999, which this version of Netglass does not know .it knows {schema.HEAD}"
    ):
        Store.open(database_url)

    with writing(engine).begin() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.HEAD})
    engine.dispose()


def test_of_servers_that_start_at_once_one_makes_the_schema(empty_url: str) -> None:
    made_at(empty_url, REVISIONS[0])
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(Store.open, [empty_url] * 4))

    assert len({store.store_id for store in stores}) == 1
    assert {store.snapshot.revision for store in stores} == {3}
    for store in stores:
        store.close()
