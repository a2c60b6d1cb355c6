"""Flavors and images: what a cloud starts with, and flavors that an admin adds.

Source: Compute API v2.1, flavors; the wording of faults is Nova's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from netglass.base.errors import Conflict, Forbidden, NotFound
from netglass.control.decision import Decision
from netglass.model.caller import Caller
from netglass.model.resources import Flavor, Image
from netglass.model.snapshot import Snapshot

_NAMES: Final = UUID("0d3f6f0a-2f4e-4c39-8a57-6d1b0f3a9c42")


def ensure_catalogue(d: Decision) -> None:
    """Makes image ``light`` and flavor ``nano`` where they are missing; changes nothing when called again.

    Their ids are the same in every cloud, so that what names them by id works everywhere.
    """
    image_id, flavor_id = str(uuid5(_NAMES, "image/light")), str(uuid5(_NAMES, "flavor/nano"))
    if d.snapshot.get(Image, image_id) is None:
        d.draft.put(Image(id=image_id, name="light", guest="light", created_at=d.now, updated_at=d.now))
    if d.snapshot.get(Flavor, flavor_id) is None:
        d.draft.put(Flavor(id=flavor_id, name="nano", vcpus=1, ram_mb=64, created_at=d.now, updated_at=d.now))


def visible_image(caller: Caller, image: Image) -> bool:
    """Says whether the caller may know of an image: public ones, their project's, all for an admin."""
    return caller.is_admin or image.visibility == "public" or bool(image.project_id == caller.project_id != "")


def find_flavor(snapshot: Snapshot, caller: Caller, flavor_id: str) -> Flavor:
    """Gives a flavor that the caller may use; raises NotFound."""
    flavor = snapshot.get(Flavor, flavor_id)
    if flavor is None or not (flavor.is_public or caller.is_admin):
        raise NotFound(f"Flavor {flavor_id} could not be found.", fault="FlavorNotFound")
    return flavor


def decide_create_flavor(d: Decision, wanted: Mapping[str, Any]) -> Flavor:
    """Makes a flavor.

    wanted  name; may hold id (made when absent), vcpus, ram_mb, disk_gb, is_public, description

    Raises Forbidden, and Conflict when id or name are taken.
    """
    _require_admin(d, "create")
    flavor_id = wanted.get("id") or d.fresh.uuid()
    # A cloud has a handful of flavors, and makes one in a year: no index is worth it.
    for flavor in d.snapshot.all(Flavor):
        if flavor_id == flavor.id:
            raise Conflict(f"Flavor with ID {flavor_id} already exists.", fault="FlavorIdExists")
        if wanted["name"] == flavor.name:
            raise Conflict(f"Flavor with name {flavor.name} already exists.", fault="FlavorExists")
    return d.draft.put(Flavor(**{**wanted, "id": flavor_id, "created_at": d.now, "updated_at": d.now}))


def decide_delete_flavor(d: Decision, flavor_id: str) -> None:
    """Drops a flavor; raises Forbidden, NotFound, and Conflict while servers have it."""
    _require_admin(d, "delete")
    flavor = find_flavor(d.snapshot, d.caller, flavor_id)
    users = len(d.snapshot.ids("servers_by_flavor", flavor_id))
    if users:
        raise Conflict(f"Flavor {flavor.name} is that of {users} servers: delete them first.", fault="FlavorInUse")
    d.draft.drop(flavor)


def _require_admin(d: Decision, action: str) -> None:
    if not d.caller.is_admin:
        raise Forbidden(f"Policy doesn't allow os_compute_api:os-flavor-manage:{action} to be performed.")
