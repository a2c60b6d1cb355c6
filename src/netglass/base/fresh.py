"""Time and randomness as arguments, so that deciding stays pure.

An effect (the API, the lab) makes one `Fresh` per request; a law makes one from a counter.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID


class Fresh:
    """What one decision may use that its inputs do not hold: the time, and new identifiers.

    now      the request's time, RFC 3339 in UTC with seconds, such as ``2026-11-21T02:00:00Z``
    entropy  gives that many bytes, never the same twice (``os.urandom`` outside tests)
    """

    def __init__(self, now: str, entropy: Callable[[int], bytes]) -> None:
        self.now = now
        self._entropy = entropy

    def uuid(self) -> str:
        """Gives a new random UUID (RFC 9562, version 4) in lower case."""
        return str(UUID(bytes=self._entropy(16), version=4))

    def mac(self, base: str) -> str:
        """Gives a MAC address under `base`, whose zero bytes after the third are filled at random.

        base  six bytes, such as ``fa:16:3e:00:00:00``; a fourth byte other than ``00`` is kept, as Neutron does
        """
        kept = base.split(":")
        count = 3 if kept[3] == "00" else 2
        filled = [f"{b:02x}" for b in self._entropy(count)]
        return ":".join([*kept[: 6 - count], *filled])

    def secret(self, size: int = 32) -> str:
        """Gives `size` random bytes in hexadecimal."""
        return self._entropy(size).hex()
