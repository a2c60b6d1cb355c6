"""External networks with several subnets, several external networks, and address scopes that reach outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from cloud import Cloud, until
from labs import TestLab
from story_fixtures import api_of
from test_router_stories import CLIENT, INTERNET, Heard, await_floating, from_client, settled

from support.api import Api

pytestmark = pytest.mark.lab


@pytest.fixture
def cloud(two_gateways: TestLab) -> Iterator[Cloud]:
    made = Cloud(two_gateways, api_of(two_gateways, "demo"))
    yield made
    made.clear()


@pytest.fixture
def admin(two_gateways: TestLab) -> Api:
    return api_of(two_gateways, "admin")


def heard_from(lab: TestLab, cloud: Cloud, guest: Any) -> set[str]:
    """Gives the addresses as which the internet hears a guest."""
    heard = Heard(lab, "internet", "eth1", "icmp", "and", "dst", INTERNET)
    cloud.ping(guest, INTERNET)
    return set(re.findall(rf"IP (\S+) > {re.escape(INTERNET)}: ICMP echo request", heard.text()))


def test_gateways_and_floating_ips_come_from_every_subnet_of_an_external_network(
    two_gateways: TestLab, cloud: Cloud, admin: Api
) -> None:
    lab, public = two_gateways, cloud.public()
    wanted = {"network_id": public, "ip_version": 4, "cidr": "198.18.2.0/24", "enable_dhcp": False}
    second = admin.post("/v2.0/subnets", {"subnet": wanted})["subnet"]["id"]
    lab.on("provider", "ip", "addr", "add", "198.18.2.1/24", "dev", "eth1")
    try:
        network = cloud.network("10.0.1.0/24")
        router = cloud.router(network)
        one, two = cloud.guest("one", network, "compute1"), cloud.guest("two", network, "compute1")
        three = cloud.guest("three", network, "compute1")
        first = floating(cloud, one.port_id)
        other = floating(cloud, two.port_id, subnet_id=second)
        assert (first.rpartition(".")[0], other.rpartition(".")[0]) == ("203.0.113", "198.18.2")
        for address in (first, other):
            await_floating(lab, address)
            assert from_client(lab, address).lost == 0
        assert heard_from(lab, cloud, one) == {first}
        assert heard_from(lab, cloud, two) == {other}
        (own,) = heard_from(lab, cloud, three)
        assert own.startswith("203.0.113.")

        gateway = {"network_id": public, "external_fixed_ips": [{"subnet_id": second, "ip_address": "198.18.2.77"}]}
        change = {"router": {"external_gateway_info": gateway}}
        status, answer = admin.call("PUT", f"/v2.0/routers/{router}", change)
        assert status == 200, answer
        shown = answer["router"]["external_gateway_info"]["external_fixed_ips"]
        assert [one["ip_address"] for one in shown] == ["198.18.2.77"]
        until(lambda: heard_from(lab, cloud, three) == {"198.18.2.77"}, 30, "it goes out by its new address")
        for address in (first, other):
            await_floating(lab, address)
            assert from_client(lab, address).lost == 0
    finally:
        cloud.clear()  # what has an address of it goes before the subnet, which is not the user's
        admin.delete(f"/v2.0/subnets/{second}")
        lab.on("provider", "ip", "addr", "del", "198.18.2.1/24", "dev", "eth1")


def floating(cloud: Cloud, port_id: str, **wanted: str) -> str:
    body = {"floatingip": {"floating_network_id": cloud.public(), "port_id": port_id, **wanted}}
    made = cloud.api.post("/v2.0/floatingips", body)["floatingip"]
    cloud._undo.append(("DELETE", f"/v2.0/floatingips/{made['id']}", None))
    return str(made["floating_ip_address"])


def test_routers_go_out_by_another_external_network_on_a_vlan(two_gateways: TestLab, cloud: Cloud, admin: Api) -> None:
    lab, owner = two_gateways, Cloud(two_gateways, admin)
    try:
        outer = owner.network("172.16.9.0/24", "partner", **{"router:external": True})
        partner = owner.guest("partner", outer, "compute1")
        network = cloud.network("10.0.1.0/24")
        router = cloud.api.post("/v2.0/routers", {"router": {"external_gateway_info": {"network_id": outer}}})["router"]
        cloud._undo.append(("DELETE", f"/v2.0/routers/{router['id']}", None))
        cloud.join(router["id"], network)
        guest = cloud.guest("vm", network, "compute1")
        (held,) = router["external_gateway_info"]["external_fixed_ips"]
        heard = Heard(lab, partner.host, partner.tap, "icmp")
        until(lambda: cloud.ping(guest, partner.address, count=1).received, 30, "the partner answers")
        assert f"{held['ip_address']} > {partner.address}: ICMP echo request" in heard.text()
        cloud.clear()
    finally:
        owner.clear()


def test_inside_of_an_address_scope_nothing_is_translated_and_nothing_leaves_it_as_it_is(
    two_gateways: TestLab, cloud: Cloud, admin: Api
) -> None:
    lab, public = two_gateways, cloud.public()
    scope = openstack(lab, "address", "scope", "create", "--share", "--ip-version", "4", "outside")["id"]
    pool = ("subnet", "pool", "create", "--address-scope", scope, "--share")
    outer = openstack(lab, *pool, "--pool-prefix", "10.200.0.0/16", "outer")["id"]
    inner = openstack(lab, *pool, "--pool-prefix", "10.77.0.0/16", "--default-prefix-length", "24", "inner")["id"]
    assert admin.call("PUT", f"/v2.0/subnetpools/{outer}/onboard_network_subnets", {"network_id": public})[0] == 200
    try:
        made = cloud.api.post("/v2.0/networks", {"network": {"name": "inside"}})["network"]["id"]
        cloud._undo.append(("DELETE", f"/v2.0/networks/{made}", None))
        inside = lab.openstack("subnet", "create", "--subnet-pool", inner, "--network", made, "scoped")
        assert inside["cidr"] == "10.77.0.0/24"
        assert cloud.api.get(f"/v2.0/networks/{made}")["network"]["ipv4_address_scope"] == scope
        apart = cloud.network("10.0.1.0/24", "apart")
        router = cloud.router(made, apart)
        scoped, other = cloud.guest("scoped", made, "compute1"), cloud.guest("other", apart, "compute1")
        shown = cloud.api.get(f"/v2.0/routers/{router}")["router"]["external_gateway_info"]["external_fixed_ips"]
        own = next(one["ip_address"] for one in shown if "." in one["ip_address"])
        lab.on("provider", "ip", "route", "add", "10.77.0.0/24", "via", own)
        try:
            until(lambda: cloud.ping(scoped, INTERNET, count=1).received, 30, "it gets out")
            assert heard_from(lab, cloud, scoped) == {scoped.address}
            assert from_client(lab, scoped.address).lost == 0  # routed in, too
            assert heard_from(lab, cloud, other) == {own}
            assert (cloud.ping(scoped, other.address).received, cloud.ping(other, scoped.address).received) == (0, 0)
            address = cloud.floating(other.port_id)["floating_ip_address"]
            await_floating(lab, address)
            on_tap = Heard(lab, other.host, other.tap, "icmp")
            assert from_client(lab, address).lost == 0
            assert f"{CLIENT} > {other.address}: ICMP echo request" in on_tap.text()
            assert cloud.ping(scoped, address).lost == 0
        finally:
            lab.on("provider", "ip", "route", "del", "10.77.0.0/24", "via", own)
        cloud.clear()
    finally:
        admin.call("PUT", f"/v2.0/subnetpools/{outer}", {"subnetpool": {"address_scope_id": None}})
        cloud.clear()
        admin.delete(f"/v2.0/subnetpools/{inner}")
        admin.delete(f"/v2.0/address-scopes/{scope}")
    settled(lab)


def openstack(lab: TestLab, *words: str) -> Any:
    return lab.openstack(*words, user="admin")
