"""Address groups: named sets of addresses that rules of security groups may refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from netglass.api.networking import rule_kinds, schemas
from netglass.api.networking.bodies import bad_request
from netglass.api.networking.declare import Action, Attribute, Resource, Row, View
from netglass.api.networking.kinds import quoted
from netglass.api.networking.resources.common import DESCRIPTION, ID, NAME, OWNER, STAMPS, by
from netglass.control.address_groups import (
    decide_add_addresses,
    decide_create_address_group,
    decide_delete_address_group,
    decide_remove_addresses,
    decide_update_address_group,
)
from netglass.control.visibility import granted_ids
from netglass.model.caller import Caller
from netglass.model.resources import AddressGroup


def _rows(view: View, caller: Caller) -> Iterable[AddressGroup]:
    """Gives the caller's own, and those that are shared with the caller's project."""
    if caller.is_admin:
        return view.snapshot.all(AddressGroup)
    ids = {
        *view.snapshot.ids("address_groups_by_project", caller.project_id),
        *granted_ids(view.snapshot, caller.project_id, "address_group"),
    }
    found = (view.snapshot.get(AddressGroup, group_id) for group_id in ids)
    return [group for group in found if group is not None]


def _read_addresses(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Reads the body of an action; as Neutron, here a bare address stands for itself."""
    given = body.get("addresses")
    if not isinstance(given, list) or len(given) > rule_kinds.MOST_ADDRESSES:
        raise bad_request(f"Invalid input for addresses. Reason: {quoted(given)} is not a list of addresses.")
    return tuple(_read_address(address) for address in given)


def _read_address(given: Any) -> str:
    try:
        if not isinstance(given, str) or "%" in given:
            raise ValueError
        return str(ip_network(given, strict=False))
    except ValueError:
        raise bad_request(f"Invalid input for addresses. Reason: {quoted(given)} is not a valid IP subnet.") from None


def _show(group: AddressGroup, view: View, render: Callable[[Row], dict[str, Any]]) -> dict[str, Any]:
    return {"address_group": render(group)}


_BODY: schemas.Schema = {
    "type": "object",
    "properties": {"addresses": rule_kinds.BLOCKS.schema},
    "required": ["addresses"],
}
_ANSWER: schemas.Schema = {
    "type": "object",
    "properties": {"address_group": {"$ref": "#/components/schemas/address_group"}},
}

ADDRESS_GROUP = Resource(
    name="address_group",
    collection="address_groups",
    path="address-groups",
    about="A named set of addresses that rules of security groups may refer to.",
    missing="AddressGroupNotFound",
    find=lambda view, row_id: view.snapshot.get(AddressGroup, row_id),
    rows=_rows,
    indexes={"project_id": by("address_groups_by_project"), "tenant_id": by("address_groups_by_project")},
    create=decide_create_address_group,
    update=decide_update_address_group,
    delete=decide_delete_address_group,
    taggable=False,
    actions=(
        Action(
            name="add_addresses",
            about="Adds addresses; none of them may be there yet.",
            body=_BODY,
            answer=_ANSWER,
            read=_read_addresses,
            decide=decide_add_addresses,
            show=_show,
        ),
        Action(
            name="remove_addresses",
            about="Takes addresses away; all of them must be there.",
            body=_BODY,
            answer=_ANSWER,
            read=_read_addresses,
            decide=decide_remove_addresses,
            show=_show,
        ),
    ),
    attributes=(
        ID,
        NAME,
        *OWNER,
        Attribute(
            name="addresses",
            kind=rule_kinds.BLOCKS,
            about="Addresses and blocks of them; bits of a host are dropped.",
            post=True,
            default=(),
            filter=False,
        ),
        DESCRIPTION,
        *STAMPS,
    ),
)
