"""Law of replicas: compiling from what a host is told gives what compiling from all of intent gives."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from netglass.compile.compiler import compile_host
from netglass.compile.relevant import relevant_rows
from netglass.model.resources import (
    AddressGroup,
    AddressPair,
    FixedIp,
    Flavor,
    Host,
    HostSettings,
    Image,
    LocalVlan,
    Network,
    Port,
    Row,
    SecurityGroup,
    SecurityGroupRule,
    Server,
    Subnet,
)
from netglass.model.snapshot import Snapshot

HOSTS = ["host-a", "host-b", "host-c"]

hosts = st.sampled_from(HOSTS)


def uuid(kind: int, number: int) -> str:
    return f"{kind:04x}{number:04x}-0000-4000-8000-000000000000"


SETTINGS = HostSettings(bridge_mappings={"default": "br-eth2"}, bridge_nics={"br-eth2": "eth2"}, datapath_type="netdev")
FLAVOR = Flavor(id=uuid(5, 0), name="nano")
IMAGE_ID = uuid(6, 0)


def real_networks(draw: st.DrawFn) -> list[Row]:
    """Gives three networks with a subnet each, and their tags on some hosts."""
    made: list[Row] = []
    for n in range(3):
        mtu, dhcp = draw(st.sampled_from([1400, 1500])), draw(st.sampled_from([True, True, False]))
        kind = draw(st.sampled_from(["vlan", "gre", "vxlan", "geneve"]))
        made += [
            Network(
                id=uuid(1, n),
                name=f"net{n}",
                network_type=kind,
                physical_network="default" if kind == "vlan" else "",
                segmentation_id=1000 + n,
                mtu=mtu,
            ),
            Subnet(
                id=uuid(2, n),
                network_id=uuid(1, n),
                cidr=f"10.0.{n}.0/24",
                gateway_ip=f"10.0.{n}.1",
                enable_dhcp=dhcp,
                dns_nameservers=("192.0.2.53",),
            ),
        ]
        made += [
            LocalVlan(id=f"{host}/{uuid(1, n)}", host=host, network_id=uuid(1, n), vlan=n + 1)
            for host in draw(st.sets(st.sampled_from(HOSTS), min_size=1))
        ]
    return made


def real_groups(draw: st.DrawFn) -> list[Row]:
    """Gives three security groups with rules, and an address group."""
    addresses = draw(st.sampled_from([(), ("10.0.0.0/8",), ("0.0.0.0/0", "2001:db8::/32")]))
    made: list[Row] = [AddressGroup(id=uuid(9, 0), addresses=addresses)]
    made += [
        SecurityGroup(id=uuid(7, n), name=f"sg{n}", stateful=draw(st.booleans()), revision_number=7) for n in range(3)
    ]
    remotes = [{}, {"remote_address_group_id": uuid(9, 0)}, *({"remote_group_id": uuid(7, n)} for n in range(3))]
    for n in range(draw(st.integers(0, 6))):
        remote = draw(st.sampled_from(remotes))
        made.append(
            SecurityGroupRule(
                id=uuid(8, n),
                security_group_id=uuid(7, draw(st.integers(0, 2))),
                direction=draw(st.sampled_from(["ingress", "egress"])),
                protocol=draw(st.sampled_from(["", "tcp"])),
                **remote,
            )
        )
    return made


def real_port(draw: st.DrawFn, n: int, network: int, owner: str, device: str) -> Port:
    held = draw(st.sets(st.sampled_from([uuid(7, number) for number in range(3)]), max_size=2))
    pairs = draw(
        st.sampled_from([(), (), (AddressPair("10.9.0.0/24"),), (AddressPair("10.9.0.1", "fa:16:3e:00:09:01"),)])
    )
    protection = {"security_group_ids": tuple(sorted(held)), "allowed_address_pairs": pairs}
    return Port(
        id=uuid(3, n),
        network_id=uuid(1, network),
        mac_address=f"fa:16:3e:00:00:{n:02x}",
        fixed_ips=(FixedIp(uuid(2, network), f"10.0.{network}.{10 + n}"),),
        host_id=draw(st.sampled_from([*HOSTS, *HOSTS, ""])),
        device_owner=owner,
        device_id=device,
        status=draw(st.sampled_from(["ACTIVE", "DOWN"])),
        port_security_enabled=owner != "network:dhcp" and draw(st.sampled_from([True, True, False])),
        **(protection if owner != "network:dhcp" else {}),
    )


def real_tunnels(draw: st.DrawFn, host: str) -> dict[str, Any]:
    """Gives settings of a host's tunnels, of which some do not fit to those of others."""
    types = st.sampled_from([("gre",), ("geneve", "gre", "vxlan"), ("geneve", "gre", "vxlan"), ()])
    address = draw(st.sampled_from(["192.0.2.{}", "192.0.2.{}", "192.0.2.{}", "2001:db8::{}", "192.0.2.1", "", "x"]))
    own = address.format(11 + HOSTS.index(host))
    return {"tunnel_types": draw(types), "local_ip": own, "l2_population": draw(st.booleans())}


@st.composite
def clouds(draw: st.DrawFn) -> Snapshot:
    """Gives a cloud with guests and DHCP, of which a few rows that others refer to may be missing."""
    drivers = st.sampled_from(["iptables_hybrid", "openvswitch"])
    image = Image(id=IMAGE_ID, name="light", guest=draw(st.sampled_from(["light", "light", "other"])))
    made: list[Row] = [FLAVOR, image, *real_networks(draw), *real_groups(draw)]
    for host in HOSTS:
        settings_ = msgspec.structs.replace(SETTINGS, firewall_driver=draw(drivers), **real_tunnels(draw, host))
        made.append(Host(id=host, roles=("hypervisor", "network"), settings=settings_))
    made += [real_port(draw, n, n % 3, "network:dhcp", f"dhcp{n}") for n in range(4)]
    for n in range(4, 9):
        server = uuid(4, draw(st.integers(0, 2)))
        made.append(real_port(draw, n, draw(st.integers(0, 2)), "compute:nova", server))
    for n in range(3):
        named = [row.id for row in made if isinstance(row, Port) and row.device_id == uuid(4, n)]
        wrong = draw(st.lists(st.sampled_from([uuid(3, number) for number in range(9)]), max_size=1))
        made.append(
            Server(
                id=uuid(4, n),
                name=f"vm{n}",
                hostname=f"vm{n}",
                host=draw(st.sampled_from(HOSTS)),
                flavor_id=FLAVOR.id,
                image_id=IMAGE_ID,
                port_ids=tuple(dict.fromkeys([*named, *wrong])),
                power=draw(st.sampled_from(["running", "running", "stopped"])),
            )
        )
    missing = draw(st.sets(st.sampled_from([row.id for row in made]), max_size=2))
    return Snapshot.of((row for row in made if row.id not in missing), 7)


@given(clouds(), hosts)
def test_compiling_from_what_is_relevant_gives_what_compiling_from_everything_gives(cloud: Snapshot, host: str) -> None:
    told = Snapshot.of(relevant_rows(cloud, host).values(), cloud.revision)

    assert compile_host(told, host) == compile_host(cloud, host)
