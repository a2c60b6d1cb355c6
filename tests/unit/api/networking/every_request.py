"""One request of every operation of the Networking API, generated out of its declarations, on things of alice's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from networking_cloud import Cloud, made

from netglass.api.networking.assemble import OPERATIONS
from netglass.api.networking.declare import Operation
from netglass.api.networking.resources import AGENT, RESOURCES
from support.clients import Client

# What cannot be made out of the schema alone; `{name}` is the id of alice's thing of that name.
_POSTED: dict[str, dict[str, Any]] = {
    "subnets": {"network_id": "{networks}", "ip_version": 4, "cidr": "10.77.0.0/24"},
    "subnetpools": {"name": "p", "prefixes": ["10.88.0.0/16"]},
    "address-scopes": {"name": "s", "ip_version": 4},
    "ports": {"network_id": "{networks}"},
    "security-group-rules": {"security_group_id": "{security-groups}", "direction": "ingress", "protocol": "udp"},
    "default-security-group-rules": {"direction": "ingress", "protocol": "udp"},
    "address-groups": {"name": "g", "addresses": ["10.9.9.9/32"]},
    "rbac-policies": {
        "object_type": "network",
        "object_id": "{networks}",
        "action": "access_as_shared",
        "target_tenant": "0" * 32,
    },
    "floatingips": {"floating_network_id": "{public}"},
    "port_forwardings": {
        "protocol": "udp",
        "external_port": 5353,
        "internal_port": 53,
        "internal_port_id": "{ports}",
        "internal_ip_address": "{address}",
    },
}
_PUT: dict[str, dict[str, Any]] = {
    "rbac-policies": {"target_tenant": "0" * 31 + "1"},
    "agents": {"description": "x"},
    "floatingips": {"description": "x"},
    "port_forwardings": {"description": "x"},
}
_DONE: dict[str, Any] = {
    "add_prefixes": {"prefixes": ["10.99.0.0/16"]},
    "remove_prefixes": {"prefixes": ["10.98.0.0/16"]},
    "onboard_network_subnets": {"network_id": "{other}"},
    "add_addresses": {"addresses": ["10.9.9.8/32"]},
    "remove_addresses": {"addresses": ["10.9.9.9/32"]},
    "add_router_interface": {"subnet_id": "{spare}"},
    "remove_router_interface": {"subnet_id": "{subnets}"},
    "add_extraroutes": {"router": {"routes": [{"destination": "10.66.0.0/16", "nexthop": "10.0.0.9"}]}},
    "remove_extraroutes": {"router": {"routes": [{"destination": "10.66.0.0/16", "nexthop": "10.0.0.9"}]}},
    "l3-routers": {"router_id": "{routers}"},
    "dhcp-networks": {"network_id": "{networks}"},
    "tags": {"tags": ["blue"]},
    "quotas": {"quota": {"port": 50}},
}
# The name that a path has for an id -> the collection that it is of.
_PARTS = {"floatingip": "floatingips", "router": "routers", "network": "networks", "project": "project", "tag": "tag"}
_NAMES = {resource.path or resource.collection: resource.name for resource in RESOURCES}


@dataclass(frozen=True)
class Ask:
    """One request; `path` and `body` have ``{name}`` where the id of a thing of that name belongs."""

    method: str
    path: str
    body: Any = None
    names: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def send(self, client: Client, ids: dict[str, str]) -> Any:
        """Sends it, with these ids."""
        return client.request(self.method, self.path.format(**ids), json=_filled(self.body, ids))


def every_ask() -> Iterator[Ask]:
    """Gives one request for each operation that needs a token."""
    return (_ask(operation) for operation in OPERATIONS if not operation.anonymous)


def _ask(operation: Operation) -> Ask:
    parts = operation.path.removeprefix("/v2.0/").split("/")
    names = []
    for place, part in enumerate(parts):
        if re.fullmatch(r"\{\w+\}", part):
            bare = part.strip("{}")
            name = parts[place - 1] if bare in ("id", "alias") else _PARTS[bare]
            name = "dhcp-agents" if name == "agents" and "dhcp-networks" in parts else name
            parts[place] = f"{{{name}}}"
            names.append(name)
    path = "/v2.0/" + "/".join(parts)
    body = _body(operation, [part for part in parts if not part.startswith("{")])
    return Ask(operation.method, path, body, tuple(names))


def _body(operation: Operation, words: list[str]) -> Any:
    if operation.body is None:
        return None
    last = words[-1]
    if last in _DONE:
        return _DONE[last]
    if words[0] == "quotas":
        return _DONE["quotas"]
    given = (_POSTED if operation.method == "POST" else _PUT).get(last)
    return {_NAMES[last]: given if given is not None else {"name": "x"}}


def _filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**ids) if value.startswith("{") else value
    if isinstance(value, dict):
        return {key: _filled(inner, ids) for key, inner in value.items()}
    return [_filled(inner, ids) for inner in value] if isinstance(value, list) else value


def things_of(cloud: Cloud, who: str, public: str) -> dict[str, str]:
    """Makes one of everything for somebody; gives ids by collection, and those that requests name besides."""
    client = cloud.as_(who)

    def make(path: str, resource: str, **wanted: Any) -> dict[str, Any]:
        return made(client, path, resource, **wanted)

    network = make("networks", "network", tags=["blue"])["id"]
    subnet, spare = (
        make("subnets", "subnet", network_id=network, ip_version=4, cidr=cidr, tags=["blue"])["id"]
        for cidr in ("10.0.0.0/24", "10.1.0.0/24")
    )
    port = make("ports", "port", network_id=network, fixed_ips=[{"subnet_id": subnet}], tags=["blue"])
    group = make("security-groups", "security_group", name="g", tags=["blue"])["id"]
    addresses = make("address-groups", "address_group", name="a", addresses=["10.9.9.9/32"])["id"]
    router = make("routers", "router", external_gateway_info={"network_id": public}, tags=["blue"])["id"]
    done = client.put(f"/v2.0/routers/{router}/add_router_interface", json={"subnet_id": subnet})
    assert done.status_code == 200, done.text
    floating = make("floatingips", "floatingip", floating_network_id=public, tags=["blue"])["id"]
    address = port["fixed_ips"][0]["ip_address"]
    forwarding = {"internal_port_id": port["id"], "internal_ip_address": address, "protocol": "tcp"}
    share = {"object_type": "security_group", "object_id": group, "action": "access_as_shared"}
    return {
        "networks": network,
        "other": make("networks", "network")["id"],
        "public": public,
        "subnets": subnet,
        "spare": spare,
        "ports": port["id"],
        "address": address,
        "subnetpools": make("subnetpools", "subnetpool", name="p", prefixes=["10.96.0.0/13"], tags=["blue"])["id"],
        "address-scopes": make("address-scopes", "address_scope", name="s", ip_version=4)["id"],
        "security-groups": group,
        "security-group-rules": make(
            "security-group-rules", "security_group_rule", security_group_id=group, direction="ingress"
        )["id"],
        "address-groups": addresses,
        "rbac-policies": make("rbac-policies", "rbac_policy", target_tenant="0" * 32, **share)["id"],
        "routers": router,
        "floatingips": floating,
        "port_forwardings": make(
            f"floatingips/{floating}/port_forwardings",
            "port_forwarding",
            external_port=80,
            internal_port=80,
            **forwarding,
        )["id"],
        "project": {"alice": "red", "bob": "blue"}[who],
        "tag": "blue",
        "extensions": "router",
    }


def of_the_cloud(cloud: Cloud) -> dict[str, str]:
    """Gives the ids of what belongs to nobody: an agent, a rule that groups begin with."""
    admin = cloud.as_("admin")
    agents = {one["agent_type"]: one["id"] for one in admin.get("/v2.0/agents").json()[AGENT.collection]}
    rules = admin.get("/v2.0/default-security-group-rules").json()["default_security_group_rules"]
    shared = {"agents": agents["L3 agent"], "dhcp-agents": agents["DHCP agent"]}
    return shared | {"default-security-group-rules": rules[0]["id"]}
