"""The paths of the metadata API and what is at each: OpenStack's, by version, and EC2's.

A directory is listed as text, one entry on a line.  A version shows what it had when it was named, so that a guest
that asks for an old one is not surprised.
Source: Nova's metadata service; Amazon's instance metadata for the second tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netglass.api.metadata.documents import Subject, meta_data, network_data, user_data
from netglass.control.guest_groups import groups_of

Found = str | bytes | dict[str, Any] | None

OPENSTACK_VERSIONS = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
)
EC2_VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
)
_LATEST = "latest"

# file -> (the version that brought it, what it holds)
_FILES: dict[str, tuple[str, Callable[[Subject], Found]]] = {
    "meta_data.json": ("2012-08-10", meta_data),
    "user_data": ("2012-08-10", user_data),
    "password": ("2013-04-04", lambda _: ""),
    "vendor_data.json": ("2013-10-17", lambda _: {}),
    "network_data.json": ("2015-10-15", network_data),
    "vendor_data2.json": ("2016-10-06", lambda _: {}),
}
# key of meta_data.json -> the version that brought it
_KEYS = {
    "random_seed": "2013-04-04",
    "project_id": "2015-10-15",
    "keys": "2016-06-30",
    "devices": "2016-06-30",
    "dedicated_cpus": "2020-10-14",
}


def look_up(subject: Subject, path: str) -> Found:
    """Gives what is at a path below the API's root: a text, raw bytes or a JSON document; None for nothing."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return _lines((*EC2_VERSIONS, _LATEST))
    first, *rest = parts
    if first == "openstack":
        return _openstack(subject, rest)
    return _ec2(subject, rest) if first in (*EC2_VERSIONS, _LATEST) else None


def _openstack(subject: Subject, parts: list[str]) -> Found:
    if not parts:
        return _lines((*OPENSTACK_VERSIONS, _LATEST))
    version, *rest = parts
    if version not in (*OPENSTACK_VERSIONS, _LATEST):
        return None
    there = {name: read for name, (since, read) in _FILES.items() if since <= version}  # "latest" sorts last
    if not rest:
        return _lines(name for name in there if name != "user_data" or subject.server.user_data)
    if len(rest) > 1 or rest[0] not in there:
        return None
    found = there[rest[0]](subject)
    if rest[0] == "meta_data.json" and isinstance(found, dict):
        return {key: value for key, value in found.items() if _KEYS.get(key, "") <= version}
    return found


def _ec2(subject: Subject, parts: list[str]) -> Found:
    if not parts:
        return _lines(("meta-data/", *(["user-data"] if subject.server.user_data else [])))
    first, *rest = parts
    if first == "user-data":
        return user_data(subject) if not rest else None
    if first != "meta-data":
        return None
    here: Any = _ec2_meta_data(subject)
    for part in rest:
        if not isinstance(here, Mapping) or part not in here:
            return None
        here = here[part]
    if isinstance(here, Mapping):
        return _lines(f"{name}/" if isinstance(value, Mapping) else name for name, value in here.items())
    return str(here)


def _ec2_meta_data(subject: Subject) -> dict[str, Any]:
    server = subject.server
    short = server.id[:8]
    return {
        "ami-id": f"ami-{server.image_id[:8]}",
        "ami-launch-index": "0",
        "block-device-mapping": {"ami": "vda", "root": "/dev/vda"},
        "hostname": subject.hostname,
        "instance-action": "none",
        "instance-id": f"i-{short}",
        "instance-type": subject.flavor_name,
        "local-hostname": subject.hostname,
        "local-ipv4": subject.fixed_ipv4,
        "placement": {"availability-zone": server.availability_zone},
        "public-hostname": subject.hostname,
        "public-ipv4": subject.public_ipv4,
        "reservation-id": f"r-{short}",
        "security-groups": _lines(dict.fromkeys(g.name for g in groups_of(subject.snapshot, server))),
    }


def _lines(names: Any) -> str:
    return "\n".join(names)
