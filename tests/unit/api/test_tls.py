"""The files that a server speaks TLS with: the authority stays, and the certificate is always one of its."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cryptography import x509

from netglass.api.tls import ServerTls, ensure_tls
from netglass.base.errors import Invalid

NAMES = ("192.0.2.1", "controller")


def issued(tls: ServerTls) -> x509.Certificate:
    """Gives the server's certificate; raises where the authority did not sign it."""
    certificate = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(tls.ca.read_bytes()))
    return certificate


def directory(tmp_path: Path, name: str, *copied: Path) -> Path:
    made = tmp_path / name
    made.mkdir()
    for path in copied:
        shutil.copy(path, made)
    return made


def test_what_was_made_is_kept_and_other_names_cost_another_certificate_of_the_same_authority(tmp_path: Path) -> None:
    first = ensure_tls(tmp_path, NAMES)
    before, fingerprint = issued(first), first.fingerprint

    assert issued(ensure_tls(tmp_path, NAMES)) == before
    assert issued(ensure_tls(tmp_path, ("192.0.2.9",))) != before
    assert first.fingerprint == fingerprint


def test_a_second_server_that_has_the_authority_without_its_key_says_so_and_leaves_it_as_it_is(tmp_path: Path) -> None:
    first = ensure_tls(directory(tmp_path, "one"), NAMES)
    second = directory(tmp_path, "two", first.ca)

    with pytest.raises(Invalid, match=r"ca\.key is missing.*copy both"):
        ensure_tls(second, NAMES)
    assert (second / "ca.pem").read_bytes() == first.ca.read_bytes()

    shutil.copy(tmp_path / "one/ca.key", second)
    assert ensure_tls(second, ("192.0.2.2",)).fingerprint == first.fingerprint
    issued(ensure_tls(second, ("192.0.2.2",)))


def test_a_key_or_a_certificate_of_another_authority_is_not_used(tmp_path: Path) -> None:
    first = ensure_tls(directory(tmp_path, "one"), NAMES)
    other = ensure_tls(directory(tmp_path, "two"), NAMES)
    mixed = directory(tmp_path, "mixed", first.ca, other.certificate, other.key)

    shutil.copy(tmp_path / "two/ca.key", mixed)
    with pytest.raises(Invalid, match=r"ca\.key is not the key of .*ca\.pem"):
        ensure_tls(mixed, NAMES)

    shutil.copy(tmp_path / "one/ca.key", mixed)
    issued(ensure_tls(mixed, NAMES))
