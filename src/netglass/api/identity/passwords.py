"""Passwords: hashed to be kept, checked when somebody logs in.

Hashing is slow on purpose, and a busy client logs in all the time: so a password that was found to fit is remembered,
in memory only, as a hash under a key that dies with the process, beside the stored hash that it fitted.  When the
stored hash changes, nothing remembered fits any more.
Source: argon2id with the OWASP password storage cheat sheet's parameters (19 MiB, 2 passes, 1 lane).
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from netglass.model.resources import User

_REMEMBERED = 4096
"""Passwords that are known to fit; the oldest makes room."""

_AT_ONCE = 2
"""Hashes computed at the same time: each takes 19 MiB and a core for some 20 ms."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)

_NOBODY = _HASHER.hash(os.urandom(16))
"""What the password of an unknown user is compared with, so that the time taken does not tell that they are unknown."""


def hash_password(password: str) -> str:
    """Gives what is stored of a password: argon2id as a PHC string.  Takes some 20 ms and 19 MiB."""
    return _HASHER.hash(password)


class Passwords:
    """Checks and hashes passwords beside the event loop, `_AT_ONCE` at a time."""

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._fitting: dict[tuple[str, bytes], str] = {}
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")

    async def fits(self, user: User | None, password: str) -> bool:
        """Says whether the password is the user's; False for no user, or one without a password."""
        stored = user.password_hash if user is not None else ""
        place = (user.id if user is not None else "", self._digest(password))
        if stored and self._fitting.get(place) == stored:
            return True
        found = await asyncio.get_running_loop().run_in_executor(self._threads, _verify, stored or _NOBODY, password)
        if not stored or not found:
            return False
        self._remember(place, stored)
        return True

    async def hash(self, password: str) -> str:
        """Gives what is stored of a password."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, hash_password, password)

    def remember(self, user: User, password: str) -> None:
        """Takes note that the password is the user's: it has just been set."""
        self._remember((user.id, self._digest(password)), user.password_hash)

    def _remember(self, place: tuple[str, bytes], stored: str) -> None:
        while len(self._fitting) >= _REMEMBERED:
            del self._fitting[next(iter(self._fitting))]
        self._fitting[place] = stored

    def _digest(self, password: str) -> bytes:
        return blake2b(password.encode(), key=self._key, digest_size=32).digest()


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
