"""Routers and floating IPs as clients see them."""

from __future__ import annotations

from networking_cloud import Cloud, made

from support.clients import Client


def test_a_router_lives_from_its_gateway_to_its_last_interface(public: str, alice: Client) -> None:
    router = made(alice, "routers", "router", name="r", external_gateway_info={"network_id": public})
    gateway = router["external_gateway_info"]
    assert (gateway["network_id"], gateway["enable_snat"]) == (public, True)
    assert gateway["external_fixed_ips"][0]["ip_address"] == "203.0.113.2"
    network = made(alice, "networks", "network", name="n")["id"]
    subnet = made(alice, "subnets", "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24")["id"]
    path = f"/v2.0/routers/{router['id']}"
    joined = alice.put(f"{path}/add_router_interface", json={"subnet_id": subnet}).json()
    assert (joined["id"], joined["subnet_id"], joined["subnet_ids"]) == (router["id"], subnet, [subnet])
    ports = alice.get(f"/v2.0/ports?device_id={router['id']}").json()["ports"]
    assert [port["device_owner"] for port in ports] == ["network:router_interface"]
    kept = alice.put(f"/v2.0/ports/{ports[0]['id']}", json={"port": {"fixed_ips": [{"subnet_id": subnet}]}})
    assert kept.json()["port"]["fixed_ips"] == ports[0]["fixed_ips"]
    route = {"destination": "10.9.0.0/24", "nexthop": "10.0.0.9"}
    added = alice.put(f"{path}/add_extraroutes", json={"router": {"routes": [route]}})
    assert added.json()["router"]["routes"] == [route]
    assert (
        alice.put(f"{path}/remove_extraroutes", json={"router": {"routes": [route]}}).json()["router"]["routes"] == []
    )
    assert alice.delete(path).json()["NeutronError"]["type"] == "RouterInUse"
    assert alice.put(f"{path}/remove_router_interface", json={"subnet_id": subnet}).status_code == 200
    assert (
        alice.put(path, json={"router": {"external_gateway_info": {}}}).json()["router"]["external_gateway_info"]
        is None
    )
    assert alice.delete(path).status_code == 204


def test_a_floating_ip_shows_its_port(public: str, alice: Client) -> None:
    router = made(alice, "routers", "router", external_gateway_info={"network_id": public})["id"]
    network = made(alice, "networks", "network", name="n")["id"]
    subnet = made(alice, "subnets", "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24")["id"]
    alice.put(f"/v2.0/routers/{router}/add_router_interface", json={"subnet_id": subnet})
    port = made(alice, "ports", "port", network_id=network, name="vm")
    floating = made(alice, "floatingips", "floatingip", floating_network_id=public, port_id=port["id"])
    assert (floating["router_id"], floating["status"]) == (router, "DOWN")
    assert floating["fixed_ip_address"] == port["fixed_ips"][0]["ip_address"]
    assert floating["port_details"]["name"] == "vm"
    found = alice.get(f"/v2.0/floatingips?floating_ip_address={floating['floating_ip_address']}").json()["floatingips"]
    assert [one["id"] for one in found] == [floating["id"]]
    freed = alice.put(f"/v2.0/floatingips/{floating['id']}", json={"floatingip": {"port_id": None}}).json()[
        "floatingip"
    ]
    assert (freed["port_id"], freed["router_id"], freed["port_details"]) == (None, None, None)


def test_what_only_administrators_may_is_refused_to_others(
    public: str, admin: Client, alice: Client, rita: Client, bob: Client
) -> None:
    router = made(alice, "routers", "router")["id"]
    floating = made(alice, "floatingips", "floatingip", floating_network_id=public)["id"]
    for gateway in ({"enable_snat": False}, {"external_fixed_ips": []}):
        wanted = {"router": {"external_gateway_info": {"network_id": public, **gateway}}}
        assert alice.put(f"/v2.0/routers/{router}", json=wanted).status_code == 403
        assert admin.put(f"/v2.0/routers/{router}", json=wanted).status_code == 200
    chosen = {"floatingip": {"floating_network_id": public, "floating_ip_address": "203.0.113.77"}}
    assert alice.post("/v2.0/floatingips", json=chosen).status_code == 403
    assert admin.post("/v2.0/floatingips", json=chosen).status_code == 201
    assert alice.post("/v2.0/networks", json={"network": {"router:external": True}}).status_code == 403
    assert alice.post("/v2.0/ports", json={"port": {"network_id": public}}).status_code == 403
    assert rita.post("/v2.0/routers", json={"router": {}}).status_code == 403
    assert rita.put(f"/v2.0/routers/{router}/add_router_interface", json={}).status_code == 403
    for path in (f"routers/{router}", f"floatingips/{floating}"):
        assert bob.get(f"/v2.0/{path}").status_code == 404
        assert bob.delete(f"/v2.0/{path}").status_code == 404
    assert bob.put(f"/v2.0/routers/{router}/add_router_interface", json={"port_id": router}).status_code == 404
    listed = bob.get("/v2.0/networks?router:external=True").json()["networks"]
    assert [network["id"] for network in listed] == [public]
    assert [subnet["router:external"] for subnet in bob.get("/v2.0/subnets").json()["subnets"]] == [True]


