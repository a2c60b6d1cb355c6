"""haproxy, the metadata agent and the server's metadata API, each real, in a network of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
import uvicorn
from cryptography.fernet import Fernet
from private import own_network

from netglass.api.app import create_app
from netglass.api.questions import Questions
from netglass.api.services import Services
from netglass.api.tokens import Tokens
from netglass.base.fresh import Fresh
from netglass.compile.haproxy import Proxy, render
from netglass.model.caller import Caller, CloudSettings
from netglass.model.draft import Draft
from netglass.model.protocol import host_credential
from netglass.model.resources import FixedIp, Port, Server, Subnet
from netglass.store.healings import Healings
from netglass.store.reports import Reports
from netglass.store.store import Store
from support.pace import until

pytestmark = pytest.mark.host

AGENTS, SHARED = "agents", "shared"
PORT = 9696
META_DATA = "/openstack/latest/meta_data.json"
ADDRESS = {"vm": "10.0.0.5", "other": "10.0.0.6"}


@dataclass
class Chain:
    """The three, with what is needed to end them one by one."""

    directory: Path
    services: Services
    serving: uvicorn.Server | None = None
    agent: subprocess.Popen[bytes] | None = None
    proxy: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.directory / "metadata_proxy"

    def start_server(self) -> None:
        app = create_app(self.services)
        config = uvicorn.Config(app, host="127.0.0.1", port=PORT, log_config=None, access_log=False, lifespan="on")
        self.serving = uvicorn.Server(config)
        thread = threading.Thread(target=self.serving.run, daemon=True)  # in the network of the thread that starts it
        thread.start()
        until(lambda: self.serving is not None and self.serving.started)

    def stop_server(self) -> None:
        assert self.serving is not None
        self.serving.should_exit = True
        self.serving.force_exit = True
        until(lambda: self.serving is None or not self.serving.servers or not self.serving.servers[0].is_serving())

    def start_agent(self) -> None:
        config = self.directory / "metadata-agent.toml"
        for name, secret in (("credential", host_credential(AGENTS, "net1")), ("secret", SHARED)):
            (self.directory / name).write_text(secret)
            (self.directory / name).chmod(0o600)
        files = f'credential_file = "{self.directory}/credential"\nsecret_file = "{self.directory}/secret"\n'
        config.write_text(f'host = "net1"\nserver = "http://127.0.0.1:{PORT}"\nsocket = "{self.socket}"\n{files}')
        before = _inode(self.socket)
        argv = (sys.executable, "-m", "netglass.metadata.main", "--config", str(config))
        self.agent = subprocess.Popen(argv, stderr=(self.directory / "agent.log").open("ab"))
        until(lambda: _inode(self.socket) not in (0, before))

    def start_proxy(self) -> None:
        text = render(Proxy("Network", "blue", "169.254.169.254", 80, (), "haproxy", str(self.socket)))
        (self.directory / "proxy.conf").write_text(text)
        argv = ("haproxy", "-db", "-f", str(self.directory / "proxy.conf"))
        self.proxy = subprocess.Popen(argv, stderr=(self.directory / "proxy.log").open("ab"))
        until(lambda: _connects("10.0.0.5"))

    def end(self) -> None:
        for process in (self.proxy, self.agent):
            if process is not None:
                process.kill()
                process.wait()
        if self.serving is not None:
            self.stop_server()


def _inode(path: Path) -> int:
    return path.stat().st_ino if path.exists() else 0


def _connects(address: str) -> bool:
    try:
        with_connection = HTTPConnection("169.254.169.254", 80, timeout=1, source_address=(address, 0))
        with_connection.connect()
        with_connection.close()
    except OSError:
        return False
    return True


def ask(address: str, path: str = META_DATA) -> tuple[int, bytes]:
    connection = HTTPConnection("169.254.169.254", 80, timeout=10, source_address=(address, 0))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def uuid_at(address: str) -> str:
    status, body = ask(address)
    assert status == 200, (status, body)
    return str(json.loads(body)["uuid"])


def _services(directory: Path) -> Services:
    store = Store.open(f"sqlite:///{directory}/netglass.db")
    rows = [
        Subnet(id="s", network_id="blue", cidr="10.0.0.0/24"),
        Port(
            id="dhcp", network_id="blue", mac_address="fa:16:3e:00:00:01", device_owner="network:dhcp", host_id="net1"
        ),
    ]
    for number, (name, address) in enumerate(ADDRESS.items()):
        port_id = f"port-of-{name}"
        rows.append(
            Port(
                id=port_id,
                network_id="blue",
                mac_address=f"fa:16:3e:00:01:{number:02x}",
                device_id=name,
                device_owner="compute:nova",
                fixed_ips=(FixedIp("s", address),),
            )
        )
        rows.append(Server(id=name, project_id=name, name=name, flavor_id="f", image_id="i", port_ids=(port_id,)))

    def put(draft: Draft, _fresh: Fresh) -> None:
        for row in rows:
            draft.put(row)

    store.commit(put, Caller(roles=("admin",)))
    return Services(
        store=store,
        healings=Healings(store),
        reports=Reports(store, 15),
        tokens=Tokens(Fernet.generate_key(), 3600, store),
        questions=Questions(),
        settings=CloudSettings(),
        public_url=f"http://127.0.0.1:{PORT}",
        agent_secret=AGENTS,
        metadata_secret=SHARED,
    )


@pytest.fixture
def chain() -> Iterator[Chain]:
    directory = Path(tempfile.mkdtemp(prefix="netglass-metadata-"))
    directory.chmod(0o755)  # the proxy is another user
    services = _services(directory)
    with own_network():
        addresses = ("169.254.169.254/32", *(f"{address}/32" for address in ADDRESS.values()), "10.0.0.7/32")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for address in addresses:
            subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
        made = Chain(directory, services)
        try:
            made.start_server()
            made.start_agent()
            made.start_proxy()
            yield made
        finally:
            made.end()
            services.store.close()
            shutil.rmtree(directory)


def test_each_address_gets_its_own_and_an_unknown_one_nothing(chain: Chain) -> None:
    assert {name: uuid_at(address) for name, address in ADDRESS.items()} == {"vm": "vm", "other": "other"}
    assert ask("10.0.0.7")[0] == 404
    assert ask("10.0.0.5", "/openstack/latest/user_data")[0] == 404


def test_many_at_once_are_all_answered_rightly(chain: Chain) -> None:
    asked = list(ADDRESS) * 60
    # Threads of a pool begin in the network of the thread that makes them do their first work: this one.
    with ThreadPoolExecutor(24) as pool:
        assert list(pool.map(lambda name: uuid_at(ADDRESS[name]), asked)) == asked


def test_only_root_and_the_proxies_may_speak_to_the_agent(chain: Chain) -> None:
    found = chain.socket.stat()
    assert found.st_mode & 0o777 == 0o660
    assert chain.socket.group() == "haproxy"
    assert found.st_uid == 0
    assert chain.proxy is not None
    uids = Path(f"/proc/{chain.proxy.pid}/status").read_text().partition("Uid:\t")[2].split()[:4]
    assert "0" not in uids


def test_a_server_that_comes_back_soon_is_waited_for_and_a_longer_outage_is_told_at_once(chain: Chain) -> None:
    assert uuid_at("10.0.0.5") == "vm"
    chain.stop_server()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(uuid_at, "10.0.0.5") for _ in range(20)]
        assert not any(one.done() for one in asked)
        chain.start_server()
        assert [one.result() for one in asked] == ["vm"] * 20

    chain.stop_server()
    assert ask("10.0.0.5")[0] == 503  # after seconds, in which it might have come back
    began = time.monotonic()
    assert ask("10.0.0.5")[0] == 503
    assert time.monotonic() - began < 1
    assert chain.agent is not None
    assert chain.agent.poll() is None
    chain.start_server()
    assert uuid_at("10.0.0.5") == "vm"


def test_without_an_agent_guests_are_told_so_at_once_and_the_next_one_takes_its_place(chain: Chain) -> None:
    assert chain.agent is not None
    chain.agent.kill()
    chain.agent.wait()
    assert ask("10.0.0.5")[0] == 503
    chain.start_agent()
    assert uuid_at("10.0.0.5") == "vm"


def test_an_agent_goes_on_with_the_credential_that_its_host_is_given(chain: Chain) -> None:
    credential = chain.directory / "credential"
    own = credential.read_text()
    credential.write_text("shut out")
    assert ask("10.0.0.5")[0] == 500
    credential.write_text(own)
    assert uuid_at("10.0.0.5") == "vm"


def test_an_agent_that_lost_its_socket_ends_to_be_started_anew(chain: Chain) -> None:
    assert chain.agent is not None
    chain.socket.unlink()
    assert chain.agent.wait(timeout=5) == 1
    chain.start_agent()
    assert uuid_at("10.0.0.6") == "other"


def test_it_ends_when_told_to_even_with_a_guest_that_says_nothing(chain: Chain) -> None:
    assert chain.agent is not None
    silent = HTTPConnection("169.254.169.254", 80, timeout=5)
    silent.connect()
    os.kill(chain.agent.pid, signal.SIGTERM)
    assert chain.agent.wait(timeout=5) == 0
    silent.close()
