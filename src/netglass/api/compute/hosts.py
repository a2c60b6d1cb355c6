"""The calls on hosts: hypervisors, services, availability zones.

For administrators, but for the zones, which everybody may name.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Call, Calls
from netglass.api.compute.pages import cut, next_link
from netglass.api.edge import reply
from netglass.base.errors import Invalid, NotFound, UserError
from netglass.control.placement import HYPERVISOR, decide_enable_host, zones
from netglass.model.resources import Flavor, Host, Server

_NAMES = UUID("9c6c1f0b-2d0e-4b37-8c52-7f6f1b9d4e21")

BINARY = "nova-compute"
"""What clients know the service by that runs guests on a host; here it is the agent."""


class ServiceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of PUT /os-services/{id} (2.53 and later)."""

    status: str
    disabled_reason: str | None = None


class OldServiceBody(msgspec.Struct, frozen=True):
    """The body of PUT /os-services/enable and its like (before 2.53)."""

    host: str
    binary: str = BINARY


class NotImplementedHere(UserError):
    """What Compute may offer, and this cloud does not (HTTP 501)."""

    status = 501


class Hosts:
    """Answers the calls on hosts."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        return [
            route("GET", "/os-hypervisors", self.hypervisors),
            route("GET", "/os-hypervisors/detail", self.hypervisors_detail),
            route("GET", "/os-hypervisors/statistics", self.statistics),
            route("GET", "/os-hypervisors/{id}", self.hypervisor),
            route("GET", "/os-hypervisors/{id}/uptime", self.uptime),
            route("GET", "/os-services", self.services),
            route("PUT", "/os-services/enable", self.enable),
            route("PUT", "/os-services/disable", self.disable),
            route("PUT", "/os-services/{id}", self.set_service),
            route("GET", "/os-availability-zone", self.zones),
            route("GET", "/os-availability-zone/detail", self.zones_detail),
        ]

    async def hypervisors(self, call: Call) -> Response:
        """Answers GET /os-hypervisors."""
        call.require_admin("os-hypervisors:list")
        return self._listed(call, "/os-hypervisors", _brief_hypervisor)

    async def hypervisors_detail(self, call: Call) -> Response:
        """Answers GET /os-hypervisors/detail."""
        call.require_admin("os-hypervisors:list-detail")
        return self._listed(call, "/os-hypervisors/detail", _whole_hypervisor)

    def _listed(self, call: Call, path: str, shape: Any) -> Response:
        pattern = call.request.query_params.get("hypervisor_hostname_pattern", "")
        rows = [host for host in _hypervisors(call) if pattern in host.id]
        if pattern and not rows:
            raise NotFound(f"No hypervisor matching '{pattern}' could be found.")
        rows, more = cut(call.request, rows)
        answer: dict[str, Any] = {"hypervisors": [shape(call, row) for row in rows]}
        if more:
            answer["hypervisors_links"] = next_link(call.request, call.base + path, rows[-1].id)
        return reply(answer)

    async def hypervisor(self, call: Call) -> Response:
        """Answers GET /os-hypervisors/{id}."""
        call.require_admin("os-hypervisors:show")
        return reply({"hypervisor": _whole_hypervisor(call, _by_shown_id(call, "Hypervisor"))})

    async def uptime(self, call: Call) -> Response:
        """Answers GET /os-hypervisors/{id}/uptime, which hosts do not report: clients go on without it on 501."""
        call.require_admin("os-hypervisors:uptime")
        _by_shown_id(call, "Hypervisor")
        raise NotImplementedHere("Hosts do not report for how long they are up.", fault="HTTPNotImplemented")

    async def statistics(self, call: Call) -> Response:
        """Answers GET /os-hypervisors/statistics: the sums over all hosts."""
        call.require_admin("os-hypervisors:statistics")
        shown = [_sizes(call, host) for host in _hypervisors(call)]
        names = list(_sizes(call, Host(id="")))
        sums = {name: sum(sizes[name] for sizes in shown) for name in names}
        return reply({"hypervisor_statistics": sums | {"count": len(shown)}})

    async def services(self, call: Call) -> Response:
        """Answers GET /os-services."""
        call.require_admin("os-services:list")
        query = call.request.query_params
        rows = [host for host in _hypervisors(call) if query.get("host", host.id) == host.id]
        if query.get("binary", BINARY) != BINARY:
            rows = []
        return reply({"services": [_service(call, host) for host in rows]})

    async def set_service(self, call: Call) -> Response:
        """Answers PUT /os-services/{id}: a host that is disabled is given no more servers."""
        call.require_admin("os-services:update")
        body = await call.body_whole(ServiceBody)
        if body.status not in ("enabled", "disabled"):
            raise Invalid(f"Invalid input for status: {body.status!r} is neither enabled nor disabled.")
        if body.disabled_reason is not None:
            raise Invalid("disabled_reason is not kept: leave it out.")
        host = _by_shown_id(call, "Service")
        return await self._set(call, host.id, enabled=body.status == "enabled")

    async def enable(self, call: Call) -> Response:
        """Answers PUT /os-services/enable."""
        return await self._set(call, (await call.body_whole(OldServiceBody)).host, enabled=True)

    async def disable(self, call: Call) -> Response:
        """Answers PUT /os-services/disable."""
        return await self._set(call, (await call.body_whole(OldServiceBody)).host, enabled=False)

    async def _set(self, call: Call, host_id: str, *, enabled: bool) -> Response:
        host, _ = await call.commit(lambda d: decide_enable_host(d, host_id, enabled=enabled))
        return reply({"service": _service(call, host)})

    async def zones(self, call: Call) -> Response:
        """Answers GET /os-availability-zone."""
        return reply(
            {"availabilityZoneInfo": [_zone(call, name, hosts) for name, hosts in zones(call.snapshot).items()]}
        )

    async def zones_detail(self, call: Call) -> Response:
        """Answers GET /os-availability-zone/detail, which names hosts."""
        call.require_admin("os-availability-zone:detail")
        shown = []
        for name, hosts in zones(call.snapshot).items():
            by_host = {host.id: {BINARY: _zone_service(call, host)} for host in hosts}
            shown.append(_zone(call, name, hosts) | {"hosts": by_host})
        return reply({"availabilityZoneInfo": shown})


def _hypervisors(call: Call) -> list[Host]:
    return call.snapshot.rows("hosts_by_role", HYPERVISOR)


def _shown_id(call: Call, host: Host) -> str | int:
    """Gives a host's id: a UUID from 2.53 on, a number before; both follow from its name."""
    found = uuid5(_NAMES, host.id)
    return str(found) if call.minor >= 53 else found.int % 2_147_483_647


