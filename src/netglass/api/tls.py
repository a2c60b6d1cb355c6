"""The server's certificate, and the authority that hosts know it by.

Among the secrets: ``ca.key`` and ``ca.pem``, made once and never replaced; ``server.key`` and ``server.pem``, made anew
when the server's names change, the CA does, or `_RENEW_BEFORE` before the end.  Several servers of one cloud have the
same secrets, and so one CA.
A host that joins knows the CA by the fingerprint in its token: SHA-256 of the certificate's DER (RFC 5280).
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from netglass.base.errors import Invalid

_CA_DAYS = 3650
_SERVER_DAYS = 365
_RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class ServerTls:
    """Files that a server speaks TLS with, PEM each; `ca` holds what clients verify it by."""

    certificate: Path
    key: Path
    ca: Path

    @property
    def fingerprint(self) -> str:
        """Gives the CA certificate's SHA-256 in hexadecimal."""
        found = x509.load_pem_x509_certificate(self.ca.read_bytes())
        return found.fingerprint(hashes.SHA256()).hex()


def ensure_tls(directory: Path, names: Iterable[str]) -> ServerTls:
    """Makes what is missing or runs out; gives the files.

    names  host names and addresses that the server is reached by, not empty

    Raises Invalid when a certificate must be made and ``ca.key`` is not there, or is another authority's.
    """
    tls = ServerTls(directory / "server.pem", directory / "server.key", directory / "ca.pem")
    ca_key = directory / "ca.key"
    if not tls.ca.exists():
        _make_ca(ca_key, tls.ca)
    wanted = sorted(set(names))
    if not _is_good(tls, wanted):
        _make_certificate(tls, ca_key, wanted)
    return tls


def _make_ca(key_path: Path, path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Netglass CA")])
    made = (
        _lasting(_CA_DAYS)
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(key_path, _pem_of(key))
    _write(path, made.public_bytes(serialization.Encoding.PEM))


def _make_certificate(tls: ServerTls, ca_key_path: Path, names: list[str]) -> None:
    ca = x509.load_pem_x509_certificate(tls.ca.read_bytes())
    ca_key = _key_of(ca, tls.ca, ca_key_path)
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _lasting(_SERVER_DAYS)
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Netglass server")]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(tls.key, _pem_of(key))
    _write(tls.certificate, made.public_bytes(serialization.Encoding.PEM))


def _key_of(ca: x509.Certificate, ca_path: Path, path: Path) -> ec.EllipticCurvePrivateKey:
    remedy = f"{ca_path.name} and {path.name} belong together: copy both from one of the cloud's servers."
    if not path.exists():
        message = f"{path} is missing, so that no certificate can be made that {ca_path} vouches for; {remedy}"
        raise Invalid(message, fault="InvalidConfiguration")
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != ca.public_key():
        raise Invalid(f"{path} is not the key of {ca_path}; {remedy}", fault="InvalidConfiguration")
    return key


def _is_good(tls: ServerTls, names: list[str]) -> bool:
    if not (tls.certificate.exists() and tls.key.exists()):
        return False
    found = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
    ca = x509.load_pem_x509_certificate(tls.ca.read_bytes())
    held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    lasts = found.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE
    return lasts and _is_issued_by(found, ca) and set(held) == {_general(name) for name in names}


def _is_issued_by(found: x509.Certificate, ca: x509.Certificate) -> bool:
    # By the signature: all our authorities have the same name.
    try:
        found.verify_directly_issued_by(ca)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _lasting(days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    # An hour back: hosts' clocks differ.
    builder = x509.CertificateBuilder().serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=days))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, text: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
