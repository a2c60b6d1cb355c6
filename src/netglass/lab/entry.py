"""Ways into a lab: the words to put before a command, and the environment of a client.

Inside a host its own commands need no flags.  nsenter(1) does the entering, so that what is run is the command itself
and its status is passed on.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from netglass.desired.state import Guest
from netglass.host import hull
from netglass.host.children import State, alive
from netglass.lab.hosts import ENVIRONMENT
from netglass.lab.places import LabPlace, LabRecord
from netglass.lab.programs import api_url, read_secret
from netglass.lab.topology import LabError

_GUESTS = "run/netglass/guests"


class GuestPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a light guest runs.

    pid  of its PID 1, as its host counts
    """

    server_id: str
    name: str
    host: str
    pid: int


def host_words(place: LabPlace, host: str, *, prompt: bool = False) -> list[str]:
    """Gives the words that run a command on a host; `prompt` makes an interactive shell say where it is.

    Raises LabError.
    """
    words = ["nsenter", f"--target={place.pid(host)}", "--mount", "--net", "--uts", "--ipc", "--pid", "--wdns=/root"]
    environment = ENVIRONMENT | _terminal()
    if prompt:
        environment["PS1"] = f"\\u@{host}:\\w# "
    return [*words, "env", "-i", *_assignments(environment)]


def guest_words(place: LabPlace, guest: str) -> list[str]:
    """Gives the words that run a command inside a light guest; `guest` is its server's name or id.

    The command may do no more than the guest's own root.  Raises LabError.
    """
    found = find_guest(place, guest)
    kept = ",".join(f"+{name}" for name in sorted(hull.CAPABILITIES))
    inside = ["nsenter", f"--target={found.pid}", "--mount", "--net", "--uts", "--ipc", "--pid", "--root", "--wd"]
    environment = hull.ENVIRONMENT | _terminal()
    bounded = ["setpriv", f"--bounding-set=-all,{kept}"]
    return [*host_words(place, found.host), *inside, *bounded, "env", "-i", *_assignments(environment)]


def find_guest(place: LabPlace, wanted: str) -> GuestPlace:
    """Finds a light guest by its server's name or id.  Raises LabError when there is none, or more than one."""
    guests = list_guests(place)
    found = [g for g in guests if g.server_id == wanted] or [g for g in guests if g.name == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"{g.server_id} on {g.host}" for g in found)
        raise LabError(f"Lab {place.name!r} has {len(found)} guests called {wanted!r}; use an id: {ids}.", usage=True)
    names = ", ".join(sorted(g.name for g in guests)) or "none"
    raise LabError(f"Lab {place.name!r} has no guest {wanted!r} that runs; it has {names}.", usage=True)


def list_guests(place: LabPlace) -> list[GuestPlace]:
    """Gives every light guest that runs, by host and name."""
    record = place.read()
    if record is None:
        return []
    children = place.children()
    found = []
    for host in record.topology.hosts:
        child = children.get(place.host(host).root)
        if child is not None:
            found += _guests_on(host, Path(f"/proc/{child.pid}/root"))
    return sorted(found, key=lambda g: (g.host, g.name, g.server_id))


def _guests_on(host: str, root: Path) -> list[GuestPlace]:
    found = []
    # The host's own /proc knows its pids: /proc/<pid of its init>/root leads into its mounts.
    for path in sorted((root / _GUESTS).glob("*/state.json")):
        try:
            state = msgspec.json.decode(path.read_bytes(), type=State)
            guest = msgspec.convert(state.remembered, Guest)
        except (OSError, msgspec.MsgspecError):  # it was just taken away
            continue
        if alive(state.child, proc=root / "proc"):
            found.append(GuestPlace(server_id=guest.server_id, name=guest.name, host=host, pid=state.pid))
    return found


def client_environment(place: LabPlace, record: LabRecord, user: str) -> dict[str, str]:
    """Gives what an OpenStack client needs to be `user` (admin or demo).

    Raises LabError when the lab has no such user.
    """
    password = read_secret(place, record.topology, f"{user}.password")
    if not password:
        raise LabError(f"Lab {place.name!r} has no user {user!r}; it has admin and demo.", usage=True)
    url = api_url(record.uplink)
    found = {
        "OS_AUTH_URL": f"{url}/identity",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": user,
        "OS_PASSWORD": password,
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_NAME": user,
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }
    return found | _around_proxy(url.rpartition("/")[2].rpartition(":")[0])


def _around_proxy(host: str) -> dict[str, str]:
    # The uplink is reached directly; a proxy that the machine is set to would be asked for it otherwise.
    if not any(os.environ.get(name) for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")):
        return {}
    before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    value = before if host in before.split(",") else ",".join(filter(None, [before, host]))
    return {"no_proxy": value, "NO_PROXY": value}


def _terminal() -> dict[str, str]:
    return {"TERM": os.environ.get("TERM", "dumb")}


def _assignments(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]
