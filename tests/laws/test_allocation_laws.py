"""Laws of allocation: whatever is made, changed and deleted in whatever order, nothing is given twice or lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from itertools import combinations, count
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from netglass.base.errors import UserError
from netglass.base.fresh import Fresh
from netglass.control.binding import rebind_host, vif_type
from netglass.control.decision import Decision
from netglass.control.dhcp import decide_host_network, decide_unhost_network, is_dhcp_server, schedule_dhcp
from netglass.control.networks import decide_create_network, decide_delete_network, decide_update_network
from netglass.control.ports import decide_create_port, decide_delete_port, decide_update_port
from netglass.control.security_groups import decide_delete_group
from netglass.control.subnet_pools import (
    decide_add_prefixes,
    decide_create_subnet_pool,
    decide_delete_subnet_pool,
    decide_onboard,
    decide_remove_prefixes,
)
from netglass.control.subnets import decide_create_subnet, decide_delete_subnet, decide_update_subnet
from netglass.model.caller import Caller, CloudSettings
from netglass.model.claims import claims
from netglass.model.draft import Draft
from netglass.model.resources import (
    ROW_TYPES,
    Host,
    HostSettings,
    LocalVlan,
    Network,
    Port,
    Row,
    SecurityGroup,
    Subnet,
    SubnetPool,
)
from netglass.model.snapshot import NUMBERS, Snapshot

SETTINGS = CloudSettings(vlan_ranges=(("default", 1000, 1002), ("second", 7, 7)), dhcp_agents_per_network=2)
ADMIN = Caller(project_id="admin", roles=("admin",))
CALLERS = {"admin": ADMIN} | {p: Caller(project_id=p, roles=("member",)) for p in ("alice", "bob")}
HOSTS = ("h1", "h2", "h3")
CIDRS = ("10.0.0.0/29", "10.0.0.8/30", "fd00::/125", "fd00:0:0:1::/64", "fd00:0:0:2::/64")
PREFIXES = st.sampled_from(["10.8.0.0/27", "10.8.0.32/28", "10.8.0.0/28", "10.8.0.16/30", "10.0.0.0/29", "10.9.0.0/28"])
SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}

number = st.integers(0, 1_000_000)
callers = st.sampled_from(["owner"] * 6 + ["alice", "bob", "admin"])
hosts = st.sampled_from(["", *HOSTS, "unknown"])


def entropy_from(counter: Any) -> Callable[[int], bytes]:
    # Two bytes of variety at most, so that made MACs do collide.
    def entropy(size: int) -> bytes:
        digest = hashlib.sha256(str(next(counter)).encode()).digest()
        return digest[:size] if size > 3 else bytes(size - 1) + bytes([digest[0] % 32])

    return entropy


class Allocation(RuleBasedStateMachine):
    """A cloud that projects, an admin and hosts change in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = Snapshot.empty()
        self.counter = count()
        self.refusals: Counter[str] = Counter()

    def decide(self, caller: str, decision: Callable[[Decision], object]) -> None:
        before, rows = self.snapshot, all_rows(self.snapshot)
        d = Decision(
            Draft(before), CALLERS[caller], SETTINGS, Fresh("2026-11-21T02:00:00Z", entropy_from(self.counter))
        )
        try:
            decision(d)
        except UserError as error:
            self.refusals[error.fault] += 1
            assert all_rows(before) == rows
            return
        replayed = before.apply(d.draft.changes(), before.revision)
        assert replayed == d.snapshot
        self.snapshot = d.snapshot

    def caller(self, who: str, row: Row) -> str:
        """Gives who acts on a row: mostly its owner, so that most of what is tried is done."""
        return row.project_id if who == "owner" else who

    def pick(self, row_type: type[Any], at: int) -> Any:
        rows = sorted(self.snapshot.all(row_type), key=lambda row: row.id)
        return rows[at % len(rows)] if rows else None

    @initialize()
    def begin(self) -> None:
        for host in HOSTS[:2]:
            self.register_host(host, serves=True, mapped=True, enabled=True)
        self.make_network("alice", shared=True, flat="")
        for cidr in CIDRS[2:4]:
            self.make_subnet("owner", 0, cidr, dhcp=True, auto=True)

    @precondition(lambda self: self.snapshot.count(Network) < 4)
    @rule(caller=st.sampled_from(["alice", "bob"]), shared=st.booleans(), flat=st.sampled_from(["", "default", "ext"]))
    def make_network(self, caller: str, shared: bool, flat: str) -> None:
        wanted: dict[str, Any] = {"shared": shared}
        if flat:
            wanted |= {"network_type": "flat", "physical_network": flat}
        self.decide(caller, lambda d: decide_create_network(d, wanted))

    @precondition(lambda self: self.snapshot.count(Network) < 4)
    @rule(segment=st.integers(998, 1004))
    def make_named_network(self, segment: int) -> None:
        wanted = {"network_type": "vlan", "physical_network": "default", "segmentation_id": segment}
        self.decide("admin", lambda d: decide_create_network(d, wanted))

    @precondition(lambda self: self.snapshot.count(Network))
    @rule(caller=callers, at=number, segment=st.integers(998, 1004), up=st.booleans(), shared=st.booleans())
    def change_network(self, caller: str, at: int, segment: int, up: bool, shared: bool) -> None:
        network = self.pick(Network, at)
        for changes in ({"segmentation_id": segment}, {"admin_state_up": up}, {"shared": shared}):
            row = self.snapshot.get(Network, network.id)
            assert row is not None
            who = self.caller(caller, row)
            self.decide(who, lambda d, row=row, changes=changes: decide_update_network(d, row, changes))

    @precondition(lambda self: self.snapshot.count(Network))
    @rule(caller=callers, at=number)
    def delete_network(self, caller: str, at: int) -> None:
        network = self.pick(Network, at)
        self.decide(self.caller(caller, network), lambda d: decide_delete_network(d, network))

    @precondition(lambda self: self.snapshot.count(Network))
    @rule(caller=callers, at=number, cidr=st.sampled_from(CIDRS), dhcp=st.booleans(), auto=st.booleans())
    def make_subnet(self, caller: str, at: int, cidr: str, dhcp: bool, auto: bool) -> None:
        network = self.pick(Network, at)
        wanted: dict[str, Any] = {"network_id": network.id, "cidr": cidr, "enable_dhcp": dhcp}
        wanted["ip_version"] = 6 if ":" in cidr else 4
        if auto and cidr.endswith("/64"):
            wanted |= SLAAC | {"enable_dhcp": True}
        self.decide(self.caller(caller, network), lambda d: decide_create_subnet(d, wanted))

    @precondition(lambda self: self.snapshot.count(SubnetPool) < 3)
    @rule(caller=callers, prefixes=st.lists(PREFIXES, min_size=1, max_size=2), quota=st.sampled_from([None, 16, 64]))
    def make_pool(self, caller: str, prefixes: list[str], quota: int | None) -> None:
        wanted = {"prefixes": prefixes, "default_prefixlen": 29, "default_quota": quota, "shared": True}
        self.decide("alice" if caller == "owner" else caller, lambda d: decide_create_subnet_pool(d, wanted))

    @precondition(lambda self: self.snapshot.count(SubnetPool) and self.snapshot.count(Network))
    @rule(caller=callers, at=number, of=number, length=st.sampled_from([None, 28, 29, 30]), cidr=st.none() | PREFIXES)
    def make_subnet_of_pool(self, caller: str, at: int, of: int, length: int | None, cidr: str | None) -> None:
        network, pool = self.pick(Network, at), self.pick(SubnetPool, of)
        wanted = {"network_id": network.id, "ip_version": 4, "subnetpool_id": pool.id, "cidr": cidr}
        if cidr is None:
            wanted["prefixlen"] = length
        self.decide(self.caller(caller, network), lambda d: decide_create_subnet(d, wanted))

    @precondition(lambda self: self.snapshot.count(SubnetPool))
    @rule(caller=callers, at=number, prefixes=st.lists(PREFIXES, max_size=2), more=st.booleans())
    def change_pool(self, caller: str, at: int, prefixes: list[str], more: bool) -> None:
        pool = self.pick(SubnetPool, at)
        change = decide_add_prefixes if more else decide_remove_prefixes
        self.decide(self.caller(caller, pool), lambda d: change(d, pool, prefixes))

    @precondition(lambda self: self.snapshot.count(SubnetPool) and self.snapshot.count(Network))
    @rule(caller=callers, at=number, of=number)
    def onboard(self, caller: str, at: int, of: int) -> None:
        pool, network = self.pick(SubnetPool, at), self.pick(Network, of)
        self.decide(self.caller(caller, pool), lambda d: decide_onboard(d, pool, network.id))

    @precondition(lambda self: self.snapshot.count(SubnetPool))
    @rule(caller=callers, at=number)
    def delete_pool(self, caller: str, at: int) -> None:
        pool = self.pick(SubnetPool, at)
        self.decide(self.caller(caller, pool), lambda d: decide_delete_subnet_pool(d, pool))

    @precondition(lambda self: self.snapshot.count(Subnet))
    @rule(caller=callers, at=number, dhcp=st.booleans())
    def change_subnet(self, caller: str, at: int, dhcp: bool) -> None:
        subnet = self.pick(Subnet, at)
        self.decide(
            self.caller(caller, subnet),
            lambda d: decide_update_subnet(d, subnet, {"enable_dhcp": dhcp, "gateway_ip": None}),
        )

    @precondition(lambda self: self.snapshot.count(Subnet))
    @rule(caller=callers, at=number)
    def delete_subnet(self, caller: str, at: int) -> None:
        subnet = self.pick(Subnet, at)
        self.decide(self.caller(caller, subnet), lambda d: decide_delete_subnet(d, subnet))

    def wishes(self, network_id: str, wish: str, at: int) -> dict[str, Any]:
        subnets = self.snapshot.rows("subnets_by_network", network_id)
        if wish == "any" or not subnets:
            return {}
        subnet = subnets[at % len(subnets)]
        host = ip_network(subnet.cidr)[at % 8 % ip_network(subnet.cidr).num_addresses]
        by_subnet, by_address = {"subnet_id": subnet.id}, {"ip_address": str(host)}
        return {
            "fixed_ips": {
                "none": [],
                "subnet": [by_subnet],
                "address": [by_address],
                "both": [by_subnet | by_address],
                "several": [by_subnet, by_address, by_subnet],
            }[wish]
        }

    wish = st.sampled_from(["any", "none", "subnet", "address", "both", "several"])
    owners = st.sampled_from(["", "compute:nova", "network:router_interface"])

    @precondition(lambda self: self.snapshot.count(Network))
    @rule(caller=callers, at=number, host=hosts, wish=wish, owner=owners)
    def make_port(self, caller: str, at: int, host: str, wish: str, owner: str) -> None:
        network = self.pick(Network, at)
        wanted = {"network_id": network.id, "host_id": host, "device_owner": owner}
        wanted |= self.wishes(network.id, wish, at)
        self.decide(self.caller(caller, network), lambda d: decide_create_port(d, wanted))

    @precondition(lambda self: self.snapshot.count(Network))
    @rule(caller=callers, at=number, size=st.integers(2, 5))
    def make_ports_in_bulk(self, caller: str, at: int, size: int) -> None:
        network = self.pick(Network, at)
        wanted = {"network_id": network.id}
        self.decide(self.caller(caller, network), lambda d: [decide_create_port(d, wanted) for _ in range(size)])

    @precondition(lambda self: self.snapshot.count(Port))
    @rule(caller=callers, at=number, wish=wish, mac=st.booleans(), owner=owners)
    def change_port(self, caller: str, at: int, wish: str, mac: bool, owner: str) -> None:
        port = self.pick(Port, at)
        changes = {"device_owner": owner} | self.wishes(port.network_id, wish, at)
        if mac:
            changes["mac_address"] = f"fa:16:3e:00:00:{at % 8:02x}"
        self.decide(self.caller(caller, port), lambda d: decide_update_port(d, port, changes))

    @precondition(lambda self: self.snapshot.count(Port))
    @rule(at=number, host=hosts)
    def move_port(self, at: int, host: str) -> None:
        port = self.pick(Port, at)
        self.decide("admin", lambda d: decide_update_port(d, port, {"host_id": host}))

    @precondition(lambda self: self.snapshot.count(Port))
    @rule(caller=callers, at=number)
    def delete_port(self, caller: str, at: int) -> None:
        port = self.pick(Port, at)
        self.decide(self.caller(caller, port), lambda d: decide_delete_port(d, port))

    @rule(host=st.sampled_from(HOSTS), serves=st.booleans(), mapped=st.booleans(), enabled=st.booleans())
    def register_host(self, host: str, serves: bool, mapped: bool, enabled: bool) -> None:
        roles = ("hypervisor", "network") if serves else ("hypervisor",)
        mappings = {"default": "br-eth2", "ext": "br-ex"} if mapped else {}
        row = Host(id=host, roles=roles, enabled=enabled, settings=HostSettings(bridge_mappings=mappings))
        self.decide("admin", lambda d: put_host(d, row))

    @precondition(lambda self: self.snapshot.count(Host))
    @rule(at=number)
    def lose_host(self, at: int) -> None:
        host = self.pick(Host, at)
        self.decide("admin", lambda d: put_host(d, host, gone=True))

    @precondition(lambda self: self.snapshot.count(Network) and self.snapshot.count(Host))
    @rule(at=number, of=number, away=st.booleans())
    def move_dhcp_by_hand(self, at: int, of: int, away: bool) -> None:
        network, host = self.pick(Network, at), self.pick(Host, of)
        move = decide_unhost_network if away else decide_host_network
        self.decide("admin", lambda d: move(d, network, host, "agent"))

    @invariant()
    def nothing_is_given_twice(self) -> None:
        given_out = Counter(claim for row in all_rows(self.snapshot) for claim in claims(row))
        assert [claim for claim, times in given_out.items() if times > 1] == []

    @invariant()
    def a_pool_gives_no_address_twice_and_none_that_it_has_not(self) -> None:
        for pool in self.snapshot.all(SubnetPool):
            given = [ip_network(s.cidr) for s in self.snapshot.rows("subnets_by_subnetpool", pool.id)]
            assert not any(a.overlaps(b) for a, b in combinations(given, 2))
            assert all(any(cidr.subnet_of(ip_network(prefix)) for prefix in pool.prefixes) for cidr in given)
            assert not any(a.overlaps(b) for a, b in combinations(map(ip_network, pool.prefixes), 2))

    @invariant()
    def what_is_taken_is_what_rows_hold(self) -> None:
        anew = Snapshot.of(all_rows(self.snapshot))
        for name, (row_type, pairs) in NUMBERS.items():
            for row in self.snapshot.all(row_type):
                for group, _ in pairs(row):
                    assert self.snapshot.used(name, group) == anew.used(name, group)
        assert sum(len(self.snapshot.used("addresses", s.id)) for s in self.snapshot.all(Subnet)) == sum(
            len(p.fixed_ips) for p in self.snapshot.all(Port)
        )

    @invariant()
    def addresses_lie_in_subnets_of_their_network(self) -> None:
        for port in self.snapshot.all(Port):
            assert self.snapshot.get(Network, port.network_id) is not None
            for fixed in port.fixed_ips:
                subnet = self.snapshot.get(Subnet, fixed.subnet_id)
                assert subnet is not None
                assert subnet.network_id == port.network_id
                assert ip_address(fixed.ip_address) in ip_network(subnet.cidr)
                assert fixed.ip_address == str(ip_address(fixed.ip_address))

    @invariant()
    def tags_are_there_for_exactly_the_networks_plugged_into_a_host(self) -> None:
        needed = set()
        for port in self.snapshot.all(Port):
            host = self.snapshot.get(Host, port.host_id)
            network = self.snapshot.get(Network, port.network_id)
            assert network is not None
            if host is not None and network.physical_network in host.settings.bridge_mappings:
                needed.add((port.host_id, port.network_id))
                assert vif_type(self.snapshot, port) == "ovs"
            else:
                assert vif_type(self.snapshot, port) == ("binding_failed" if port.host_id else "unbound")
        assert {(v.host, v.network_id) for v in self.snapshot.all(LocalVlan)} == needed

    @invariant()
    def dhcp_is_served_where_it_can_be(self) -> None:
        for network in self.snapshot.all(Network):
            servers = [p for p in self.snapshot.rows("dhcp_ports_by_network", network.id) if is_dhcp_server(p)]
            serving = (
                {s.id for s in self.snapshot.rows("subnets_by_network", network.id) if s.enable_dhcp}
                if network.admin_state_up
                else set()
            )
            assert len({p.host_id for p in servers}) == len(servers)
            for port in servers:
                at = [f.subnet_id for f in port.fixed_ips]
                assert at
                assert len(set(at)) == len(at)
                assert set(at) <= serving
            before = self.snapshot
            d = Decision(Draft(before), ADMIN, SETTINGS, Fresh("2026-11-21T02:00:00Z", entropy_from(count(10**9))))
            schedule_dhcp(d, network.id)
            schedule_dhcp(again := Decision(Draft(d.snapshot), ADMIN, SETTINGS, d.fresh), network.id)
            assert again.draft.changes() == ()

    def teardown(self) -> None:
        """Deletes everything, and demands that nothing is left."""
        for listed in list(self.snapshot.all(Port)):
            port = self.snapshot.get(Port, listed.id)
            if port is not None and not is_dhcp_server(port):
                # A router's port is let go by its router first.
                self.decide("admin", lambda d, port=port: decide_delete_port(d, free_of_device(d, port)))
        for network in list(self.snapshot.all(Network)):
            self.decide("admin", lambda d, network=network: decide_delete_network(d, network))
        for pool in list(self.snapshot.all(SubnetPool)):
            self.decide("admin", lambda d, pool=pool: decide_delete_subnet_pool(d, pool))
        for group in list(self.snapshot.all(SecurityGroup)):
            self.decide("admin", lambda d, group=group: decide_delete_group(d, group))
        assert [row for row in all_rows(self.snapshot) if not isinstance(row, Host)] == []
        assert self.snapshot.used("segments", ("vlan", "default")) == ()
        for host in HOSTS:
            assert self.snapshot.used("local_vlans", host) == ()


