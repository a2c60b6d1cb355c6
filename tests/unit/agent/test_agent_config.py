"""The agent's configuration file: what is left out is found out, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from netglass.agent.config import ConfigError, host_settings, load_config

GOOD = """
host = "compute1"
roles = ["hypervisor"]
server = "http://192.0.2.1:9696"
credential = "secret"
[settings]
bridge_mappings = { default = "br-eth2" }
bridge_nics = { br-eth2 = "eth2" }
"""


def _file(directory: Path, text: str, mode: int = 0o600) -> Path:
    path = directory / "agent.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    config = load_config(_file(tmp_path, GOOD))
    assert (config.host, config.roles, config.server) == ("compute1", ("hypervisor",), ("http://192.0.2.1:9696",))
    assert config.vcpus > 0
    assert config.memory_mb > 0
    settings = host_settings(config.settings, "netdev")
    assert (settings.datapath_type, settings.bridge_mappings) == ("netdev", {"default": "br-eth2"})


def test_the_credential_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "cred").write_text("secret\n")
    (tmp_path / "cred").chmod(0o600)
    text = GOOD.replace('credential = "secret"', f'credential_file = "{tmp_path}/cred"')
    assert load_config(_file(tmp_path, text, 0o644)).credential == "secret"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("roles = [", 'roles = ["cook", '), "cook"),
        (("http://", "gopher://"), "gopher"),
        (('credential = "secret"', ""), "credential"),
        (('host = "compute1"', "hots = 1"), "hots"),
        (("[settings]", '[settings]\nprovider_link = "rope"'), "rope"),
        (("[settings]", '[settings]\ndatapath_type = "fpga"'), "fpga"),
        (("[settings]", "[settings]\nbridge_mapping = {}"), "bridge_mapping"),
        (("[settings]", "[settings"), "agent.toml"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(_file(tmp_path, GOOD.replace(*change)))


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        load_config(_file(tmp_path, GOOD, 0o644))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nosuch"):
        load_config(tmp_path / "nosuch.toml")
