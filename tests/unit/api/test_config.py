"""The server's configuration and its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from netglass.api.config import Secrets, read_config
from netglass.base.errors import Invalid

LEAST = 'database = "sqlite:////tmp/x.db"\nsecrets = "/tmp/secrets"\n'


def written(directory: Path, text: str) -> Path:
    path = directory / "netglass.toml"
    path.write_text(text)
    return path


def test_least_configuration_serves_loopback_on_neutrons_port(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, LEAST))

    assert (config.listen, config.port) == ("127.0.0.1", 9696)
    assert config.base_url == "http://127.0.0.1:9696"


def test_cloud_settings_are_those_that_decisions_get(tmp_path: Path) -> None:
    config = read_config(
        written(tmp_path, LEAST + '[cloud]\nvlan_ranges = [["default", 2000, 2049]]\nagent_down_s = 5\n')
    )

    assert config.cloud.vlan_ranges == (("default", 2000, 2049),)
    assert config.cloud.agent_down_s == 5
    assert config.cloud.flat_networks == ("*",)


def test_public_url_has_no_slash_at_its_end(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, 'public_url = "http://c/"\n' + LEAST)).base_url == "http://c"


def test_address_of_ipv6_is_bracketed_in_the_url(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, 'listen = "::1"\n' + LEAST)).base_url == "http://[::1]:9696"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "database"),
        ("database = 1\n", "database"),
        (LEAST + "prot = 1\n", "prot"),
        (LEAST + "port = 'x'\n", "port"),
        (LEAST + 'log_level = "LOUD"\n', "log_level"),
        (LEAST + "[cloud]\nvlan_rangs = []\n", "no setting vlan_rangs"),
        (LEAST + "[cloud]\nvlan_ranges = [1]\n", "vlan_ranges"),
        (LEAST + '[cloud]\ntenant_network_types = ["stt"]\n', "tenant_network_types has 'stt'"),
        (LEAST + "[cloud]\ntunnel_ranges = { stt = [1, 2] }\n", "tunnel_ranges has 'stt'"),
        (LEAST + "[cloud]\ntunnel_ranges = { vxlan = [1, 16777216] }\n", "wanted is within 1 to 16777215"),
        (LEAST + "[cloud]\noverlay_ip_version = 5\n", "overlay_ip_version"),
        (LEAST + "cloud = 1\n", "cloud"),
        ("database = @", "line 1"),
    ],
)
def test_mistake_in_the_configuration_is_named_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_config(written(tmp_path, text))

    assert "netglass.toml" in refused.value.message
    assert words in refused.value.message


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"netglass.toml: No such file"):
        read_config(tmp_path / "netglass.toml")


def test_secrets_are_made_once_private_and_kept(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    first = (secrets.fernet_key, secrets.agent_secret, secrets.password("admin"))

    assert len(set(first)) == 3
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    names = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()}
    assert names == {"fernet.key": 0o600, "agent.secret": 0o600, "admin.password": 0o600}
    again = Secrets(tmp_path / "secrets")
    assert (again.fernet_key, again.agent_secret, again.password("admin")) == first


def test_secret_that_was_put_there_is_used(tmp_path: Path) -> None:
    path = tmp_path / "demo.password"
    path.write_text("chosen\n")
    path.chmod(0o600)

    assert Secrets(tmp_path).password("demo") == "chosen"


def test_secret_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "agent.secret"
    path.write_text("in-the-clear\n")
    path.chmod(0o644)

    with pytest.raises(Invalid, match=r"chmod 600 .*agent\.secret") as refused:
        _ = Secrets(tmp_path).agent_secret
    assert "in-the-clear" not in refused.value.message


def test_empty_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent.secret"
    path.touch(0o600)

    with pytest.raises(Invalid, match="is empty"):
        _ = Secrets(tmp_path).agent_secret
