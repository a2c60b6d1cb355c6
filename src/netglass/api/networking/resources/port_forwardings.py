"""Port forwardings: ports of a floating IP that lead to ports of a project's ports.

Source: Networking API v2.0, extensions ``floating-ip-port-forwarding`` and, beside it, ``-description``, ``-detail``
and ``-port-ranges``.
"""

from __future__ import annotations

from typing import Any

from netglass.api.networking import kinds
from netglass.api.networking.declare import Attribute, Parent, Resource, View
from netglass.api.networking.kinds import Kind, Wrong, quoted
from netglass.api.networking.resources.common import DESCRIPTION, ID
from netglass.api.networking.resources.floating_ips import FLOATING_IP
from netglass.control.port_forwardings import (
    decide_create_forwarding,
    decide_delete_forwarding,
    decide_update_forwarding,
)
from netglass.model.resources import FORWARDED_PROTOCOLS, PortForwarding

_PORT = kinds.integer(1, 65535)
_NUMBERS = {"6": "tcp", "17": "udp", "132": "sctp"}  # IANA's


def _parse_protocol(value: Any) -> str:
    spelled = str(value).lower()
    found = _NUMBERS.get(spelled, spelled)
    if found not in FORWARDED_PROTOCOLS:
        raise Wrong(f"{quoted(value)} is not in {list(FORWARDED_PROTOCOLS)}")
    return found


def _parse_range(value: Any) -> tuple[int, int] | None:
    """Reads ``first:last`` or a single port; null is none."""
    if value is None:
        return None
    ports = str(value).split(":")
    if len(ports) > 2 or not all(ports):
        raise Wrong("Port range must be two integers separated by a colon")
    first, last = _PORT.parse(ports[0]), _PORT.parse(ports[-1])
    if first > last:
        raise Wrong("First port in a port range must be lower than the second port")
    return first, last


_RANGE = Kind(_parse_range, {"type": ["string", "null"], "examples": ["8000:8010"]})
_PROTOCOL = Kind(_parse_protocol, {"type": "string", "enum": list(FORWARDED_PROTOCOLS)}, str.lower)


def _external(row: PortForwarding, view: View) -> int | None:
    return row.external_port if row.external_port == row.external_port_last else None


def _internal(row: PortForwarding, view: View) -> int | None:
    return row.internal_port if row.internal_port == row.internal_port_last else None


PORT_FORWARDING = Resource(
    name="port_forwarding",
    collection="port_forwardings",
    about="A port of a floating IP, or a range of ports, that leads to one of a project's ports.",
    missing="PortForwardingNotFound",
    parent=Parent("floating_ip_id", FLOATING_IP, children="port_forwardings_by_floating_ip"),
    find=lambda view, row_id: view.snapshot.get(PortForwarding, row_id),
    rows=lambda view, caller: view.snapshot.all(PortForwarding),
    create=decide_create_forwarding,
    update=decide_update_forwarding,
    delete=decide_delete_forwarding,
    taggable=False,
    attributes=(
        ID,
        Attribute(
            name="project_id",
            kind=kinds.text(),
            about="Taken, and without meaning: a port forwarding is its floating IP's project's.",
            post=True,
            visible=False,
            filter=False,
        ),
        Attribute(
            name="protocol",
            kind=_PROTOCOL,
            about="Protocol of the ports; by name or IANA's number.",
            post=True,
            put=True,
            required=True,
            sort=True,
        ),
        Attribute(
            name="external_port",
            kind=kinds.nullable(_PORT),
            about="Port of the floating IP; null for a range.",
            post=True,
            put=True,
            show=_external,
            sort=True,
        ),
        Attribute(
            name="external_port_range",
            kind=_RANGE,
            about="First and last port of the floating IP.",
            post=True,
            put=True,
            show=lambda row, view: f"{row.external_port}:{row.external_port_last}",
            sort=True,
        ),
        Attribute(
            name="internal_port_id",
            kind=kinds.UUID,
            about="Port that it leads to.",
            post=True,
            put=True,
            required=True,
            sort=True,
        ),
        Attribute(
            name="internal_ip_address",
            kind=kinds.ADDRESS,
            about="Which of that port's IPv4 addresses.",
            post=True,
            put=True,
            required=True,
            filter=False,
        ),
        Attribute(
            name="internal_port",
            kind=kinds.nullable(_PORT),
            about="Port there; null for a range.",
            post=True,
            put=True,
            show=_internal,
            filter=False,
        ),
        Attribute(
            name="internal_port_range",
            kind=_RANGE,
            about="First and last port there: as many as outside, each for the one at its place, or a single one.",
            post=True,
            put=True,
            show=lambda row, view: f"{row.internal_port}:{row.internal_port_last}",
            filter=False,
        ),
        DESCRIPTION,
    ),
)
