"""A client of the API, as thin as can be."""

from __future__ import annotations

from typing import Any

import httpx


class Api:
    """The server as one project user sees it; one kept-alive connection."""

    def __init__(self, url: str, user: str, password: str, project: str) -> None:
        identity = {"user": {"name": user, "domain": {"id": "default"}, "password": password}}
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        self._credentials = {"auth": {"identity": {"methods": ["password"], "password": identity}, "scope": scope}}
        self._client = httpx.Client(base_url=url, timeout=30)
        self.project_id = ""
        self.token = ""
        self.log_in()

    def log_in(self) -> None:
        """Gets a new token, as each is good for an hour."""
        answer = self._client.post("/identity/v3/auth/tokens", json=self._credentials)
        assert answer.status_code == 201, answer.text
        self.project_id = answer.json()["token"]["project"]["id"]
        self.token = answer.headers["X-Subject-Token"]
        self._client.headers["X-Auth-Token"] = self.token

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self._client.request(method, path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        status, value = self.call("GET", path)
        assert status == 200, (path, status, value)
        return value

    def post(self, path: str, body: Any) -> Any:
        status, value = self.call("POST", path, body)
        assert status in (200, 201, 202), (path, status, value)
        return value

    def delete(self, path: str) -> None:
        status, value = self.call("DELETE", path)
        assert status == 204, (path, status, value)
