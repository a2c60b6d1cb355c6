"""What routers tell their guests of IPv6: by mode, by subnet, and never more than a word that could be misread."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from golden.stories import INSIDE_SIX, ROUTED_IPV6, ROUTER, SIX, SIX_OUTSIDE, SIX_TOO
from netglass.compile.compiler import compile_host
from netglass.desired.state import Daemon, File, HostState
from netglass.model.resources import FixedIp
from netglass.model.snapshot import Snapshot

QR = f"qr-{INSIDE_SIX[:11]}"


def routed(**changes: dict[str, Any]) -> HostState:
    """Compiles the story, with attributes of rows changed by id (its hyphens as underscores)."""
    by_id = {row_id.replace("_", "-"): values for row_id, values in changes.items()}
    rows = [msgspec.structs.replace(row, **by_id.get(row.id, {})) for row in ROUTED_IPV6]
    return compile_host(Snapshot.of(rows), "control")


def key(row_id: str) -> str:
    return row_id.replace("-", "_")


def told(state: HostState) -> str:
    return next((file.text for file in state.files if file.path.endswith(f"/ra/{ROUTER}.radvd.conf")), "")


def speaker(state: HostState) -> Daemon | None:
    return next((daemon for daemon in state.daemons if daemon.name == f"radvd-{ROUTER}"), None)


@pytest.mark.parametrize(
    ("mode", "flags", "autonomous"),
    [
        ("slaac", set(), "on"),
        ("dhcpv6-stateless", {"AdvOtherConfigFlag on;"}, "on"),
        ("dhcpv6-stateful", {"AdvManagedFlag on;"}, "off"),
    ],
)
def test_each_mode_says_how_guests_get_their_addresses(mode: str, flags: set[str], autonomous: str) -> None:
    only = {"fixed_ips": (FixedIp(SIX, "2001:db8:1::2"),)}
    text = told(routed(**{key(INSIDE_SIX): only, key(SIX): {"ipv6_ra_mode": mode}}))
    assert {line.strip() for line in text.splitlines() if "Flag" in line} == flags
    assert f"AdvAutonomous {autonomous};" in text
    assert ("RDNSS 2001:db8::53 " in text) is (mode == "slaac")


def test_a_subnet_without_a_mode_is_not_spoken_of_but_the_router_is() -> None:
    text = told(routed(**{key(SIX): {"ipv6_ra_mode": None}, key(SIX_TOO): {"ipv6_ra_mode": None}}))
    assert f"interface {QR}\n" in text
    assert "prefix" not in text


def test_a_router_without_ipv6_inside_is_silent() -> None:
    state = routed(**{key(INSIDE_SIX): {"fixed_ips": ()}})
    assert (told(state), speaker(state)) == ("", None)
    assert not any(a.cidr.startswith("fe80::1/") for a in state.addresses)


def test_the_gateway_is_the_address_that_the_subnet_names_or_the_one_made_of_the_mac() -> None:
    named, made = "AdvRASrcAddress { fe80::1; };", "AdvRASrcAddress { fe80::f816:3eff:fe00:6; };"
    assert named in told(routed())
    other = routed(**{key(SIX): {"gateway_ip": "2001:db8:1::1"}})
    assert made in told(other)
    here = {a.cidr for a in other.addresses if a.device == QR}
    assert here == {"2001:db8:1::2/64", "2001:db8:2::/64", "fe80::f816:3eff:fe00:6/64"}


def test_a_name_server_that_is_no_address_is_left_out_and_said() -> None:
    state = routed()
    assert "::/0" not in told(state)
    texts = [one.text for one in state.diagnostics if one.intent == (f"subnet:{SIX}",)]
    assert len(texts) == 2
    assert all("Left out of what routers tell" in text for text in texts)


def test_a_mac_that_is_none_silences_the_router_and_nothing_else() -> None:
    state = routed(**{key(INSIDE_SIX): {"mac_address": "x\n} interface"}})
    assert told(state) == ""
    assert any(a.cidr == "2001:db8:1::2/64" for a in state.addresses)


def test_what_speaks_unasked_starts_once_it_is_heard_and_reads_its_file_again() -> None:
    state = routed()
    daemon = speaker(state)
    assert daemon is not None
    assert daemon.late
    (file,) = (f for f in state.files if isinstance(f, File) and f.path in daemon.reload_files)
    assert file.path in daemon.argv


def test_a_router_heeds_advertisements_outside_only_where_nobody_named_its_gateway() -> None:
    def heeded(state: HostState) -> dict[str, str]:
        return {s.name.split("/")[3]: s.value for s in state.sysctls if s.name.endswith("/accept_ra")}

    assert set(heeded(routed()).values()) == {"0"}
    without = heeded(routed(**{key(SIX_OUTSIDE): {"gateway_ip": None}}))
    assert {device[:2] for device, value in without.items() if value == "2"} == {"qg"}


def test_ipv6_is_never_translated() -> None:
    assert {(r.ip_version, r.table) for r in routed().rule_sets} == {
        (4, "nat"),
        (4, "mangle"),
        (4, "filter"),
        (6, "filter"),
    }
