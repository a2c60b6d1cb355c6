"""Waits until a lab's API answers and its agents have done what they must; asks the API itself.

Standard library only, since a command line that starts quickly is part of the lab's time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

from netglass.host.children import tail
from netglass.lab.places import LabPlace, LabRecord
from netglass.lab.programs import api_url, read_secret
from netglass.lab.topology import ExternalSpec, LabError, Topology

_PAUSE_S = 0.02
_LOG_LINES = 8


PUBLIC = "public"
"""Name of the external network that a lab makes."""


class Api:
    """The lab's API as its administrator sees it."""

    def __init__(self, record: LabRecord, password: str) -> None:
        self._base = urlsplit(api_url(record.uplink))
        self._password = password
        self._token = ""

    def hosts(self) -> list[dict[str, Any]]:
        """Gives every host that has registered, with what it last reported.  Raises OSError, LabError."""
        found: list[dict[str, Any]] = self._get("/netglass/v1/hosts", 10)["hosts"]
        return found

    def wait(self, hosts: list[str], timeout_s: float) -> None:
        """Waits until `hosts` have realised the newest revision.  Raises LabError when they have not in time."""
        named = "".join(f"&host={quote(host)}" for host in hosts)
        self._get(f"/netglass/v1/wait?timeout={max(timeout_s, 1):.0f}{named}", timeout_s + 5)

    def servers(self) -> list[dict[str, Any]]:
        """Gives the servers of all projects.  Raises OSError, LabError."""
        found: list[dict[str, Any]] = self._get("/compute/v2.1/servers/detail?all_tenants=1", 10)["servers"]
        return found

    def make_public(self, topology: Topology) -> None:
        """Makes the external network that the lab's file wants, unless there is one.  Raises OSError, LabError."""
        public = topology.cloud.public
        if public is None or self._get(f"/v2.0/networks?name={PUBLIC}&router:external=True", 10)["networks"]:
            return
        network = {
            "name": PUBLIC,
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": public.physical_network,
        }
        made = self._call("POST", "/v2.0/networks", {"network": network}, 10)[0]["network"]
        subnets = [{"network_id": made["id"], **wanted} for wanted in _public_subnets(topology, public)]
        self._call("POST", "/v2.0/subnets", {"subnets": subnets}, 10)

    def _get(self, path: str, timeout_s: float) -> dict[str, Any]:
        if not self._token:
            self._log_in()
        return self._call("GET", path, None, timeout_s)[0]

    def _log_in(self) -> None:
        user = {"name": "admin", "domain": {"id": "default"}, "password": self._password}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": scope}}
        self._token = self._call("POST", "/identity/v3/auth/tokens", body, 10)[1]

    def _call(self, method: str, path: str, body: Any, timeout_s: float) -> tuple[dict[str, Any], str]:
        connection = HTTPConnection(self._base.hostname or "", self._base.port, timeout=timeout_s)
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["X-Auth-Token"] = self._token
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except HTTPException as error:  # it ended in the middle: not there yet
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise LabError(f"{method} {path}: {answer.status} {text.decode(errors='replace')[:600]}")
        return json.loads(text), answer.headers.get("X-Subject-Token", "")


def _public_subnets(topology: Topology, public: ExternalSpec) -> list[dict[str, Any]]:
    segment = topology.segments[public.segment]
    router = next((name for name in topology.hosts if topology.is_at(name, public.segment, public.gateway)), "")
    gateway6 = topology.address6(router, public.segment) if router else None
    found: list[dict[str, Any]] = [
        {
            "name": f"{PUBLIC}-subnet",
            "ip_version": 4,
            "cidr": segment.cidr,
            "gateway_ip": public.gateway,
            "allocation_pools": [{"start": public.first, "end": public.last}],
            "enable_dhcp": False,
        }
    ]
    if segment.cidr6:
        found.append(
            {
                "name": f"{PUBLIC}-subnet-v6",
                "ip_version": 6,
                "cidr": segment.cidr6,
                "gateway_ip": str(gateway6.ip) if gateway6 is not None else None,
                "allocation_pools": [{"start": public.first6, "end": public.last6}],
                "enable_dhcp": False,
            }
        )
    return found


def wait_ready(place: LabPlace, record: LabRecord, tell: Callable[[str], None], timeout_s: float = 60.0) -> Api:
    """Waits until the API answers and every agent has realised all there is; gives the API.

    Raises LabError that says what is missing, with the ends of the logs that should tell why.
    """
    end = time.monotonic() + timeout_s
    api = Api(record, read_secret(place, record.topology, "admin.password"))
    server = record.topology.server_host
    agents = sorted(name for name, host in record.topology.hosts.items() if host.roles)
    tell("waiting for the API")
    if not _until(end, lambda: _answers(api)):
        raise LabError(_complaint(place, f"The API of lab {place.name!r} does not answer", {server: "server.log"}))
    tell("waiting for the agents")
    missing = set(agents)

    def all_alive() -> bool:
        missing.difference_update(h["name"] for h in api.hosts() if h["alive"] and h["realised_revision"] is not None)
        return not missing

    if not _until(end, all_alive):
        what = f"No agent is heard of on {', '.join(sorted(missing))}"
        raise LabError(_complaint(place, what, dict.fromkeys(sorted(missing), "agent.log")))
    api.make_public(record.topology)
    api.wait(agents, end - time.monotonic())
    return api


def _answers(api: Api) -> bool:
    try:
        api.hosts()
    except OSError:
        return False
    return True


def _until(end: float, claim: Callable[[], bool]) -> bool:
    while not claim():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_S)
    return True


def _complaint(place: LabPlace, what: str, logs: dict[str, str]) -> str:
    said = [f"{what}."]
    for host, log in logs.items():
        path = place.host(host).log / "netglass" / log
        said.append(f"The end of {path}:\n{tail(path, lines=_LOG_LINES).rstrip() or '(empty)'}")
    return "\n".join(said)
