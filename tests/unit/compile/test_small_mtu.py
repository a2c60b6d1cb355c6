"""Below the least MTU of IPv6, Linux has no IPv6 on a device: nothing of it is wanted there, and the rest stands."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from golden.stories import BASIC_USE_CASES, NET1, ROUTED
from netglass.compile.compiler import compile_host
from netglass.desired.state import HostState
from netglass.model.resources import Host, Network, Row
from netglass.model.snapshot import Snapshot

NATIVE: list[Row] = [
    replace(row, settings=replace(row.settings, firewall_driver="openvswitch")) if isinstance(row, Host) else row
    for row in BASIC_USE_CASES
]
SIX = "net/ipv6/conf/"


def compiled(rows: list[Row], host: str, mtu: int) -> HostState:
    small = [replace(row, mtu=mtu) if isinstance(row, Network) and row.id == NET1 else row for row in rows]
    return compile_host(Snapshot.of(small), host)


def of_ipv6(state: HostState) -> set[str]:
    """Gives the settings and addresses of IPv6 on the network's own devices."""
    small = {link.name for link in state.links if 0 < link.mtu < 1500 and link.form != "nic"}
    assert small
    settings = {one.name for one in state.sysctls if one.name.startswith(SIX) and one.name.split("/")[3] in small}
    return settings | {one.cidr for one in state.addresses if ":" in one.cidr and one.device in small}


@pytest.mark.parametrize(
    ("rows", "host"),
    [(BASIC_USE_CASES, "control"), (BASIC_USE_CASES, "compute1"), (NATIVE, "compute1"), (ROUTED, "control")],
    ids=["DHCP", "hybrid", "native", "router"],
)
def test_nothing_of_ipv6_is_wanted_where_there_is_none(rows: list[Row], host: str) -> None:
    assert of_ipv6(compiled(rows, host, 1280)) != set()
    assert of_ipv6(compiled(rows, host, 1279)) == set()


def test_metadata_stays_where_ipv4_finds_it() -> None:
    for rows, bind in ((BASIC_USE_CASES, "bind 169.254.169.254:80"), (ROUTED, "bind 0.0.0.0:9697")):
        texts = [file.text for file in compiled(rows, "control", 576).files if file.owner == "metadata"]
        assert any(bind in text for text in texts)
        assert not any("fe80::" in text for text in texts)
