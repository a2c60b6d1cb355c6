"""Random small clouds, made through the API: what a seed draws is drawn again by it.

Nothing is made that the API refuses: what a drawn cloud cannot have is left out, as the API itself says what fits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_network
from random import Random
from typing import Any

from netglass.model.resources import HostSettings

TYPES = ("vlan", "flat", "gre", "vxlan", "geneve")
_COMPUTE = "/compute/v2.1"

Call = Callable[[str, str, Any], tuple[int, Any]]
"""Method, path and body of a request -> status and answer."""


@dataclass(frozen=True)
class Limits:
    """What may be drawn.

    physical  networks that flat and VLAN networks may be on
    types     of networks
    public    id of the external network that is there already; empty: one is made
    odd       subnets without DHCP, guests on several networks, and ports that nobody plugs in are drawn too
    rules     the guests' default group is given rules
    open      hosts whose guests have no port security
    """

    physical: tuple[str, ...] = ("default", "default", "other")
    types: tuple[str, ...] = TYPES
    public: str = ""
    odd: bool = True
    rules: bool = False
    open: frozenset[str] = frozenset()


@dataclass
class Made:
    """A random cloud, as far as it must be remembered to be used and to be taken away.

    undo  requests that delete it, in the order of making
    """

    networks: list[str] = field(default_factory=list)
    subnets: list[dict[str, Any]] = field(default_factory=list)
    public: str = ""
    routers: list[str] = field(default_factory=list)
    servers: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    undo: list[tuple[str, str, Any]] = field(default_factory=list)


def random_hosts(rng: Random) -> dict[str, tuple[tuple[str, ...], HostSettings]]:
    """Draws two to four hosts: their roles and what their operators set."""
    alike = rng.random() < 0.5
    common = _settings(rng)
    found = {}
    for number in range(rng.randint(2, 4)):
        drawn = common if alike else _settings(rng)
        own = f"192.0.2.{11 + number}"
        values = drawn | {"local_ip": own, "bridge_addresses": {"br-tunnel": (f"{own}/24",)}}
        roles = ("hypervisor", "network") if number == 0 else rng.choice([("hypervisor",), ("hypervisor", "network")])
        found[f"host{number}"] = (roles, HostSettings(**values))
    return found


def _settings(rng: Random) -> dict[str, Any]:
    few = rng.random() < 0.15
    return {
        "bridge_mappings": {"default": "br-eth2", **({} if few else {"external": "br-ex", "other": "br-eth4"})},
        "bridge_nics": {
            "br-eth2": "eth2",
            "br-tunnel": "eth5",
            **({} if few else {"br-ex": "eth3", "br-eth4": "eth4"}),
        },
        "provider_link": rng.choice(["veth", "patch"]),
        "tunnel_types": rng.choice([("geneve", "gre", "vxlan")] * 4 + [("gre",), ()]),
        "l2_population": rng.random() < 0.5,
        "datapath_type": "netdev",
        "firewall_driver": rng.choice(["iptables_hybrid", "openvswitch"]),
        "gateway_link": rng.choice(["bridge", "integration"]),
        "enable_isolated_metadata": rng.random() < 0.8,
    }


class Maker:
    """Makes one random cloud.

    hosts  where guests may be
    """

    def __init__(self, rng: Random, call: Call, hosts: Iterable[str], limits: Limits | None = None) -> None:
        self._rng = rng
        self._call = call
        self._hosts = sorted(hosts)
        self._limits = limits or Limits()
        self.made = Made()
        self._flavor = self._get(f"{_COMPUTE}/flavors")["flavors"][0]["id"]
        self._image = self._get("/image/v2/images")["images"][0]["id"]

    def cloud(self, booted: Callable[[str], None]) -> Made:
        """Makes networks with subnets, an external one, routers, guests, floating IPs; then breaks some of it.

        booted  is called with each server once all are asked for, and comes back when the guest runs
        """
        for number in range(self._rng.randint(1, 4)):
            self._network(number, self._rng.choice(self._limits.types))
        self.made.public = self._limits.public
        if not self.made.public:
            self._public()
        for number in range(self._rng.randint(0, 2)):
            self._router(number)
        for number in range(self._rng.randint(2, 6)):
            self._guest(number)
        if self._limits.odd:
            self._foreign_port()
        for _ in range(self._rng.randint(0, 2)):
            self._floating()
        if self._limits.rules:
            self._rules()
        self._open()
        for server in self.made.servers:
            booted(server)
        self._trouble()
        return self.made

    # --- networks

    def _network(self, number: int, kind: str) -> None:
        values: dict[str, Any] = {"name": f"net{number}", "provider:network_type": kind}
        if kind in ("vlan", "flat"):
            values["provider:physical_network"] = self._rng.choice(self._limits.physical)
        made = self._post("/v2.0/networks", "network", values)
        if made is None:
            return
        self.made.networks.append(made["id"])
        blocks = self._rng.sample(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/25", "172.16.7.0/28"], 2)
        for block in blocks[: self._rng.choice([1, 1, 1, 2])]:
            self._subnet(made["id"], block)
        if self._rng.random() < 0.3:
            self._subnet(made["id"], f"fd00:{number}::/64")

    def _subnet(self, network_id: str, cidr: str, **values: Any) -> None:
        six = ":" in cidr
        wanted: dict[str, Any] = {"network_id": network_id, "cidr": cidr, "ip_version": 6 if six else 4, **values}
        if six:
            mode = self._rng.choice(["slaac", "dhcpv6-stateful", "dhcpv6-stateless"])
            wanted |= {"ipv6_ra_mode": mode, "ipv6_address_mode": mode}
        elif "gateway_ip" not in wanted and self._rng.random() < 0.1:
            wanted["gateway_ip"] = None
        if not six and self._rng.random() < 0.2:
            hop = str(ip_network(cidr)[9])
            wanted["host_routes"] = [{"destination": "198.51.100.0/25", "nexthop": hop}]
        if self._limits.odd and "enable_dhcp" not in wanted and self._rng.random() < 0.15:
            wanted["enable_dhcp"] = False
        made = self._post("/v2.0/subnets", "subnet", wanted)
        if made is not None:
            self.made.subnets.append(made)

    def _public(self) -> None:
        kind = self._rng.choice(["flat", "flat", "vlan"])
        values = {"name": "public", "provider:network_type": kind, "provider:physical_network": "external"}
        made = self._post("/v2.0/networks", "network", values | {"router:external": True})
        if made is None:
            return
        self.made.public = made["id"]
        self._subnet(made["id"], "203.0.113.0/24", enable_dhcp=False, gateway_ip="203.0.113.1")
        if self._rng.random() < 0.3:
            self._subnet(made["id"], "192.0.2.128/25", enable_dhcp=False, gateway_ip="192.0.2.129")

    # --- routers

    def _router(self, number: int) -> None:
        values: dict[str, Any] = {"name": f"router{number}"}
        if self.made.public and self._rng.random() < 0.8:
            gateway: dict[str, Any] = {"network_id": self.made.public}
            if self._rng.random() < 0.3:
                gateway["enable_snat"] = False
            values["external_gateway_info"] = gateway
        made = self._post("/v2.0/routers", "router", values)
        if made is None:
            return
        router = made["id"]
        self.made.routers.append(router)
        inner = [subnet for subnet in self.made.subnets if subnet["network_id"] != self.made.public]
        for subnet in self._rng.sample(inner, min(len(inner), self._rng.randint(1, 3))):
            body = {"subnet_id": subnet["id"]}
            status, _ = self._call("PUT", f"/v2.0/routers/{router}/add_router_interface", body)
            if status == 200:
                self.made.undo.append(("PUT", f"/v2.0/routers/{router}/remove_router_interface", body))
        if self._rng.random() < 0.3 and inner:
            hop = str(ip_network(self._rng.choice(inner)["cidr"])[10])
            routes = [{"destination": "10.77.0.0/16", "nexthop": hop}]
            if self._call("PUT", f"/v2.0/routers/{router}", {"router": {"routes": routes}})[0] == 200:
                self.made.undo.append(("PUT", f"/v2.0/routers/{router}", {"router": {"routes": []}}))

    # --- guests

    def _guest(self, number: int) -> None:
        if not self.made.networks:
            return
        most = min(len(self.made.networks), 2 if self._limits.odd else 1)
        networks = self._rng.sample(self.made.networks, self._rng.choice([1, 1, 1, most]))
        wanted = {
            "name": f"guest{number}",
            "imageRef": self._image,
            "flavorRef": self._flavor,
            "networks": [{"uuid": network_id} for network_id in networks],
            "availability_zone": f"nova:{self._rng.choice(self._hosts)}",
        }
        status, answer = self._call("POST", f"{_COMPUTE}/servers", {"server": wanted})
        if status != 202:
            return
        server = answer["server"]["id"]
        self.made.undo.append(("DELETE", f"{_COMPUTE}/servers/{server}", None))
        self.made.servers.append(server)

    def _foreign_port(self) -> None:
        if self.made.networks and self._rng.random() < 0.4:
            values = {
                "network_id": self._rng.choice(self.made.networks),
                "device_owner": "compute:nova",
                "device_id": "somebody else's",
                "binding:host_id": self._rng.choice(self._hosts),
            }
            self._post("/v2.0/ports", "port", values)

    def _floating(self) -> None:
        ports = [p for p in self._get("/v2.0/ports")["ports"] if p["device_owner"].startswith("compute:")]
        if self.made.public and ports:
            port = self._rng.choice(sorted(ports, key=lambda p: str(p["fixed_ips"])))
            forwards = self._rng.random() < 0.3
            target = {} if forwards else {"port_id": port["id"]}
            made = self._post("/v2.0/floatingips", "floatingip", {"floating_network_id": self.made.public} | target)
            if made is not None and forwards:
                self._forward(made["id"], port)

    def _forward(self, floating: str, port: dict[str, Any]) -> None:
        """Has ports 22, and 80 to 83, of a floating IP lead to a guest's."""
        address = next((f["ip_address"] for f in port["fixed_ips"] if ":" not in f["ip_address"]), "")
        to = {"protocol": "tcp", "internal_port_id": port["id"], "internal_ip_address": address}
        path = f"/v2.0/floatingips/{floating}/port_forwardings"
        self._post(path, "port_forwarding", to | {"external_port": 22, "internal_port": 2222})
        ranges = {"external_port_range": "80:83", "internal_port_range": "8080:8083"}
        self._post(path, "port_forwarding", to | ranges)

    def _rules(self) -> None:
        """Lets some of what comes from outside of the default group into it."""
        groups = self._get("/v2.0/security-groups?name=default")["security_groups"]
        for protocol, port in self._rng.sample([("icmp", None), ("tcp", 22), ("tcp", 80), ("ipv6-icmp", None)], 2):
            rule: dict[str, Any] = {"direction": "ingress", "protocol": protocol}
            rule |= {} if port is None else {"port_range_min": port, "port_range_max": port}
            rule |= {"ethertype": "IPv6"} if protocol == "ipv6-icmp" else {}
            for one in groups:
                self._post("/v2.0/security-group-rules", "security_group_rule", rule | {"security_group_id": one["id"]})

    def _open(self) -> None:
        """Takes port security off the guests of some hosts."""
        off = {"port_security_enabled": False, "security_groups": []}
        for port in self._get("/v2.0/ports")["ports"]:
            if port["device_owner"].startswith("compute:") and port["binding:host_id"] in self._limits.open:
                status, answer = self._call("PUT", f"/v2.0/ports/{port['id']}", {"port": off})
                assert status == 200, answer

    def _trouble(self) -> None:
        """Stops a guest, takes a port, a network or a router down, or leaves all as it is."""
        kind = self._rng.choice(["", "", "stopped", "port", "port", "network", "router", "bare"])
        ports = [p for p in self._get("/v2.0/ports")["ports"] if p["device_owner"].startswith("compute:")]
        down = {"admin_state_up": False}
        if kind == "stopped" and self.made.servers:
            server = self._rng.choice(self.made.servers)
            status, _ = self._call("POST", f"{_COMPUTE}/servers/{server}/action", {"os-stop": None})
            if status == 202:
                self.made.stopped.append(server)
        elif kind == "port" and ports:
            port = self._rng.choice(sorted(ports, key=lambda p: str(p["fixed_ips"])))
            self._call("PUT", f"/v2.0/ports/{port['id']}", {"port": down})
        elif kind == "network" and self.made.networks:
            self._call("PUT", f"/v2.0/networks/{self._rng.choice(self.made.networks)}", {"network": down})
        elif kind == "router" and self.made.routers:
            self._call("PUT", f"/v2.0/routers/{self._rng.choice(self.made.routers)}", {"router": down})

    # --- requests

    def _get(self, path: str) -> Any:
        status, answer = self._call("GET", path, None)
        assert status == 200, (path, answer)
        return answer

    def _post(self, path: str, name: str, values: dict[str, Any]) -> dict[str, Any] | None:
        """Makes something; None when the API refuses it as it cannot be had."""
        status, answer = self._call("POST", path, {name: values})
        if status not in (201, 202):
            assert status in (400, 404, 409, 503), (path, values, answer)
            return None
        made: dict[str, Any] = answer[name]
        self.made.undo.append(("DELETE", f"{path}/{made['id']}", None))
        return made
