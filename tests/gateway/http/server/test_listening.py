"""The sockets that the gateway listens on."""

import re
import socket
from collections.abc import Sequence

import pytest

from gateway.http.server.listening import listen
from services.kit.process.loopback import addresses
from services.kit.process.ports import CannotListenError, join

OURS = addresses("localhost")


def close(sockets: Sequence[socket.socket]) -> None:
    """Closes them."""
    for opened in sockets:
        opened.close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_localhost_is_listened_on_at_each_of_its_addresses(host: str) -> None:
    """A browser that tries the other address first would reach nothing."""
    sockets = listen(host, [0, 0])
    names = [opened.getsockname()[:2] for opened in sockets]
    close(sockets)
    assert [address for address, _ in names] == [*OURS, *OURS]
    assert len({port for _, port in names}) == 2


@pytest.mark.parametrize("address", OURS)
def test_a_port_that_is_taken_is_named_with_its_address(address: str) -> None:
    """`localhost` would lead some clients to another program."""
    taken = listen("localhost", [0])
    port = taken[0].getsockname()[1]
    close([opened for opened in taken if opened.getsockname()[0] != address])
    said = re.escape(f"cannot listen on {join(address, port)}: the port is taken")
    with pytest.raises(CannotListenError, match=said):
        listen("localhost", [0, port])
    close(taken)
