"""Walks 8 and 9 over external networks of either type, with routers' outer ports on either bridge."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from captures import Hop, Space, Watches
from cloud import Cloud, Guest, until
from labs import TestLab
from story_fixtures import api_of
from test_first_guest import netglass_diff
from test_router_stories import CLIENT, INTERNET, await_floating, from_client
from walks import reply, request

pytestmark = pytest.mark.lab

VLAN = 77
BY_VLAN = "192.0.2.0/24"

# Puts the provider's router on a VLAN of the wire that its NIC is on: a switch beside the NIC, which the kernel goes on
# reading, so that it is on the wire without a tag as well.  The kernel here knows no VLANs itself.
_ON_A_VLAN = """
set -e
mkdir -p /run/openvswitch /var/log/openvswitch
ovsdb-tool create /run/vlan.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server /run/vlan.db --remote=punix:/run/openvswitch/db.sock --pidfile --detach --no-chdir -vconsole:off
ovs-vsctl --no-wait init
ovs-vswitchd --pidfile --detach --no-chdir -vconsole:off -vsyslog:off
ovs-vsctl add-br br-vlan -- set bridge br-vlan datapath_type=netdev -- add-port br-vlan eth1 \
    -- add-port br-vlan vlan77 tag=77 -- set interface vlan77 type=internal
ip address add 192.0.2.1/24 dev vlan77
ip link set vlan77 up
"""


@pytest.fixture(scope="module")
def by_vlan(two_gateways: TestLab) -> Iterator[str]:
    """Gives the id of an external network that is a VLAN."""
    lab, admin = two_gateways, api_of(two_gateways, "admin")
    lab.on("provider", "sh", "-c", _ON_A_VLAN)
    wish = {
        "name": "by-vlan",
        "router:external": True,
        "provider:network_type": "vlan",
        "provider:physical_network": "external",
        "provider:segmentation_id": VLAN,
    }
    made = str(admin.post("/v2.0/networks", {"network": wish})["network"]["id"])
    subnet = {"network_id": made, "ip_version": 4, "cidr": BY_VLAN, "enable_dhcp": False}
    admin.post("/v2.0/subnets", {"subnet": subnet})
    try:
        yield made
    finally:
        admin.delete(f"/v2.0/networks/{made}")
        script = "kill $(cat /run/openvswitch/ovs-vswitchd.pid /run/openvswitch/ovsdb-server.pid)"
        lab.on("provider", "sh", "-c", script)


@pytest.fixture
def cloud(two_gateways: TestLab) -> Iterator[Cloud]:
    made = Cloud(two_gateways, api_of(two_gateways, "demo"))
    yield made
    made.clear()


def place(lab: TestLab, router: str, host: str) -> None:
    """Has a router run on a host."""
    admin = api_of(lab, "admin")
    agents = {a["host"]: a["id"] for a in admin.get("/v2.0/agents?agent_type=L3 agent")["agents"]}
    held = admin.get(f"/v2.0/routers/{router}/l3-agents")["agents"][0]["host"]
    if held != host:
        assert admin.call("DELETE", f"/v2.0/agents/{agents[held]}/l3-routers/{router}")[0] == 204
        assert admin.call("POST", f"/v2.0/agents/{agents[host]}/l3-routers", {"router_id": router})[0] == 201


@pytest.mark.parametrize("host", ["control", "compute2"], ids=["on br-ex", "on br-int"])
@pytest.mark.parametrize("kind", ["flat", "vlan"])
def test_a_guest_goes_out_and_is_called(
    two_gateways: TestLab, cloud: Cloud, by_vlan: str, kind: str, host: str
) -> None:
    lab = two_gateways
    outside = by_vlan if kind == "vlan" else cloud.public()
    network = cloud.network("10.0.1.0/24")
    guest = cloud.guest("vm", network, "compute1")
    router = cloud.router(network, outside=False)
    gateway = {"external_gateway_info": {"network_id": outside}}
    assert cloud.api.call("PUT", f"/v2.0/routers/{router}", {"router": gateway})[0] == 200
    place(lab, router, host)
    public = cloud.floating(guest.port_id, outside)["floating_ip_address"]
    await_floating(lab, public)

    qg = outer_device(lab, host, router)
    bridge = "br-int" if host == "compute2" else "br-ex"
    assert lab.on(host, "ovs-vsctl", "port-to-br", qg).strip() == bridge
    tag = lab.on(host, "ovs-vsctl", "get", "Port", qg, "tag").strip()
    if bridge == "br-ex":  # there a network is known by its segment, and not by the host's own tag
        assert tag == (str(VLAN) if kind == "vlan" else "0")

    inside = Space(host, f"qrouter-{router}")
    alone = ("eth3", "int-br-ex", "phy-br-ex") if bridge == "br-int" else ("eth3",)
    watches = Watches(lab, [(Space(host), alone), (inside, ()), (Space("client"), ())])
    try:
        since = time.time()
        assert from_client(lab, public).lost == 0
        print(
            *watches.follow(inwards(guest, public, inside, qg, kind, tag if bridge == "br-int" else ""), since),
            sep="\n",
        )
        since = time.time()
        assert cloud.ping(guest, INTERNET).lost == 0
        watches.follow(
            [Hop(inside, qg, True, request(public, INTERNET)), wire(host, kind, request(public, INTERNET))], since
        )
    finally:
        watches.end()
    assert "This is the internet" in lab.inside(guest.id, "wget", "-qO-", f"http://{INTERNET}/")
    for each in ("control", "compute1", "compute2"):
        until(lambda h=each: not netglass_diff(lab, h), 5, f"{each} is as it is planned")  # type: ignore[misc]


def outer_device(lab: TestLab, host: str, router: str) -> str:
    shown = lab.on(host, "ip", "-n", f"qrouter-{router}", "-br", "link").split()
    return next(word for word in shown if word.startswith("qg-"))


def wire(host: str, kind: str, text: str) -> Hop:
    """Gives the hop over the wire to the provider, with its tag or without one."""
    tagged = rf"vlan {VLAN}, .*" if kind == "vlan" else r"^\S+ > \S+, ethertype IPv4 .*"
    return Hop(Space(host), "eth3", None, tagged + text)


def inwards(guest: Guest, public: str, inside: Space, qg: str, kind: str, local: str) -> list[Hop]:
    """Gives the hops of a call, and of the answer; `local` is the network's tag on br-int, empty when not there."""
    host = inside.host
    called, answered = request(CLIENT, public), reply(public, CLIENT)
    within: list[Any] = []
    if local:
        own = rf"vlan {local}, .*"
        within = [
            Hop(Space(host), "int-br-ex", None, own + answered),
            Hop(Space(host), "phy-br-ex", None, own + answered),
        ]
    return [
        Hop(Space("client"), "eth1", True, called),
        wire(host, kind, called),
        Hop(inside, qg, False, called),
        Hop(inside, qg, True, answered),
        *within,
        wire(host, kind, answered),
        Hop(Space("client"), "eth1", False, answered),
    ]
