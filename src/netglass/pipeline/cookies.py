"""Cookies: how a flow says that it is ours, of which part of the compiler, and for which row of intent.

     63        48 47      40 39                                    0
    +------------+----------+---------------------------------------+
    |  0x4e47    | feature  |  hash of the first intent reference    |
    +------------+----------+---------------------------------------+

Forty bits are enough to tell the references on one host apart; to find the row again, hash those of the desired
state.  The mark alone makes a flow ours, so that a dump by `MASK` leaves everybody else's out.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

MARK = 0x4E47 << 48  # "NG"
MASK = 0xFFFF << 48

_LEARNT = 0x4E4C << 48  # "NL"
_HASH_BYTES = 5


class Cookie(NamedTuple):
    """What a cookie of ours says: the number of the feature, and the hash of the first intent reference."""

    feature: int
    hash: int


def pack_cookie(feature: int, ref: str) -> int:
    """Gives the cookie of a feature's flow for a reference such as ``network:<id>``; `feature` is 0..255."""
    return MARK | feature << 8 * _HASH_BYTES | hash_ref(ref)


def learnt_cookie(ref: str) -> int:
    """Gives the cookie of flows that the switch itself learns for a reference; without our mark, as they come and go.

    Each reference has its own, so that what was learnt for it can go with it.
    """
    return _LEARNT | hash_ref(ref)


def unpack_cookie(cookie: int) -> Cookie | None:
    """Reads a cookie; None for one that is not ours."""
    if cookie & MASK != MARK:
        return None
    return Cookie(cookie >> 8 * _HASH_BYTES & 0xFF, cookie & (1 << 8 * _HASH_BYTES) - 1)


@lru_cache(maxsize=8192)
def hash_ref(ref: str) -> int:
    """Gives the 40 bits that stand for a reference; the same on every machine and in every version."""
    return int.from_bytes(blake2b(ref.encode(), digest_size=_HASH_BYTES).digest(), "big")
