"""Certificates for tests: an authority that issues them into files."""

from datetime import UTC, datetime
from pathlib import Path

import trustme

from services.kit.tls.files import TlsFiles

BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
HERE = ("localhost", "127.0.0.1")


class Authority:
    """A CA, whose certificate is in `folder`; others can issue with another CA."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def issue(self, name: str, *hosts: str, expired: bool = False, year: int = 2100) -> TlsFiles:
        """Writes a certificate for hosts, replacing one of that name; trusts this authority."""
        until = datetime(2021 if expired else year, 1, 1, tzinfo=UTC)
        issued = self._ca.issue_cert(*(hosts or HERE), not_before=BEGINNING, not_after=until)
        certificate, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        key.write_bytes(issued.private_key_pem.bytes())
        certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return TlsFiles(certificate, key, self.file)
