"""Small clouds, as rows: consistent ones, ones with rows missing, and ones that no decision would ever make.

A cloud has up to three hosts, three networks and a dozen ports, so that Hypothesis finds in seconds what needs two of
a thing to go wrong.  Ids are drawn from few, so that histories meet the same object again.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network
from uuid import UUID

import msgspec
from hypothesis import strategies as st

from netglass.model.resources import (
    DhcpOption,
    FixedIp,
    FloatingIp,
    Host,
    HostRoute,
    HostSettings,
    Image,
    LocalVlan,
    Network,
    Port,
    PortForwarding,
    Router,
    Row,
    Server,
    Subnet,
)
from netglass.model.snapshot import Snapshot

HOSTS = ("control", "compute1", "compute2")
_SERVED = ("network:router_interface", "network:router_gateway", "network:floatingip")
HOSTILE = ("", "a\nb", 'x"y', "a,b", "#", "\\", "10.0.0.1\n", "é", "[::1]", "../..", "300.1.1.1")


def uuid(kind: int, number: int) -> str:
    """Gives the id of the n-th object of a kind; the first eleven characters differ, as random ones do."""
    return str(UUID(int=(kind * 1000 + number) << 96 | 0x4000_8000_0000_0000_0000 | number))


NETWORKS = tuple(uuid(1, n) for n in range(3))
SUBNETS = tuple(uuid(2, n) for n in range(4))
PORTS = tuple(uuid(3, n) for n in range(12))
ROUTERS = tuple(uuid(6, n) for n in range(2))
FLOATING = tuple(uuid(7, n) for n in range(3))
FORWARDINGS = tuple(uuid(8, n) for n in range(4))
SERVERS = tuple(uuid(4, n) for n in range(6))
IMAGE = uuid(5, 0)

host_names = st.sampled_from(HOSTS)


@st.composite
def settings_rows(draw: st.DrawFn) -> HostSettings:
    """Draws what an operator might set."""
    mappings = draw(
        st.sampled_from(
            [
                {},
                {"default": "br-eth2"},
                {"default": "br-eth2", "other": "br-eth3"},
                {"default": "br-x", "other": "br-x"},
            ]
        )
    )
    return HostSettings(
        bridge_mappings=mappings,
        bridge_nics={"br-eth2": "eth2"},
        provider_link=draw(st.sampled_from(["veth", "patch"])),
        datapath_type=draw(st.sampled_from(["system", "netdev"])),
        firewall_driver=draw(st.sampled_from(["iptables_hybrid", "openvswitch"])),
        tunnel_types=draw(st.sampled_from([("geneve", "gre", "vxlan"), ("geneve", "gre", "vxlan"), ("gre",), ()])),
        local_ip=draw(st.sampled_from(["192.0.2.{}", "192.0.2.{}", "2001:db8:1::{}", "192.0.2.9", *HOSTILE])),
        bridge_addresses=draw(st.sampled_from([{}, {"br-eth9": ("192.0.2.11/24",)}, {"br-eth2": ("x",)}])),
        l2_population=draw(st.booleans()),
        gateway_link=draw(st.sampled_from(["bridge", "integration"])),
    )


@st.composite
def host_rows(draw: st.DrawFn) -> list[Row]:
    """Draws the hosts."""
    rows: list[Row] = []
    for name in sorted(draw(st.sets(host_names, min_size=1))):
        settings = draw(settings_rows())
        own = settings.local_ip.replace("{}", str(11 + HOSTS.index(name)))
        rows.append(Host(id=name, settings=msgspec.structs.replace(settings, local_ip=own)))
    return rows


@st.composite
def network_rows(draw: st.DrawFn) -> list[Row]:
    """Draws networks of different segments, each with up to two subnets."""
    rows: list[Row] = []
    for number, network_id in enumerate(NETWORKS):
        if not draw(st.booleans()):
            continue
        kind = draw(st.sampled_from(["vlan", "gre", "vxlan", "geneve", *(["flat"] if number == 2 else [])]))
        wired = kind in ("vlan", "flat")
        rows.append(
            Network(
                id=network_id,
                name=f"net{number}",
                admin_state_up=draw(st.sampled_from([True, True, True, False])),
                mtu=draw(st.sampled_from([1450, 1500, 9000])),
                network_type=kind,
                physical_network=draw(st.sampled_from(["default", "default", "other"])) if wired else "",
                segmentation_id=None if kind == "flat" else 1000 + number,
            )
        )
        rows += [_subnet(draw, network_id, number), *([_subnet6(draw, network_id)] if number == 0 else [])]
    return rows


def _subnet(draw: st.DrawFn, network_id: str, number: int) -> Subnet:
    return Subnet(
        id=SUBNETS[number],
        network_id=network_id,
        cidr="10.0.0.0/24" if number < 2 else "10.1.0.0/28",
        gateway_ip=draw(st.sampled_from([None, "10.0.0.1", "192.0.2.1"])),
        enable_dhcp=draw(st.sampled_from([True, True, False])),
        dns_nameservers=draw(st.sampled_from([(), ("192.0.2.53",), ("0.0.0.0",)])),
        host_routes=draw(st.sampled_from([(), (HostRoute("198.51.100.0/24", "10.0.0.9"),)])),
        address_scope_id=draw(st.sampled_from(["", "", "one scope", "two\nscopes"])),
    )


def _subnet6(draw: st.DrawFn, network_id: str) -> Subnet:
    mode = draw(st.sampled_from([None, "slaac", "dhcpv6-stateless", "dhcpv6-stateful"]))
    return Subnet(
        id=SUBNETS[3],
        network_id=network_id,
        ip_version=6,
        cidr="2001:db8::/64",
        gateway_ip=draw(st.sampled_from([None, "2001:db8::1", "fe80::1"])),
        ipv6_ra_mode=mode,
        ipv6_address_mode=mode,
        address_scope_id=draw(st.sampled_from(["", "", "one scope"])),
    )


@st.composite
def clouds(draw: st.DrawFn) -> list[Row]:
    """Draws a consistent cloud: what refers to a row finds it, and tags are one per host and network."""
    hosts = draw(host_rows())
    networks = draw(network_rows())
    names = [host.id for host in hosts]
    subnets = [row for row in networks if isinstance(row, Subnet)]
    rows = [*hosts, *networks, Image(id=IMAGE, name="light")]
    ports = _ports(draw, [row.id for row in networks if isinstance(row, Network)], subnets, names)
    servers = [_server(draw, number, ports) for number in range(len(SERVERS))]
    routers = [_router(draw, number, names) for number in range(draw(st.integers(0, len(ROUTERS))))]
    floating = [_floating(draw, number, ports) for number in range(len(FLOATING))] if ports and routers else []
    forwarded = [_forwarding(draw, number, ports) for number in range(len(FORWARDINGS))] if floating else []
    found = [*rows, *ports, *(s for s in servers if s is not None), *_tags(ports), *routers, *floating]
    return [*found, *forwarded]


def _router(draw: st.DrawFn, number: int, hosts: list[str]) -> Router:
    routes = [(), (HostRoute("198.51.100.0/24", "10.0.0.9"),), (HostRoute("2001:db8:9::/64", "2001:db8::9"),)]
    return Router(
        id=ROUTERS[number],
        admin_state_up=draw(st.sampled_from([True, True, False])),
        enable_snat=draw(st.booleans()),
        host_id=draw(st.sampled_from(["", *hosts])),
        routes=draw(st.sampled_from(routes)),
    )


def _floating(draw: st.DrawFn, number: int, ports: list[Port]) -> FloatingIp:
    return FloatingIp(
        id=FLOATING[number],
        floating_network_id=NETWORKS[0],
        floating_ip_address=f"203.0.113.{10 + number}",
        floating_port_id=draw(st.sampled_from(ports)).id,
        port_id=ports[0].id if number else "",
        fixed_ip_address=f"10.0.0.{20 + number}" if number else "",
        router_id=draw(st.sampled_from(["", *ROUTERS])),
    )


def _forwarding(draw: st.DrawFn, number: int, ports: list[Port]) -> PortForwarding:
    several = draw(st.integers(0, 1))
    return PortForwarding(
        id=FORWARDINGS[number],
        floating_ip_id=draw(st.sampled_from([FLOATING[0], FLOATING[0], FLOATING[1]])),
        protocol=draw(st.sampled_from(["tcp", "udp"])),
        external_port=1000 + 10 * number,
        external_port_last=1000 + 10 * number + several * 4,
        internal_port_id=draw(st.sampled_from(ports)).id,
        internal_ip_address=f"10.0.0.{20 + number}",
        internal_port=80,
        internal_port_last=80 + several * 4,
    )


def _ports(draw: st.DrawFn, networks: list[str], subnets: list[Subnet], hosts: list[str]) -> list[Port]:
    if not networks:
        return []
    found = []
    for number in range(draw(st.integers(0, len(PORTS)))):
        network_id = networks[number % len(networks)]
        host = draw(st.sampled_from(["", *hosts]))
        dhcp = number >= 8 and host != ""
        owner = draw(st.sampled_from(["compute:nova", "compute:nova", "", *_SERVED]))
        device = {**dict.fromkeys(_SERVED, ROUTERS[number % 2]), "network:floatingip": FLOATING[number % 3]}
        found.append(
            Port(
                id=PORTS[number],
                network_id=network_id,
                mac_address=f"fa:16:3e:00:00:{number:02x}",
                admin_state_up=draw(st.sampled_from([True, True, True, False])),
                device_owner="network:dhcp" if dhcp else owner,
                device_id=f"dhcp-{host}" if dhcp else device.get(owner, SERVERS[number % len(SERVERS)]),
                fixed_ips=tuple(_fixed(s, number) for s in subnets if s.network_id == network_id),
                extra_dhcp_opts=draw(st.sampled_from([(), (), (DhcpOption("tftp-server", "192.0.2.7"),)])),
                host_id=host,
                status=draw(st.sampled_from(["DOWN", "ACTIVE"])),
            )
        )
    return found


def _fixed(subnet: Subnet, number: int) -> FixedIp:
    return FixedIp(subnet.id, str(ip_network(subnet.cidr)[2 + number]))


def _server(draw: st.DrawFn, number: int, ports: list[Port]) -> Server | None:
    mine = [port for port in ports if port.device_id == SERVERS[number] and port.host_id]
    if not mine or not draw(st.booleans()):
        return None
    return Server(
        id=SERVERS[number],
        name=f"vm {number}",
        hostname=f"vm-{number}",
        flavor_id="nano",
        image_id=IMAGE,
        host=mine[0].host_id,
        port_ids=tuple(port.id for port in mine),
        power=draw(st.sampled_from(["running", "running", "stopped"])),
        boot=draw(st.integers(1, 2)),
        vm_state=draw(st.sampled_from(["building", "active"])),
    )


def _tags(ports: list[Port]) -> list[LocalVlan]:
    pairs = sorted({(port.host_id, port.network_id) for port in ports if port.host_id})
    return [
        LocalVlan(id=f"{host}/{network}", host=host, network_id=network, vlan=1 + NETWORKS.index(network))
        for host, network in pairs
    ]


@st.composite
def broken_clouds(draw: st.DrawFn) -> list[Row]:
    """Draws a cloud in which rows are missing, tags and segments collide, and strings are hostile."""
    rows = draw(clouds())
    kept = [row for row in rows if draw(st.integers(0, 5)) or isinstance(row, Host)]
    return [_spoilt(draw, row) if draw(st.integers(0, 3)) == 0 else row for row in kept]


def _spoilt(draw: st.DrawFn, row: Row) -> Row:
    text = draw(st.sampled_from(HOSTILE))
    wrong: dict[type[Row], list[dict[str, object]]] = {
        LocalVlan: [{"vlan": 1}, {"vlan": 0}, {"vlan": 4095}],
        Network: [
            {"segmentation_id": 1000},
            {"segmentation_id": None},
            {"segmentation_id": 5000},
            {"network_type": "vxlan"},
            {"network_type": "gre", "segmentation_id": 1 << 32},
            {"network_type": "stt"},
            {"physical_network": text},
        ],
        Subnet: [{"cidr": text}, {"gateway_ip": text}, {"dns_nameservers": (text,)}, {"host_routes": (_route(text),)}],
        Port: [
            {"mac_address": text},
            {"extra_dhcp_opts": (DhcpOption(text, text), DhcpOption("client-id", text))},
            {"vnic_type": "direct"},
            {"fixed_ips": (FixedIp(SUBNETS[0], "198.51.100.7"), FixedIp("no such subnet", "10.0.0.7"))},
            {"network_id": NETWORKS[0]},
        ],
        Server: [{"hostname": text}, {"port_ids": PORTS}, {"host": "compute1"}],
        Image: [{"guest": "full"}],
        Router: [{"routes": (_route(text),)}, {"routes": (HostRoute("10.9.0.0/16", text),)}, {"id": text}],
        FloatingIp: [
            {"floating_ip_address": text},
            {"fixed_ip_address": text},
            {"floating_ip_address": "2001:db8::5"},
            {"floating_ip_address": "203.0.113.10"},
        ],
        PortForwarding: [
            {"protocol": text},
            {"id": text},
            {"internal_ip_address": text},
            {"external_port": 0},
            {"internal_port": 100000},
            {"external_port_last": 2000},
        ],
    }
    choices = wrong.get(type(row), [{}])
    return msgspec.structs.replace(row, **draw(st.sampled_from(choices)))


def _route(text: str) -> HostRoute:
    return HostRoute(text, "10.0.0.9")


def any_clouds() -> st.SearchStrategy[list[Row]]:
    """Draws a cloud, consistent or not."""
    return st.one_of(clouds(), broken_clouds())


def snapshots() -> st.SearchStrategy[Snapshot]:
    """Draws a snapshot of a cloud, consistent or not."""
    return any_clouds().map(snapshot_of)


def snapshot_of(rows: Iterable[Row]) -> Snapshot:
    """Gives the snapshot that holds just these rows."""
    return Snapshot.of(rows, revision=1)
