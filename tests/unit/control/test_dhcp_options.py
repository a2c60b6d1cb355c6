from __future__ import annotations

import pytest
from deciding import Cloud, refused
from hypothesis import given
from hypothesis import strategies as st

from netglass.base.errors import UserError
from netglass.control.dhcp_options import merged_options, options_of
from netglass.model.resources import DhcpOption


def option(name: str, value: str | None, version: int = 4) -> dict:
    return {"opt_name": name, "opt_value": value, "ip_version": version}


def test_options_are_kept_in_their_order() -> None:
    wanted = [option("bootfile-name", "pxelinux.0"), option("150", "10.0.0.9"), option("dns-server", "[fd00::9]", 6)]
    assert options_of([*wanted, option("mtu", None), option("mtu", "")]) == (
        DhcpOption("bootfile-name", "pxelinux.0"),
        DhcpOption("150", "10.0.0.9"),
        DhcpOption("dns-server", "[fd00::9]", 6),
    )
    assert options_of([{"opt_name": "router", "opt_value": ""}]) == (DhcpOption("router", ""),)


def test_an_update_changes_what_it_names_and_takes_away_what_it_says_none_to() -> None:
    held = (DhcpOption("mtu", "1400"), DhcpOption("bootfile-name", "a"), DhcpOption("ntp-server", "x", 6))
    wanted = [option("mtu", None), option("bootfile-name", "b"), option("ntp-server", "10.0.0.9")]
    assert merged_options(held, wanted) == (
        DhcpOption("bootfile-name", "b"),
        DhcpOption("ntp-server", "x", 6),
        DhcpOption("ntp-server", "10.0.0.9"),
    )


@pytest.mark.parametrize(
    "wanted",
    [
        option("no-such-option", "1"),
        option("bootfile-url", "x", 4),
        option("netmask", "x", 6),
        option("0", "x"),
        option("255", "x"),
        option("65536", "x", 6),
        option("-1", "x"),
        option("٣", "x"),
        option("mtu\n", "x"),
        option("mtu", "1400\nuser=root"),
        option("mtu", "1400\r"),
        option("mtu", "a\0b"),
        option("mtu", "ü"),
        option("bootfile-name", 'a"b'),
        option("bootfile-name", "a\\b"),
        option("bootfile-name", "a #b"),
        option("bootfile-name", "x" * 256),
    ],
)
def test_an_option_that_dnsmasq_must_not_read_is_refused(wanted: dict) -> None:
    with refused("HTTPBadRequest", 400, "Invalid input for extra_dhcp_opts. Reason: "):
        options_of([wanted])


@given(st.text(max_size=20), st.text(max_size=300), st.sampled_from([4, 6]))
def test_whatever_is_given_what_is_kept_is_one_printable_line(name: str, value: str, version: int) -> None:
    try:
        kept = options_of([option(name, value, version)])
    except UserError:
        return
    for entry in kept:
        assert (entry.opt_name + entry.opt_value).isprintable()
        assert (entry.opt_name + entry.opt_value).isascii()


def test_a_ports_options_follow_its_updates() -> None:
    cloud = Cloud()
    port = cloud.port(cloud.network(), extra_dhcp_opts=[option("mtu", "1400")])
    assert port.extra_dhcp_opts == (DhcpOption("mtu", "1400"),)
    with refused("HTTPBadRequest", 400):
        cloud.update(port, extra_dhcp_opts=[option("x", "y")])
    assert cloud.update(port, extra_dhcp_opts=[option("mtu", None)]).extra_dhcp_opts == ()
