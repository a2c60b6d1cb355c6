"""Several servers over one PostgreSQL: one order, nothing twice, and what becomes of them when they lose it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zlib import crc32

import pytest

from netglass.base.errors import Conflict, OutcomeUnknown, Unavailable
from netglass.base.fresh import Fresh
from netglass.model.caller import Caller
from netglass.model.draft import Draft
from netglass.model.resources import FixedIp, LocalVlan, Network, Port
from netglass.store import store as store_module
from netglass.store.head import Commit
from netglass.store.store import Store
from support.pace import until
from support.postgres import Cluster
from support.proxy import Proxy

pytestmark = pytest.mark.server

CALLER = Caller(user_id="u1", request_id="req-1")
SOON_S = 10.0


@pytest.fixture
def two(cluster: Cluster, database: str) -> Iterator[tuple[Store, Store]]:
    one, other = Store.open(cluster.url(database)), Store.open(cluster.url(database))
    yield one, other
    one.close()
    other.close()


@pytest.fixture
def proxied(cluster: Cluster, database: str) -> Iterator[tuple[Store, Proxy]]:
    directory = cluster.short_directory()
    proxy = Proxy(directory, cluster.directory)
    store = Store.open(f"postgresql://netglass@/{database}?host={directory}")
    yield store, proxy
    store.close()
    proxy.close()


def network(name: str) -> Network:
    return Network(id=name, name=name, physical_network="default", segmentation_id=crc32(name.encode()))


def put(row: Network) -> Callable[[Draft, Fresh], object]:
    return lambda draft, fresh: draft.put(row)


def lowest_free(draft: Draft, fresh: Fresh) -> tuple[int, int, int]:
    """Takes the lowest free address, segment and tag, as decisions do."""
    number = draft.now.count(Port)
    draft.put(
        Port(id=fresh.uuid(), network_id="n", mac_address=fresh.mac("fa:16:3e:00:00:00"), fixed_ips=(ip(number),))
    )
    segments = draft.now.used("segments", ("vlan", "default"))
    segment = next(n for n in range(1, 5000) if n not in segments)
    draft.put(Network(id=fresh.uuid(), physical_network="default", segmentation_id=segment))
    tags = draft.now.used("local_vlans", "h")
    tag = next(n for n in range(1, 4095) if n not in tags)
    draft.put(LocalVlan(id=f"h/{tag}", host="h", network_id=str(tag), vlan=tag))
    return number, segment, tag


def ip(number: int) -> FixedIp:
    return FixedIp("s", f"10.0.{number // 250}.{number % 250 + 1}")


def write_many(url: str, count: int, results: Any) -> None:
    store = Store.open(url)
    results.put([(c.revision, c.result) for c in (store.commit(lowest_free, CALLER) for _ in range(count))])
    store.close()


def test_writers_in_several_processes_give_one_order_without_gaps_and_take_nothing_twice(
    cluster: Cluster, database: str
) -> None:
    Store.open(cluster.url(database)).close()
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    writers = [context.Process(target=write_many, args=(cluster.url(database), 60, results)) for _ in range(3)]
    for writer in writers:
        writer.start()
    found = [one for _ in writers for one in results.get()]
    for writer in writers:
        writer.join()

    store = Store.open(cluster.url(database))
    log = store.changes_since(0)
    store.close()
    assert sorted(revision for revision, _ in found) == list(range(1, 181))
    assert [entry.revision for entry in log] == list(range(1, 181))
    for taken in zip(*(result for _, result in found), strict=True):
        assert len(set(taken)) == 180


def test_what_one_server_commits_the_other_hears_of_by_itself(two: tuple[Store, Store]) -> None:
    one, other = two
    told: list[Commit] = []
    other.subscribe(told.append)

    revisions = [one.commit(put(network(name)), CALLER).revision for name in "abc"]

    until(lambda: len(told) == 3, SOON_S, "the other server has heard of three commits")
    assert [commit.revision for commit in told] == revisions
    assert other.snapshot == one.snapshot


def test_who_has_caught_up_reads_what_was_written_through_another_server(two: tuple[Store, Store]) -> None:
    one, other = two

    async def scenario() -> None:
        for number in range(50):
            name = f"n{number}"
            await one.commit_async(put(network(name)), CALLER)
            await other.caught_up()
            assert other.snapshot.get(Network, name) is not None

    asyncio.run(scenario())


def test_many_who_want_to_catch_up_share_few_looks(two: tuple[Store, Store]) -> None:
    one, other = two

    async def scenario() -> None:
        await one.commit_async(put(network("a")), CALLER)
        await asyncio.gather(*(other.caught_up() for _ in range(500)))
        assert other.snapshot.get(Network, "a") is not None

    asyncio.run(scenario())


def test_a_server_that_is_behind_decides_on_what_others_have_committed(two: tuple[Store, Store]) -> None:
    one, other = two

    def take(draft: Draft, fresh: Fresh) -> None:
        if draft.now.get(Network, "a") is not None:
            raise Conflict("a is there already", fault="InUse")
        draft.put(network("a"))

    for _ in range(20):
        one.commit(take, CALLER)
        with pytest.raises(Conflict):
            other.commit(take, CALLER)
        other.commit(lambda draft, fresh: draft.drop(network("a")), CALLER)

    assert one.commit(take, CALLER).revision == 41


def test_a_server_without_its_database_says_so_and_goes_on_once_it_is_there_again(
    cluster: Cluster, two: tuple[Store, Store]
) -> None:
    one, other = two
    one.commit(put(network("a")), CALLER)
    cluster.stop()
    try:
        with pytest.raises(
            Unavailable, match=r"PostgreSQL database test\d+ at .* cannot be reached: .*; nothing changed"
        ):
            one.commit(put(network("b")), CALLER)
        with pytest.raises(Unavailable, match="cannot be reached"):
            asyncio.run(other.caught_up())
        until(lambda: one.lost and other.lost, SOON_S, "both know")
        assert one.snapshot.get(Network, "a") is not None
    finally:
        cluster.start()
    until(lambda: not one.lost and not other.lost, SOON_S, "both have found it again")

    assert one.commit(put(network("b")), CALLER).revision == 2
    asyncio.run(other.caught_up())
    assert other.snapshot == one.snapshot


def test_a_database_that_was_restarted_meanwhile_is_no_matter(cluster: Cluster, two: tuple[Store, Store]) -> None:
    one, _ = two
    one.commit(put(network("a")), CALLER)
    cluster.stop("fast")
    cluster.start()
    until(lambda: not one.lost, SOON_S, "it is found again")

    assert one.commit(put(network("b")), CALLER).revision == 2


def test_a_database_that_does_not_answer_is_told_of_and_waited_for(cluster: Cluster, two: tuple[Store, Store]) -> None:
    one, other = two
    cluster.send(signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable, match=r"does not answer|no answer"):
            asyncio.run(one.caught_up())
        until(lambda: fails(other), SOON_S, "the other server knows without asking anew")
    finally:
        cluster.send(signal.SIGCONT)

    until(lambda: not fails(one) and not fails(other), SOON_S, "both go on")
    assert one.commit(put(network("a")), CALLER).revision == 1


def fails(store: Store) -> bool:
    try:
        asyncio.run(store.caught_up())
    except Unavailable:
        return True
    return False


def test_a_server_that_stands_still_in_its_turn_does_not_hold_up_the_others_for_long(two: tuple[Store, Store]) -> None:
    one, other = two
    entered, go_on = threading.Event(), threading.Event()
    decided: list[int] = []

    def slow(draft: Draft, fresh: Fresh) -> None:
        decided.append(draft.now.revision)
        entered.set()
        go_on.wait(SOON_S)
        draft.put(network("slow"))

    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(one.commit, slow, CALLER)
        entered.wait()
        assert other.commit(put(network("quick")), CALLER).revision == 1
        go_on.set()

        assert stuck.result().revision == 2
    assert decided == [0, 1]


@pytest.mark.parametrize("lose", ["lose_commit", "lose_answer"])
def test_a_commit_that_the_database_was_lost_in_is_made_once(proxied: tuple[Store, Proxy], lose: str) -> None:
    store, proxy = proxied
    told: list[int] = []
    store.subscribe(lambda commit: told.append(commit.revision))
    store.commit(put(network("a")), CALLER)

    setattr(proxy, lose, True)
    committed = store.commit(lowest_free, CALLER)

    assert not getattr(proxy, lose)
    assert committed.revision == 2
    assert told == [1, 2]
    assert [entry.revision for entry in store.changes_since(0)] == [1, 2]
    assert committed.snapshot == store.snapshot
    assert store.commit(put(network("b")), CALLER).revision == 3


def test_a_commit_that_nobody_can_tell_of_is_neither_answered_nor_refused(
    proxied: tuple[Store, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_SETTLE_S", 0.5)
    store, proxy = proxied

    def decide(draft: Draft, fresh: Fresh) -> None:
        draft.put(network("a"))
        proxy.refuse = True

    proxy.lose_answer = True
    with pytest.raises(OutcomeUnknown, match="may have been made or not"):
        store.commit(decide, CALLER)
    proxy.heal()

    until(lambda: store.snapshot.revision == 1, SOON_S, "what was made is taken up")


def test_a_server_that_was_cut_off_for_longer_than_the_log_reaches_takes_up_everything(
    cluster: Cluster, database: str, proxied: tuple[Store, Proxy]
) -> None:
    store, proxy = proxied
    other = Store.open(cluster.url(database))
    told: list[Commit] = []
    store.commit(put(network("a")), CALLER)
    store.subscribe(told.append)
    proxy.cut()
    until(lambda: store.lost, SOON_S, "it knows that it is cut off")
    for name in "bcd":
        other.commit(put(network(name)), CALLER)
    other.commit(lambda draft, fresh: draft.drop(network("a")), CALLER)
    other.compact(0)

    proxy.heal()

    until(lambda: store.snapshot.revision == 5, SOON_S, "it has caught up")
    assert store.snapshot == other.snapshot
    assert told[-1].after == store.snapshot
    assert {(change.id, change.op) for change in told[-1].changes} == {
        ("a", "delete"),
        ("b", "create"),
        ("c", "create"),
        ("d", "create"),
    }
    assert store.store_id == other.store_id
    other.close()


def test_a_database_that_was_put_back_is_read_anew_under_another_id(
    cluster: Cluster, database: str, two: tuple[Store, Store]
) -> None:
    one, other = two
    for name in "abc":
        one.commit(put(network(name)), CALLER)
    known = one.store_id
    until(lambda: other.snapshot.revision == 3, SOON_S, "the other server knows, too")
    back_to = (
        "DELETE FROM object WHERE revision > 1; DELETE FROM change WHERE revision > 1; UPDATE counter SET revision = 1"
    )
    others = f"pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND pid <> pg_backend_pid()"
    cluster.execute(database, f"{back_to}; DELETE FROM claim WHERE id <> 'a'; SELECT {others}")
    cluster.execute(database, "SELECT 1")

    until(lambda: one.snapshot.revision == other.snapshot.revision == 1, SOON_S, "both have gone back")
    until(lambda: not one.lost and not other.lost, SOON_S, "both go on")
    assert [row.id for row in one.snapshot.all(Network)] == ["a"]
    assert one.store_id == other.store_id != known
    assert one.commit(put(network("d")), CALLER).revision == 2
    until(lambda: other.snapshot == one.snapshot, SOON_S, "they go on together")


def test_a_server_that_slept_while_the_database_was_put_back_and_went_on_notices(
    cluster: Cluster, database: str, proxied: tuple[Store, Proxy]
) -> None:
    store, proxy = proxied
    for name in "abc":
        store.commit(put(network(name)), CALLER)
    known = store.store_id
    proxy.cut()
    until(lambda: store.lost, SOON_S, "it knows that it is cut off")
    cluster.execute(
        database, "DELETE FROM change; DELETE FROM object; DELETE FROM claim; UPDATE counter SET revision = 0"
    )
    other = Store.open(cluster.url(database))
    for name in "vwxyz":
        other.commit(put(network(name)), CALLER)

    proxy.heal()

    until(lambda: store.snapshot == other.snapshot, SOON_S, "it has read everything anew")
    assert store.snapshot.revision == 5
    until(lambda: store.store_id == other.store_id != known, SOON_S, "both go by another id")
    other.close()


def test_killing_a_writer_in_its_turn_lets_the_next_one_in_at_once(cluster: Cluster, database: str) -> None:
    store = Store.open(cluster.url(database))
    pid = os.fork()
    if pid == 0:
        doomed = Store.open(cluster.url(database))
        doomed.commit(lambda draft, fresh: os.kill(os.getpid(), signal.SIGKILL), CALLER)
        os._exit(1)
    os.waitpid(pid, 0)

    began = time.monotonic()
    assert store.commit(put(network("a")), CALLER).revision == 1
    assert time.monotonic() - began < 3
    store.close()
