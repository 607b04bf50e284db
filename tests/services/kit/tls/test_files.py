from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from services.kit.tls.files import TlsFiles, UnusableFileError, read
from tests.certificates import Authority

Break = Callable[[TlsFiles, Authority], TlsFiles]


def _written(path: Path | None, content: bytes) -> Path:
    assert path is not None
    path.write_bytes(content)
    return path


def _with_password(path: Path | None) -> Path:
    assert path is not None
    key = load_pem_private_key(path.read_bytes(), None)
    encryption = BestAvailableEncryption(b"secret")
    return _written(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


MISTAKES: dict[str, tuple[Break, str]] = {
    "no key": (lambda good, _: replace(good, key=None), "must be given together"),
    "no certificate": (lambda good, _: replace(good, certificate=None), "must be given together"),
    "missing": (
        lambda good, _: replace(good, certificate=Path("/nowhere/server.pem")),
        "/nowhere/server.pem cannot be read: No such file",
    ),
    "a folder": (lambda good, _: replace(good, ca=Path("/")), "/ cannot be read: Is a directory"),
    "no PEM": (
        lambda good, _: replace(good, certificate=_written(good.certificate, b"x")),
        "is no certificate in PEM",
    ),
    "a CA without PEM": (
        lambda good, _: replace(good, ca=_written(good.ca, b"")),
        "is no certificate in PEM",
    ),
    "no key in the file": (
        lambda good, _: replace(good, key=good.certificate),
        "is no private key in PEM",
    ),
    "a password": (
        lambda good, _: replace(good, key=_with_password(good.key)),
        "is protected by a password",
    ),
    "another key": (
        lambda good, ours: replace(good, key=ours.issue("other").key),
        "is not the key of",
    ),
    "expired": (lambda _, ours: ours.issue("old", expired=True), "expired at 2021-01-01 00:00 UTC"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_files_that_cannot_be_used_are_refused(authority: Authority, mistake: str) -> None:
    """A process could start, and then refuse every connection for a reason that it does not log."""
    break_files, expected = MISTAKES[mistake]
    broken = break_files(authority.issue("server"), authority)
    with pytest.raises(UnusableFileError, match=expected):
        read(broken)


def test_files_that_can_be_used_are_read(authority: Authority) -> None:
    """The checks could refuse files that are right."""
    found = read(authority.issue("server", "bookings.internal", "10.0.0.1"))
    assert (found.server_name, found.ca) == ("bookings.internal", authority.file.read_bytes())
    assert read(TlsFiles(ca=authority.file)).certificate is None
