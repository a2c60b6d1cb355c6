"""Intent for a model: two hosts, two VLAN networks, groups with rules, guests with their ports."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import NAMESPACE_DNS, uuid5

from firewall.expected import Group, Guest, Model, Rule
from netglass.model.resources import (
    AddressGroup,
    AddressPair,
    FixedIp,
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

HOSTS = ("one", "two")
IMAGE = Image(id="image", name="light")
_TAGS = {"one": {"one": 5, "two": 7}, "other": {"one": 6, "two": 5}}  # by network and host
_CIDRS = {4: "10.0.0.0/16", 6: "2001:db8::/64"}


def named(*words: str) -> str:
    """Gives the id of what has this name."""
    return str(uuid5(NAMESPACE_DNS, " ".join(words)))


def port_id(guest: str) -> str:
    return named("port", guest)


def rows_of(model: Model, driver: str) -> list[Row]:
    """Gives all intent for a model whose hosts have this driver."""
    rows: list[Row] = [IMAGE]
    settings = HostSettings(
        bridge_mappings={"default": "br-eth2"},
        bridge_nics={"br-eth2": "eth2"},
        datapath_type="netdev",
        firewall_driver=driver,
    )
    rows += [Host(id=name, roles=("hypervisor",), settings=settings) for name in HOSTS]
    for number, network in enumerate(_TAGS):
        network_id = named("network", network)
        rows.append(Network(id=network_id, name=network, physical_network="default", segmentation_id=1000 + number))
        for version, cidr in _CIDRS.items():
            rows.append(Subnet(id=f"{network_id}-{version}", network_id=network_id, cidr=cidr, ip_version=version))
        for host, tag in _TAGS[network].items():
            rows.append(LocalVlan(id=f"{host}/{network_id}", host=host, network_id=network_id, vlan=tag))
    for group in model.groups.values():
        rows += _group(group)
    for guest in model.guests.values():
        rows += _guest(guest)
    return rows


def _group(group: Group) -> Iterable[Row]:
    group_id = named("group", group.name)
    yield SecurityGroup(id=group_id, name=group.name, stateful=group.stateful)
    for rule in group.rules:
        yield from _rule(group_id, rule)


def _rule(group_id: str, rule: Rule) -> Iterable[Row]:
    addresses = ""
    if rule.addresses is not None:
        addresses = named("addresses", *rule.addresses)
        yield AddressGroup(id=addresses, name="some", addresses=tuple(sorted(rule.addresses)))
    yield SecurityGroupRule(
        id=named("rule", group_id, repr(rule)),
        security_group_id=group_id,
        direction=rule.direction,
        ethertype=f"IPv{rule.version}",
        protocol="" if rule.protocol is None else str(rule.protocol),
        port_range_min=rule.low,
        port_range_max=rule.high,
        remote_ip_prefix=rule.prefix,
        remote_group_id=named("group", rule.group) if rule.group else "",
        remote_address_group_id=addresses,
    )


def _guest(guest: Guest) -> Iterable[Row]:
    network_id, server_id = named("network", guest.network), named("server", guest.name)
    port = port_id(guest.name)
    yield Port(
        id=port,
        name=guest.name,
        network_id=network_id,
        mac_address=guest.mac,
        device_id=server_id,
        device_owner="compute:nova",
        host_id=guest.host,
        admin_state_up=guest.up,
        fixed_ips=tuple(FixedIp(f"{network_id}-{6 if ':' in one else 4}", one) for one in guest.addresses),
        port_security_enabled=guest.secured,
        security_group_ids=tuple(sorted(named("group", name) for name in guest.groups)),
        allowed_address_pairs=tuple(AddressPair(prefix, mac) for prefix, mac in guest.pairs),
        status="ACTIVE",
    )
    yield Server(id=server_id, name=guest.name, flavor_id="nano", image_id=IMAGE.id, host=guest.host, port_ids=(port,))
