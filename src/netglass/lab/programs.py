"""What runs on a lab host, and its configuration: as on a real host, but for who starts it."""

from __future__ import annotations

import base64
import json
import secrets
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from ipaddress import IPv4Network
from typing import Any

from netglass.host.run import run
from netglass.lab import outside
from netglass.lab.hosts import ENVIRONMENT, PROGRAMS, HostPlan, Service
from netglass.lab.places import LabPlace
from netglass.lab.topology import HostSpec, LabError, Topology
from netglass.model.protocol import host_credential

PORT = 9696
USERS = ("admin", "demo")

# The servers' secrets that other hosts must know, or what is made of them.
_KEY = "fernet.key"
_SHARED = ("agent.secret", "metadata.secret", _KEY, *(f"{user}.password" for user in USERS))
_MODULES = {"agent": "netglass.agent.main", "metadata-agent": "netglass.metadata.main"}
_OVS_RUN = "/run/openvswitch"
_OVS_LOG = "/var/log/openvswitch"
_OVS_NICE = -10  # as ovs-ctl(8) starts them: packets wait for nobody
_OVS_DATABASE = "/etc/openvswitch/conf.db"
_OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_SECRETS = "netglass/secrets"  # below /var/lib
_NETGLASS_LOG = "/var/log/netglass"


def api_url(subnet: str) -> str:
    """Gives the base of the API's URLs, as the machine reaches it over the lab's uplink."""
    return f"http://{list(IPv4Network(subnet).hosts())[1]}:{PORT}"


def read_secret(place: LabPlace, topology: Topology, name: str) -> str:
    """Gives one of the server's secrets, such as admin.password or agent.secret; empty when it was not made yet."""
    path = place.host(topology.server_host).lib / _SECRETS / name
    return path.read_text().strip() if path.exists() else ""


def plan_hosts(topology: Topology, place: LabPlace, subnet: str) -> list[HostPlan]:
    """Gives what every host is made with; secrets that exist are kept."""
    kept = {name: read_secret(place, topology, name) or _new_secret(name) for name in _SHARED}
    return [_plan_host(topology, name, kept, subnet) for name in topology.hosts]


def _new_secret(name: str) -> str:
    if name == _KEY:
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()  # Fernet's own form
    return secrets.token_urlsafe(18) if name.endswith(".password") else secrets.token_hex(32)


def _plan_host(topology: Topology, name: str, shared: Mapping[str, str], subnet: str) -> HostPlan:
    host = topology.hosts[name]
    services: list[Service] = []
    etc = {"hosts": (_hosts_file(topology), 0o644)}
    lib: dict[str, tuple[str, int]] = {}
    if host.server:
        services.append(_netglass("server"))
        etc["netglass/server.toml"] = (_toml(_server_settings(topology, subnet)), 0o644)
        lib = {f"{_SECRETS}/{file}": (secret + "\n", 0o600) for file, secret in shared.items()}
    if host.is_outside:
        services += outside.services(host)
        etc |= outside.files(topology, name)
    else:
        services += _switch(name)
    if host.roles:
        services.append(_netglass("agent"))
        etc["netglass/agent.toml"] = (_toml(_agent_settings(topology, name)), 0o644)
        etc["netglass/agent.credential"] = (host_credential(shared["agent.secret"], name) + "\n", 0o600)
    if "network" in host.roles:
        services.append(_netglass("metadata-agent"))
        etc["netglass/metadata-agent.toml"] = (_toml(_metadata_settings(topology, name)), 0o644)
        etc["netglass/metadata.secret"] = (shared["metadata.secret"] + "\n", 0o600)
    return HostPlan(name, tuple(services), etc, lib)


def _netglass(verb: str) -> Service:
    program: tuple[str, ...] = (str(PROGRAMS / "netglass"), verb)
    if verb in _MODULES:
        # What `netglass agent` becomes; going there at once saves each host a quarter of a second.
        program = (sys.executable, "-m", _MODULES[verb])
    return Service(
        name=f"netglass-{verb}",
        kind="simple",
        argv=(*program, "--config", f"/etc/netglass/{verb}.toml"),
        log=f"{_NETGLASS_LOG}/{verb}.log",
        # Nothing of the switch is waited for: importing takes longer than the switch needs to be ready.
        environment=ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},
    )


