"""Laws of the feed: what a host is told is what it needs, whatever happens in between."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netglass.agent.replica import Replica
from netglass.api.feed import Feed, Since, Watcher
from netglass.compile.relevant import (
    Key,
    difference,
    interested_hosts,
    relevant_changes,
    relevant_row,
    relevant_rows,
)
from netglass.model.caller import Caller
from netglass.model.changes import Change, read_row
from netglass.model.draft import Draft
from netglass.model.protocol import Beat, Bookmark, FeedLine, Listed, RowLine
from netglass.model.resources import (
    AddressGroup,
    AddressPair,
    FixedIp,
    Flavor,
    FloatingIp,
    Host,
    HostSettings,
    Image,
    LocalVlan,
    Network,
    Port,
    PortForwarding,
    Router,
    Row,
    SecurityGroup,
    SecurityGroupRule,
    Server,
    Subnet,
    User,
)
from netglass.model.snapshot import Snapshot
from netglass.store.store import Store
from support.postgres import Cluster

GROUPS = ["sg-1", "sg-2", "sg-3"]
HOSTS = ["host-a", "host-b", "host-c"]
NETWORKS = ["net-1", "net-2", "net-3"]
PORTS = [f"port-{number}" for number in range(6)]
BEAT_S = 0.002

hosts = st.sampled_from(HOSTS)
networks = st.sampled_from(NETWORKS)
texts = st.sampled_from(["", "x", "y"])


def ports() -> st.SearchStrategy[Row]:
    return st.builds(
        lambda port_id, **values: Port(id=port_id, mac_address=port_id, **values),
        st.sampled_from(PORTS),
        network_id=networks,
        name=texts,
        host_id=st.sampled_from(["", *HOSTS]),
        device_owner=st.sampled_from(["", "compute:nova", "network:dhcp", "network:floatingip"]),
        device_id=st.sampled_from(["", "fip-1", "fip-2", "rt-1"]),
        realised_on=st.sampled_from([(), ("host-a",), ("host-b",)]),
        fixed_ips=st.sampled_from([(), (FixedIp("sub-1", "10.0.0.1"),), (FixedIp("sub-2", "10.0.0.1"),)]),
        security_group_ids=st.sets(st.sampled_from(GROUPS), max_size=2).map(lambda found: tuple(sorted(found))),
        allowed_address_pairs=st.sampled_from([(), (), (AddressPair("10.0.0.9", "m"),)]),
    )


def groups() -> st.SearchStrategy[Row]:
    """Gives a security group, a rule of one, or an address group."""
    group, numbers = st.sampled_from(GROUPS), st.sampled_from([f"{n}" for n in range(4)])
    remotes = [("", ""), ("", "ag-1"), *((remote, "") for remote in GROUPS)]
    return st.one_of(
        st.builds(
            lambda group_id, name, stateful, revision: SecurityGroup(
                id=group_id, name=name, stateful=stateful, revision_number=revision
            ),
            group,
            texts,
            st.booleans(),
            st.integers(1, 2),
        ),
        *[
            st.builds(
                lambda n, group_id, remote, way: SecurityGroupRule(
                    id=f"rule-{n}",
                    security_group_id=group_id,
                    direction=way,
                    remote_group_id=remote[0],
                    remote_address_group_id=remote[1],
                ),
                numbers,
                group,
                st.sampled_from(remotes),
                st.sampled_from(["ingress", "egress"]),
            )
        ]
        * 2,
        st.builds(
            lambda addresses: AddressGroup(id="ag-1", addresses=addresses), st.sampled_from([(), ("10.0.0.0/8",)])
        ),
    )


def local_vlans() -> st.SearchStrategy[Row]:
    # The tag follows from the network, so that no two claim the same one on a host.
    return st.builds(
        lambda host, network: LocalVlan(
            id=f"{host}/{network}", host=host, network_id=network, vlan=1 + NETWORKS.index(network)
        ),
        hosts,
        networks,
    )


def rows() -> st.SearchStrategy[Row]:
    """Gives any row of a small cloud, with or without what it refers to."""
    names = st.sampled_from(["1", "2"])
    return st.one_of(
        ports(),
        ports(),
        groups(),
        groups(),
        local_vlans(),
        st.builds(
            lambda network, mtu, kind: Network(
                id=network, segmentation_id=1000 + NETWORKS.index(network), mtu=mtu, network_type=kind
            ),
            networks,
            st.sampled_from([1400, 1500]),
            st.sampled_from(["vlan", "gre", "gre"]),
        ),
        st.builds(
            lambda n, network, name: Subnet(id=f"sub-{n}", network_id=network, cidr="10.0.0.0/24", name=name),
            names,
            networks,
            texts,
        ),
        st.builds(
            lambda host, role, populated: Host(
                id=host, roles=(role,), settings=HostSettings(l2_population=populated, tunnel_types=("gre",))
            ),
            hosts,
            st.sampled_from(["hypervisor", "network"]),
            st.booleans(),
        ),
        st.builds(
            lambda n, host, flavor, image: Server(id=f"srv-{n}", name=n, host=host, flavor_id=flavor, image_id=image),
            names,
            st.sampled_from(["", *HOSTS]),
            st.sampled_from(["fl-1", "fl-2"]),
            st.sampled_from(["im-1", "im-2"]),
        ),
        st.builds(lambda n, host: Router(id=f"rt-{n}", host_id=host), names, st.sampled_from(["", *HOSTS])),
        st.builds(
            lambda n, port, router: FloatingIp(
                id=f"fip-{n}",
                floating_network_id="net-1",
                floating_ip_address=f"203.0.113.{n}",
                fixed_ip_address=f"10.0.0.{n}",
                floating_port_id=port,
                router_id=router,
            ),
            names,
            st.sampled_from(PORTS[:3]),
            st.sampled_from(["", "rt-1", "rt-2"]),
        ),
        st.builds(
            lambda n, floating, port: PortForwarding(
                id=f"pf-{n}",
                floating_ip_id=floating,
                protocol="tcp",
                external_port=port + int(n),
                external_port_last=port + int(n),
                internal_port_id=PORTS[0],
                internal_ip_address="10.0.0.9",
                internal_port=80,
                internal_port_last=80,
            ),
            names,
            st.sampled_from(["fip-1", "fip-2"]),
            st.sampled_from([1000, 2000]),
        ),
        st.builds(lambda n, ram: Flavor(id=f"fl-{n}", name=n, ram_mb=ram), names, st.sampled_from([64, 128])),
        st.builds(lambda n, size: Image(id=f"im-{n}", name=n, size=size), names, st.sampled_from([0, 9])),
        st.builds(lambda n, email: User(id=f"us-{n}", name=n, email=email), names, texts),
    )


def commits() -> st.SearchStrategy[list[tuple[Row, bool]]]:
    """Gives one transaction: rows put (True) or dropped (False)."""
    return st.lists(st.tuples(rows(), st.sampled_from([True, True, False])), min_size=1, max_size=6)


def applied(before: Snapshot, commit: list[tuple[Row, bool]]) -> tuple[Snapshot, tuple[Change, ...]]:
    draft = Draft(before)
    for row, kept in commit:
        if kept:
            draft.put(row)
        else:
            draft.drop(row)
    return draft.now, draft.changes()


def replica_after(replica: dict[Key, Row], told: dict[Key, Row | None]) -> dict[Key, Row]:
    merged = {**replica, **told}
    return {key: row for key, row in merged.items() if row is not None}


@given(st.lists(commits(), max_size=12))
def test_replica_kept_up_by_changes_is_what_is_relevant(history: list[list[tuple[Row, bool]]]) -> None:
    snapshot = Snapshot.empty()
    replicas: dict[str, dict[Key, Row]] = {host: {} for host in HOSTS}
    for commit in history:
        before = snapshot
        snapshot, changes = applied(before, commit)
        for host in HOSTS:
            told = dict(relevant_changes(before, snapshot, changes, host))
            if told:
                assert host in interested_hosts(before, snapshot, changes)
            assert told == difference(replicas[host], relevant_rows(snapshot, host))
            replicas[host] = replica_after(replicas[host], told)
            assert replicas[host] == relevant_rows(snapshot, host)


@given(st.lists(rows(), max_size=40))
def test_one_row_is_relevant_when_it_is_among_the_relevant_rows(intent: list[Row]) -> None:
    snapshot = Snapshot.of(intent)
    for host in HOSTS:
        relevant = relevant_rows(snapshot, host)
        for row in intent:
            key = (row.kind, row.id)
            assert relevant_row(snapshot, host, key) == relevant.get(key)


@given(st.lists(rows(), max_size=40), st.sampled_from(HOSTS))
def test_what_is_relevant_of_the_relevant_rows_is_all_of_them(intent: list[Row], host: str) -> None:
    relevant = relevant_rows(Snapshot.of(intent), host)

    assert relevant_rows(Snapshot.of(relevant.values()), host) == relevant


class Agent:
    """A watcher's far end: the agents' own replica, checked whenever the feed says that it is whole."""

    def __init__(self, host: str, snapshot_by_revision: dict[int, Snapshot]) -> None:
        self.host = host
        self.replica = Replica()
        self._snapshots = snapshot_by_revision
        self._watcher: Watcher | None = None
        self._task: asyncio.Task[None] | None = None

    def join(self, feed: Feed) -> None:
        if self._task is None or self._task.done():
            self._watcher = Watcher(self.host)
            self.replica.reconnected()
            known = self.replica.snapshot is not None
            since = Since(self.replica.revision, self.replica.store) if known else None
            self._task = asyncio.create_task(self._read(feed, self._watcher, since))

    async def leave(self) -> None:
        if self._watcher is not None and self._task is not None:
            self._watcher.end()
            await self._task

    async def reaches(self, revision: int) -> None:
        while self.replica.snapshot is None or self.replica.revision < revision:
            assert self._task is not None
            if self._task.done():
                raise AssertionError("the stream ended too early") from self._task.exception()
            await asyncio.sleep(0.001)

    def is_right_at(self, snapshot: Snapshot) -> bool:
        return self.replica.snapshot == Snapshot.of(relevant_rows(snapshot, self.host).values())

    async def _read(self, feed: Feed, watcher: Watcher, since: Since | None) -> None:
        async for chunk in feed.lines(watcher, since):
            for text in chunk.splitlines():
                before = self.replica.revision
                line = msgspec.json.decode(text, type=FeedLine)
                self.replica.take(line)
                if isinstance(line, Listed | Bookmark | Beat):
                    assert line.revision == self.replica.revision >= before
                    assert self.is_right_at(self._snapshots[line.revision])


actions = st.one_of(
    st.tuples(st.just("commit"), commits()),
    st.tuples(st.just("stall"), commits()),
    st.tuples(st.sampled_from(["join", "leave", "look"]), st.integers(0, 3)),
    st.tuples(st.just("compact"), st.integers(0, 3)),
)


@pytest.fixture(scope="module")
def database() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "empty.db"
        Store.open(f"sqlite:///{path}").close()
        yield path


@settings(max_examples=60)
@given(st.lists(actions, max_size=25))
def test_replica_of_every_watcher_is_right_at_every_bookmark(database: Path, played: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "intent.db"
        shutil.copy(database, copy)
        run_servers([f"sqlite:///{copy}"], played)


@pytest.mark.server
@settings(max_examples=25)
@given(st.lists(actions, max_size=25))
def test_replica_is_right_whichever_server_tells_its_watcher(
    cluster: Cluster, played: list[tuple[str, object]]
) -> None:
    name = cluster.take()
    run_servers([cluster.url(name)] * 2, played)
    cluster.give_back(name)


def run_servers(urls: list[str], played: list[tuple[str, object]]) -> None:
    stores = [Store.open(url) for url in urls]
    try:
        asyncio.run(play(stores, played))
    finally:
        for store in stores:
            store.close()


async def play(stores: list[Store], played: list[tuple[str, object]]) -> None:
    snapshots = {0: stores[0].snapshot}
    feeds = []
    for store in stores:
        store.subscribe(lambda commit: snapshots.__setitem__(commit.revision, commit.after))  # told before its feed is
        feeds.append(Feed(store, beat_s=BEAT_S))
        feeds[-1].start()
    agents = [Agent(HOSTS[number % 3], snapshots) for number in range(4)]
    for turn, (action, argument) in enumerate(played):
        server = turn % len(stores)
        store, feed = stores[server], feeds[server]
        await store.caught_up()
        if action == "commit":
            await store.commit_async(lambda draft, fresh, rows=argument: _change(draft, rows), Caller())
        elif action == "stall":  # the loop has no turn for longer than a beat, and then everything is due at once
            await asyncio.sleep(0.001)
            store.commit(lambda draft, fresh, rows=argument: _change(draft, rows), Caller())
            time.sleep(2 * BEAT_S)
            await asyncio.sleep(0)
        elif action == "join":
            agents[argument].join(feed)  # type: ignore[index]
        elif action == "leave":
            await agents[argument].leave()  # type: ignore[index]
        elif action == "look":
            await asyncio.sleep(0)
        else:
            await asyncio.to_thread(store.compact, argument)  # type: ignore[arg-type]
    for number, agent in enumerate(agents):
        server = number % len(stores)
        await stores[server].caught_up()
        agent.join(feeds[server])
        await agent.reaches(stores[server].snapshot.revision)
    for feed in feeds:
        feed.end()
    for agent in agents:
        await agent.leave()
        assert agent.is_right_at(stores[0].snapshot)


def _change(draft: Draft, commit: list[tuple[Row, bool]]) -> None:
    for row, kept in commit:
        # Only rows whose claims are free: a decision looks before it claims.
        if not kept:
            draft.drop(row)
        elif not isinstance(row, Port) or not _is_claimed(draft, row):
            draft.put(row)


def _is_claimed(draft: Draft, port: Port) -> bool:
    held = {("ports_by_mac", (port.network_id, port.mac_address))}
    held |= {("ports_by_address", (fixed.subnet_id, fixed.ip_address)) for fixed in port.fixed_ips}
    return any({*draft.now.ids(index, key)} - {port.id} for index, key in held)


def test_port_with_an_address_survives_the_wire() -> None:
    port = Port(id="p", network_id="n", mac_address="m", fixed_ips=(FixedIp("s", "10.0.0.1"),), host_id="host-a")
    line = msgspec.json.decode(
        msgspec.json.encode(RowLine(kind="port", id="p", row=msgspec.to_builtins(port))), type=FeedLine
    )

    assert isinstance(line, RowLine)
    assert line.row is not None
    assert read_row("port", line.row) == port
