"""Rows that say where subnets' addresses come from; imported by way of ``model.resources``."""

from __future__ import annotations

from typing import ClassVar

from netglass.model.row import Described, Row


class SubnetPool(Described, frozen=True, kw_only=True, omit_defaults=True):
    """Prefixes out of which subnets get their CIDR, no two of them the same addresses."""

    kind: ClassVar[str] = "subnetpool"

    ip_version: int
    prefixes: tuple[str, ...]  # at least one; ascending, joined where they can be, none in another
    default_prefixlen: int  # of a subnet that names no length
    min_prefixlen: int  # the largest subnet
    max_prefixlen: int  # the smallest subnet
    default_quota: int | None = None  # most that a project gets: addresses (IPv4) or /64s (IPv6); None and 0: no limit
    is_default: bool = False  # one at most for each IP version
    shared: bool = False
    address_scope_id: str = ""


class AddressScope(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Where addresses are unique, so that between its subnets they are routed and never translated."""

    kind: ClassVar[str] = "address_scope"

    name: str = ""
    ip_version: int
    shared: bool = False
