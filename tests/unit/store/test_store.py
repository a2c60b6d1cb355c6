"""Intent on disk and in memory: durable, gapless, unique."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import insert

from netglass.base.errors import Bug, Conflict, Gone, Invalid, Unavailable
from netglass.base.fresh import Fresh
from netglass.model.caller import Caller
from netglass.model.draft import Draft
from netglass.model.resources import FixedIp, Network, Port, Project, User
from netglass.store import schema
from netglass.store.head import Commit
from netglass.store.store import Store

CALLER = Caller(user_id="u1", project_id="p1", request_id="req-1")


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()


def port(number: int, address: str = "", **values: str) -> Port:
    address = address or f"10.0.{number // 250}.{number % 250 + 1}"
    mac = f"fa:16:3e:00:{number // 256:02x}:{number % 256:02x}"
    return Port(
        id=f"port-{number}",
        network_id="n1",
        mac_address=mac,
        fixed_ips=(FixedIp("s1", address),),
        project_id="p1",
        **values,
    )


def put(row: Port | Network | User | Project) -> Callable[[Draft, Fresh], object]:
    return lambda draft, fresh: draft.put(row)


def next_port(draft: Draft, fresh: Fresh) -> Port:
    return draft.put(port(draft.now.count(Port)))


def test_commit_is_seen_at_once_and_after_reopening(store: Store, url: str) -> None:
    committed = store.commit(put(port(1)), CALLER)

    assert committed.revision == 1
    assert store.snapshot.get(Port, "port-1") == port(1)
    store.close()
    again = Store.open(url)
    assert again.snapshot == committed.snapshot
    assert again.snapshot.revision == 1
    again.close()


def test_snapshot_of_a_commit_is_not_disturbed_by_later_ones(store: Store) -> None:
    first = store.commit(put(port(1)), CALLER)
    store.commit(put(port(2)), CALLER)

    assert first.snapshot.get(Port, "port-2") is None
    assert first.snapshot.revision == 1


def test_decision_that_changes_nothing_takes_no_revision(store: Store) -> None:
    store.commit(put(port(1)), CALLER)

    committed = store.commit(put(port(1)), CALLER)

    assert committed.changes == ()
    assert committed.revision == 1
    assert len(store.changes_since(0)) == 1


def test_decision_that_raises_leaves_nothing_behind(store: Store) -> None:
    def decide(draft: Draft, fresh: Fresh) -> None:
        draft.put(port(1))
        raise Conflict("no", fault="No")

    with pytest.raises(Conflict):
        store.commit(decide, CALLER)

    assert store.snapshot.revision == 0
    assert store.snapshot.count(Port) == 0
    assert store.changes_since(0) == []


def test_log_says_who_did_what_in_order(store: Store) -> None:
    store.commit(put(port(1)), CALLER)
    store.commit(put(port(1, name="web")), Caller(user_id="u2", request_id="req-2"))
    store.commit(lambda draft, fresh: draft.drop(port(1)), CALLER)

    log = store.changes_since(0)

    assert [entry.revision for entry in log] == [1, 2, 3]
    assert [entry.user_id for entry in log] == ["u1", "u2", "u1"]
    assert [entry.request_id for entry in log] == ["req-1", "req-2", "req-1"]
    assert [[change.op for change in entry.changes] for entry in log] == [["create"], ["update"], ["delete"]]
    assert log[1].changes[0].before == port(1)
    assert log[1].changes[0].after == port(1, name="web")


def test_several_changes_of_one_commit_share_its_revision(store: Store) -> None:
    def decide(draft: Draft, fresh: Fresh) -> None:
        for number in range(5):
            draft.put(port(number))

    store.commit(decide, CALLER)

    (entry,) = store.changes_since(0)
    assert [change.id for change in entry.changes] == [f"port-{number}" for number in range(5)]


def test_past_intent_is_rebuilt_from_the_log(store: Store) -> None:
    snapshots = [store.snapshot]
    snapshots += [store.commit(put(port(number)), CALLER).snapshot for number in range(5)]
    snapshots.append(store.commit(put(port(1, name="web")), CALLER).snapshot)
    snapshots.append(store.commit(lambda draft, fresh: draft.drop(port(2)), CALLER).snapshot)

    for snapshot in snapshots:
        then = store.snapshot_at(snapshot.revision)
        assert then == snapshot
        assert then.revision == snapshot.revision


def test_compaction_keeps_intent_and_the_newest_log(store: Store, url: str) -> None:
    for number in range(10):
        store.commit(put(port(number)), CALLER)

    store.compact(3)

    assert [entry.revision for entry in store.changes_since(7)] == [8, 9, 10]
    with pytest.raises(Gone) as gone:
        store.changes_since(6)
    assert (gone.value.wanted, gone.value.oldest) == (6, 7)
    store.close()
    again = Store.open(url)
    assert again.snapshot.count(Port) == 10
    again.close()


def test_compaction_of_more_than_there_is_keeps_all(store: Store) -> None:
    store.commit(put(port(1)), CALLER)

    store.compact(100)

    assert len(store.changes_since(0)) == 1


def test_claim_moves_from_one_row_to_another_in_one_commit(store: Store) -> None:
    store.commit(put(port(1)), CALLER)

    def decide(draft: Draft, fresh: Fresh) -> None:
        draft.put(port(2, address="10.0.0.2"))
        draft.drop(port(1))

    store.commit(decide, CALLER)

    assert [row.id for row in store.snapshot.all(Port)] == ["port-2"]


def test_database_refuses_an_address_twice_even_when_the_decision_does_not_look(store: Store) -> None:
    store.commit(put(port(1, address="10.0.0.9")), CALLER)

    with pytest.raises(Bug, match=r"address s1/10.0.0.9 of port port-2 is held by port port-1"):
        store.commit(put(port(2, address="10.0.0.9")), CALLER)

    assert store.snapshot.count(Port) == 1
    assert store.commit(put(port(3)), CALLER).revision == 2


def test_many_threads_get_gapless_revisions_and_distinct_addresses(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        committed = list(pool.map(lambda _: store.commit(next_port, CALLER), range(200)))

    assert sorted(c.revision for c in committed) == list(range(1, 201))
    assert len({c.result.fixed_ips for c in committed}) == 200
    assert [entry.revision for entry in store.changes_since(0)] == list(range(1, 201))


def test_two_servers_over_one_database_decide_on_the_newest_intent(store: Store, url: str) -> None:
    other = Store.open(url)
    told: list[Commit] = []
    other.subscribe(told.append)
    with ThreadPoolExecutor(2) as pool:
        ours = pool.submit(lambda: [store.commit(next_port, CALLER) for _ in range(50)])
        theirs = pool.submit(lambda: [other.commit(next_port, CALLER) for _ in range(50)])
        committed = ours.result() + theirs.result()
    other.commit(next_port, CALLER)

    assert sorted(c.revision for c in committed) == list(range(1, 101))
    assert len({c.result.fixed_ips for c in committed}) == 100
    assert [commit.revision for commit in told] == list(range(1, 102))
    assert other.snapshot == Store.open(url).snapshot
    other.close()


def test_subscribers_are_told_of_each_commit_before_its_caller_is_answered(store: Store) -> None:
    told: list[Commit] = []
    stop = store.subscribe(told.append)

    first = store.commit(put(port(1)), CALLER)
    assert [commit.revision for commit in told] == [1]
    assert told[0].after == first.snapshot
    assert told[0].before.revision == 0

    stop()
    store.commit(put(port(2)), CALLER)
    assert [commit.revision for commit in told] == [1]


def test_event_loop_goes_on_while_a_commit_is_written(store: Store) -> None:
    async def run() -> list[int]:
        committed = await asyncio.gather(*(store.commit_async(next_port, CALLER) for _ in range(20)))
        return sorted(c.revision for c in committed)

    assert asyncio.run(run()) == list(range(1, 21))


def test_request_that_was_given_up_before_its_turn_changes_nothing(store: Store) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(draft: Draft, fresh: Fresh) -> None:
        entered.set()
        go_on.wait()

    async def run() -> None:
        first = asyncio.ensure_future(store.commit_async(slow, CALLER))
        await asyncio.to_thread(entered.wait)
        second = asyncio.ensure_future(store.commit_async(put(port(1)), CALLER))
        await asyncio.sleep(0)  # lets it queue
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        go_on.set()
        await first

    asyncio.run(run())
    store.commit(put(port(2)), CALLER)

    assert [row.id for row in store.snapshot.all(Port)] == ["port-2"]


def test_closed_store_takes_no_commits(store: Store) -> None:
    store.close()

    with pytest.raises(Unavailable):
        store.commit(put(port(1)), CALLER)


def test_database_that_fails_is_unavailable_and_tells_no_values(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.write(lambda connection: connection.exec_driver_sql("ALTER TABLE change RENAME TO hidden")).result()

    with pytest.raises(Unavailable) as refused:
        store.commit(put(User(id="u1", name="ann", password_hash="$argon2id$secret")), CALLER)

    assert "secret" not in str(refused.value) + caplog.text
    assert store.snapshot.count(User) == 0
    store.write(lambda connection: connection.exec_driver_sql("ALTER TABLE hidden RENAME TO change")).result()
    assert store.commit(put(port(1)), CALLER).revision == 1


def test_row_with_fields_of_a_later_version_stays_readable(store: Store, url: str) -> None:
    body = '{"id":"n1","name":"blue","from_the_future":1}'
    values = {"kind": "network", "id": "n1", "project_id": "", "revision": 0, "body": body}
    store.write(lambda connection: connection.execute(insert(schema.objects).values(values))).result()

    again = Store.open(url)

    assert again.snapshot.get(Network, "n1") == Network(id="n1", name="blue")
    again.close()


def test_database_in_memory_is_refused() -> None:
    with pytest.raises(Invalid, match="needs a file"):
        Store.open("sqlite://")


def test_compaction_of_a_long_log_lets_commits_through(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netglass.store.store._COMPACT_SLICE", 10)
    for number in range(100):
        store.commit(put(port(number)), CALLER)
    with ThreadPoolExecutor(1) as pool:
        compacting = pool.submit(store.compact, 5)
        revisions = [store.commit(put(port(number)), CALLER).revision for number in range(100, 110)]
        compacting.result()

    assert revisions == list(range(101, 111))
    assert store.changes_since(100)[0].revision == 101
    with pytest.raises(Gone):
        store.changes_since(90)