def put_host(d: Decision, host: Host, *, gone: bool = False) -> None:
    if gone:
        d.draft.drop(host)
    else:
        d.draft.put(host)
    rebind_host(d, host.id)
    for network_id in sorted(n.id for n in d.snapshot.all(Network)):
        schedule_dhcp(d, network_id)


def free_of_device(d: Decision, port: Port) -> Port:
    return decide_update_port(d, port, {"device_id": ""})


def all_rows(snapshot: Snapshot) -> list[Row]:
    return [row for row_type in ROW_TYPES for row in sorted(snapshot.all(row_type), key=lambda r: r.id)]


TestAllocation = Allocation.TestCase
TestAllocation.settings = settings(max_examples=30, stateful_step_count=60)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), number), max_size=120), st.integers(0, 50))
def test_segments_of_a_pool_are_given_once_and_come_back(steps: list[tuple[bool, int]], size: int) -> None:
    pool = CloudSettings(vlan_ranges=(("default", 1000, 999 + size),), default_quotas={})
    snapshot, live, counter = Snapshot.empty(), [], count()
    for make, at in steps:
        d = Decision(Draft(snapshot), ADMIN, pool, Fresh("2026-11-21T02:00:00Z", entropy_from(counter)))
        if make and len(live) == size:
            with pytest.raises(UserError, match="No project network is available"):
                decide_create_network(d, {})
            continue
        if make:
            live.append(decide_create_network(d, {}))
        elif live:
            decide_delete_network(d, live.pop(at % len(live)))
        snapshot = d.snapshot
        taken = snapshot.used("segments", ("vlan", "default"))
        assert taken == tuple(sorted(n.segmentation_id for n in live))
        assert all(1000 <= segment <= 999 + size for segment in taken)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), number), max_size=80))
