"""What failed is tried again more and more seldom, and at once when something has changed."""

from __future__ import annotations

from netglass.agent.appliers.protocol import NotThere
from netglass.agent.retries import FIRST_S, HEARD_S, LONGEST_S, QUIET_S, Retries
from netglass.base.errors import ApplyError
from netglass.desired.state import PortTag

TAG = PortTag(owner="plugging", intent=("port:p",), port="tap1", vlan=1)
OTHER = PortTag(owner="plugging", intent=("port:p",), port="tap1", vlan=2)
ERROR = ApplyError("port_tags", "tap1", "there is no port tap1")


def _fail(retries: Retries, now: float) -> bool:
    return retries.failed(ERROR, TAG, TAG.intent, now)


def _due(retries: Retries, now: float, tag: PortTag = TAG) -> bool:
    return retries.due("port_tags", "tap1", tag, now)


def test_what_never_failed_may_be_tried() -> None:
    assert _due(Retries(), 0.0)


def test_the_pause_doubles_up_to_the_longest() -> None:
    retries, now, pauses = Retries(), 0.0, []
    for _ in range(12):
        _fail(retries, now)
        due = retries.next_due()
        assert due is not None
        pauses.append(round(due - now, 3))
        now = due
    assert pauses[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert pauses[-1] == LONGEST_S


def test_what_is_wanted_otherwise_may_be_tried_at_once() -> None:
    retries = Retries()
    _fail(retries, 0.0)
    assert not _due(retries, 0.0)
    assert _due(retries, 0.0, OTHER)


def test_a_failure_is_news_once() -> None:
    retries = Retries()
    assert _fail(retries, 0.0)
    assert not _fail(retries, 1.0)


def test_a_change_elsewhere_makes_everything_due() -> None:
    retries = Retries()
    _fail(retries, 0.0)
    retries.hasten({"links"})
    assert _due(retries, 0.0)
    assert retries.due_kinds(0.0) == {"port_tags"}


def test_what_no_longer_differs_is_forgotten_and_the_rest_kept() -> None:
    retries = Retries()
    _fail(retries, 0.0)
    retries.settled(["links"], [])
    assert set(retries.failing()) == {("port_tags", "tap1")}
    retries.settled(["port_tags"], [("port_tags", "tap1")])
    assert set(retries.failing()) == {("port_tags", "tap1")}
    retries.settled(["port_tags"], [])
    assert retries.failing() == {}


def test_applying_in_vain_is_a_failure_after_some_times() -> None:
    retries = Retries()
    outcomes = [retries.applied("port_tags", "tap1", TAG, TAG.intent, 0.0) for _ in range(4)]
    assert outcomes == [True, True, True, False]
    assert not _due(retries, 0.0)
    assert "differs again" in retries.failing()["port_tags", "tap1"][0]


def test_what_fails_between_successes_in_vain_is_told_by_its_error_with_growing_pauses_and_once() -> None:
    """A daemon that starts and ends at once is applied well by one try, and found dead by the next."""
    retries, now, news, pauses = Retries(), 0.0, [], []
    for _ in range(9):
        retries.applied("port_tags", "tap1", TAG, TAG.intent, now)
        now = retries.next_due() or now
        news.append(_fail(retries, now))
        pauses.append((retries.next_due() or now) - now)
        now += pauses[-1]
    assert retries.failing()["port_tags", "tap1"][0] == ERROR.evidence
    assert pauses[-1] == LONGEST_S
    assert not any(news[3:])


def _lives_for_a_moment(retries: Retries, now: float) -> float:
    """Has an object applied well, found in place, and failing again; gives when it may be tried the next time."""
    assert retries.applied("port_tags", "tap1", TAG, TAG.intent, now)
    retries.settled(["port_tags"], [])
    assert retries.failing() == {}
    _fail(retries, now + 0.2)
    due = retries.next_due()
    assert due is not None
    return due


def test_what_is_in_place_for_a_moment_and_fails_again_is_tried_with_growing_pauses() -> None:
    retries, now = Retries(), 0.0
    _fail(retries, now)
    for _ in range(9):
        now = _lives_for_a_moment(retries, now)
    assert now - 0.2 > LONGEST_S
    assert retries.is_relapsing("port_tags", "tap1", now) is True
    retries.hasten({"port_tags"})
    retries.heard(["port_tags"], now - 1)
    assert retries.next_due() == now
    retries.hasten({"port_tags", "switch_ports"})
    assert _due(retries, 0.0)
    assert not _fail(retries, now)  # no news


def test_what_was_in_place_for_long_begins_anew() -> None:
    retries, now = Retries(), 0.0
    for _ in range(6):
        now = _lives_for_a_moment(retries, now)
    retries.settled(["port_tags"], [])
    later = now + 2 * LONGEST_S
    assert not retries.is_relapsing("port_tags", "tap1", later)
    assert _fail(retries, later)
    assert retries.next_due() == later + FIRST_S


def test_an_object_that_failed_and_then_succeeds_fails_no_longer() -> None:
    retries = Retries()
    _fail(retries, 0.0)
    assert retries.applied("port_tags", "tap1", TAG, TAG.intent, 1.0)
    assert retries.failing() == {}


def test_news_makes_an_old_failure_due_at_once_and_a_fresh_one_soon() -> None:
    retries = Retries()
    for now in range(10):
        _fail(retries, float(now))
    retries.heard(["links"], 20.0)
    assert not _due(retries, 20.0)
    retries.heard(["port_tags"], 20.0)
    assert _due(retries, 20.0)
    _fail(retries, 20.0)
    retries.heard(["port_tags"], 20.0)
    assert not _due(retries, 20.0)
    assert _due(retries, 20.0 + HEARD_S)


def test_what_is_only_not_there_yet_is_told_once_it_lasts() -> None:
    retries = Retries()
    absent = NotThere("port_tags", "tap1", "there is no port tap1")
    told = [retries.failed(absent, TAG, TAG.intent, now) for now in (0.0, QUIET_S / 2, QUIET_S, 2 * QUIET_S)]
    assert told == [False, False, True, False]
