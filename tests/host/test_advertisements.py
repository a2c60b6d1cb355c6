"""A real radvd tells a real kernel what intent says, and a router that comes late is heard at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hosted import on_a_host, shell
from whole_agent import WholeAgent, whole_agent

from golden.stories import INSIDE_SIX, OUTSIDE, ROUTED_IPV6, ROUTER
from netglass.base.ids import qg_name, qr_name, qrouter_name
from support.pace import until

pytestmark = pytest.mark.host

NETNS, CONF = qrouter_name(ROUTER), f"/var/lib/neutron/ra/{ROUTER}.radvd.conf"
QR, QG = qr_name(INSIDE_SIX), qg_name(OUTSIDE)
CLIENT = "2001:db8:1:0:f816:3eff:fe00:99"
HEARD_WITHIN_S, HEALED_WITHIN_S = 3.0, 2.0


def in_client(*argv: str) -> str:
    return shell("ip", "netns", "exec", "client", *argv)


def answered(netns: str, address: str) -> bool:
    argv = ("ip", "netns", "exec", netns, "ping", "-c1", "-W0.5", address)
    return subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode == 0


def make_neighbours() -> None:
    """Makes the NICs, and behind eth3 somebody who knows the router at another MAC and routes a prefix to it."""
    shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "wall2")
    shell("ip", "netns", "add", "provider")
    shell("ip", "link", "add", "eth3", "type", "veth", "peer", "name", "eth0", "netns", "provider")
    for name in ("all", "default"):
        shell("ip", "netns", "exec", "provider", "sysctl", "-qw", f"net.ipv6.conf.{name}.accept_dad=0")
    shell("ip", "-n", "provider", "link", "set", "eth0", "up")
    shell("ip", "-n", "provider", "address", "add", "2001:db8:f::1/64", "dev", "eth0", "nodad")
    shell("ip", "-n", "provider", "route", "add", "2001:db8:1::/64", "via", "2001:db8:f::2")
    shell("ip", "netns", "exec", "provider", "ethtool", "-K", "eth0", "tx", "off")


def plug_in_client() -> None:
    """Plugs a client into the router's network, which takes what routers tell it, as Linux does by itself."""
    shell("ip", "netns", "add", "client")
    shell("ovs-vsctl", "add-port", "br-int", "client0", "tag=1", "--", "set", "interface", "client0", "type=internal")
    shell("ip", "link", "set", "client0", "netns", "client", "address", "fa:16:3e:00:00:99")
    in_client("sysctl", "-qw", "net.ipv6.conf.client0.accept_dad=0")
    shell("ip", "-n", "client", "link", "set", "client0", "up")


def told() -> bool:
    """Says whether the client has what it makes of an advertisement: its address, its gateway, its MTU."""
    addresses = in_client("ip", "-o", "-6", "address", "show", "dev", "client0")
    routes = in_client("ip", "-6", "route")
    mtu = in_client("sysctl", "-n", "net.ipv6.conf.client0.mtu").strip()
    return f" {CLIENT}/64 " in addresses and "default via fe80::1 dev client0 proto ra" in routes and mtu == "1500"


@on_a_host
def test_guests_hear_a_router_at_once_and_again_after_any_damage() -> None:
    make_neighbours()
    with whole_agent("control", ROUTED_IPV6) as agent:
        agent.await_settled(10)
        plug_in_client()
        print(f"{until(told, HEARD_WITHIN_S, 'the client heard'):.2f} s until a new client is told")
        for address in ("2001:db8:1::2", "2001:db8:2::", "fe80::1%client0", "2001:db8:f::1"):
            assert answered("client", address), address
        # Both prefixes are on the wire, but addresses are made in the one that says so.
        assert "2001:db8:2::/64 dev client0 proto kernel" in in_client("ip", "-6", "route")
        assert "2001:db8:2:" not in in_client("ip", "-6", "address")
        assert answered("provider", CLIENT)
        # IPv6 beside it, a link-local gateway too, changes nothing for IPv4 (CVE-2014-4167).
        in_client("ip", "address", "add", "10.0.0.9/24", "dev", "client0")
        assert answered("client", "10.0.0.1")
        assert "203.0.113.2" in shell("ip", "netns", "exec", NETNS, "iptables-save", "-t", "nat")

        _a_router_that_comes_late_is_heard(agent)
        _damage_is_put_right(agent)


def _a_router_that_comes_late_is_heard(agent: WholeAgent) -> None:
    in_client("ip", "-6", "route", "flush", "proto", "ra")
    wrong = ("2001:db8:f::2", "lladdr", "02:00:00:00:00:01", "dev", "eth0", "nud", "stale")
    shell("ip", "-n", "provider", "neighbor", "replace", *wrong)
    shell("ip", "netns", "delete", NETNS)
    agent.await_settled(10)
    print(f"{until(told, 1.0, 'a client that asked nothing heard'):.2f} s until a waiting client is told")
    known = ("ip", "-n", "provider", "neighbor", "show", "2001:db8:f::2")
    until(lambda: "fa:16:3e:00:00:02 router" in shell(*known), 3, "the provider was told of the router's address")


def _damage_is_put_right(agent: WholeAgent) -> None:
    def speaks() -> bool:
        """Says whether somebody there takes ICMPv6 (protocol 58), and would read what was written for it."""
        listening = shell("ip", "netns", "exec", NETNS, "ss", "-Hlnw")
        return ":58 " in listening and "AdvRASrcAddress { fe80::1; };" in Path(CONF).read_text()

    for damage in (
        ("sh", "-c", f"kill -9 $(cat /var/lib/neutron/ra/{ROUTER}.pid.radvd)"),
        ("sh", "-c", f": >{CONF}"),
        ("ip", "-n", NETNS, "address", "delete", "fe80::1/64", "dev", QR),
        ("ip", "-n", NETNS, "-6", "route", "delete", "default", "dev", QG),
    ):
        shell(*damage)
        agent.await_settled(HEALED_WITHIN_S, speaks)
        until(lambda: answered("provider", CLIENT), HEALED_WITHIN_S, f"the way in, after {damage}")
        in_client("ip", "-6", "route", "flush", "proto", "ra")
        _ask_again()
        until(told, HEALED_WITHIN_S, f"told again, after {damage}")


def _ask_again() -> None:
    """Has the client's kernel solicit routers, as it does when its device comes up."""
    shell("ip", "-n", "client", "link", "set", "client0", "down")
    shell("ip", "-n", "client", "link", "set", "client0", "up")
