"""What may be there after writes: held to a server that is killed in the middle of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from support.writes import Key, Ledger, Op, Outcome, Write, possible

ANSWERED, REFUSED, MISSING, UNKNOWN = Outcome.ANSWERED, Outcome.REFUSED, Outcome.MISSING, Outcome.UNKNOWN


def create(value: str, outcome: Outcome) -> Write:
    return Write(Op.CREATE, value, outcome)


def update(value: str, outcome: Outcome) -> Write:
    return Write(Op.UPDATE, value, outcome)


def delete(outcome: Outcome) -> Write:
    return Write(Op.DELETE, None, outcome)


def test_what_was_answered_is_there_and_what_was_refused_is_not() -> None:
    assert possible([create("a", ANSWERED), update("b", ANSWERED), update("c", REFUSED)]) == {"b"}
    assert possible([create("a", REFUSED)]) == {None}
    assert possible([create("a", ANSWERED), delete(ANSWERED)]) == {None}


def test_of_what_nobody_was_told_both_are_allowed() -> None:
    assert possible([create("a", UNKNOWN)]) == {None, "a"}
    assert possible([create("a", ANSWERED), update("b", UNKNOWN), update("c", UNKNOWN)]) == {"a", "b", "c"}


def test_an_unknown_write_may_be_done_after_later_ones() -> None:
    assert possible([create("a", ANSWERED), update("b", UNKNOWN), update("c", ANSWERED)]) == {"b", "c"}


def test_a_later_answer_tells_what_became_of_an_unknown_write() -> None:
    assert possible([create("a", UNKNOWN), update("b", ANSWERED)]) == {"b"}
    assert possible([create("a", ANSWERED), delete(UNKNOWN), delete(MISSING)]) == {None}


def test_answers_that_cannot_all_be_true_leave_nothing() -> None:
    assert possible([create("a", ANSWERED), update("b", MISSING)]) == frozenset()
    assert possible([create("a", REFUSED), delete(ANSWERED)]) == frozenset()


def test_the_ledger_names_what_is_lost_changed_doubled_and_foreign() -> None:
    ledger = Ledger()
    for name in ("lost", "changed", "doubled", "right"):
        ledger.note(Key("network", name), create("1", ANSWERED))
    found = {"changed": ["2"], "doubled": ["1", "1"], "right": ["1"], "foreign": ["1"]}
    said = ledger.contradictions({Key("network", name): values for name, values in found.items()})
    assert [line.split(" and")[0].split(":")[0] for line in said] == [
        "network foreign is there,",
        "network lost is None,",
        "network changed is 2,",
        "network doubled is there 2 times",
    ]


# What one client asks for, and how the server's life ends on each: it may answer, or die before or after the deed.
REQUESTS = st.lists(st.tuples(st.sampled_from(Op), st.sampled_from(["answer", "before", "after", "down"])), max_size=12)


@given(REQUESTS)
def test_every_history_of_a_server_that_keeps_its_word_is_possible(requests: list[tuple[Op, str]]) -> None:
    value: str | None = None
    writes: list[Write] = []
    for number, (op, fate) in enumerate(requests):
        wanted = None if op is Op.DELETE else str(number)
        applies = (value is None) is (op is Op.CREATE)
        refusal = MISSING if value is None and op is not Op.CREATE else REFUSED
        if applies and fate in ("answer", "after"):
            value = wanted
        told = {"answer": ANSWERED if applies else refusal, "down": REFUSED}.get(fate, UNKNOWN)
        writes.append(Write(op, wanted, told))
    assert value in possible(writes)


@given(REQUESTS.filter(lambda requests: all(fate in ("answer", "down") for _, fate in requests)))
def test_where_all_was_told_one_outcome_alone_is_possible(requests: list[tuple[Op, str]]) -> None:
    value: str | None = None
    writes: list[Write] = []
    for number, (op, fate) in enumerate(requests):
        wanted = None if op is Op.DELETE else str(number)
        applies = fate == "answer" and (value is None) is (op is Op.CREATE)
        writes.append(Write(op, wanted, ANSWERED if applies else REFUSED))
        value = wanted if applies else value
    assert possible(writes) == {value}
