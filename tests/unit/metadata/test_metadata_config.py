"""The metadata agent's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from netglass.metadata.config import ConfigError, load_config


def write(directory: Path, text: str, mode: int = 0o600) -> Path:
    for name in ("credential", "secret"):
        (directory / name).write_text(f"the {name}\n")
        (directory / name).chmod(mode)
    path = directory / "metadata-agent.toml"
    files = f'credential_file = "{directory}/credential"\nsecret_file = "{directory}/secret"\n'
    path.write_text(files + text)
    return path


def test_the_metadata_api_is_the_servers_unless_another_is_named(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, 'server = "http://10.1.0.1:9696/"\nhost = "net1"\n'))
    assert config.metadata == ("http://10.1.0.1:9696/metadata",)
    assert (config.host, config.credential, config.secret) == ("net1", "the credential", "the secret")
    nova = load_config(write(tmp_path, 'server = ["http://a", "http://b"]\nmetadata = "http://nova:8775"\n'))
    assert (nova.servers, nova.metadata) == (("http://a", "http://b"), ("http://nova:8775",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "server"),
        ("server = []\n", "server is empty"),
        ('server = "10.1.0.1"\n', "http://"),
        ('server = "http://a"\nsokcet = "/x"\n', "sokcet"),
        ("server = @\n", "line"),
        ('server = "https://a"\nca_file = "/nowhere/ca.pem"\n', "ca_file /nowhere/ca.pem: there is no such file"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(write(tmp_path, text))


def test_a_secret_that_is_not_there_or_empty_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, 'server = "http://a"\n')
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(ConfigError, match=r"secret_file .* is empty"):
        load_config(path)
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigError, match=r"secret_file .* No such file"):
        load_config(path)


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chmod 600"):
        load_config(write(tmp_path, 'server = "http://a"\n', mode=0o644))
