"""The calls under /servers, but for actions."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from netglass.api.compute.calls import Call, Calls
from netglass.api.compute.group_view import whole_group
from netglass.api.compute.pages import cut, next_link
from netglass.api.compute.server_bodies import Metadata, ServerBody, ServerChanges, wanted_server
from netglass.api.compute.server_filters import found_servers
from netglass.api.compute.server_view import addresses_of, brief_server, server_links, whole_server
from netglass.api.edge import reply
from netglass.base.errors import Conflict, Forbidden, NotFound
from netglass.control.guest_groups import groups_of
from netglass.control.placement import HYPERVISOR
from netglass.control.servers import (
    decide_create_server,
    decide_delete_server,
    decide_update_server,
    find_server,
)
from netglass.model.resources import DEFAULT_GROUP, Port, Server


class Servers:
    """Answers the calls under /servers."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def routes(self) -> list[Route]:
        """Gives the routes."""
        route = self._calls.route
        one = "/servers/{server}"
        return [
            route("GET", "/servers", self.list),
            route("POST", "/servers", self.create),
            route("GET", "/servers/detail", self.detail),
            route("GET", one, self.show),
            route("PUT", one, self.update),
            route("DELETE", one, self.delete),
            route("GET", one + "/ips", self.addresses),
            route("GET", one + "/os-interface", self.interfaces),
            route("GET", one + "/os-interface/{port}", self.interface),
            route("GET", one + "/os-volume_attachments", self.volumes),
            route("GET", one + "/os-security-groups", self.groups),
            route("GET", one + "/metadata", self.metadata),
            route("POST", one + "/metadata", self.add_metadata),
            route("PUT", one + "/metadata", self.replace_metadata),
            route("DELETE", one + "/metadata/{key}", self.delete_metadata),
        ]

    async def list(self, call: Call) -> Response:
        """Answers GET /servers."""
        return self._listed(call, "/servers", lambda s: brief_server(call, s))

    async def detail(self, call: Call) -> Response:
        """Answers GET /servers/detail."""
        return self._listed(call, "/servers/detail", lambda s: whole_server(call, s, call.snapshot))

    def _listed(self, call: Call, path: str, shape: Any) -> Response:
        rows, more = cut(call.request, found_servers(call))
        answer: dict[str, Any] = {"servers": [shape(row) for row in rows]}
        if more:
            answer["servers_links"] = next_link(call.request, call.base + path, rows[-1].id)
        return reply(answer)

    async def create(self, call: Call) -> Response:
        """Answers POST /servers."""
        body = await call.body("server", ServerBody)
        hosts = frozenset(h for h in call.snapshot.ids("hosts_by_role", HYPERVISOR) if call.alive(h))
        wanted = wanted_server(body, call.minor, hosts)
        try:
            servers, _ = await call.commit(lambda d: decide_create_server(d, wanted))
        except Conflict as error:
            if error.fault == "OverQuota":  # a port's; Nova answers 403 where Neutron answers 409
                raise Forbidden(f"{error.message} {error.detail}".strip(), fault=error.fault) from None
            raise
        first: Server = servers[0]
        if body.return_reservation_id in (True, "true", "True"):
            return reply({"reservation_id": f"r-{first.id[:8]}"}, 202)
        shown = {
            "id": first.id,
            "links": server_links(call, first),
            "OS-DCF:diskConfig": body.disk_config,
            # What was asked for, as Nova answers; what it came to is told by showing the server.
            "security_groups": [{"name": group.name} for group in body.security_groups] or [{"name": DEFAULT_GROUP}],
        }
        return reply({"server": shown}, 202, {"Location": f"{call.base}/servers/{first.id}"})

    async def show(self, call: Call) -> Response:
        """Answers GET /servers/{id}."""
        server = find_server(call.snapshot, call.caller, call.part("server"))
        return reply({"server": whole_server(call, server, call.snapshot)})

    async def update(self, call: Call) -> Response:
        """Answers PUT /servers/{id}."""
        body = await call.body("server", ServerChanges)
        changes = {f: v for f in body.__struct_fields__ if (v := getattr(body, f)) is not msgspec.UNSET}
        server, after = await call.commit(lambda d: decide_update_server(d, call.part("server"), changes))
        return reply({"server": whole_server(call, server, after)})

    async def delete(self, call: Call) -> Response:
        """Answers DELETE /servers/{id}."""
        await call.commit(lambda d: decide_delete_server(d, call.part("server")))
        return Response(status_code=204)

    async def addresses(self, call: Call) -> Response:
        """Answers GET /servers/{id}/ips."""
        server = find_server(call.snapshot, call.caller, call.part("server"))
        found = addresses_of(server, call.snapshot)
        brief = {
            name: [{"addr": e["addr"], "version": e["version"]} for e in entries] for name, entries in found.items()
        }
        return reply({"addresses": brief})

    async def interfaces(self, call: Call) -> Response:
        """Answers GET /servers/{id}/os-interface."""
        return reply({"interfaceAttachments": [_interface(call, port) for port in _ports(call)]})

    async def interface(self, call: Call) -> Response:
        """Answers GET /servers/{id}/os-interface/{port}."""
        for port in _ports(call):
            if port.id == call.part("port"):
                return reply({"interfaceAttachment": _interface(call, port)})
        raise NotFound(f"Port {call.part('port')} is not one of instance {call.part('server')}.")

    async def volumes(self, call: Call) -> Response:
        """Answers GET /servers/{id}/os-volume_attachments: none, as volumes are not offered."""
        find_server(call.snapshot, call.caller, call.part("server"))
        return reply({"volumeAttachments": []})

    async def groups(self, call: Call) -> Response:
        """Answers GET /servers/{id}/os-security-groups."""
        server = find_server(call.snapshot, call.caller, call.part("server"))
        found = groups_of(call.snapshot, server)
        return reply({"security_groups": [whole_group(group, call.snapshot) for group in found]})

    async def metadata(self, call: Call) -> Response:
        """Answers GET /servers/{id}/metadata."""
        return reply({"metadata": find_server(call.snapshot, call.caller, call.part("server")).metadata})

    async def add_metadata(self, call: Call) -> Response:
        """Answers POST /servers/{id}/metadata: keys are added or replaced, others kept."""
        return await self._set_metadata(call, keep=True)

    async def replace_metadata(self, call: Call) -> Response:
        """Answers PUT /servers/{id}/metadata."""
        return await self._set_metadata(call, keep=False)

    async def _set_metadata(self, call: Call, *, keep: bool) -> Response:
        given: dict[str, str] = await call.body("metadata", Metadata)
        server_id = call.part("server")

        def decide(d: Any) -> Server:
            before = find_server(d.snapshot, d.caller, server_id).metadata if keep else {}
            return decide_update_server(d, server_id, {"metadata": before | given})

        server, _ = await call.commit(decide)
        return reply({"metadata": server.metadata})

    async def delete_metadata(self, call: Call) -> Response:
        """Answers DELETE /servers/{id}/metadata/{key}."""
        server_id, key = call.part("server"), call.part("key")

        def decide(d: Any) -> None:
            rest = dict(find_server(d.snapshot, d.caller, server_id).metadata)
            if rest.pop(key, None) is None:
                raise NotFound("Metadata item was not found")
            decide_update_server(d, server_id, {"metadata": rest})

        await call.commit(decide)
        return Response(status_code=204)


def _ports(call: Call) -> list[Port]:
    server = find_server(call.snapshot, call.caller, call.part("server"))
    found = [call.snapshot.get(Port, port_id) for port_id in server.port_ids]
    return [port for port in found if port is not None and port.device_id == server.id]


def _interface(call: Call, port: Port) -> dict[str, Any]:
    shown = {
        "port_id": port.id,
        "net_id": port.network_id,
        "mac_addr": port.mac_address,
        "port_state": port.status,
        "fixed_ips": [{"subnet_id": f.subnet_id, "ip_address": f.ip_address} for f in port.fixed_ips],
    }
    return shown | {"tag": None} if call.minor >= 70 else shown
