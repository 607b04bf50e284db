"""The server's side of TLS for HTTP."""

import ssl

from services.kit.tls.files import Credentials, TlsFiles, UnusableFileError
from services.kit.tls.reloading import Reloading

PROTOCOLS = ["http/1.1"]


def server_context(files: TlsFiles) -> Reloading[ssl.SSLContext]:
    """Returns the context for the next connection. Raises UnusableFileError."""

    def make(_: Credentials) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(PROTOCOLS)
        if files.certificate is None:
            raise TypeError("a server needs a certificate")
        try:
            context.load_cert_chain(files.certificate, files.key)
        except (OSError, ssl.SSLError) as error:
            raise UnusableFileError(f"{files.certificate} cannot be used: {error}") from error
        return context

    return Reloading(files, make)
