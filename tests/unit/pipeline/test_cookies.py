from __future__ import annotations

from netglass.pipeline.cookies import MASK, hash_ref, pack_cookie, unpack_cookie


def test_a_cookie_tells_feature_and_reference_again() -> None:
    cookie = pack_cookie(3, "network:5f833617-6179-4797-b7c0-7d420d84040c")
    found = unpack_cookie(cookie)
    assert found is not None
    assert found.feature == 3
    assert found.hash == hash_ref("network:5f833617-6179-4797-b7c0-7d420d84040c")
    assert cookie & MASK == 0x4E47 << 48
    assert cookie < 1 << 64


def test_the_hash_of_a_reference_is_the_same_for_ever() -> None:
    assert hash_ref("network:a") == 0x444DCE2A24


def test_somebody_elses_cookie_is_not_read() -> None:
    assert unpack_cookie(0) is None
    assert unpack_cookie(0x4E46FFFFFFFFFFFF) is None
