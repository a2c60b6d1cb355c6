"""The agent's configuration: one TOML file, read once at start; its host's secret may change later.

    host = "compute1"                        # as ports name it in binding:host_id; default: the machine's host name
    roles = ["hypervisor"]                   # hypervisor, network
    server = "http://192.168.56.10:9696"     # or several, tried in turn: ["http://…", "http://…"]
    credential_file = "/etc/netglass/agent.credential"
    availability_zone = "nova"
    address = "192.168.56.11"                # on the management network

    [settings]                               # model.resources.HostSettings
    bridge_mappings = { default = "br-eth2" }
    bridge_nics = { br-eth2 = "eth2" }
    bridge_addresses = { br-eth2 = ["192.168.133.112/24"] }   # moved there from the NIC
    provider_link = "veth"                   # or patch
    gateway_link = "bridge"                  # where routers' outer ports sit: on the external bridge, or integration
    tunnel_types = ["gre"]                   # of gre, vxlan, geneve; none by default
    local_ip = "192.168.133.112"             # where tunnels begin; on a bridge, with the userspace switch
    l2_population = false                    # tell br-tun where every address is, in place of learning it
    datapath_type = "auto"                   # or system, netdev; auto asks the kernel at start
    firewall_driver = "iptables_hybrid"      # or openvswitch

The credential is a secret: a file of mode 0600, or `credential` in this file if that is of mode 0600.
"""

from __future__ import annotations

import os
import socket
import tomllib
from contextlib import suppress
from ipaddress import ip_address, ip_interface
from pathlib import Path

import msgspec

from netglass.base.errors import NetglassError
from netglass.model.resources import TUNNEL_TYPES, HostSettings

AUTO = "auto"
ROLES = ("hypervisor", "network")

_CHOICES = {
    "provider_link": ("veth", "patch"),
    "gateway_link": ("bridge", "integration"),
    "datapath_type": (AUTO, "system", "netdev"),
    "firewall_driver": ("iptables_hybrid", "openvswitch"),
}


class ConfigError(NetglassError):
    """The configuration cannot be used; the message says which key, what it is and what may be there."""


class Settings(HostSettings, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """HostSettings as an operator writes them: what the agent finds out by itself may be left to it."""

    datapath_type: str = AUTO


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one agent is told.

    server          base URLs of the servers, tried in turn
    ca_file         certificate authority of an https server; empty: the system's
    run_directory   marks and state of processes; emptied by a reboot
    state_directory what must outlive a reboot
    credential      the host's secret (model.protocol), as it was at the start; never logged
    credential_file where it stands, and where another one will; empty: it stands in the configuration
    """

    host: str
    roles: tuple[str, ...]
    server: tuple[str, ...]
    credential: str
    credential_file: str = ""
    ca_file: str = ""
    availability_zone: str = "nova"
    address: str = ""
    vcpus: int = 0
    memory_mb: int = 0
    disk_gb: int = 0
    settings: Settings = Settings()
    run_directory: str = "/run/netglass"
    state_directory: str = "/var/lib/netglass"
    ovsdb_socket: str = "/run/openvswitch/db.sock"
    log_level: str = "INFO"


def load_config(path: Path) -> Config:
    """Reads a configuration file; raises ConfigError."""
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    raw.setdefault("host", socket.gethostname())
    raw["credential"] = _credential(raw, path)
    if isinstance(raw.get("server"), str):
        raw["server"] = [raw["server"]]
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from error
    _check(config, path)
    return msgspec.structs.replace(config, **_machine(config))


def newest_credential(config: Config) -> str:
    """Gives the host's secret as it stands now: ``netglass agent rotate`` may have changed it since the start."""
    with suppress(OSError):
        return Path(config.credential_file).read_text().strip() or config.credential
    return config.credential


def host_settings(settings: Settings, datapath_type: str) -> HostSettings:
    """Gives the settings that the server is told, with the datapath type that was found."""
    fields = {name: getattr(settings, name) for name in HostSettings.__struct_fields__}
    return HostSettings(**fields | {"datapath_type": datapath_type})


def _credential(raw: dict[str, object], path: Path) -> str:
    named = raw.get("credential_file")
    if named is None:
        source, text = path, raw.get("credential", "")
    else:
        source = Path(str(named))
        try:
            text = source.read_text().strip()
        except OSError as error:
            raise ConfigError(f"{path}: credential_file {source}: {error.strerror}") from error
    if not isinstance(text, str) or not text:
        raise ConfigError(f"{path}: no credential; name the file that holds it as credential_file")
    if source.stat().st_mode & 0o077:
        raise ConfigError(f"{source} holds a secret and others may read it; run: chmod 600 {source}")
    return text


def _check(config: Config, path: Path) -> None:
    wrong = [role for role in config.roles if role not in ROLES]
    if wrong or not config.roles:
        raise ConfigError(f"{path}: roles is {list(config.roles)}; wanted is one or both of {list(ROLES)}")
    if not config.server:
        raise ConfigError(f"{path}: server is empty; a base URL such as http://192.168.56.10:9696 is wanted")
    for url in config.server:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{path}: server is {url!r}; a URL that starts with http:// or https:// is wanted")
    for key, choices in _CHOICES.items():
        value = getattr(config.settings, key)
        if value not in choices:
            raise ConfigError(f"{path}: settings.{key} is {value!r}; wanted is one of {list(choices)}")
    _check_tunnels(config.settings, path)


def _check_tunnels(settings: Settings, path: Path) -> None:
    wrong = [kind for kind in settings.tunnel_types if kind not in TUNNEL_TYPES]
    if wrong:
        raise ConfigError(f"{path}: settings.tunnel_types has {wrong}; wanted are some of {list(TUNNEL_TYPES)}")
    if settings.tunnel_types:
        try:
            ip_address(settings.local_ip)
        except ValueError as error:
            raise ConfigError(f"{path}: settings.local_ip: {error}; tunnels begin at an address") from error
    for bridge, addresses in settings.bridge_addresses.items():
        for address in addresses:
            try:
                ip_interface(address)
            except ValueError as error:
                raise ConfigError(f"{path}: settings.bridge_addresses.{bridge}: {error}") from error


def _machine(config: Config) -> dict[str, int]:
    """Gives what was left to the agent to find out."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1 << 20)
    disk = os.statvfs("/var/lib" if Path("/var/lib").exists() else "/")
    found = {
        "vcpus": os.cpu_count() or 1,
        "memory_mb": memory,
        "disk_gb": disk.f_frsize * disk.f_blocks // (1 << 30),
    }
    return {key: getattr(config, key) or value for key, value in found.items()}
