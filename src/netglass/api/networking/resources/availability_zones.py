"""Availability zones: where the services of networks may be placed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Resource, View
from netglass.control.availability import network_zones
from netglass.model.caller import Caller


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """One zone with hosts that serve networks.

    id          its name, for lists are ordered by id
    state       available when one of its hosts takes new DHCP servers
    resource    what is placed in it
    project_id  always empty: zones are the cloud's
    """

    id: str
    state: str
    resource: str = "network"
    project_id: str = ""


def _rows(view: View, caller: Caller | None = None) -> Iterable[Zone]:
    zones = network_zones(view.snapshot)
    return [Zone(id=name, state="available" if open_ else "unavailable") for name, open_ in zones.items()]


AVAILABILITY_ZONE = Resource(
    name="availability_zone",
    collection="availability_zones",
    about="A zone in which the services of networks may be placed.",
    missing="AvailabilityZoneNotFound",
    find=lambda view, row_id: next((zone for zone in _rows(view) if zone.id == row_id), None),
    rows=_rows,
    shown=False,
    taggable=False,
    attributes=(
        Attribute(name="name", field="id", kind=kinds.text(), about="Its name.", sort=True),
        Attribute(name="resource", kind=kinds.text(), about="What is placed in it: network.", sort=True),
        Attribute(name="state", kind=kinds.text(), about="available or unavailable.", sort=True),
    ),
)
