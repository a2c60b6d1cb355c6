from hypothesis import given
from hypothesis import strategies as st

from netglass.model.changes import Change, decode_row, encode_row
from netglass.model.draft import Draft
from netglass.model.resources import FixedIp, Network, Port
from netglass.model.snapshot import GROUPS, NUMBERS, Snapshot

ports = st.builds(
    Port,
    id=st.sampled_from(["p1", "p2", "p3"]),
    network_id=st.sampled_from(["n1", "n2"]),
    mac_address=st.sampled_from(["fa:16:3e:00:00:01", "fa:16:3e:00:00:02"]),
    host_id=st.sampled_from(["", "compute1"]),
    device_owner=st.sampled_from(["", "network:dhcp"]),
    fixed_ips=st.lists(
        st.builds(
            FixedIp, subnet_id=st.sampled_from(["s1", "s2"]), ip_address=st.sampled_from(["10.0.0.3", "fd00::7"])
        ),
        max_size=2,
        unique=True,
    ).map(tuple),
)
steps = st.lists(st.one_of(ports, st.sampled_from(["p1", "p2", "p3"])), max_size=12)


def indexes(snapshot: Snapshot) -> object:
    return (
        {name: dict(snapshot._groups[name].items()) for name in GROUPS},
        {name: dict(snapshot._numbers[name].items()) for name in NUMBERS},
    )


def distinct_addresses(rows: list[Port]) -> bool:
    taken = [(f.subnet_id, f.ip_address) for row in rows for f in row.fixed_ips]
    return len(taken) == len(set(taken))


@given(steps)
def test_indexes_depend_on_the_rows_alone_and_not_on_the_way_there(path: list[Port | str]) -> None:
    snapshot = Snapshot.empty()
    kept: dict[str, Port] = {}
    for step in path:
        if isinstance(step, str):
            gone = kept.pop(step, None)
            snapshot = snapshot.apply([Change("port", step, gone, None)] if gone else [], 0)
        elif distinct_addresses([*(row for row in kept.values() if row.id != step.id), step]):
            kept[step.id] = step
            snapshot = snapshot.apply([Change("port", step.id, None, step)], 0)
    fresh = Snapshot.of(kept.values())
    assert snapshot == fresh
    assert indexes(snapshot) == indexes(fresh)


@given(ports)
def test_a_row_survives_its_text(port: Port) -> None:
    assert decode_row("port", encode_row(port)) == port


def test_an_older_snapshot_is_not_disturbed_by_a_newer_one() -> None:
    old = Snapshot.of([Network(id="n1", segmentation_id=1000, physical_network="default")])
    draft = Draft(old)
    draft.drop(Network(id="n1"))
    assert old.used("segments", ("vlan", "default")) == (1000,)
    assert draft.now.used("segments", ("vlan", "default")) == ()


def test_a_draft_tells_only_what_really_differs() -> None:
    row = Network(id="n1", name="a")
    draft = Draft(Snapshot.of([row]))
    changed = draft.update(row, "2026-11-21T00:00:00Z", name="b")
    draft.put(row)
    draft.drop(draft.put(Network(id="n2")))
    assert changed.revision_number == 2
    assert draft.changes() == ()
