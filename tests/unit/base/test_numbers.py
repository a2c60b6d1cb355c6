from hypothesis import given
from hypothesis import strategies as st

from netglass.base.numbers import holds_number, pick_lowest, with_number, without_number

numbers = st.sets(st.integers(0, 60)).map(lambda s: tuple(sorted(s)))
ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda p: (p[0], p[0] + p[1])), max_size=3)


@given(ranges, numbers)
def test_picks_the_first_free_number_of_the_first_range_that_has_one(
    wanted: list[tuple[int, int]], used: tuple[int, ...]
) -> None:
    free = [n for first, last in wanted for n in range(first, last + 1) if n not in used]
    assert pick_lowest(wanted, used) == (free[0] if free else None)


def test_a_range_as_large_as_a_slash_64_is_never_expanded() -> None:
    assert pick_lowest([(1, 2**64)], (1, 2, 3, 5)) == 4


@given(numbers, st.integers(0, 60))
def test_numbers_stay_ascending_and_distinct(used: tuple[int, ...], number: int) -> None:
    assert with_number(used, number) == tuple(sorted({*used, number}))
    assert without_number(used, number) == tuple(sorted({*used} - {number}))
    assert holds_number(used, number) == (number in used)
