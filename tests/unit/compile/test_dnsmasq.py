from __future__ import annotations

import pytest

from netglass.compile.dnsmasq import RefusedText, address_text, cidr_text, host_line, option_line, plain
from netglass.model.resources import DhcpOption

MAC = "fa:16:3e:00:00:01"


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\0", "\x1b", '"', "'", "\\", "#", "`", ",", " ", "\t", "[", "]", "é"]
)
def test_a_character_that_dnsmasq_gives_a_meaning_to_is_refused(character: str) -> None:
    with pytest.raises(RefusedText, match="means something to dnsmasq"):
        plain(f"a{character}b")


def test_a_list_may_have_what_separates_its_parts_and_nothing_else() -> None:
    line = option_line("port-1", DhcpOption("ntp-server", "10.0.0.5, 10.0.0.6"))
    assert line == "tag:port-1,option:ntp-server,10.0.0.5, 10.0.0.6"
    with pytest.raises(RefusedText):
        option_line("port-1", DhcpOption("ntp-server", "10.0.0.5\n10.0.0.6"))


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (DhcpOption("150", "10.0.0.7"), "tag:t,150,10.0.0.7"),
        (DhcpOption("router", ""), "tag:t,option:router"),
        (DhcpOption("59", "http://[2001:db8::1]/x", 6), "tag:t,option6:59,http://[2001:db8::1]/x"),
        (DhcpOption("nis+-domain", "x"), "tag:t,option:nis+-domain,x"),
    ],
)
def test_an_option_is_written_by_name_or_number(option: DhcpOption, line: str) -> None:
    assert option_line("t", option) == line


@pytest.mark.parametrize("name", ["", "vi-encap:5", "a b", "tag:x", "a,b", "-x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(RefusedText, match="no name of a DHCP option"):
        option_line("t", DhcpOption(name, "x"))


def test_a_host_line_marks_ipv6_and_carries_no_tag() -> None:
    assert host_line(MAC, "2001:DB8::1", "example.test") == f"{MAC},host-2001-db8--1.example.test,[2001:db8::1]"
    assert host_line(MAC, "10.0.0.3", "", "ff:01") == f"{MAC},id:ff:01,host-10-0-0-3,10.0.0.3"


@pytest.mark.parametrize("mac", ["", "FA:16:3E:00:00:01", "fa:16:3e:00:00:01,ignore", "fa:16:3e:*:*:*"])
def test_what_is_no_mac_address_is_refused(mac: str) -> None:
    with pytest.raises(RefusedText, match="no MAC address"):
        host_line(mac, "10.0.0.3", "")


@pytest.mark.parametrize("text", ["", "10.0.0.300", "10.0.0.1\n", "example.com", "fe80::1%eth0"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(RefusedText):
        address_text(text)
    with pytest.raises(RefusedText):
        cidr_text(text)
