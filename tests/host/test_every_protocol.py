"""Every rule that the API takes is one that a real kernel and switch take; one that nobody takes costs itself.

CVE-2019-9735: one rule with ports of a protocol that has none stopped a whole host's firewall.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hosted import on_a_host, shell

from firewall.cases import guest
from firewall.expected import Group, Model, Rule
from firewall.rows import named, port_id, rows_of
from firewall.site import Station
from netglass.base.errors import UserError
from netglass.control.rule_values import rule_values
from netglass.model.resources import SecurityGroupRule, ref

pytestmark = [pytest.mark.host, pytest.mark.timeout(600)]

DRIVERS = ("iptables_hybrid", "openvswitch")
PORTS = (
    (None, None),
    (1, 1),
    (22, 23),
    (80, 443),
    (0, 0),
    (8, None),
    (None, 8),
    (255, 255),
    (1, 65535),
    (65535, 65535),
)
IPV6_ONLY = {41, 43, 44, 58, 59, 60}


def taken(rule: Rule) -> bool:
    """Says whether the API takes a rule."""
    wanted = {"direction": rule.direction, "ethertype": f"IPv{rule.version}", "protocol": rule.protocol}
    try:
        rule_values(wanted | {"port_range_min": rule.low, "port_range_max": rule.high})
    except UserError:
        return False
    return True


def every_rule() -> Iterator[Rule]:
    """Gives every protocol with every kind of ports, in both families, as far as the API takes it."""
    rules = (
        Rule("ingress", version, protocol, *ports) for version in (4, 6) for protocol in range(256) for ports in PORTS
    )
    return filter(taken, rules)


def test_what_the_api_takes_is_what_has_ports_or_types() -> None:
    found = Counter((rule.version, rule.protocol) for rule in every_rule())
    ported = {(version, protocol) for version in (4, 6) for protocol in (6, 17, 33, 132, 136)}
    typed = {(4, 1), (6, 1), (6, 58)}  # 1 in IPv6 becomes 58
    # Without ports, and with all of them, which is the same; and 5 that are a range, or a type with or without a code.
    assert found == {one: 7 if one in ported | typed else 2 for one in found}
    missing = {protocol for protocol in range(256) if (4, protocol) not in found}
    assert missing == IPV6_ONLY
    assert all((6, protocol) in found for protocol in range(256))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_host_takes_every_rule_that_the_api_takes(driver: str) -> None:
    @on_a_host
    def on_it() -> None:
        shell("ip", "link", "add", "eth2", "type", "veth", "peer", "name", "nowhere")
        one, other = guest("one", 16, "one", "every"), guest("other", 17, "one", "bad")
        model = Model({"one": one, "other": other}, {"every": Group("every", tuple(every_rule())), "bad": Group("bad")})
        station = Station("one")
        for plugged in (one, other):
            station.plug(plugged.name, port_id(plugged.name), plugged.mac)
        rows = rows_of(model, driver)
        state = station.converge(rows)
        assert station.agent.retries.failing() == {}
        told = {d.code for d in state.diagnostics}
        assert told == ({"bad-rule"} if driver == "iptables_hybrid" else {"bad-rule", "unreadable-ports"})

        # What the API would never have taken, put into the database behind its back, costs its own rule alone.
        wrong = [
            SecurityGroupRule(
                id=named("wrong", str(n)), security_group_id=named("group", "bad"), direction="ingress", **values
            )
            for n, values in enumerate(
                (
                    {"protocol": "112", "port_range_min": 80, "port_range_max": 80},
                    {"protocol": "vrrp; rm", "port_range_min": 80, "port_range_max": 80},
                    {"protocol": "tcp", "port_range_min": 90, "port_range_max": 80},
                    {"protocol": "tcp", "port_range_min": 80, "port_range_max": 70000},
                    {"protocol": "icmp", "port_range_min": 300},
                    {"remote_ip_prefix": "10.0.0.0/8\n-j ACCEPT"},
                    {"remote_ip_prefix": "192.168.1./24"},
                    {"remote_ip_prefix": "fd00::/8"},
                    {"ethertype": "IPv5"},
                    {"remote_group_id": "not there"},
                )
            )
        ]
        state = station.converge([*rows, *wrong])
        assert station.agent.retries.failing() == {}
        about = {ref(rule) for rule in wrong}
        found = [d for d in state.diagnostics if about & set(d.intent)]
        assert [d.code for d in found].count("missing-remote") == 1
        assert len(found) == len(wrong)

    on_it()