def test_addresses_of_a_28_are_given_once_and_come_back(steps: list[tuple[bool, int]]) -> None:
    counter = count()

    def decision(snapshot: Snapshot) -> Decision:
        return Decision(Draft(snapshot), ADMIN, SETTINGS, Fresh("2026-11-21T02:00:00Z", entropy_from(counter)))

    d = decision(Snapshot.empty())
    network = decide_create_network(d, {})
    wanted = {"network_id": network.id, "ip_version": 4, "cidr": "10.0.0.0/28"}
    subnet = decide_create_subnet(d, wanted)
    snapshot, live = d.snapshot, []
    for make, at in steps:
        d = decision(snapshot)
        if make and len(live) == 13:
            with pytest.raises(UserError, match="No more IP addresses available"):
                create_numbered(d, network, at)
            continue
        if make:
            live.append(create_numbered(d, network, at))
        elif live:
            decide_delete_port(d, live.pop(at % len(live)))
        snapshot = d.snapshot
        taken = [int(ip_address(p.fixed_ips[0].ip_address)) for p in live]
        assert snapshot.used("addresses", subnet.id) == tuple(sorted(taken))


def create_numbered(d: Decision, network: Network, at: int) -> Port:
    """Makes a port with a MAC of its own, as the tests' own entropy makes few."""
    taken = {p.mac_address for p in d.snapshot.all(Port)}
    macs = (f"fa:16:3e:{n >> 16 & 255:02x}:{n >> 8 & 255:02x}:{n & 255:02x}" for n in count(at))
    mac = next(m for m in macs if m not in taken)
    return decide_create_port(d, {"network_id": network.id, "mac_address": mac})


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["network", "subnet", "port"]), max_size=30), st.randoms(use_true_random=False))
def test_equal_intent_in_any_order_of_rows_gives_equal_choices(steps: list[str], random: Any) -> None:
    def run(shuffle: bool) -> Snapshot:
        snapshot, counter = Snapshot.of([Host(id="h1", roles=("network",))]), count()
        for at, step in enumerate(steps):
            if shuffle:
                rows = all_rows(snapshot)
                random.shuffle(rows)
                snapshot = Snapshot.of(rows)
            networks = sorted(snapshot.all(Network), key=lambda n: n.id)
            d = Decision(Draft(snapshot), ADMIN, SETTINGS, Fresh("2026-11-21T02:00:00Z", entropy_from(counter)))
            try:
                if step == "network":
                    decide_create_network(d, {})
                elif networks and step == "subnet":
                    cidr = {"cidr": f"10.0.{at}.0/30", "ip_version": 4}
                    decide_create_subnet(d, {"network_id": networks[at % len(networks)].id, **cidr})
                elif networks:
                    decide_create_port(d, {"network_id": networks[at % len(networks)].id})
            except UserError:
                continue
            snapshot = d.snapshot
        return snapshot

    assert run(shuffle=False) == run(shuffle=True)


def test_a_change_that_changes_nothing_is_not_a_change() -> None:
    d = Decision(Draft(Snapshot.empty()), ADMIN, SETTINGS, Fresh("2026-11-21T02:00:00Z", entropy_from(count())))
    network = decide_create_network(d, {"name": "a"})
    later = Decision(Draft(d.snapshot), ADMIN, SETTINGS, d.fresh)
    assert decide_update_network(later, network, {"name": "a"}) == network
    assert later.draft.changes() == ()
    assert msgspec.structs.asdict(network)["revision_number"] == 1
