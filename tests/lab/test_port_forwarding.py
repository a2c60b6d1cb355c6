"""Port forwardings: who outside asks at a port of a floating IP is answered by the guest's port that it leads to."""

from __future__ import annotations

from typing import Any

import pytest
from cloud import Cloud, until
from labs import TestLab
from story_fixtures import cloud  # noqa: F401 - a fixture
from talking import answer, serve
from test_router_stories import CLIENT, INTERNET, from_client, in_router, settled

pytestmark = pytest.mark.lab


def forward(cloud: Cloud, path: str, target: dict[str, Any], **wanted: Any) -> str:  # noqa: F811
    made = cloud.api.post(path, {"port_forwarding": {"protocol": "tcp", **target, **wanted}})["port_forwarding"]
    cloud._undo.append(("DELETE", f"{path}/{made['id']}", None))
    return str(made["id"])


def test_ports_of_a_floating_ip_lead_to_the_ports_of_guests_that_they_are_forwarded_to(
    lab: TestLab,
    cloud: Cloud,  # noqa: F811
) -> None:
    network = cloud.network("10.0.1.0/24")
    router = cloud.router(network)
    one, two = cloud.guest("one", network, "compute1"), cloud.guest("two", network, "compute2")
    serve(lab, one, "tcp:22", "tcp:6000", "tcp:6003", "tcp:6009", "udp:6003", "tcp:80")
    serve(lab, two, "tcp:22", "tcp:2200", "udp:53")
    floating = cloud.floating()
    address, path = floating["floating_ip_address"], f"/v2.0/floatingips/{floating['id']}/port_forwardings"
    to_one = {"internal_port_id": one.port_id, "internal_ip_address": one.address}
    to_two = {"internal_port_id": two.port_id, "internal_ip_address": two.address}

    words = ("--internal-ip-address", one.address, "--port", one.port_id, "--protocol", "tcp")
    ports = ("--internal-protocol-port", "22", "--external-protocol-port", "2221")
    create = ("floating", "ip", "port", "forwarding", "create", *words, *ports, address)
    first = lab.openstack(*create)["id"]
    cloud._undo.append(("DELETE", f"{path}/{first}", None))
    forward(cloud, path, to_two, external_port=2222, internal_port=22)
    forward(cloud, path, to_one, external_port_range="5000:5009", internal_port_range="6000:6009")
    forward(cloud, path, to_one, protocol="udp", external_port_range="5000:5009", internal_port_range="6000:6009")
    forward(cloud, path, to_one, external_port_range="8000:8009", internal_port=80)
    forward(cloud, path, to_two, protocol="udp", external_port=53, internal_port=53)

    listed = lab.openstack("floating", "ip", "port", "forwarding", "list", "--protocol", "udp", address)
    assert sorted(one["External Port Range"] for one in listed) == ["5000:5009", "53:53"]
    until(lambda: answer(lab, address, "udp:53"), 5, "the last one answers")
    told = {port: answer(lab, address, port) for port in ("tcp:2221", "tcp:2222", "tcp:5000", "tcp:5003", "tcp:5009")}
    told |= {port: answer(lab, address, port) for port in ("udp:5003", "tcp:8000", "tcp:8007", "udp:53", "tcp:53")}
    by = f"asked by {CLIENT}"
    assert told == {
        "tcp:2221": f"tcp 22 {by}",
        "tcp:2222": f"tcp 22 {by}",
        "tcp:5000": f"tcp 6000 {by}",
        "tcp:5003": f"tcp 6003 {by}",
        "tcp:5009": f"tcp 6009 {by}",
        "udp:5003": f"udp 6003 {by}",
        "tcp:8000": f"tcp 80 {by}",
        "tcp:8007": f"tcp 80 {by}",
        "udp:53": f"udp 53 {by}",
        "tcp:53": "",
    }
    # From inside, through their own router and back; the guests' way out and their metadata are as before.
    assert answer(lab, address, "tcp:2222", one).startswith("tcp 22 asked by ")
    assert answer(lab, address, "udp:5003", one).startswith("udp 6003 asked by ")
    assert cloud.ping(one, INTERNET).lost == 0
    assert one.id in lab.inside(one.id, "wget", "-qO-", "http://169.254.169.254/openstack/latest/meta_data.json")
    assert from_client(lab, address).lost == 0  # the router's own answer: the address is its
    shown = cloud.api.get(f"/v2.0/floatingips/{floating['id']}")["floatingip"]
    assert (shown["status"], shown["router_id"], len(shown["port_forwardings"])) == ("ACTIVE", router, 6)
    settled(lab)

    change = {"port_forwarding": {**to_two, "external_port": 2223, "internal_port": 2200}}
    assert cloud.api.call("PUT", f"{path}/{first}", change)[0] == 200
    until(lambda: answer(lab, address, "tcp:2223") == f"tcp 2200 {by}", 5, "the changed one answers")
    assert answer(lab, address, "tcp:2221") == ""
    cloud.api.delete(f"{path}/{first}")
    until(lambda: not answer(lab, address, "tcp:2223"), 5, "nobody answers any more")
    assert "tcp 22" in answer(lab, address, "tcp:2222")
    cloud.clear()
    until(lambda: "pf-" not in in_router(lab, router, "iptables-save", check=False), 5, "no rule is left")
