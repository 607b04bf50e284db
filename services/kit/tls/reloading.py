"""Values made of the files of TLS, made again when the files change."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from prometheus_client import Gauge

from services.kit.tls.files import Credentials, TlsFiles, UnusableFileError, read

LOOK_SECONDS = 1.0
"""The files are looked at when a connection is opened, and at most this often."""

EXPIRES_AT = Gauge(
    "boxoffice_certificate_expires_at_seconds",
    "Unix time at which the certificate in use expires",
    ["file"],
)

ValueT = TypeVar("ValueT")
Versions = Sequence[tuple[int, int, int] | None]

log = structlog.get_logger()


class Reloading(Generic[ValueT]):
    """What `make` makes of the files: at once, and again after they have changed.

    Files that cannot be used are logged, and the value before stays in use. Safe to use from
    several threads, as gRPC does. Raises UnusableFileError if the first files cannot be used.
    """

    def __init__(self, files: TlsFiles, make: Callable[[Credentials], ValueT]) -> None:
        self.files = files
        self._make = make
        self._lock = threading.Lock()
        self._versions = _versions(files)
        self._value = self._load()
        self._looked_at = time.monotonic()

    def current(self) -> ValueT:
        """Returns the value of the files as they are now, or were a second ago."""
        with self._lock:
            if time.monotonic() - self._looked_at >= LOOK_SECONDS:
                self._look()
                self._looked_at = time.monotonic()
            return self._value

    def _look(self) -> None:
        versions = _versions(self.files)
        if versions == self._versions:
            return
        # Set first: files that cannot be used are read again only after they have changed again.
        self._versions = versions
        try:
            self._value = self._load()
        except UnusableFileError as error:
            log.warning("certificate not replaced", reason=str(error))
        else:
            log.info("certificate replaced", files=[str(path) for path in self.files.paths()])

    def _load(self) -> ValueT:
        credentials = read(self.files)
        value = self._make(credentials)
        if credentials.expires_at is not None:
            EXPIRES_AT.labels(str(self.files.certificate)).set(credentials.expires_at.timestamp())
        return value


def _versions(files: TlsFiles) -> Versions:
    """Returns what tells a file from its replacement; taken before the files are read."""
    return [_version(path) for path in files.paths()]


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
