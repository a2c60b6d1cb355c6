"""Service providers: what carries a service, as clients of Neutron ask before they choose one.

There is one: routers, each on one network host at a time.
Source: Networking API extension ``service-type``; the names are those of Neutron's L3 service plugin.
"""

from __future__ import annotations

import msgspec

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Resource


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """One provider of one service.

    id          its name, for lists are ordered by id
    default     whether a service of this type is its, where none is named
    project_id  always empty: providers are the cloud's
    """

    id: str
    service_type: str
    default: bool
    project_id: str = ""


_PROVIDERS = (Provider(id="single_node", service_type="L3_ROUTER_NAT", default=True),)

SERVICE_PROVIDER = Resource(
    name="service_provider",
    collection="service_providers",
    path="service-providers",
    about="What carries a service.",
    missing="ServiceProviderNotFound",
    find=lambda view, row_id: next((one for one in _PROVIDERS if one.id == row_id), None),
    rows=lambda view, caller: _PROVIDERS,
    shown=False,
    taggable=False,
    attributes=(
        Attribute(name="service_type", kind=kinds.text(), about="The service, such as L3_ROUTER_NAT.", sort=True),
        Attribute(name="name", field="id", kind=kinds.text(), about="Its name.", sort=True),
        Attribute(name="default", kind=kinds.BOOLEAN, about="Whether it serves where none is named.", sort=True),
    ),
)
