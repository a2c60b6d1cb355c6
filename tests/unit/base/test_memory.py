"""What a pure function's memory takes for the same question."""

from __future__ import annotations

from netglass.base.memory import remembered


def test_the_same_objects_are_answered_once_and_equal_others_anew() -> None:
    asked: list[tuple[str, ...]] = []

    @remembered(8)
    def joined(words: tuple[str, ...], by: str) -> str:
        asked.append(words)
        return by.join(words)

    words = ("a", "b")
    equal = (*words[:1], *words[1:])
    by = "".join(["+", "+"])
    assert [joined(words, "++"), joined(words, by), joined(words, "-"), joined(equal, "++")] == [
        "a++b",
        "a++b",
        "a-b",
        "a++b",
    ]
    assert asked == [words, words, equal]


def test_answers_of_long_ago_are_forgotten_and_those_in_use_are_not() -> None:
    asked: list[int] = []

    @remembered(4)
    def doubled(number: int) -> int:
        asked.append(number)
        return 2 * number

    for number in range(100):
        assert doubled(number) == 2 * number
        assert doubled(-1) == -2
    assert asked.count(-1) == 1
    assert doubled(0) == 0
    assert asked.count(0) == 2


def test_nobody_gets_the_answer_of_one_that_is_no_more() -> None:
    @remembered(2)
    def first(values: list[int]) -> int:
        return values[0]

    assert [first([number]) for number in range(1000)] == list(range(1000))
