"""Rows that say who may send what to whom, and who may use whose objects; imported by way of ``model.resources``."""

from __future__ import annotations

from typing import ClassVar

from netglass.model.row import Described, Row

DEFAULT_GROUP = "default"
"""Name of the security group that each project has, and that no other may have."""


class SecurityGroup(Described, frozen=True, kw_only=True, omit_defaults=True):
    """What the ports that it is given to may send and receive: the sum of its rules.

    Each project has one called ``default``, there from the first time that somebody looks.
    """

    kind: ClassVar[str] = "security_group"

    stateful: bool = True  # answers to what was let through are let through


class SecurityGroupRule(Described, frozen=True, kw_only=True, omit_defaults=True):
    """One kind of packet that a group lets through; never changed, only made and deleted.

    The remote side is at most one of prefix, group and address group; none: anybody.
    """

    kind: ClassVar[str] = "security_group_rule"

    security_group_id: str
    direction: str  # ingress (to the port) or egress
    ethertype: str = "IPv4"  # or IPv6
    protocol: str = ""  # a name, or a number 0..255, as the caller spelled it; empty: any
    port_range_min: int | None = None  # TCP-like: port; ICMP: type; None: all
    port_range_max: int | None = None  # TCP-like: port; ICMP: code; None: all
    remote_ip_prefix: str = ""  # CIDR, canonical
    remote_group_id: str = ""
    remote_address_group_id: str = ""
    spelled_prefix: str = ""  # the prefix as the caller gave it, where that has bits of a host; only to be shown


class DefaultRule(Described, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that new groups begin with (``default_security_group_rules``); fields as `SecurityGroupRule`.

    Those that every cloud begins with have a row only once they are withdrawn.
    """

    kind: ClassVar[str] = "default_rule"

    direction: str
    ethertype: str = "IPv4"
    protocol: str = ""
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str = ""
    remote_group_id: str = ""  # PARENT: the new group itself
    remote_address_group_id: str = ""
    spelled_prefix: str = ""
    used_in_default_sg: bool = False  # of projects' groups called ``default``
    used_in_non_default_sg: bool = True  # of all others
    withdrawn: bool = False  # one that every cloud begins with, and that an administrator deleted


class AddressGroup(Described, frozen=True, kw_only=True, omit_defaults=True):
    """A named set of addresses that rules may refer to."""

    kind: ClassVar[str] = "address_group"

    addresses: tuple[str, ...] = ()  # CIDRs, canonical, ascending as text, each once


class RbacPolicy(Row, frozen=True, kw_only=True, omit_defaults=True):
    """What lets another project use an object as if it were shared (``rbac-policies``)."""

    kind: ClassVar[str] = "rbac_policy"

    object_type: str  # network, security_group, address_group
    object_id: str
    action: str = "access_as_shared"  # or access_as_external, of networks
    target_project: str  # a project's id, or * for all
