"""Lab files: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import pytest

from netglass.lab.topology import (
    BUILTIN,
    LabError,
    Topology,
    builtin_names,
    find_topology,
    parse_topology,
    renamed,
    schema,
)

GOOD = """
name: small
segments:
  mgmt: {cidr: 192.168.50.0/24}
  vm: {trunk: true}
management: mgmt
hosts:
  one:
    server: true
    roles: [network, hypervisor]
    nics: {eth1: mgmt, eth2: vm}
    bridges: {br-eth2: eth2}
    bridge_mappings: {default: br-eth2}
  two:
    roles: [hypervisor]
    nics: {eth1: mgmt}
    addresses: {mgmt: 192.168.50.99}
cloud:
  vlan_ranges: {default: [1000, 1999]}
"""


def _parsed(text: str = GOOD) -> Topology:
    return parse_topology(text, "lab.yaml")


def _said(old: str, new: str) -> str:
    assert old in GOOD
    with pytest.raises(LabError) as caught:
        _parsed(GOOD.replace(old, new))
    return str(caught.value)


def test_every_lab_that_comes_with_netglass_can_be_read() -> None:
    assert "vlan" in builtin_names()
    for name in builtin_names():
        assert find_topology(name).name == name


def test_hosts_get_addresses_by_their_place_or_as_the_file_says() -> None:
    topology = _parsed()
    assert topology.server_host == "one"
    assert str(topology.address("one", "mgmt")) == "192.168.50.11/24"
    assert topology.management_address("two") == "192.168.50.99"
    assert topology.address("one", "vm") is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: small", "name: a-name-too-long", "'a-name-too-long' is no lab name"),
        ("name: small", "name: Small", "'Small' is no lab name"),
        ("name: small", "nam: small", "unknown field `nam`"),
        ("    server: true", "    sever: true", "unknown field `sever`"),
        ("    server: true", "", "one host must have 'server: true'; 0 have"),
        ("  two:\n", "  two:\n    server: true\n", "one, two have 'server: true'; several need a database of all"),
        ("cloud:", "cloud:\n  database: sqlite:///here.db", "cloud.database: 'sqlite:///here.db' is no URL"),
        ("management: mgmt", "management: m", "there is no segment 'm'"),
        ("management: mgmt", "management: vm", "segment 'vm' needs a cidr"),
        ("192.168.50.0/24", "192.168.50.1/24", "segments.mgmt.cidr: 192.168.50.1/24 has host bits set"),
        ("192.168.50.0/24", "192.168.50.0/30", "too small"),
        ("eth2: vm", "eth2: nowhere", "hosts.one: nics.eth2: there is no segment 'nowhere'"),
        ("eth2: vm", "eth0: vm", "no NIC can be called so"),
        ("{eth1: mgmt}", "{eth1: vm}\n    roles: [network]", "hosts.two: nics: none is on the management segment"),
        ("[network, hypervisor]", "[router]", "'router' is none of hypervisor, network"),
        ("br-eth2: eth2", "br-eth2: eth3", "the host has no NIC 'eth3'"),
        ("default: br-eth2", "default: br-eth3", "the host has no bridge 'br-eth3'"),
        ("192.168.50.99", "192.168.51.99", "192.168.51.99 is not in mgmt's 192.168.50.0/24"),
        ("192.168.50.99", "192.168.50.11", "one has 192.168.50.11 on mgmt already"),
        ("[1000, 1999]", "[1999, 1000]", "1999 to 1000 is no range"),
        ("[1000, 1999]", "[1000, 5000]", "no range within 1 to 4094"),
        ("cloud:", "cloud:\n  dhcp_agents_per_network: 0", "cloud.dhcp_agents_per_network: 0 is less than 1"),
        ("cidr: 192.168.50.0/24", "mtu: 100", "mtu: 100 is not within"),
        ("  two:", "  Two:", "a host's name is lower-case"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place_and_what_would_be_right(old: str, new: str, told: str) -> None:
    said = _said(old, new)
    assert told in said
    assert said.startswith("lab.yaml: ")


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(LabError) as caught:
        _parsed(GOOD.replace("name: small", "name: Small").replace("br-eth2: eth2", "br-eth2: eth3"))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["name", "hosts.one"]


def test_a_file_that_is_no_yaml_or_not_there_is_refused() -> None:
    with pytest.raises(LabError, match="no YAML"):
        _parsed("a: [")
    with pytest.raises(LabError, match=r"neither a lab that comes with Netglass \(.*vlan.*\) nor a file"):
        find_topology("/nowhere/lab.yaml")


def test_a_lab_can_be_had_under_another_name() -> None:
    assert renamed(_parsed(), "other").name == "other"
    with pytest.raises(LabError, match="no lab name"):
        renamed(_parsed(), "../etc")


def test_the_schema_names_every_setting_of_a_host() -> None:
    host = schema()["$defs"]["HostSpec"]["properties"]
    assert {"server", "roles", "nics", "bridges", "bridge_mappings", "provider_link"} <= host.keys()


TUNNELS = """
name: small
segments:
  mgmt: {cidr: 192.168.50.0/24}
  tunnel: {cidr: 192.168.51.0/24}
