"""The files of TLS: a certificate with its key, and the CA that peers are checked by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)


class UnusableFileError(ValueError):
    """A file of TLS cannot be used; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the certificate, its key and the CA are, all of them in PEM.

    The certificate's file has the certificates between it and the CA, too. Without `ca` peers are
    checked by the well-known authorities. A certificate and its key are given together.
    """

    certificate: Path | None = None
    key: Path | None = None
    ca: Path | None = None

    def paths(self) -> Sequence[Path]:
        """Returns the files that are given."""
        return [path for path in (self.certificate, self.key, self.ca) if path is not None]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The content of the files, checked; what was not given is None.

    `server_name` is a name that the certificate is valid for. `expires_at` is when the first
    certificate of a chain expires, and the last one of a CA's file, which may be about to change.
    """

    certificate: bytes | None
    key: bytes | None
    ca: bytes | None
    server_name: str
    expires_at: Mapping[Path, datetime]


def read(files: TlsFiles) -> Credentials:
    """Reads and checks the files. Raises UnusableFileError."""
    if (files.certificate is None) != (files.key is None):
        raise UnusableFileError("a certificate and its key must be given together")
    expires_at: dict[Path, datetime] = {}
    ca = None if files.ca is None else _read(files.ca)
    if files.ca is not None and ca is not None:
        expires_at[files.ca] = max(map(_expiry, _certificates(files.ca, ca)))
    if files.certificate is None or files.key is None:
        return Credentials(None, None, ca, "", expires_at)
    chain, key = _read(files.certificate), _read(files.key)
    leaf, *issuers = _certificates(files.certificate, chain)
    expires_at[files.certificate] = min(map(_expiry, (leaf, *issuers)))
    _expect_valid_now(files.certificate, leaf)
    if _public_bytes(leaf.public_key()) != _public_bytes(_private_key(files.key, key).public_key()):
        raise UnusableFileError(f"{files.key} is not the key of {files.certificate}")
    return Credentials(chain, key, ca, _server_name(leaf), expires_at)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableFileError(f"{path} cannot be read: {error.strerror}") from error


def _certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise UnusableFileError(f"{path} is no certificate in PEM") from error


def _expiry(certificate: x509.Certificate) -> datetime:
    return certificate.not_valid_after_utc


def _private_key(path: Path, content: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise UnusableFileError(f"{path} is protected by a password: store it without") from error
    except ValueError as error:
        raise UnusableFileError(f"{path} is no private key in PEM") from error


def _expect_valid_now(path: Path, certificate: x509.Certificate) -> None:
    now = datetime.now(UTC)
    if now > certificate.not_valid_after_utc:
        raise UnusableFileError(
            f"{path} expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        )
    if now < certificate.not_valid_before_utc:
        raise UnusableFileError(
            f"{path} is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on"
        )


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _server_name(certificate: x509.Certificate) -> str:
    """Returns the first name or address of the certificate; "" if it has none."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    hosts = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.IPAddress)
    return next(iter([*hosts, *map(str, addresses)]), "")
