"""The metadata agent's configuration: one TOML file, read once at start; its host's secret may change later.

    host = "network1"                          # as its agent is called; default: the machine's host name
    server = "http://192.168.50.11:9696"       # or several, tried in turn; on the management network
    metadata = "http://192.168.50.11:9696/metadata"  # or several; default: the servers', with /metadata
    ca_file = "/etc/netglass/ca.pem"           # who vouches for https servers; default: the system's
    credential_file = "/etc/netglass/agent.credential"
    secret_file = "/etc/netglass/metadata.secret"    # the server's metadata.secret
    socket = "/var/lib/neutron/metadata_proxy"
    socket_group = "haproxy"                   # whose members, the proxies, may speak to it
    log_level = "INFO"

Both secrets are files of mode 0600.
"""

from __future__ import annotations

import socket
import tomllib
from contextlib import suppress
from pathlib import Path

import msgspec

from netglass.base.errors import NetglassError


class ConfigError(NetglassError):
    """The configuration cannot be used; the message says which key, what it is and what may be there."""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: str | tuple[str, ...]
    credential_file: str
    secret_file: str
    host: str = ""
    ca_file: str = ""
    metadata: str | tuple[str, ...] = ()
    socket: str = "/var/lib/neutron/metadata_proxy"
    socket_group: str = "haproxy"
    log_level: str = "INFO"


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What one metadata agent is told.

    servers          base URLs where it asks who has an address, tried in turn
    metadata         base URLs of the metadata API, tried in turn
    ca_file          certificate authority of https servers; empty: the system's
    credential       the host's secret (model.protocol), as it was at the start; never logged
    credential_file  where it stands, and where another one will
    secret           with which it signs; never logged
    """

    host: str
    servers: tuple[str, ...]
    metadata: tuple[str, ...]
    ca_file: str
    credential: str
    credential_file: Path
    secret: str
    socket: str
    socket_group: str
    log_level: str


def load_config(path: Path) -> Config:
    """Reads a configuration file; raises ConfigError."""
    try:
        read = msgspec.convert(tomllib.loads(path.read_text()), _File)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
    servers = _urls(path, "server", read.server)
    metadata = _urls(path, "metadata", read.metadata) or tuple(f"{url}/metadata" for url in servers)
    if not servers:
        raise ConfigError(f"{path}: server is empty; a base URL such as http://192.168.50.11:9696 is wanted")
    return Config(
        host=read.host or socket.gethostname(),
        servers=servers,
        metadata=metadata,
        ca_file=_readable(path, read.ca_file),
        credential=_secret(path, "credential_file", read.credential_file),
        credential_file=Path(read.credential_file),
        secret=_secret(path, "secret_file", read.secret_file),
        socket=read.socket,
        socket_group=read.socket_group,
        log_level=read.log_level,
    )


def newest_credential(config: Config) -> str:
    """Gives the host's secret as it stands now: ``netglass agent rotate`` may have changed it since the start."""
    with suppress(OSError):
        return config.credential_file.read_text().strip() or config.credential
    return config.credential


def _readable(path: Path, ca_file: str) -> str:
    if ca_file and not Path(ca_file).is_file():
        raise ConfigError(f"{path}: ca_file {ca_file}: there is no such file")
    return ca_file


def _urls(path: Path, key: str, given: str | tuple[str, ...]) -> tuple[str, ...]:
    urls = (given,) if isinstance(given, str) else given
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{path}: {key} is {url!r}; a URL that starts with http:// or https:// is wanted")
    return tuple(url.rstrip("/") for url in urls)


def _secret(path: Path, key: str, name: str) -> str:
    file = Path(name)
    try:
        if file.stat().st_mode & 0o077:
            raise ConfigError(f"{file} holds a secret and others may read it; run: chmod 600 {file}")
        text = file.read_text().strip()
    except OSError as error:
        raise ConfigError(f"{path}: {key} {file}: {error.strerror}") from error
    if not text:
        raise ConfigError(f"{path}: {key} {file} is empty; a secret is wanted")
    return text
