from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from netglass.control.prefixes import best_block, cover, free_of, is_free, joined, meet, without


def test_a_block_comes_out_of_the_smallest_that_holds_it() -> None:
    free = free_of(("10.0.0.0/16",), ("10.0.0.0/24", "10.0.2.0/23", "10.0.128.0/17"))
    assert best_block(free, 4, 24) == "10.0.1.0/24"
    assert best_block(free, 4, 22) == "10.0.4.0/22"
    assert best_block(free, 4, 18) == "10.0.64.0/18"
    assert best_block(free, 4, 17) is None


def test_prefixes_are_joined_met_covered_and_taken_away() -> None:
    assert joined(("10.0.1.0/24", "10.0.0.0/24", "10.0.1.128/25")) == ("10.0.0.0/23",)
    assert meet(("10.0.0.0/24",), ("10.0.0.128/25",))
    assert not meet(("10.0.0.0/24",), ("10.0.1.0/24",))
    assert cover(("10.0.0.0/25", "10.0.0.128/25"), ("10.0.0.0/24",))
    assert not cover(("10.0.0.0/25",), ("10.0.0.0/24",))
    assert without(("10.0.0.0/24",), ("10.0.0.64/26",), 4) == ("10.0.0.0/26", "10.0.0.128/25")
    assert without(("2001:db8::/32",), ("2001:db8::/32",), 6) == ()


CIDRS = st.builds(
    lambda length, at: str(list(ip_network("10.0.0.0/24").subnets(new_prefix=length))[at % 2 ** (length - 24)]),
    st.integers(24, 32),
    st.integers(0, 255),
)


@given(st.lists(CIDRS, min_size=1, max_size=4), st.lists(CIDRS, max_size=6), st.integers(24, 32))
def test_what_is_free_is_in_the_prefixes_and_in_nothing_that_is_taken(
    prefixes: list[str], taken: list[str], length: int
) -> None:
    whole = {int(address) for prefix in joined(prefixes) for address in ip_network(prefix)}
    gone = {int(address) for cidr in taken for address in ip_network(cidr)}
    free = free_of(joined(prefixes), taken)
    assert {number for first, last in free for number in range(first, last + 1)} == whole - gone
    found = best_block(free, 4, length)
    fitting = [
        block
        for block in ip_network("10.0.0.0/24").subnets(new_prefix=length)
        if {int(address) for address in block} <= whole - gone
    ]
    assert (found is None) == (not fitting)
    if found is not None:
        assert ip_network(found) in fitting
        assert is_free(free, found)
        assert ip_address(int(ip_network(found).network_address)) in ip_network("10.0.0.0/24")