def _switch(host: str) -> list[Service]:
    log = f"{_OVS_LOG}/ovs-ctl.log"
    common = ("-vconsole:off", "-vsyslog:off", "--no-chdir", "--detach")
    # What ovs-ctl(8) would write; ovs-vsctl show prints the version.
    names = (f"external-ids:hostname={host}", f"external-ids:system-id={host}", f"ovs-version={_ovs_version()}")
    return [
        Service(
            name="ovsdb-create",
            kind="once",
            argv=("ovsdb-tool", "create", _OVS_DATABASE, _OVS_SCHEMA),
            unless=_OVS_DATABASE,
            log=log,
        ),
        Service(
            name="ovsdb-server",
            kind="forking",
            argv=(
                "ovsdb-server",
                _OVS_DATABASE,
                f"--remote=punix:{_OVS_RUN}/db.sock",
                "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                f"--pidfile={_OVS_RUN}/ovsdb-server.pid",
                f"--log-file={_OVS_LOG}/ovsdb-server.log",
                *common,
            ),
            after=("ovsdb-create",),
            nice=_OVS_NICE,
            pid_file=f"{_OVS_RUN}/ovsdb-server.pid",
            log=log,
        ),
        Service(
            name="ovs-names",
            kind="once",
            argv=("ovs-vsctl", "--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".", *names),
            after=("ovsdb-server",),
            log=log,
        ),
        Service(
            name="ovs-vswitchd",
            kind="forking",
            argv=(
                "ovs-vswitchd",
                f"unix:{_OVS_RUN}/db.sock",
                f"--pidfile={_OVS_RUN}/ovs-vswitchd.pid",
                f"--log-file={_OVS_LOG}/ovs-vswitchd.log",
                *common,
            ),
            after=("ovs-names",),
            nice=_OVS_NICE,
            pid_file=f"{_OVS_RUN}/ovs-vswitchd.pid",
            log=log,
        ),
    ]


@cache
def _ovs_version() -> str:
    """Gives the version of the machine's Open vSwitch: the last word of the first line that it says of itself."""
    said = run(("ovs-vswitchd", "--version"))
    if not said.ok:
        raise LabError(f"Open vSwitch is missing or does not run: {said.evidence}")
    return said.stdout.splitlines()[0].split()[-1]


def _hosts_file(topology: Topology) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{address} {host}" for host in topology.hosts if (address := topology.management_address(host))]
    return "\n".join(lines) + "\n"


def _server_settings(topology: Topology, subnet: str) -> dict[str, Any]:
    cloud: dict[str, Any] = {
        "tenant_network_types": topology.cloud.tenant_network_types,
        "vlan_ranges": [[name, *ends] for name, ends in topology.cloud.vlan_ranges.items()],
        "vlan_networks": topology.cloud.vlan_networks,
        "tunnel_ranges": topology.cloud.tunnel_ranges,
        "overlay_ip_version": topology.cloud.overlay_ip_version,
        "dhcp_agents_per_network": topology.cloud.dhcp_agents_per_network,
    }
    return {
        "listen": "0.0.0.0",  # in the host's own namespace: management network and uplink
        "port": PORT,
        "public_url": api_url(subnet),
        "tls": False,  # all of a lab is on this machine
        "database": topology.cloud.database or "sqlite:////var/lib/netglass/netglass.db",
        "secrets": f"/var/lib/{_SECRETS}",
        "cloud": cloud,
    }


def _agent_settings(topology: Topology, name: str) -> dict[str, Any]:
    host: HostSpec = topology.hosts[name]
    settings: dict[str, Any] = {
        "bridge_mappings": host.bridge_mappings,
        "bridge_nics": host.bridges,
        "bridge_addresses": topology.bridge_addresses(name),
        "tunnel_types": host.tunnel_types,
        "local_ip": topology.tunnel_address(name),
        "l2_population": host.l2_population,
        "provider_link": host.provider_link,
        "gateway_link": host.gateway_link,
        "firewall_driver": host.firewall_driver,
    }
    if host.datapath_type:
        settings["datapath_type"] = host.datapath_type
    return {
        "host": name,
        "roles": sorted(host.roles),
        "server": _servers_of(topology, name),
        "credential_file": "/etc/netglass/agent.credential",
        "availability_zone": host.availability_zone,
        "address": topology.management_address(name),
        "settings": settings,
    }


def _metadata_settings(topology: Topology, name: str) -> dict[str, Any]:
    return {
        "host": name,
        "server": _servers_of(topology, name),
        "credential_file": "/etc/netglass/agent.credential",
        "secret_file": "/etc/netglass/metadata.secret",
    }


def _servers_of(topology: Topology, host: str) -> str | list[str]:
    """Gives where a host finds the servers; of several, hosts begin with different ones."""
    urls = [f"http://{topology.management_address(name)}:{PORT}" for name in topology.server_hosts]
    first = list(topology.hosts).index(host) % len(urls)
    return urls[0] if len(urls) == 1 else [*urls[first:], *urls[:first]]


def _toml(settings: Mapping[str, Any]) -> str:
    """Renders plain settings and one level of tables; JSON's strings, numbers and lists are TOML's too."""
    plain = [f"{key} = {_value(value)}" for key, value in settings.items() if not isinstance(value, Mapping)]
    tables = [(key, value) for key, value in settings.items() if isinstance(value, Mapping) and value]
    for key, table in tables:
        plain += ["", f"[{key}]", *_lines(table)]
    return "\n".join(plain) + "\n"


def _lines(table: Mapping[str, Any]) -> Iterable[str]:
    return (f"{key} = {_value(value)}" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value)
