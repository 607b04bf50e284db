"""TLS between all processes, to measure what it costs."""

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import grpc

from services.kit.tls.files import TlsFiles, read
from tests.certificates import Authority

PROCESSES = ("EVENTS", "BOOKINGS", "ACCOUNTS")


@contextlib.contextmanager
def certificates() -> Iterator[Mapping[str, str]]:
    """Issues certificates; yields the settings with which all processes use them.

    The database is on a socket of this machine, and clients of the gateway use HTTP as always.
    """
    with tempfile.TemporaryDirectory(prefix="boxoffice-certificates-") as folder:
        files = Authority(Path(folder)).issue("process")
        services = {
            f"{process}_TLS_{kind}": str(path)
            for process in PROCESSES
            for kind, path in zip(("CERT", "KEY", "CA"), files.paths(), strict=True)
        }
        yield services | {
            "GATEWAY_TLS_CA": str(files.ca),
            "GATEWAY_TLS_CLIENT_CERT": str(files.certificate),
            "GATEWAY_TLS_CLIENT_KEY": str(files.key),
        }


def channel_to_bookings(target: str) -> grpc.Channel:
    """Opens a channel, with TLS if bookings has it in this environment."""
    names = [f"BOOKINGS_TLS_{kind}" for kind in ("CERT", "KEY", "CA")]
    if names[0] not in os.environ:
        return grpc.insecure_channel(target)
    found = read(TlsFiles(*(Path(os.environ[name]) for name in names)))
    return grpc.secure_channel(
        target, grpc.ssl_channel_credentials(found.ca, found.key, found.certificate)
    )