def _by_shown_id(call: Call, kind: str) -> Host:
    for host in _hypervisors(call):
        if str(_shown_id(call, host)) == call.part("id"):
            return host
    raise NotFound(f"{kind} with ID '{call.part('id')}' could not be found.")


def _brief_hypervisor(call: Call, host: Host) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": _shown_id(call, host),
        "hypervisor_hostname": host.id,
        "state": "up" if call.alive(host.id) else "down",
        "status": "enabled" if host.enabled else "disabled",
    }
    if call.minor >= 53 and call.request.query_params.get("with_servers", "").lower() in ("1", "true"):
        rows: list[Server] = call.snapshot.rows("servers_by_host", host.id)
        shown["servers"] = [{"name": server.name, "uuid": server.id} for server in rows]
    return shown


def _whole_hypervisor(call: Call, host: Host) -> dict[str, Any]:
    service = {"id": _shown_id(call, host), "host": host.id, "disabled_reason": None}
    return (
        _brief_hypervisor(call, host)
        | _sizes(call, host)
        | {
            "host_ip": host.address,
            "hypervisor_type": "netglass",
            "hypervisor_version": 1,
            "cpu_info": {} if call.minor >= 28 else "{}",
            "service": service,
        }
    )


def _sizes(call: Call, host: Host) -> dict[str, int]:
    servers: list[Server] = call.snapshot.rows("servers_by_host", host.id)
    found = [call.snapshot.get(Flavor, server.flavor_id) for server in servers]
    flavors = [flavor for flavor in found if flavor is not None]
    memory, disk = sum(f.ram_mb for f in flavors), sum(f.disk_gb for f in flavors)
    return {
        "vcpus": host.vcpus,
        "vcpus_used": sum(f.vcpus for f in flavors),
        "memory_mb": host.memory_mb,
        "memory_mb_used": memory,
        "free_ram_mb": host.memory_mb - memory,
        "local_gb": host.disk_gb,
        "local_gb_used": disk,
        "free_disk_gb": host.disk_gb - disk,
        "disk_available_least": host.disk_gb - disk,
        "running_vms": sum(server.vm_state == "active" for server in servers),
        "current_workload": sum(server.task_state is not None for server in servers),
    }


def _service(call: Call, host: Host) -> dict[str, Any]:
    shown = {
        "id": _shown_id(call, host),
        "binary": BINARY,
        "host": host.id,
        "zone": host.availability_zone,
        "status": "enabled" if host.enabled else "disabled",
        "state": "up" if call.alive(host.id) else "down",
        "updated_at": _heard_at(call, host),
        "disabled_reason": None,
    }
    return shown | {"forced_down": False} if call.minor >= 11 else shown


def _zone(call: Call, name: str, hosts: list[Host]) -> dict[str, Any]:
    available = any(host.enabled and call.alive(host.id) for host in hosts)
    return {"zoneName": name, "zoneState": {"available": available}, "hosts": None}


def _zone_service(call: Call, host: Host) -> dict[str, Any]:
    return {"active": host.enabled, "available": call.alive(host.id), "updated_at": _heard_at(call, host)}


def _heard_at(call: Call, host: Host) -> str | None:
    last = call.services.reports.get(host.id)
    return last.at.removesuffix("Z") + ".000000" if last is not None else None
