from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from netglass.base.eui64 import interface_id, link_local, mac_of


def test_an_address_made_of_a_mac_is_the_kernels_and_tells_the_mac() -> None:
    assert link_local("fa:16:3e:00:00:06") == "fe80::f816:3eff:fe00:6"
    assert mac_of(IPv6Address("fe80::f816:3eff:fe00:6")) == "fa:16:3e:00:00:06"
    assert interface_id("02:00:00:00:00:00") == 0xFFFE000000


def test_what_was_not_made_of_a_mac_tells_none() -> None:
    assert mac_of(IPv6Address("fe80::a9fe:a9fe")) == ""


@pytest.mark.parametrize("text", ["", "fa:16:3e:00:00", "FA:16:3E:00:00:06", "fa:16:3e:00:00:06\n"])
def test_what_is_no_mac_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no MAC"):
        link_local(text)
