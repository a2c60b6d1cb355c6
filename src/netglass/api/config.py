"""The server's configuration: one TOML file, and a directory of secrets beside it.

    listen = "0.0.0.0"                      # address; 127.0.0.1 by default
    port = 9696
    public_url = "http://192.0.2.2:9696"    # how clients reach it; http://<listen>:<port> by default
    database = "sqlite:////var/lib/netglass/netglass.db"    # or "postgresql://netglass@192.0.2.5/netglass"
    secrets = "/var/lib/netglass/secrets"   # made, with what belongs in it, at the first start
    tls = true                              # https, with a CA among the secrets; the default is: off loopback
    tls_names = ["192.0.2.3"]               # further names and addresses that its certificate is for
    log_level = "INFO"
    token_lifetime_s = 3600

    [cloud]                                 # model.caller.CloudSettings
    vlan_ranges = [["default", 1000, 1999]]
    vlan_networks = ["external"]            # open to VLANs by an administrator alone; none by default
    tenant_network_types = ["vlan"]         # what projects get, in this order: vlan, gre, vxlan, geneve
    tunnel_ranges = { gre = [1, 1000] }     # tunnel ids that projects get, by type
    dhcp_agents_per_network = 2             # DHCP servers of a network, as far as there are network hosts; 1 by default

PostgreSQL's URL takes libpq's parameters, such as ``?sslmode=verify-full&passfile=/etc/netglass/pgpass``.  A password
may stand in it where nobody else can read this file.  Any number of servers may be over one PostgreSQL; all of them
must have the same secrets.

Secrets are files of mode 0600, one value each; what is missing is made.  Putting a file there before the first start
chooses its value:

    fernet.key       signs tokens
    agent.secret     host credentials are made of it
    metadata.secret  metadata agents sign with it (model.protocol.instance_signature)
    ca.key, ca.pem   the authority that made server.pem, and that hosts and clients verify it by (api.tls)
    metrics.token    whoever reads metrics sends it (Authorization: Bearer)
    <user>.password  first password of the users that the first start makes; changing it later changes nothing
"""

from __future__ import annotations

