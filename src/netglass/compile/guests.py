"""Lowers servers to light guests: their hulls, and whether these may boot.

A hull is there while the server should run.  It boots once all its ports are ACTIVE, so that its first DHCP request
finds everything in place, as Nova waits for ``network-vif-plugged``.  A guest that has run is never held back again:
a port that goes DOWN must not end the guest, and a reboot finds its wiring in place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from netglass.base.ids import tap_name
from netglass.compile.place import Place, is_word
from netglass.desired.state import Diagnostic, Guest, GuestBoot, Nic, Thing
from netglass.model.resources import Image, Port, Server, ref

OWNER = "guests"

_HOSTNAME = re.compile(r"[0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?")
_DEFAULT_MTU = 1500  # bytes


def compile_guests(place: Place) -> Iterator[Thing | Diagnostic]:
    """Gives the guests of the host's servers."""
    ports = {port.id: port for port in place.ports}
    for server in place.snapshot.rows("servers_by_host", place.host.id):
        trouble = _trouble(place, server)
        if trouble:
            yield Diagnostic(code=trouble[0], intent=(ref(server),), text=trouble[1])
        elif server.power == "running":
            yield from _guest(place, server, ports)


def runs_here(place: Place, server: Server) -> bool:
    """Says whether a server's guest, and so its taps, are wanted on the host."""
    return server.host == place.host.id and server.power == "running" and not _trouble(place, server)


def _trouble(place: Place, server: Server) -> tuple[str, str] | tuple[()]:
    if not is_word(server.id):
        return "bad-id", f"Server {server.id!r} has an id that no directory can be named after."
    image = place.snapshot.get(Image, server.image_id)
    # An image that is gone does not end the guests that came from it.
    if image is not None and image.guest != "light":
        return "unsupported-guest", f"Server {server.name!r} ({server.id}) needs guest {image.guest!r}; light is known."
    return ()


def _guest(place: Place, server: Server, ports: dict[str, Port]) -> Iterator[Thing | Diagnostic]:
    nics = []
    for port_id in server.port_ids:
        port = ports.get(port_id)
        if port is None or port.device_id != server.id:
            text = f"Server {server.name!r} ({server.id}) names port {port_id}, which is not bound to it here."
            yield Diagnostic(code="missing-port", intent=(ref(server),), text=text)
        else:
            nics.append(port)
    hostname = server.hostname or server.name
    if not _HOSTNAME.fullmatch(hostname):
        hostname = f"host-{server.id[:8]}"
    yield Guest(
        owner=OWNER,
        intent=(*sorted(ref(port) for port in nics), ref(server)),
        server_id=server.id,
        name=server.name,
        hostname=hostname,
        nics=tuple(_nic(place, port) for port in nics),
        boot=server.boot,
        directory=f"{place.settings.instances_root}/{server.id}",
    )
    if server.vm_state == "active" or all(_is_ready(place, port) for port in nics):
        yield GuestBoot(owner=OWNER, intent=(ref(server),), server_id=server.id, boot=server.boot)


def _nic(place: Place, port: Port) -> Nic:
    carried = place.carried.get(port.network_id)
    mtu = carried.network.mtu if carried is not None else _DEFAULT_MTU
    return Nic(tap=tap_name(port.id), mac=port.mac_address, mtu=mtu)


def _is_ready(place: Place, port: Port) -> bool:
    """Says whether a guest need not wait for a port: it works, or is meant not to."""
    carried = place.carried.get(port.network_id)
    down_by_intent = not port.admin_state_up or (carried is not None and not carried.network.admin_state_up)
    return port.status == "ACTIVE" or down_by_intent
