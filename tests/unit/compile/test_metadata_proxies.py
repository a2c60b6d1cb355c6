"""Where guests find their metadata, and that nothing odd gets into the configuration of what serves it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from golden.stories import BASIC_USE_CASES, DHCP_PORT, NET1, SUBNET1
from netglass.compile.compiler import compile_host
from netglass.compile.haproxy import Proxy, RefusedWord, render
from netglass.compile.metadata import router_proxy
from netglass.compile.place import place_of
from netglass.desired.state import Daemon, File, HostState
from netglass.model.resources import FixedIp, Host, HostRoute, Port, Router, Row, Subnet
from netglass.model.snapshot import Snapshot

NETNS = f"qdhcp-{NET1}"
TAP = "tap26c9b807-7c"
GATEWAY = Port(
    id="aaaa7a10-1111-4797-b7c0-7d420d84040c",
    network_id=NET1,
    mac_address="fa:16:3e:00:00:01",
    device_owner="network:router_interface",
    device_id="r1",
    fixed_ips=(FixedIp(SUBNET1, "10.0.0.1"),),
)
PROXY = Proxy("Network", "n1", "169.254.169.254", 80, ("tap1",), "haproxy", "/var/lib/neutron/metadata_proxy")


def control(*more: Row, **subnet: object) -> HostState:
    rows = [replace(row, **subnet) if isinstance(row, Subnet) else row for row in BASIC_USE_CASES]
    return compile_host(Snapshot.of([*rows, *more]), "control")


def proxies(state: HostState) -> list[Daemon]:
    return [daemon for daemon in state.daemons if daemon.owner == "metadata"]


def routes(state: HostState) -> str:
    (text,) = (file.text for file in state.files if file.path.endswith("/opts"))
    return next((line for line in text.splitlines() if "classless-static-route" in line), "").partition("route,")[2]


def test_an_isolated_network_has_a_proxy_at_the_well_known_addresses_in_its_qdhcp() -> None:
    state = control()
    (proxy,) = proxies(state)
    assert (proxy.name, proxy.netns) == (f"haproxy-{NET1}", NETNS)
    addresses = {(a.netns, a.device, a.cidr) for a in state.addresses if a.owner == "metadata"}
    assert addresses == {(NETNS, TAP, "169.254.169.254/32"), (NETNS, TAP, "fe80::a9fe:a9fe/64")}
    (file,) = (file for file in state.files if file.owner == "metadata")
    assert file.path in proxy.argv
    assert "    bind 169.254.169.254:80\n" in file.text
    assert f"    http-request set-header X-Neutron-Network-ID {NET1}\n" in file.text


def test_dhcp_tells_the_way_to_it_with_the_default_route_that_clients_would_else_forget() -> None:
    assert routes(control()) == "169.254.169.254/32,10.0.0.2,0.0.0.0/0,10.0.0.1"
    assert routes(control(gateway_ip=None)) == "169.254.169.254/32,10.0.0.2"


def test_the_owners_own_route_to_it_wins() -> None:
    mine = HostRoute("169.254.169.254/32", "10.0.0.9")
    assert routes(control(host_routes=(mine,))) == "169.254.169.254/32,10.0.0.9,0.0.0.0/0,10.0.0.1"


def test_a_router_at_the_gateways_address_takes_over_and_one_beside_it_does_not() -> None:
    state = control(GATEWAY)
    assert proxies(state) == []
    assert routes(state) == ""
    beside = replace(GATEWAY, fixed_ips=(FixedIp(SUBNET1, "10.0.0.254"),))
    assert len(proxies(control(beside))) == 1
    not_a_router = replace(GATEWAY, device_owner="compute:nova")
    assert len(proxies(control(not_a_router))) == 1


def test_who_was_told_the_way_to_qdhcp_is_served_there_after_a_router_came_and_nobody_else_is_told() -> None:
    late = replace(GATEWAY, created_at="2026-01-01T00:00:09Z")
    for made_at, count in (("2026-01-01T00:00:08Z", 1), ("2026-01-01T00:00:09Z", 0), ("2026-01-01T00:00:10Z", 0)):
        guest = Port(
            id="9",
            network_id=NET1,
            mac_address="fa:16:3e:00:00:09",
            device_owner="compute:nova",
            fixed_ips=(FixedIp(SUBNET1, "10.0.0.9"),),
            created_at=made_at,
        )
        others = [row for row in BASIC_USE_CASES if not isinstance(row, Port) or row.id == DHCP_PORT]
        state = compile_host(Snapshot.of([*others, late, guest]), "control")
        assert len(proxies(state)) == count, made_at
        assert routes(state) == ""
    old = control(replace(late, created_at="0"))  # the story's guests are as old as nothing
    assert len(proxies(old)) == 1


def test_it_can_be_turned_off_and_gives_way_to_a_subnet_that_holds_its_address() -> None:
    (host,) = (row for row in BASIC_USE_CASES if isinstance(row, Host) and row.id == "control")
    off = replace(host, settings=replace(host.settings, enable_isolated_metadata=False))
    assert proxies(control(off)) == []
    moved = replace(GATEWAY, id=DHCP_PORT, device_owner="network:dhcp", host_id="control")
    state = control(moved, cidr="169.254.0.0/16", gateway_ip=None)
    assert proxies(state) == []


def test_missing_metadata_keeps_no_port_from_being_served() -> None:
    state = control()
    things = [thing for kind in (state.daemons, state.files, state.addresses) for thing in kind]
    assert {thing.intent for thing in things if thing.owner == "metadata"} == {(f"network:{NET1}",)}


def test_another_configuration_is_another_process() -> None:
    (before,), (after,) = proxies(control()), proxies(compile_host(_with_user("proxies"), "control"))
    assert before.argv == after.argv
    assert before.read_at_start != after.read_at_start


def _with_user(user: str) -> Snapshot:
    rows = [
        replace(row, settings=replace(row.settings, metadata_proxy_user=user)) if isinstance(row, Host) else row
        for row in BASIC_USE_CASES
    ]
    return Snapshot.of(rows)


def test_a_user_that_haproxy_could_misread_means_no_proxy_and_a_diagnostic() -> None:
    state = compile_host(_with_user("root\n    maxconn 1"), "control")
    assert proxies(state) == []
    assert [d.code for d in state.diagnostics] == ["refused-text"]
    assert [d.name for d in state.daemons] == [f"dnsmasq-{NET1}"]


def test_a_routers_proxy_listens_where_its_rules_redirect_to_and_at_its_inner_devices() -> None:
    inner = [replace(GATEWAY, id=name, network_id=name, host_id="control") for name in ("1", "2")]
    place = place_of(Snapshot.of([*BASIC_USE_CASES, *inner]), "control")
    assert place is not None
    things = list(router_proxy(place, "r1", "qrouter-r1", ((port, f"qr-{port.id}") for port in inner)))
    (daemon,) = (thing for thing in things if isinstance(thing, Daemon))
    (file,) = (thing for thing in things if isinstance(thing, File))
    assert (daemon.netns, daemon.name, daemon.intent) == ("qrouter-r1", "haproxy-r1", ("router:r1",))
    assert "    bind 0.0.0.0:9697\n" in file.text
    assert "    bind [fe80::a9fe:a9fe]:80 interface qr-2\n" in file.text
    assert "    http-request set-header X-Neutron-Router-ID r1\n" in file.text


def test_one_namespace_of_a_network_is_found_at_the_link_local_address_the_oldest_routers_first() -> None:
    def holders(*more: Row) -> set[tuple[str, str]]:
        # Isolated all the same: no router is the gateway.
        state = control(*more, gateway_ip=None)
        return {(a.netns, a.device) for a in state.addresses if a.cidr == "fe80::a9fe:a9fe/64"}

    old = replace(GATEWAY, id="b0", device_id="old", host_id="control", created_at="2026-01-01T00:00:00Z")
    new = replace(GATEWAY, id="a0", device_id="new", host_id="control", created_at="2026-01-02T00:00:00Z")
    routers = [Router(id=router, name=router, host_id="control") for router in ("old", "new")]
    assert holders() == {(NETNS, TAP)}
    assert holders(*routers, old, new) == {("qrouter-old", "qr-b0")}
    assert holders(*routers, replace(old, host_id=""), new) == {("qrouter-new", "qr-a0")}
    second = Port(
        id="0", network_id=NET1, mac_address="fa:16:3e:00:00:02", device_owner="network:dhcp", host_id="other"
    )
    assert holders(second) == set()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("of", "Instance"),
        ("owner_id", "a b"),
        ("owner_id", ""),
        ("owner_id", "a\n"),
        ("owner_id", "%[src]"),
        ("owner_id", "a#"),
        ("devices", ("tap1 transparent",)),
        ("devices", ("a-name-that-is-too-long",)),
        ("user", '"root"'),
        ("user", "$HOME"),
        ("socket", "relative"),
        ("socket", "/a/../b"),
        ("socket", "/a b"),
        ("socket", "/" + "a" * 107),
    ],
)
def test_what_haproxy_could_misread_is_refused(field: str, value: object) -> None:
    with pytest.raises(RefusedWord):
        render(replace(PROXY, **{field: value}))


@given(st.text(max_size=80))
def test_whatever_the_id_the_configuration_has_the_same_lines_or_is_refused(owner_id: str) -> None:
    try:
        text = render(replace(PROXY, owner_id=owner_id))
    except RefusedWord:
        return
    assert len(text.splitlines()) == len(render(PROXY).splitlines())
    assert f"X-Neutron-Network-ID {owner_id}\n" in text


def test_every_header_by_which_anybody_tells_guests_apart_is_dropped_before_ours_are_set() -> None:
    lines = [line.strip() for line in render(PROXY).splitlines()]
    ours = min(i for i, line in enumerate(lines) if "set-header" in line)
    dropped = [line.split()[2] for line in lines[:ours] if line.startswith("http-request del-header")]
    assert {"X-Forwarded-For", "X-Neutron-", "X-Instance-ID", "X-Tenant-ID"} <= set(dropped)