management: mgmt
hosts:
  one:
    server: true
    nics: {eth1: mgmt, eth2: tunnel}
    bridges: {br-eth2: eth2}
    tunnel_nic: eth2
    tunnel_types: [gre]
cloud:
  tenant_network_types: [gre]
  tunnel_ranges: {gre: [1, 1000]}
"""


def test_tunnels_begin_at_the_address_of_their_nic_which_its_bridge_has() -> None:
    topology = _parsed(TUNNELS)
    assert topology.tunnel_address("one") == "192.168.51.11"
    assert topology.bridge_addresses("one") == {"br-eth2": ["192.168.51.11/24"]}


def test_tunnels_may_begin_at_an_address_of_their_own() -> None:
    topology = _parsed(TUNNELS.replace("tunnel_nic: eth2", "tunnel_nic: eth2\n    tunnel_address: fd00::1/64"))
    assert topology.tunnel_address("one") == "fd00::1"
    assert topology.bridge_addresses("one") == {"br-eth2": ["192.168.51.11/24", "fd00::1/64"]}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("tunnel_types: [gre]", "tunnel_types: [stt]", "'stt' is none of gre, vxlan, geneve"),
        ("    tunnel_types: [gre]\n", "", "tunnels need both"),
        ("tunnel_nic: eth2", "tunnel_nic: eth7", "the host has no NIC 'eth7'"),
        ("tunnel: {cidr: 192.168.51.0/24}", "tunnel: {}", "needs a cidr"),
        ("tunnel_nic: eth2", "tunnel_nic: eth2\n    tunnel_address: fd00::1", "lacks its prefix length"),
        ("tunnel_nic: eth2", "tunnel_nic: eth2\n    tunnel_address: x", "'x' does not appear to be"),
        ("    bridges: {br-eth2: eth2}\n", "    tunnel_address: fd00::1/64\n", "tunnel_nic is on none"),
        ("gre: [1, 1000]", "gre: [0, 1000]", "0 to 1000 is no range"),
        ("gre: [1, 1000]", "stt: [1, 1000]", "cloud.tunnel_ranges.stt: is none of"),
        ("tenant_network_types: [gre]", "tenant_network_types: [flat]", "'flat' is none of vlan, gre"),
    ],
)
def test_tunnels_that_cannot_be_are_told_with_their_place(old: str, new: str, told: str) -> None:
    assert old in TUNNELS
    with pytest.raises(LabError) as caught:
        _parsed(TUNNELS.replace(old, new))
    assert told in str(caught.value)


def test_hosts_outside_have_the_digits_of_their_ipv4_addresses_in_ipv6() -> None:
    topology = find_topology("gre")
    assert str(topology.address6("provider", "ext")) == "2001:db8:f::1/64"
    assert str(topology.address6("client", "world")) == "2001:db8:10::20/64"
    assert topology.address6("bob", "mgmt") is None


def test_each_outer_address_has_a_prefix_of_its_own_routed_to_it() -> None:
    public = find_topology("gre").cloud.public
    assert public is not None
    routed = public.delegations
    assert routed["2001:db8:1:a300::/56"] == "2001:db8:f::1a3"
    assert (len(routed), len(set(routed.values()))) == (256, 256)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ("first6: 2001:db8:f::100", "first6: 2001:db8:e::100"),
        ("last6: 2001:db8:f::1ff", "last6: x"),
        ("delegated: 2001:db8:1::/48", "delegated: 2001:db8:1::/64"),
        ("cidr6: 2001:db8:f::/64", "cidr6: 2001:db8:f::/65"),
    ],
)
def test_an_ipv6_world_that_contradicts_itself_is_refused(wrong: str, fault: str) -> None:
    text = (BUILTIN / "gre.yaml").read_text()
    assert wrong in text
    with pytest.raises(LabError, match=fault.split(":")[0]):
        parse_topology(text.replace(wrong, fault), "x.yaml")
