"""The metadata agent's requests to servers that speak TLS."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from netglass.api.tls import ServerTls, ensure_tls
from netglass.metadata.upstream import NoServer, Outage, Upstream


class _Says(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def tls(tmp_path: Path) -> ServerTls:
    return ensure_tls(tmp_path, ["127.0.0.1"])


@pytest.fixture
def url(tls: ServerTls) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Says)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_is_believed_that_the_clouds_own_authority_vouches_for(tls: ServerTls, url: str) -> None:
    reply = Upstream((url,), Outage(), str(tls.ca)).get("/openstack", {})
    assert (reply.status, reply.body) == (200, b"/openstack")


def test_a_server_that_nobody_vouches_for_is_none(url: str) -> None:
    with pytest.raises(NoServer, match="certificate verify failed"):
        Upstream((url,), Outage())._ask_all("/openstack", {})