def test_an_administrator_sees_and_moves_routers_by_agent(
    cloud: Cloud, public: str, admin: Client, alice: Client
) -> None:
    router = made(alice, "routers", "router", external_gateway_info={"network_id": public})["id"]
    agent = admin.get(f"/v2.0/routers/{router}/l3-agents").json()["agents"][0]
    assert (agent["agent_type"], agent["host"], agent["configurations"]["routers"]) == ("L3 agent", "control", 1)
    path = f"/v2.0/agents/{agent['id']}/l3-routers"
    assert [one["id"] for one in admin.get(path).json()["routers"]] == [router]
    assert admin.delete(f"{path}/{router}").status_code == 204
    assert admin.get(path).json() == {"routers": []}
    assert admin.post(path, json={"router_id": router}).status_code == 201
    assert admin.post(path, json={"router_id": router}).status_code == 201  # it has it already
    cloud.register("control2", "network")
    other = next(a for a in admin.get("/v2.0/agents?host=control2").json()["agents"] if a["agent_type"] == "L3 agent")
    refused = admin.post(f"/v2.0/agents/{other['id']}/l3-routers", json={"router_id": router})
    assert refused.json()["NeutronError"]["type"] == "RouterHostedByL3Agent"
    dhcp = next(a for a in admin.get("/v2.0/agents?host=control2").json()["agents"] if a["agent_type"] == "DHCP agent")
    assert admin.get(f"/v2.0/agents/{dhcp['id']}/l3-routers").status_code == 404
    assert alice.get(f"/v2.0/routers/{router}/l3-agents").status_code == 403


def test_an_administrator_sees_and_moves_dhcp_by_agent(cloud: Cloud, admin: Client, alice: Client) -> None:
    for host in ("control", "control2"):
        cloud.register(host, "network")
    network = made(alice, "networks", "network")["id"]
    made(alice, "subnets", "subnet", network_id=network, ip_version=4, cidr="10.0.0.0/24")
    agents = {a["host"]: a["id"] for a in admin.get("/v2.0/agents?agent_type=DHCP agent").json()["agents"]}

    def hosts() -> list[str]:
        answer = admin.get(f"/v2.0/networks/{network}/dhcp-agents").json()["agents"]
        assert {agent["agent_type"] for agent in answer} <= {"DHCP agent"}
        return sorted(agent["host"] for agent in answer)

    def served(host: str) -> list[str]:
        return [one["id"] for one in admin.get(f"/v2.0/agents/{agents[host]}/dhcp-networks").json()["networks"]]

    assert (hosts(), served("control"), served("control2")) == (["control"], [network], [])
    answer = admin.post(f"/v2.0/agents/{agents['control2']}/dhcp-networks", json={"network_id": network})
    assert (answer.status_code, answer.json(), hosts()) == (201, None, ["control", "control2"])
    again = admin.post(f"/v2.0/agents/{agents['control2']}/dhcp-networks", json={"network_id": network})
    assert (again.status_code, again.json()["NeutronError"]["type"]) == (409, "NetworkHostedByDHCPAgent")
    assert admin.delete(f"/v2.0/agents/{agents['control']}/dhcp-networks/{network}").status_code == 204
    assert (hosts(), served("control"), served("control2")) == (["control2"], [], [network])
    gone = admin.delete(f"/v2.0/agents/{agents['control']}/dhcp-networks/{network}")
    assert (gone.status_code, gone.json()["NeutronError"]["type"]) == (409, "NetworkNotHostedByDhcpAgent")
    for method, path, body in (
        ("get", f"networks/{network}/dhcp-agents", None),
        ("get", f"agents/{agents['control']}/dhcp-networks", None),
        ("post", f"agents/{agents['control']}/dhcp-networks", {"network_id": network}),
        ("delete", f"agents/{agents['control2']}/dhcp-networks/{network}", None),
    ):
        assert alice.request(method, f"/v2.0/{path}", json=body).status_code == 403
