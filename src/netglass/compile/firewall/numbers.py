"""Numbers for what has a name, so that it has them everywhere and after every restart without anybody keeping them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def numbers(names: Iterable[str]) -> dict[str, int]:
    """Gives each name a number of 32 bits that it has everywhere, as long as no other here would have the same.

    A name that comes more than once is one name.
    """
    found: dict[str, int] = {}
    taken = {0}
    for name in sorted(set(names)):
        salt = 0
        while (number := _hash(name, salt)) in taken:
            salt += 1
        found[name] = number
        taken.add(number)
    return found


def _hash(name: str, salt: int) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=4, salt=salt.to_bytes(8, "big")).digest(), "big")
