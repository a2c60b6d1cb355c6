"""Which of the routes that lead to an address is taken."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Protocol, TypeVar


class Destined(Protocol):
    """A route: where to, and by whom."""

    @property
    def destination(self) -> str:
        """CIDR."""


R = TypeVar("R", bound=Destined)


def best_route(routes: Iterable[R], address: str) -> R | None:
    """Gives the most precise of the routes that lead to an address, the first of equals."""
    wanted = ip_address(address)
    fitting = [route for route in routes if wanted in ip_network(route.destination, strict=False)]
    return max(fitting, key=lambda route: ip_network(route.destination, strict=False).prefixlen, default=None)
