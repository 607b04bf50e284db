"""The server's side of TLS for gRPC."""

from typing import TypeAlias

import grpc

from services.kit.tls.files import Credentials, TlsFiles
from services.kit.tls.reloading import Reloading

ServerTls: TypeAlias = Reloading[grpc.ServerCertificateConfiguration]


def server_tls(files: TlsFiles) -> ServerTls:
    """Returns what a server shows to clients, and checks them by. Raises UnusableFileError."""
    return Reloading(files, _configuration)


def port_credentials(tls: ServerTls) -> grpc.ServerCredentials:
    """Returns credentials for one port: each new connection gets the newest certificate.

    With a CA, clients must show a certificate of it. Credentials cannot be used for two ports, as
    gRPC fetches the first configuration of each port.
    """
    used = tls.current()

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        """Returns the configuration for a new connection; None if it is the one in use.

        gRPC calls it from threads of its own.
        """
        nonlocal used
        newest = tls.current()
        if newest is used:
            return None
        used = newest
        return newest

    return grpc.dynamic_ssl_server_credentials(
        used,
        fetch,  # type: ignore[arg-type] # its types forbid None, which its documents allow
        require_client_authentication=tls.files.ca is not None,
    )


def self_call(files: TlsFiles) -> Reloading[tuple[grpc.ChannelCredentials, str]]:
    """Returns how a server calls itself: the credentials, and the name that it answers to.

    The name is one of its certificate, as its address need not be one. Raises UnusableFileError.
    """
    return Reloading(files, _own_credentials)


def _own_credentials(read: Credentials) -> tuple[grpc.ChannelCredentials, str]:
    roots = b"\n".join(filter(None, (read.ca, read.certificate)))
    credentials = grpc.ssl_channel_credentials(roots, read.key, read.certificate)
    return credentials, read.server_name.replace("*", "any", 1)


def _configuration(read: Credentials) -> grpc.ServerCertificateConfiguration:
    if read.key is None or read.certificate is None:
        raise TypeError("a server needs a certificate")
    return grpc.ssl_server_certificate_configuration([(read.key, read.certificate)], read.ca)
