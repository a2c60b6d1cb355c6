"""Who may speak for a host."""

from __future__ import annotations

import pytest
from deciding import ADMIN, Cloud

from netglass.base.errors import UserError
from netglass.control.host_keys import (
    decide_invite,
    decide_join,
    decide_revoke,
    decide_rotate,
    digest,
    may_speak,
)
from netglass.model.resources import HostKey

LATER, EARLIER = "2099-01-01T00:00:00Z", "2000-01-01T00:00:00Z"


def key(cloud: Cloud) -> HostKey:
    found = cloud.snapshot.get(HostKey, "daisy")
    assert found is not None
    return found


def invite(cloud: Cloud, until: str = LATER) -> None:
    cloud.decide(lambda d: decide_invite(d, "daisy", digest("token"), until), ADMIN)


def join(cloud: Cloud, token: str = "token", credential: str = "one") -> None:
    cloud.decide(lambda d: decide_join(d, "daisy", token, digest(credential)), ADMIN)


def test_nothing_that_is_kept_lets_anybody_speak() -> None:
    cloud = Cloud()
    invite(cloud)
    join(cloud)
    kept = key(cloud)
    assert may_speak(kept, "one")
    assert not any(may_speak(kept, text) for text in (*kept.digests, "", "token", digest("token")))


@pytest.mark.parametrize("token", ["", "other", digest("token")])
def test_only_the_token_lets_in(token: str) -> None:
    cloud = Cloud()
    invite(cloud)
    with pytest.raises(UserError):
        join(cloud, token)


def test_a_token_is_good_once_and_for_its_time() -> None:
    cloud = Cloud()
    invite(cloud, EARLIER)
    with pytest.raises(UserError, match="was good until"):
        join(cloud)
    invite(cloud)
    join(cloud)
    with pytest.raises(UserError, match="used before"):
        join(cloud, credential="two")


def test_joining_and_changing_once_more_as_an_answer_may_be_lost_is_no_change() -> None:
    cloud = Cloud()
    invite(cloud)
    for _ in range(2):
        join(cloud)
    for _ in range(2):
        cloud.decide(lambda d: decide_rotate(d, "daisy", digest("two")), ADMIN)
    assert (may_speak(key(cloud), "one"), may_speak(key(cloud), "two")) == (True, True)
    cloud.decide(lambda d: decide_revoke(d, "daisy"), ADMIN)
    with pytest.raises(UserError):
        join(cloud, credential="two")


def test_an_invitation_leaves_what_a_host_speaks_with_until_it_joins_anew() -> None:
    cloud = Cloud()
    invite(cloud)
    join(cloud)
    invite(cloud)
    assert may_speak(key(cloud), "one")
    join(cloud, credential="two")
    assert (may_speak(key(cloud), "one"), may_speak(key(cloud), "two")) == (False, True)


def test_revoking_ends_credentials_and_invitations() -> None:
    cloud = Cloud()
    invite(cloud)
    join(cloud)
    invite(cloud)
    cloud.decide(lambda d: decide_revoke(d, "daisy"), ADMIN)
    assert not may_speak(key(cloud), "one")
    with pytest.raises(UserError):
        join(cloud)
    with pytest.raises(UserError, match="has not joined"):
        cloud.decide(lambda d: decide_rotate(d, "daisy", digest("two")), ADMIN)
