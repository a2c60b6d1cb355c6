"""A cloud as a command sees it: a token out of the OS_* environment, GETs, and the names of things.

Environment, as every OpenStack client reads it: OS_AUTH_URL, OS_USERNAME, OS_PASSWORD, OS_PROJECT_NAME (or
OS_PROJECT_ID), OS_USER_DOMAIN_NAME and OS_PROJECT_DOMAIN_NAME (``Default``), OS_CACERT.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import httpx

_TIMEOUT_S = 15.0
_NEEDED = ("OS_AUTH_URL", "OS_USERNAME", "OS_PASSWORD")


class CloudError(Exception):
    """The cloud cannot be asked, or said no; the message says which, and what to do.

    usage  the caller can put it right: credentials, the environment, the name of a host
    """

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage


class Cloud:
    """One cloud, with a token for it."""

    def __init__(self, client: httpx.Client, endpoints: Mapping[str, str]) -> None:
        self._client = client
        self._endpoints = endpoints

    @staticmethod
    def open(environment: Mapping[str, str] = os.environ, transport: httpx.BaseTransport | None = None) -> Cloud:
        """Gets a token with the credentials of the environment.

        transport  how requests travel; over the network, without

        Raises CloudError.
        """
        lacking = [name for name in _NEEDED if not environment.get(name)]
        if lacking:
            hint = 'for a lab: eval "$(netglass lab env)"'
            raise CloudError(f"no credentials: {', '.join(lacking)} not set ({hint})", usage=True)
        verify: str | bool = environment.get("OS_CACERT") or True
        client = httpx.Client(timeout=_TIMEOUT_S, verify=verify, transport=transport)
        base = environment["OS_AUTH_URL"].rstrip("/").removesuffix("/v3")
        answer = _sent(client, "POST", f"{base}/v3/auth/tokens", json=_credentials(environment))
        client.headers["X-Auth-Token"] = answer.headers["X-Subject-Token"]
        return Cloud(client, _endpoints(answer.json()))

    def get(self, service: str, path: str, *, timeout_s: float = _TIMEOUT_S) -> Any:
        """Gives the JSON at `path` of a service of the catalogue; raises CloudError."""
        return self._ask("GET", service, path, None, timeout_s)

    def post(self, service: str, path: str, body: Mapping[str, Any]) -> Any:
        """Sends a body to `path` of a service of the catalogue, and gives the answer's JSON; raises CloudError."""
        return self._ask("POST", service, path, body, _TIMEOUT_S)

    def delete(self, service: str, path: str) -> None:
        """Deletes what is at `path` of a service of the catalogue; raises CloudError."""
        self._ask("DELETE", service, path, None, _TIMEOUT_S)

    def patch(self, service: str, path: str, body: Mapping[str, Any]) -> Any:
        """Changes what is at `path` of a service of the catalogue, and gives the answer's JSON; raises CloudError."""
        return self._ask("PATCH", service, path, body, _TIMEOUT_S)

    def _ask(self, method: str, service: str, path: str, body: Any, timeout_s: float) -> Any:
        if service not in self._endpoints:
            raise CloudError(f"the cloud's catalogue names no service of type {service!r}")
        url = self._endpoints[service].rstrip("/") + path
        answer = _sent(self._client, method, url, json=body, timeout_s=timeout_s)
        return answer.json() if answer.content else None

    def host(self, host: str, question: str) -> Any:
        """Gives what the server says of a host: its ``plan`` or its ``diff``; raises CloudError."""
        return self.get("network", f"/netglass/v1/hosts/{host}/{question}")

    def names(self) -> dict[str, str]:
        """Gives what people call the objects that intent references name; what cannot be listed is left out."""
        found: dict[str, str] = {}
        for service, path, collection, kind, label in _NAMED:
            try:
                rows = self.get(service, path)[collection]
            except CloudError:
                continue
            found |= {f"{kind}:{row['id']}": label(row) for row in rows}
        return found


def name_of(names: Mapping[str, str]) -> Callable[[str], str]:
    """Gives how a reference is shown: with the name, where it is known, and the id's beginning beside it."""

    def shown(ref: str) -> str:
        kind, _, row_id = ref.partition(":")
        if kind == "local_vlan":
            host, _, network_id = row_id.partition("/")
            return f"tag({shown(f'network:{network_id}').partition(':')[2]} on {host})"
        name = names.get(ref)
        return f"{kind}:{name}({row_id[:8]})" if name else ref

    return shown


def _port_label(row: Mapping[str, Any]) -> str:
    addresses = ",".join(fixed["ip_address"] for fixed in row.get("fixed_ips", ()))
    return str(row.get("name") or addresses)


def _name(row: Mapping[str, Any]) -> str:
    return str(row.get("name") or "")


_NAMED: tuple[tuple[str, str, str, str, Callable[[Mapping[str, Any]], str]], ...] = (
    ("network", "/v2.0/networks?fields=id&fields=name", "networks", "network", _name),
    ("network", "/v2.0/subnets?fields=id&fields=name", "subnets", "subnet", _name),
    ("network", "/v2.0/ports?fields=id&fields=name&fields=fixed_ips", "ports", "port", _port_label),
    ("compute", "/servers?all_tenants=1", "servers", "server", _name),
)


def _credentials(environment: Mapping[str, str]) -> dict[str, Any]:
    user = {
        "name": environment["OS_USERNAME"],
        "password": environment["OS_PASSWORD"],
        "domain": {"name": environment.get("OS_USER_DOMAIN_NAME") or "Default"},
    }
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if environment.get("OS_PROJECT_ID"):
        auth["scope"] = {"project": {"id": environment["OS_PROJECT_ID"]}}
    elif environment.get("OS_PROJECT_NAME"):
        domain = {"name": environment.get("OS_PROJECT_DOMAIN_NAME") or "Default"}
        auth["scope"] = {"project": {"name": environment["OS_PROJECT_NAME"], "domain": domain}}
    return {"auth": auth}


def _endpoints(token: Mapping[str, Any]) -> dict[str, str]:
    return {
        service["type"]: endpoint["url"]
        for service in token["token"].get("catalog", ())
        for endpoint in service["endpoints"]
        if endpoint["interface"] == "public"
    }


def _sent(
    client: httpx.Client, method: str, url: str, json: Any = None, timeout_s: float = _TIMEOUT_S
) -> httpx.Response:
    try:
        answer = client.request(method, url, json=json, timeout=timeout_s)
    except httpx.HTTPError as error:
        raise CloudError(f"{url} does not answer: {error}") from None
    if answer.is_success:
        return answer
    said = _fault(answer)
    if answer.status_code == 401:
        raise CloudError(f"the credentials are not accepted: {said}", usage=True)
    if answer.status_code == 403:
        raise CloudError(f"{said} Use an administrator's credentials.", usage=True)
    raise CloudError(said, usage=answer.status_code in (400, 404))


def _fault(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        body = {}
    faults = body.values() if isinstance(body, dict) else ()
    found = next((fault["message"] for fault in faults if isinstance(fault, dict) and "message" in fault), "")
    return str(found) or f"{answer.request.url} answered {answer.status_code}"
