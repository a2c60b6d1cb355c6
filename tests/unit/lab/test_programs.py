"""What a lab writes for the server and the agents is what these read."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from netglass.agent.config import load_config
from netglass.api.config import read_config
from netglass.lab.places import LabPlace
from netglass.lab.programs import USERS, plan_hosts
from netglass.lab.topology import BUILTIN, find_topology, parse_topology
from netglass.metadata.config import load_config as load_metadata_config
from netglass.model.protocol import host_credential

VLAN = find_topology("vlan")


def test_the_server_reads_its_settings_as_they_were_meant(tmp_path: Path) -> None:
    wanted = replace(VLAN, cloud=replace(VLAN.cloud, dhcp_agents_per_network=2))
    (control, *_) = plan_hosts(wanted, LabPlace("no-such-lab"), "198.18.0.4/30")
    (tmp_path / "server.toml").write_text(control.etc["netglass/server.toml"][0])

    read = read_config(tmp_path / "server.toml")

    assert read.base_url == "http://198.18.0.6:9696"
    assert read.cloud.vlan_ranges == (("default", 1000, 1999),)
    assert read.cloud.dhcp_agents_per_network == 2
    assert read.database == "sqlite:////var/lib/netglass/netglass.db"


def test_an_agent_reads_its_settings_as_they_were_meant(tmp_path: Path) -> None:
    control, compute1, *_ = plan_hosts(VLAN, LabPlace("no-such-lab"), "198.18.0.4/30")
    credential = compute1.etc["netglass/agent.credential"]
    (tmp_path / "agent.credential").write_text(credential[0])
    (tmp_path / "agent.credential").chmod(credential[1])
    text = compute1.etc["netglass/agent.toml"][0]
    (tmp_path / "agent.toml").write_text(text.replace("/etc/netglass/", f"{tmp_path}/"))

    read = load_config(tmp_path / "agent.toml")

    assert (read.host, read.roles, read.server) == ("compute1", ("hypervisor",), ("http://192.168.50.11:9696",))
    assert read.settings.bridge_mappings == {"default": "br-eth2"}
    assert read.settings.bridge_nics == {"br-eth2": "eth2"}
    secret = control.lib["netglass/secrets/agent.secret"][0].strip()
    assert read.credential == host_credential(secret, "compute1")


def test_a_metadata_agent_reads_its_settings_as_they_were_meant_and_runs_where_networks_are_served(
    tmp_path: Path,
) -> None:
    control, compute1, *_ = plan_hosts(VLAN, LabPlace("no-such-lab"), "198.18.0.4/30")
    for name in ("agent.credential", "metadata.secret", "metadata-agent.toml"):
        text, mode = control.etc[f"netglass/{name}"]
        (tmp_path / name).write_text(text.replace("/etc/netglass/", f"{tmp_path}/"))
        (tmp_path / name).chmod(mode)

    read = load_metadata_config(tmp_path / "metadata-agent.toml")

    assert (read.host, read.servers) == ("control", ("http://192.168.50.11:9696",))
    assert read.secret == control.lib["netglass/secrets/metadata.secret"][0].strip()
    assert "netglass-metadata-agent" in [service.name for service in control.services]
    assert "netglass-metadata-agent" not in [service.name for service in compute1.services]
    assert "netglass/metadata.secret" not in compute1.etc


def test_secrets_are_for_their_owner_alone_and_new_in_every_lab() -> None:
    one, two = (plan_hosts(VLAN, LabPlace("no-such-lab"), "198.18.0.4/30")[0] for _ in range(2))
    for user in USERS:
        path = f"netglass/secrets/{user}.password"
        assert one.lib[path][1] == 0o600
        assert one.lib[path][0] != two.lib[path][0]
    assert one.etc["netglass/agent.credential"][1] == 0o600


def test_no_secret_is_in_a_command_line_or_in_a_file_that_others_may_read() -> None:
    for plan in plan_hosts(VLAN, LabPlace("no-such-lab"), "198.18.0.4/30"):
        files = (plan.etc | plan.lib).values()
        hidden = [text.strip() for text, mode in files if mode == 0o600]
        shown = [text for text, mode in files if mode != 0o600]
        shown += [" ".join((*s.argv, *s.environment.values())) for s in plan.services]
        assert not [secret for secret in hidden if any(secret in text for text in shown)]


def test_several_servers_share_a_database_and_secrets_and_hosts_begin_with_different_ones() -> None:
    text = (BUILTIN / "vlan.yaml").read_text().replace("compute1:\n", "compute1:\n    server: true\n")
    topology = parse_topology(text.replace("cloud:\n", "cloud:\n  database: postgresql:///it\n"), "two.yaml")
    plans = plan_hosts(topology, LabPlace("no-such-lab"), "198.18.0.4/30")

    def files(name: str) -> list[str]:
        return [plan.etc[f"netglass/{name}"][0] for plan in plans if f"netglass/{name}" in plan.etc]

    assert ['database = "postgresql:///it"' in text for text in files("server.toml")] == [True, True]
    assert plans[0].lib == plans[1].lib
    assert {"fernet.key", "agent.secret", "admin.password"} <= {name.rpartition("/")[2] for name in plans[0].lib}
    asked = {line for text in files("agent.toml") for line in text.splitlines() if line.startswith("server =")}
    urls = '"http://192.168.50.11:9696"', '"http://192.168.50.12:9696"'
    assert asked == {f"server = [{', '.join(urls)}]", f"server = [{', '.join(reversed(urls))}]"}
