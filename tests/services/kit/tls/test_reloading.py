"""When certificates expire, as the metric says it."""

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import REGISTRY

from services.kit.tls.files import TlsFiles, read
from services.kit.tls.reloading import Reloading
from tests.certificates import Authority


def expires_at(path: Path | None) -> datetime | None:
    """Reads the metric of a file."""
    name, labels = "boxoffice_certificate_expires_at_seconds", {"file": str(path)}
    seconds = REGISTRY.get_sample_value(name, labels)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def test_the_metric_follows_the_files(authority: Authority) -> None:
    """After a renewal the alert could go on until somebody opens a connection."""
    files = authority.issue("server")
    used = Reloading(files, lambda credentials: credentials)
    assert expires_at(files.certificate) == datetime(2100, 1, 1, tzinfo=UTC)
    authority.issue("server", year=2200)
    assert expires_at(files.certificate) == datetime(2200, 1, 1, tzinfo=UTC)
    assert used.current().expires_at.keys() == {files.certificate, files.ca}


def test_the_metric_is_of_what_is_in_use(authority: Authority) -> None:
    """A renewal whose key is missing could silence the alert until all connections fail."""
    files = authority.issue("server")
    used = Reloading(files, lambda credentials: credentials)
    assert files.certificate is not None
    other = authority.issue("other", year=2200)
    assert other.certificate is not None
    other.certificate.replace(files.certificate)
    assert expires_at(files.certificate) == datetime(2100, 1, 1, tzinfo=UTC)
    assert used.current().certificate != files.certificate.read_bytes()


def test_a_ca_that_changes_counts_with_its_last_certificate(
    authority: Authority, tmp_path: Path
) -> None:
    """While the old and the new CA are in one file, an alert could fire for the old one."""
    ending, lasting = authority.issue("ending"), authority.issue("lasting", year=2200)
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(path.read_bytes() for path in _certificates(ending, lasting)))
    assert read(TlsFiles(ca=both)).expires_at == {both: datetime(2200, 1, 1, tzinfo=UTC)}


def test_a_chain_counts_with_its_first_certificate_to_expire(authority: Authority) -> None:
    """A certificate between a server's and the CA could expire without an alert."""
    lasting, ending = authority.issue("server", year=2200), authority.issue("ending")
    [certificate, issuer] = _certificates(lasting, ending)
    certificate.write_bytes(certificate.read_bytes() + issuer.read_bytes())
    assert read(lasting).expires_at[certificate] == datetime(2100, 1, 1, tzinfo=UTC)


def _certificates(*files: TlsFiles) -> list[Path]:
    return [each.certificate for each in files if each.certificate is not None]
