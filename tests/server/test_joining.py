"""A host joins over TLS by a token, changes its credential, and is shut out."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import httpx
import msgspec
import pytest
from process import ServerProcess, StartServer

from netglass.agent.config import Config, load_config
from netglass.agent.server import Server, ServerError
from netglass.agent.uplink import Uplink
from netglass.model.protocol import Listed, Registration, decode_invitation, encode_invitation
from netglass.model.resources import Host
from support.pace import until

pytestmark = pytest.mark.server

NETGLASS = str(Path(sys.executable).with_name("netglass"))
HYPERVISOR = Registration(roles=("hypervisor",))


class Place:
    """A server with TLS, its operator, and a host that is not its own yet."""

    def __init__(self, server: ServerProcess, directory: Path) -> None:
        self.server = server
        self.directory = directory
        secrets = server.ca.parent
        self._operator = {
            "OS_AUTH_URL": f"{server.url}/identity",
            "OS_CACERT": str(server.ca),
            "OS_USERNAME": "admin",
            "OS_PASSWORD": (secrets / "admin.password").read_text().strip(),
            "OS_PROJECT_NAME": "admin",
        }

    def netglass(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [NETGLASS, *words], env=os.environ | self._operator, capture_output=True, text=True, check=False
        )

    def token(self, *servers: str) -> str:
        done = self.netglass("host", "add", "daisy", *(f"--server={url}" for url in servers))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def join(self, token: str) -> subprocess.CompletedProcess[str]:
        return self.netglass("agent", "join", token, "--directory", str(self.directory))

    def config(self) -> Config:
        return load_config(self.directory / "agent.toml")

    def register(self, host: str = "") -> None:
        """Speaks as the host's agent does; raises ServerError."""
        config = self.config()
        Server(config.server[0], host or config.host, config.credential, config.ca_file).register(HYPERVISOR)


@pytest.fixture
def place(start_server: StartServer, tmp_path: Path) -> Place:
    return Place(start_server(tls=True), tmp_path / "etc")


def test_a_host_joins_once_and_speaks_for_itself_only(place: Place) -> None:
    token = place.token()
    joined = place.join(token)
    assert joined.returncode == 0, joined.stderr
    assert (place.directory / "agent.credential").stat().st_mode & 0o777 == 0o600

    place.register()
    with pytest.raises(ServerError) as refused:
        place.register("bob")
    assert refused.value.status == 403
    again = place.join(token)
    assert (again.returncode, "used before" in again.stderr) == (1, True)
    place.register()


def test_a_host_that_meets_another_authority_does_not_join(place: Place) -> None:
    invitation = decode_invitation(place.token())
    forged = encode_invitation(msgspec.structs.replace(invitation, ca="0" * 64))
    done = place.join(forged)
    assert (done.returncode, "somebody may stand between" in done.stderr) == (1, True)
    assert not place.directory.exists()
    assert place.join("netglass1.rubbish").returncode == 2


def test_a_credential_is_changed_and_the_one_before_is_good_until_the_next(place: Place) -> None:
    place.join(place.token())
    first = place.config()
    config = str(place.directory / "agent.toml")

    assert place.netglass("agent", "rotate", "--config", config).returncode == 0
    assert place.config().credential != first.credential
    place.register()
    Server(first.server[0], "daisy", first.credential, first.ca_file).register(HYPERVISOR)

    assert place.netglass("agent", "rotate", "--config", config).returncode == 0
    with pytest.raises(ServerError):
        Server(first.server[0], "daisy", first.credential, first.ca_file).register(HYPERVISOR)


def test_of_several_servers_one_that_answers_is_enough(place: Place) -> None:
    nobody = "https://127.0.0.1:1"
    joined = place.join(place.token(nobody, place.server.url))
    assert joined.returncode == 0, joined.stderr

    first = place.config()
    assert first.server == (nobody, place.server.url)
    config = str(place.directory / "agent.toml")
    rotated = place.netglass("agent", "rotate", "--config", config)
    assert rotated.returncode == 0, rotated.stderr
    assert place.config().credential != first.credential


def test_a_change_of_credential_that_nobody_answered_is_to_the_same_one_the_next_time(place: Place) -> None:
    place.join(place.token())
    first = place.config()
    config = place.directory / "agent.toml"
    there = config.read_text()
    config.write_text(there.replace(place.server.url, "https://127.0.0.1:1"))
    assert place.netglass("agent", "rotate", "--config", str(config)).returncode == 1
    wanted = (place.directory / "agent.credential.next").read_text()
    # As if that server had taken it, and only its answer had been lost.
    digest = sha256(wanted.strip().encode()).hexdigest()
    httpx.post(
        f"{place.server.url}/netglass/v1/hosts/daisy/credential",
        json={"digest": digest},
        headers={"Authorization": f"Bearer {first.credential}"},
        verify=ssl.create_default_context(cafile=first.ca_file),
    ).raise_for_status()

    config.write_text(there)
    assert place.netglass("agent", "rotate", "--config", str(config)).returncode == 0
    assert (place.directory / "agent.credential").read_text() == wanted
    place.register()
    Server(first.server[0], "daisy", first.credential, first.ca_file).register(HYPERVISOR)


def test_a_host_that_is_shut_out_hears_nothing_more_and_joins_again_by_a_new_token(place: Place) -> None:
    place.join(place.token())
    place.register()
    config = place.config()
    feed = Server(config.server[0], "daisy", config.credential, config.ca_file).feed(None, "")
    while not any(isinstance(line, Listed) for line in next(feed)):
        pass

    assert place.netglass("host", "revoke", "daisy").returncode == 0
    with pytest.raises(ServerError):
        list(feed)
    with pytest.raises(ServerError) as refused:
        place.register()
    assert refused.value.status == 403

    assert place.join(place.token()).returncode == 0
    place.register()


def test_an_agent_that_runs_goes_on_with_the_credential_that_its_host_is_given(place: Place) -> None:
    def paused() -> bool:
        snapshot = uplink.take().snapshot
        host = snapshot.get(Host, "daisy") if snapshot is not None else None
        return host is not None and host.paused

    place.join(place.token())
    config = msgspec.structs.replace(place.config(), state_directory=str(place.directory))
    uplink = Uplink(config, HYPERVISOR, lambda: None, {})
    uplink.start()
    until(lambda: uplink.take().snapshot)
    assert place.netglass("host", "revoke", "daisy").returncode == 0
    assert place.join(place.token()).returncode == 0
    assert place.netglass("host", "pause", "daisy").returncode == 0
    until(paused)
    uplink.close()
