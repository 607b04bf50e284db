"""Values made of the files of TLS, made again when the files change."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from prometheus_client import Gauge

from services.kit.tls.files import Credentials, TlsFiles, UnusableFileError, read

LOOK_SECONDS = 1.0
"""The files are looked at when a connection is opened, and at most this often."""

EXPIRES_AT = Gauge(
    "boxoffice_certificate_expires_at_seconds",
    "Unix time at which the certificates of a file that is in use expire",
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
        self._expires_at: Mapping[Path, datetime] = {}
        self._value = self._load()
        self._looked_at = time.monotonic()
        for path in self._expires_at:
            EXPIRES_AT.labels(str(path)).set_function(partial(self._expiry, path))

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
        self._expires_at = credentials.expires_at
        return value

    def _expiry(self, path: Path) -> float:
        """Looks at the files, as no connection may have been opened since they were replaced."""
        self.current()
        return self._expires_at[path].timestamp()


def _versions(files: TlsFiles) -> Versions:
    """Returns what tells a file from its replacement; taken before the files are read."""
    return [_version(path) for path in files.paths()]


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