import os
import secrets
import tomllib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from netglass.base.errors import Invalid
from netglass.model.caller import CloudSettings
from netglass.model.resources import TUNNEL_ID_MAX, TUNNEL_TYPES

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the configuration file says."""

    database: str
    secrets: str
    listen: str = "127.0.0.1"
    port: int = 9696
    public_url: str = ""
    tls_names: tuple[str, ...] = ()
    tls: bool | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    token_lifetime_s: int = 3600  # as Keystone's default is
    cloud: CloudSettings = CloudSettings()

    @property
    def speaks_tls(self) -> bool:
        """Says whether the server speaks TLS: where it is not told, whenever others than this machine can reach it."""
        return self.tls if self.tls is not None else self.listen not in _LOOPBACK

    @property
    def base_url(self) -> str:
        """Gives how clients reach the server, with no slash at the end."""
        host = f"[{self.listen}]" if ":" in self.listen else self.listen
        scheme = "https" if self.speaks_tls else "http"
        return (self.public_url or f"{scheme}://{host}:{self.port}").rstrip("/")

    @property
    def names(self) -> tuple[str, ...]:
        """Gives the names and addresses that the server is reached by."""
        found = {urlsplit(self.base_url).hostname or "localhost", "localhost", "127.0.0.1", "::1", *self.tls_names}
        return tuple(sorted(found | ({self.listen} - {"0.0.0.0", "::"})))


def read_config(path: Path) -> ServerConfig:
    """Reads a configuration file; raises Invalid that says what is wrong where."""
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise Invalid(f"{path}: {error.strerror}.", fault="InvalidConfiguration") from error
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path}: {error}.", fault="InvalidConfiguration") from error
    _refuse_unknown(path, found.get("cloud", {}))
    try:
        config = msgspec.convert(found, type=ServerConfig)
    except msgspec.ValidationError as error:
        raise Invalid(f"{path}: {error}.", fault="InvalidConfiguration") from error
    if ":" in urlsplit(config.database).netloc.partition("@")[0] and path.stat().st_mode & 0o077:
        message = f"{path}: database holds a password, and others can read the file; run: chmod 600 {path}"
        raise Invalid(f"{message}, or keep the password in a passfile.", fault="InvalidConfiguration")
    for wrong in _wrong_types(config.cloud):
        raise Invalid(f"{path}: {wrong}.", fault="InvalidConfiguration")
    return config


def _refuse_unknown(path: Path, cloud: Any) -> None:
    unknown = sorted(set(cloud) - set(CloudSettings.__struct_fields__)) if isinstance(cloud, dict) else []
    if unknown:
        raise Invalid(f"{path}: [cloud] has no setting {', '.join(unknown)}.", fault="InvalidConfiguration")


def _wrong_types(cloud: CloudSettings) -> Iterator[str]:
    tunnels = ", ".join(TUNNEL_TYPES)
    for kind in cloud.tenant_network_types:
        if kind not in ("vlan", *TUNNEL_TYPES):
            yield f"[cloud] tenant_network_types has {kind!r}; wanted are some of vlan, {tunnels}"
    for kind, (first, last) in cloud.tunnel_ranges.items():
        if kind not in TUNNEL_TYPES:
            yield f"[cloud] tunnel_ranges has {kind!r}; wanted are some of {tunnels}"
        elif not 1 <= first <= last <= TUNNEL_ID_MAX[kind]:
            yield f"[cloud] tunnel_ranges.{kind} is {first} to {last}; wanted is within 1 to {TUNNEL_ID_MAX[kind]}"


class Secrets:
    """The directory of secrets; values are made when they are first asked for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def fernet_key(self) -> str:
        """Gives the key that signs tokens: 32 bytes in base64 (Fernet's specification)."""
        return self.value("fernet.key")

    @property
    def agent_secret(self) -> str:
        """Gives what host credentials are made of."""
        return self.value("agent.secret")

    @property
    def metadata_secret(self) -> str:
        """Gives what metadata agents sign with."""
        return self.value("metadata.secret")

    @property
    def metrics_token(self) -> str:
        """Gives what whoever reads metrics must send."""
        return self.value("metrics.token")

    def password(self, user: str) -> str:
        """Gives the first password of a user that the first start makes."""
        return self.value(f"{user}.password")

    def path(self, name: str) -> Path:
        """Gives the file of a secret."""
        return self._directory / name

    def has(self, name: str) -> bool:
        """Says whether a secret is there, so that `value` would not make it."""
        return self.path(name).exists()

    def value(self, name: str) -> str:
        """Gives a secret by the name of its file."""
        path = self.path(name)
        if path.exists():
            return _read_secret(path)
        # Private from its first moment on, and never there without its value: servers may share the directory.
        beside = path.with_name(f"{name}.{os.getpid()}")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(_MAKE.get(name, _new_password)() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # somebody was faster: theirs it is
            os.link(beside, path)
        beside.unlink()
        return _read_secret(path)


def _new_password() -> str:
    return secrets.token_urlsafe(18)


_MAKE: dict[str, Callable[[], str]] = {
    "fernet.key": lambda: urlsafe_b64encode(os.urandom(32)).decode(),
    "agent.secret": lambda: secrets.token_hex(32),
    "metadata.secret": lambda: secrets.token_hex(32),
    "metrics.token": lambda: secrets.token_urlsafe(24),
}


def _read_secret(path: Path) -> str:
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        message = f"{path} has mode {mode:04o}, so that others can read it; run: chmod 600 {path}"
        raise Invalid(message, fault="InvalidConfiguration")
    value = path.read_text().strip()
    if not value:
        raise Invalid(f"{path} is empty; delete it, and the next start makes it.", fault="InvalidConfiguration")
    return value
