"""The golden stories' cloud with everything on a single host, for a whole agent to run."""

from __future__ import annotations

import msgspec

from golden.stories import BASIC_USE_CASES, NET1
from netglass.model.resources import (
    Host,
    Image,
    LocalVlan,
    Network,
    Port,
    Row,
    SecurityGroup,
    SecurityGroupRule,
    Server,
    Subnet,
)

GROUP = SecurityGroup(id="anything", name="anything")
RULES = tuple(
    SecurityGroupRule(id=f"{direction}-{kind}", security_group_id=GROUP.id, direction=direction, ethertype=kind)
    for direction in ("ingress", "egress")
    for kind in ("IPv4", "IPv6")
)


def on_one_host(driver: str) -> list[Row]:
    """Gives the blog post's network with its DHCP server and its VM on one host, which is called ``all``."""
    rows: list[Row] = []
    for row in BASIC_USE_CASES:
        match row:
            case Host(id="control"):
                settings = msgspec.structs.replace(row.settings, firewall_driver=driver)
                rows.append(msgspec.structs.replace(row, id="all", roles=("hypervisor", "network"), settings=settings))
            case LocalVlan(host="control"):
                rows.append(msgspec.structs.replace(row, id=f"all/{NET1}", host="all"))
            case Port(device_owner=owner):
                groups = (GROUP.id,) if owner.startswith("compute:") else ()
                rows.append(msgspec.structs.replace(row, host_id="all", security_group_ids=groups))
            case Server():
                rows.append(msgspec.structs.replace(row, host="all", vm_state="active"))
            case Network() | Subnet() | Image():
                rows.append(row)
    return [*rows, GROUP, *RULES]
