"""The sockets that the gateway listens on."""

import contextlib
import socket
from collections.abc import Iterator, Sequence

from services.kit.process import loopback, ports
from services.kit.process.ports import CannotListenError

BACKLOG = 2048


def listen(host: str, numbers: Sequence[int]) -> Sequence[socket.socket]:
    """Binds a socket for each address of the host and each port; port 0 takes any free port.

    Waits a moment for a port that is in use. Raises CannotListenError.
    """
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(opened) for port in numbers for opened in _bind_all(host, port)
        ]
        stack.pop_all()
    return sockets


def _bind_all(host: str, port: int) -> Iterator[socket.socket]:
    first, *others = loopback.addresses(host)
    opened = _bind(first, port)
    yield opened
    chosen: int = opened.getsockname()[1]
    # Only the first address can choose a free port; another address may have it in use.
    with contextlib.suppress(*(CannotListenError,) if port == 0 else ()):
        for address in others:
            yield _bind(address, chosen)


def _bind(host: str, port: int) -> socket.socket:
    try:
        return ports.retry_while_taken(lambda: _listening(host, port))
    except OSError as error:
        raise CannotListenError(ports.join(host, port), ports.reason(error, port)) from error


def _listening(host: str, port: int) -> socket.socket:
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    opened = socket.socket(family, kind)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        # Listening fails at once if another process listens here.
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened
