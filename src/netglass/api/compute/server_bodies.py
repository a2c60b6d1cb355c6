"""What requests on servers say, as types; everything that needs no look at intent is checked here."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from ipaddress import ip_address
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from netglass.base.errors import Invalid
from netglass.control.attachments import Nic
from netglass.control.servers import WantedServer

MOST_AT_ONCE = 100
"""Servers that one request may make."""

_USER_DATA_SIZE = 65535  # characters of base64, as in Nova

# No control characters, and none that a line or a terminal is broken by.
Name = Annotated[
    str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*\Z")
]
Text = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*\Z")]
Key = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9-_:. ]+\Z")]
Metadata = Annotated[dict[Key, Text], Meta(max_length=128)]
Tag = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[^,/\x00-\x1f\x7f]+\Z")]
Reference = Annotated[str, Meta(min_length=1, max_length=255)]
Count = Annotated[int, Meta(ge=1)] | Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}\Z")]


class NetworkBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of ``networks``."""

    uuid: str | None = None
    port: str | None = None
    fixed_ip: str | None = None
    tag: Tag | None = None


class GroupBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of ``security_groups``: a group's name or id."""

    name: Reference


class DiskBody(msgspec.Struct, frozen=True):
    """One entry of ``block_device_mapping_v2``; only the form that says what ``imageRef`` says too is taken."""

    uuid: str | None = None
    source_type: str = ""
    destination_type: str = ""
    boot_index: int | str | None = None


class ServerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /servers."""

    name: Name
    flavor: Reference | int = msgspec.field(name="flavorRef")
    image: str = msgspec.field(name="imageRef", default="")
    networks: list[NetworkBody] | str | UnsetType = UNSET
    min_count: Count = 1
    max_count: Count | UnsetType = UNSET
    availability_zone: Text | None = None
    key_name: Text | None = None
    security_groups: list[GroupBody] = []
    user_data: str | None = None
    config_drive: bool | str | None = None
    metadata: Metadata = {}
    description: Text | None = None
    tags: list[Tag] = []
    block_device_mapping_v2: list[DiskBody] = []
    return_reservation_id: bool | str = False
    disk_config: str = msgspec.field(name="OS-DCF:diskConfig", default="MANUAL")
    admin_pass: str = msgspec.field(name="adminPass", default="")
    hints: dict[str, Any] = msgspec.field(name="OS-SCH-HNT:scheduler_hints", default={})
    access_v4: str = msgspec.field(name="accessIPv4", default="")
    access_v6: str = msgspec.field(name="accessIPv6", default="")


class ServerChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of PUT /servers/{id}."""

    name: Name | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET


def wanted_server(body: ServerBody, minor: int, hosts_up: frozenset[str]) -> WantedServer:
    """Gives what a body asks for; raises Invalid for what is contradictory or not offered."""
    _refuse_not_offered(body)
    return WantedServer(
        name=body.name.strip(),
        flavor_id=str(body.flavor),
        image_id=_image_id(body),
        nics=_nics(body, minor),
        groups=tuple(group.name for group in body.security_groups),
        availability_zone=body.availability_zone,
        hosts_up=hosts_up,
        count=_count(body),
        attributes={
            "description": _description(body, minor),
            "user_data": _user_data(body.user_data),
            "config_drive": "True" if body.config_drive in (True, "true", "True", "1") else "",
            "metadata": dict(body.metadata),
            "tags": tuple(sorted(set(body.tags))),
        },
    )


def _refuse_not_offered(body: ServerBody) -> None:
    if body.key_name is not None:
        raise Invalid(f"Invalid key_name provided: there is no key pair {body.key_name!r}.", fault="KeypairNotFound")
    if body.hints:
        raise Invalid(f"Scheduler hints are not offered: {', '.join(sorted(body.hints))}.")
    if body.admin_pass:
        raise Invalid("adminPass is not offered: guests are given no passwords.")
    if body.access_v4 or body.access_v6:
        raise Invalid("accessIPv4 and accessIPv6 are not offered.")
    if body.disk_config not in ("AUTO", "MANUAL"):
        raise Invalid(f"Invalid input for OS-DCF:diskConfig: {body.disk_config!r} is neither AUTO nor MANUAL.")


def _image_id(body: ServerBody) -> str:
    image_id = body.image
    for disk in body.block_device_mapping_v2:
        local = (disk.source_type, disk.destination_type, str(disk.boot_index)) == ("image", "local", "0")
        if not local or disk.uuid is None or (image_id and disk.uuid != image_id):
            raise Invalid("Volumes are not offered: a server starts from one image, on its host's own disk.")
        image_id = disk.uuid
    if not image_id:
        raise Invalid("Invalid imageRef provided: a server needs an image.")
    return image_id


def _nics(body: ServerBody, minor: int) -> list[Nic] | str | None:
    networks = body.networks
    if networks is UNSET:
        if minor >= 37:
            raise Invalid("Invalid input for server: 'networks' is a required property.")
        return None
    if isinstance(networks, str):
        if networks not in ("auto", "none") or minor < 37:
            raise Invalid(f"Invalid input for networks: {networks!r} is neither a list nor 'auto' nor 'none'.")
        return networks
    return [_nic(network) for network in networks] if networks or minor >= 37 else None


def _nic(network: NetworkBody) -> Nic:
    if network.port is not None:
        if network.fixed_ip is not None:
            raise Invalid(f"Specified Fixed IP '{network.fixed_ip}' cannot be used with port '{network.port}'.")
        return Nic(port_id=network.port)
    if network.uuid is None:
        raise Invalid("Bad networks format: each entry names a network by 'uuid' or a port by 'port'.")
    if network.fixed_ip is None:
        return Nic(network_id=network.uuid)
    try:
        return Nic(network_id=network.uuid, fixed_ip=str(ip_address(network.fixed_ip)))
    except ValueError:
        raise Invalid(f"Invalid fixed IP address ({network.fixed_ip})") from None


def _count(body: ServerBody) -> int:
    fewest = int(body.min_count)
    most = fewest if body.max_count is UNSET else int(body.max_count)
    if fewest > most:
        raise Invalid("min_count must be <= max_count")
    if most > MOST_AT_ONCE:
        raise Invalid(f"max_count is {most}; one request may make {MOST_AT_ONCE} servers.")
    return most


def _description(body: ServerBody, minor: int) -> str | None:
    # Before 2.19 a server's description was its name.
    return body.description if minor >= 19 else body.name


def _user_data(text: str | None) -> str | None:
    if text is None:
        return None
    if len(text) > _USER_DATA_SIZE:
        raise Invalid(f"User data is {len(text)} characters of base64; at most {_USER_DATA_SIZE} are taken.")
    try:
        b64decode(re.sub(r"\s", "", text), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("Userdata content needs to be valid base 64.") from None
    return text
