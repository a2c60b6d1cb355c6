"""Extensions of the Networking API that work here; clients ask for them before they use them.

An alias is listed when all that it promises works, and never before.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response

from netglass.api.edge import reply
from netglass.api.networking import schemas
from netglass.api.networking.call import Call
from netglass.api.networking.declare import Operation
from netglass.base.errors import NotFound


class Extension(msgspec.Struct, frozen=True):
    """One extension; alias, name and date are those that clients know, the description is ours."""

    alias: str
    name: str
    description: str
    updated: str
    links: tuple[str, ...] = ()


EXTENSIONS: tuple[Extension, ...] = (
    Extension(
        "aap-reject-multicast",
        "Allowed address pairs reject multicast extension",
        "An address pair is never multicast.",
        "2026-04-01T00:00:00-00:00",
    ),
    Extension(
        "address-group", "Address group", "Named sets of addresses that rules refer to.", "2020-07-15T10:00:00-00:00"
    ),
    Extension(
        "address-scope",
        "Address scope",
        "Subnet pools are in address scopes, inside of which routers do not translate.",
        "2015-07-26T10:00:00-00:00",
    ),
    Extension("agent", "agent", "Hosts' roles, listed as agents.", "2013-02-03T10:00:00-00:00"),
    Extension("agent_sort_key", "Agents Sort Key", "Agents can be sorted.", "2024-05-01T10:00:00-00:00"),
    Extension(
        "allowed-address-pairs",
        "Allowed Address Pairs",
        "Addresses beside its own that a port may send from.",
        "2013-07-23T10:00:00-00:00",
    ),
    Extension("availability_zone", "Availability Zone", "Zones in which DHCP is served.", "2015-01-01T10:00:00-00:00"),
    Extension(
        "availability_zone_filter",
        "Availability Zone Filter Extension",
        "Zones can be filtered by name, resource and state.",
        "2018-06-22T10:00:00-00:00",
    ),
    Extension("binding", "Port Binding", "How and where ports are plugged in.", "2014-02-03T10:00:00-00:00"),
    Extension(
        "default-subnetpools",
        "Default Subnetpools",
        "Subnets may ask for the default subnet pool.",
        "2016-02-18T18:00:00-00:00",
    ),
    Extension(
        "dhcp_agent_scheduler",
        "DHCP Agent Scheduler",
        "Administrators see and choose which hosts serve a network's DHCP.",
        "2013-02-07T10:00:00-00:00",
    ),
    Extension(
        "empty-string-filtering",
        "Empty String Filtering Extension",
        "A filter may ask for the empty string.",
        "2018-06-11T10:00:00-00:00",
    ),
    Extension(
        "expose-port-forwarding-in-fip",
        "Expose Floating IP port forwardings",
        "A floating IP shows its port forwardings.",
        "2018-06-28T16:00:00-00:00",
    ),
    Extension(
        "ext-gw-mode",
        "Neutron L3 Configurable external gateway mode",
        "SNAT of a router can be switched off.",
        "2013-03-28T10:00:00-00:00",
    ),
    Extension("external-net", "Neutron external network", "Networks that lead outside.", "2013-01-14T10:00:00-00:00"),
    Extension("extra_dhcp_opt", "Neutron Extra DHCP options", "DHCP options of one port.", "2013-03-17T12:00:00-00:00"),
    Extension("extraroute", "Neutron Extra Route", "Routers have extra routes.", "2013-02-01T10:00:00-00:00"),
    Extension(
        "extraroute-atomic",
        "Atomically add/remove extra routes",
        "Extra routes can be added and taken away one by one.",
        "2019-07-10T00:00:00+00:00",
    ),
    Extension(
        "filter-validation",
        "Filter parameters validation",
        "An unknown filter is an error.",
        "2018-03-21T10:00:00-00:00",
    ),
    Extension(
        "fip-port-details",
        "Floating IP Port Details Extension",
        "A floating IP shows its port.",
        "2018-04-09T10:00:00-00:00",
    ),
    Extension(
        "floating-ip-port-forwarding",
        "Floating IP Port Forwarding",
        "Ports of a floating IP lead to ports of a project's ports.",
        "2018-01-19T10:00:00-00:00",
    ),
    Extension(
        "floating-ip-port-forwarding-description",
        "Floating IP Port Forwarding new attribute description",
        "Port forwardings have a description.",
        "2019-11-01T10:00:00-00:00",
    ),
    Extension(
        "floating-ip-port-forwarding-detail",
        "Floating IP port forwarding detail",
        "A floating IP shows the ids of its port forwardings and of what they lead to.",
        "2022-05-06T10:00:00-00:00",
    ),
    Extension(
        "floating-ip-port-forwarding-port-ranges",
        "Floating IP Port Forwarding support port ranges",
        "Ranges of ports can be forwarded.",
        "2020-07-01T10:00:00-00:00",
    ),
    Extension(
        "ip-substring-filtering",
        "IP address substring filtering",
        "Ports can be found by part of an address.",
        "2017-11-28T09:00:00-00:00",
    ),
    Extension(
        "l3_agent_scheduler",
        "L3 Agent Scheduler",
        "Administrators see and choose which host carries a router.",
        "2013-02-07T10:00:00-00:00",
    ),
    Extension("net-mtu", "Network MTU", "Networks have an MTU.", "2015-03-25T10:00:00-00:00"),
    Extension("net-mtu-writable", "Network MTU (writable)", "A network's MTU can be set.", "2017-07-12T00:00:00-00:00"),
    Extension(
        "network_availability_zone",
        "Network Availability Zone",
        "Networks name zones, and show those that serve them.",
        "2015-01-01T10:00:00-00:00",
    ),
    Extension("pagination", "Pagination support", "Lists come in pages.", "2016-06-12T00:00:00-00:00"),
    Extension("port-security", "Port Security", "Ports may be let use any address.", "2012-07-23T10:00:00-00:00"),
    Extension(
        "port-security-groups-filtering",
        "Port filtering on security groups",
        "Ports can be found by their security groups.",
        "2018-01-09T09:00:00-00:00",
    ),
    Extension("project-id", "project_id field enabled", "Owners are named project_id.", "2016-09-09T09:09:09-09:09"),
    Extension("provider", "Provider Network", "Networks show what carries them.", "2012-09-07T10:00:00-00:00"),
    Extension(
        "quota-check-limit",
        "Quota engine limit check",
        "A limit may be checked against what is used.",
        "2021-10-15T00:00:00-00:00",
    ),
    Extension(
        "quota-check-limit-default",
        "Quota engine limit check by default",
        "A limit is checked against what is used unless the request forces it.",
        "2021-12-02T00:00:00-00:00",
    ),
    Extension(
        "quota_details", "Quota details management support", "Limits with what is used.", "2017-02-10T10:00:00-00:00"
    ),
    Extension("quotas", "Quota management support", "Limits of projects.", "2012-07-29T10:00:00-00:00"),
    Extension(
        "rbac-address-group",
        "Add address_group type to RBAC",
        "Address groups can be shared.",
        "2021-01-20T00:00:00-00:00",
    ),
    Extension(
        "rbac-address-scope",
        "Add address_scope type to RBAC",
        "Address scopes can be shared.",
        "2020-02-12T00:00:00-00:00",
    ),
    Extension("rbac-policies", "RBAC Policies", "Networks can be shared with projects.", "2015-06-17T12:15:12-00:00"),
    Extension(
        "rbac-security-groups",
        "Add security_group type to network RBAC",
        "Security groups can be shared.",
        "2019-02-14T00:00:00-00:00",
    ),
    Extension(
        "rbac-subnetpool",
        "Add subnetpool type to RBAC",
        "Subnet pools can be shared.",
        "2020-02-05T00:00:00-00:00",
    ),
    Extension(
        "revision-if-match",
        "If-Match constraints based on revision_number",
        "A change may insist on a revision.",
        "2016-12-11T00:00:00-00:00",
    ),
    Extension(
        "router",
        "Neutron L3 Router",
        "Routers between subnets and to external networks, and floating IPs.",
        "2012-07-20T10:00:00-00:00",
    ),
    Extension(
        "router_availability_zone",
        "Router Availability Zone",
        "Routers name zones, and show the one they run in.",
        "2015-01-01T10:00:00-00:00",
    ),
    Extension(
        "security-group",
        "security-group",
        "What ports may send and receive.",
        "2012-10-05T10:00:00-00:00",
    ),
    Extension(
        "security-groups-default-rules",
        "Default rules for security groups",
        "Administrators choose the rules that new groups begin with.",
        "2022-12-19T10:00:00-00:00",
    ),
    Extension(
        "security-groups-normalized-cidr",
        "Normalized CIDR field for security group rules",
        "A rule shows its prefix without bits of a host.",
        "2020-07-28T10:00:00-00:00",
    ),
    Extension(
        "security-groups-remote-address-group",
        "Remote address group id field for security group rules",
        "A rule may refer to an address group.",
        "2020-08-25T10:00:00-00:00",
    ),
    Extension(
        "security-groups-rules-belongs-to-default-sg",
        "Security group rule belongs to the project's default security group",
        "A rule shows whether its group is its project's default group.",
        "2023-05-23T10:00:00-00:00",
    ),
    Extension(
        "security-groups-shared-filtering",
        "Security group filtering on the shared field",
        "Groups can be found by whether they are shared.",
        "2021-10-05T09:00:00-00:00",
    ),
    Extension("service-type", "Neutron Service Type Management", "Providers of services.", "2013-01-20T00:00:00-00:00"),
    Extension(
        "sort-key-validation", "Sort keys validation", "An unknown sort key is an error.", "2021-04-12T00:00:00-00:00"
    ),
    Extension("sorting", "Sorting support", "Lists can be sorted.", "2016-06-12T00:00:00-00:00"),
    Extension(
        "standard-attr-description",
        "standard-attr-description",
        "Objects have a description.",
        "2016-02-10T10:00:00-00:00",
    ),
    Extension(
        "standard-attr-revisions",
        "Resource revision numbers",
        "Objects have a revision number.",
        "2016-04-11T10:00:00-00:00",
    ),
    Extension(
        "standard-attr-tag",
        "Tag support for resources with standard attribute: network, subnet, subnetpool, port, router, "
        "floatingip, security_group",
        "Objects have tags.",
        "2017-01-01T00:00:00-00:00",
    ),
    Extension(
        "standard-attr-timestamp",
        "Resource timestamps",
        "Objects tell when they were made and changed.",
        "2016-09-12T10:00:00-00:00",
    ),
    Extension(
        "stateful-security-group",
        "Stateful security group",
        "A group may be stateless.",
        "2019-11-26T09:00:00-00:00",
    ),
    Extension(
        "subnet-external-network",
        "Subnet belongs to an external network",
        "Subnets show whether their network leads outside.",
        "2022-07-08T00:00:00-00:00",
    ),
    Extension(
        "subnet-service-types", "Subnet service types", "Subnets kept for some devices.", "2016-03-15T18:00:00-00:00"
    ),
    Extension(
        "subnet_allocation",
        "Subnet Allocation",
        "Subnets get their block out of subnet pools.",
        "2015-03-30T10:00:00-00:00",
    ),
    Extension(
        "subnet_onboard",
        "Subnet Onboard",
        "A network's subnets can be made subnets of a subnet pool.",
        "2018-12-18T09:00:00-00:00",
    ),
    Extension(
        "subnetpool-prefix-ops",
        "Subnet Pool Prefix Operations",
        "Prefixes can be added to subnet pools and taken away.",
        "2019-02-08T10:00:00-00:00",
    ),
    Extension("tag-creation", "Tag creation extension", "Several tags can be added.", "2024-02-23T00:00:00-00:00"),
    Extension(
        "tag-ports-during-bulk-creation",
        "Tag Ports During Bulk Creation",
        "New ports can have tags.",
        "2019-12-29T19:00:00-00:00",
    ),
)

_BY_ALIAS = {extension.alias: extension for extension in EXTENSIONS}


async def _list(call: Call) -> Response:
    return reply({"extensions": EXTENSIONS})


async def _show(call: Call) -> Response:
    alias = call.part("alias")
    if alias not in _BY_ALIAS:
        raise NotFound(f"Extension with alias {alias} does not exist")
    return reply({"extension": _BY_ALIAS[alias]})


_ONE: dict[str, Any] = {
    "type": "object",
    "properties": dict.fromkeys(("alias", "name", "description", "updated"), schemas.TEXT)
    | {"links": {"type": "array"}},
}

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/v2.0/extensions",
        run=_list,
        tag="extensions",
        about="Lists the extensions that work here.",
        answer={"type": "object", "properties": {"extensions": {"type": "array", "items": _ONE}}},
    ),
    Operation(
        method="GET",
        path="/v2.0/extensions/{alias}",
        run=_show,
        tag="extensions",
        about="Shows one extension; 404 says that it does not work here.",
        answer={"type": "object", "properties": {"extension": _ONE}},
    ),
)
