"""Microversions: the form of Compute that a request asks for.

Source: Compute API, "Microversions".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from netglass.base.errors import Invalid

OLDEST: Final = 1
NEWEST: Final = 79
"""The newest form: 2.79.  Later ones add what this cloud has not; clients take the highest that both know."""

_WRITTEN = re.compile(r"2\.([1-9][0-9]{0,3})\Z")


class NotAcceptable(Invalid):
    """The microversion is not one that this server speaks (HTTP 406)."""

    status = 406


def read_minor(headers: Mapping[str, str]) -> int:
    """Gives the minor version that the headers ask for; 2.1 when they say nothing.

    Raises Invalid for what is no version, NotAcceptable for one that is not spoken here.
    """
    wanted = ""
    for part in headers.get("openstack-api-version", "").split(","):
        service, _, version = part.strip().partition(" ")
        if service.lower() == "compute":
            wanted = version.strip()
    wanted = wanted or headers.get("x-openstack-nova-api-version", "").strip()
    if not wanted:
        return OLDEST
    if wanted.lower() == "latest":
        return NEWEST
    found = _WRITTEN.match(wanted)
    if found is None:
        message = f"API Version String '{wanted}' is of invalid format. Must be of format MajorNum.MinorNum."
        raise Invalid(message, fault="InvalidAPIVersionString")
    minor = int(found[1])
    if minor > NEWEST:
        message = f"Version 2.{minor} is not supported by the API. Minimum is 2.{OLDEST} and maximum is 2.{NEWEST}."
        raise NotAcceptable(message, fault="InvalidGlobalAPIVersion")
    return minor


def version_headers(minor: int) -> dict[str, str]:
    """Gives the headers that say in which form an answer is."""
    return {
        "OpenStack-API-Version": f"compute 2.{minor}",
        "X-OpenStack-Nova-API-Version": f"2.{minor}",
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }
