"""Taken ports: retries, and then the name of the process that has the port."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from services.kit.process import ports

LOOPBACK = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """Returns a socket that listens."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server


def refused(port: int) -> str:
    """Returns why the port cannot be bound."""
    with pytest.raises(OSError, match="in use") as caught:
        ports.check(LOOPBACK, port)
    return ports.reason(caught.value, port)


def test_names_the_process_that_listens(taken: socket.socket) -> None:
    """The message could leave open which process to end."""
    said = refused(taken.getsockname()[1])
    assert said.startswith("the port is taken by ")
    assert said.endswith(f", process {os.getpid()}")


def test_names_an_outgoing_connection_as_such(taken: socket.socket) -> None:
    """The operator could look in vain for a server where a client has the port."""
    with socket.create_connection(taken.getsockname()) as client:
        said = refused(client.getsockname()[1])
    assert said.endswith(f", process {os.getpid()} for an outgoing connection")


def test_a_port_that_comes_free_is_taken() -> None:
    """A process that starts while another one ends could fail."""
    attempts = iter([errno.EADDRINUSE, errno.EADDRINUSE])

    def bind() -> str:
        for number in attempts:
            raise OSError(number, "taken")
        return "bound"

    assert ports.retry_while_taken(bind, patience_seconds=60) == "bound"


def test_other_errors_are_not_retried() -> None:
    """A mistyped address could delay the error by the patience for ports."""
    tries = []

    def bind() -> None:
        tries.append(1)
        raise OSError(errno.EADDRNOTAVAIL, "not ours")

    with pytest.raises(OSError, match="not ours"):
        ports.retry_while_taken(bind, patience_seconds=60)
    assert len(tries) == 1


def test_patience_ends(taken: socket.socket) -> None:
    """A process could wait for ever for a port that stays taken."""
    port = taken.getsockname()[1]
    with pytest.raises(OSError, match="in use"):
        ports.retry_while_taken(lambda: ports.check(LOOPBACK, port), patience_seconds=0.1)


@pytest.mark.parametrize("address", ["127.0.0.1:50051", "[::1]:50051", "host:50051"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    """The brackets of an IPv6 address could be taken for a part of the host."""
    host, port = ports.split(address)
    assert port == 50_051
    assert host in {"127.0.0.1", "::1", "host"}
