"""The sockets that the gateway listens on."""

import contextlib
import socket
from collections.abc import Iterator, Sequence

from services.kit import loopback

BACKLOG = 2048


def listen(host: str, ports: Sequence[int]) -> Sequence[socket.socket]:
    """Binds a socket per address of the host and port; port 0 is any that is free.

    Raises OSError, naming the address, when one is taken.
    """
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(opened) for port in ports for opened in _bind_all(host, port)
        ]
        stack.pop_all()
    return sockets


def _bind_all(host: str, port: int) -> Iterator[socket.socket]:
    first, *others = loopback.addresses(host)
    opened = _bind(first, port)
    yield opened
    chosen: int = opened.getsockname()[1]
    # A port that nobody chose is only known by the first address.
    with contextlib.suppress(*(OSError,) if port == 0 else ()):
        for address in others:
            yield _bind(address, chosen)


def _bind(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    opened = socket.socket(family, kind)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        # Listening already tells whether somebody else does.
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return opened
