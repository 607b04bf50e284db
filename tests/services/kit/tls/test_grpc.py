"""gRPC over TLS: who is refused and what the client learns, and certificates that are replaced."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from boxoffice.bookings.v1 import bookings_pb2, bookings_pb2_grpc
from services.kit.process import loopback
from services.kit.rpc.channel import open_channel, was_not_sent
from services.kit.server import server
from services.kit.tls.files import TlsFiles
from services.kit.tls.grpc_channel import TlsChannel, client_tls
from tests.certificates import Authority
from tests.services.conditions import until
from tests.services.kit.serving import RESERVE, Context, Served, scripted, serving

SECONDS = 10
"""A call that must fail does so at once; the deadline is for a busy machine."""


async def reserve(target: str, files: TlsFiles | None) -> None:
    """Makes a call over a channel of its own."""
    async with open_channel(target, client_tls(files)) as channel:
        await bookings_pb2_grpc.BookingsServiceStub(channel).Reserve(RESERVE, timeout=SECONDS)


async def refusal(target: str, files: TlsFiles | None) -> str:
    """Returns why a call fails, which must be clear to have done nothing."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await reserve(target, files)
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    assert was_not_sent(failure.value), "the caller could be left in doubt"
    return failure.value.details() or ""


async def test_both_sides_show_a_certificate_of_the_authority(authority: Authority) -> None:
    """The right certificates could be refused."""
    files = authority.issue("server", "localhost", "127.0.0.1", "::1")
    async with serving(tls=files) as served:
        await reserve(served.target, authority.issue("client", "gateway"))
        # On each address of this machine.
        for host in ("dns:///localhost", *(["[::1]"] if loopback._has_ipv6() else [])):
            await reserve(served.target.replace("127.0.0.1", host), files)


Client = Callable[[Authority, Authority], TlsFiles | None]
CLIENTS: dict[str, Client] = {
    "another authority's": lambda ours, other: replace(other.issue("client"), ca=ours.file),
    "none": lambda ours, _: TlsFiles(ca=ours.file),
    "cleartext": lambda _ours, _other: None,
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_without_a_certificate_of_the_authority_is_refused(
    authority: Authority, stranger: Authority, client: str
) -> None:
    """Anybody who reaches the port could call the services."""
    servicer = scripted()
    async with serving(servicer=servicer, tls=authority.issue("server")) as served:
        said = await refusal(served.target, CLIENTS[client](authority, stranger))
    assert "last error: UNAVAILABLE" in said
    assert servicer.requests == []


async def test_an_expired_certificate_of_a_client_is_refused(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that was meant to end could be used for ever."""
    expired = authority.issue("client", expired=True)
    # Our own check of files would refuse it before a connection is tried.
    monkeypatch.setattr("services.kit.tls.files._expect_valid_now", lambda *_: None)
    async with serving(tls=authority.issue("server")) as served:
        assert "last error: UNAVAILABLE" in await refusal(served.target, expired)


Server = Callable[[Authority, Authority], TlsFiles]
SERVERS: dict[str, tuple[Server, str]] = {
    "another authority's": (
        lambda _, other: other.issue("server"),
        "CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
    ),
    "expired": (
        lambda ours, _: ours.issue("server", expired=True),
        "CERTIFICATE_VERIFY_FAILED: certificate has expired",
    ),
    "another name": (
        lambda ours, _: ours.issue("server", "accounts.internal"),
        "Hostname Verification Check failed",
    ),
}


@pytest.mark.parametrize("kind", SERVERS)
async def test_nothing_is_sent_to_a_server_with_a_wrong_certificate(
    authority: Authority, stranger: Authority, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A man in the middle could read requests, or answer them."""
    monkeypatch.setattr("services.kit.tls.files._expect_valid_now", lambda *_: None)
    issue, expected = SERVERS[kind]
    servicer = scripted()
    async with serving(servicer=servicer, tls=issue(authority, stranger)) as middle:
        assert expected in await refusal(middle.target, authority.issue("client"))
    assert servicer.requests == []


async def test_a_channel_with_tls_sends_nothing_to_a_server_without_it(
    authority: Authority,
) -> None:
    """A channel could fall back to cleartext where a server has no TLS."""
    servicer = scripted()
    async with serving(servicer=servicer) as served:
        await refusal(served.target, authority.issue("client"))
    assert servicer.requests == []


async def test_new_connections_use_a_certificate_that_was_replaced(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    """A renewed certificate could need a restart, or end the calls that are running."""
    opened, entered = asyncio.Event(), asyncio.Event()

    async def wait(request: Any, context: Context) -> None:
        entered.set()
        await opened.wait()

    files = authority.issue("shared")
    former_ca = Path(shutil.copy(authority.file, tmp_path / "former.pem"))
    async with serving(wait, tls=files) as served:
        channel = served.channel
        assert isinstance(channel, TlsChannel)
        former = channel.current().channel
        before = asyncio.ensure_future(_reserve(served))
        await entered.wait()
        replacement = stranger.issue("shared")
        _replace(files, replacement)
        late = replace(authority.issue("client"), ca=former_ca)
        assert "CERTIFICATE_VERIFY_FAILED" in await refusal(served.target, late)
        after = asyncio.ensure_future(_reserve(served))
        opened.set()
        assert list(await asyncio.gather(before, after)) == [bookings_pb2.ReserveResponse()] * 2
        assert channel.current().channel is not former
        await until(lambda: _is_shut_down(former))


async def _reserve(served: Served) -> bookings_pb2.ReserveResponse:
    return await served.bookings.Reserve(RESERVE, timeout=SECONDS)


async def _is_shut_down(channel: grpc.aio.Channel) -> bool:
    return channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN


def _replace(files: TlsFiles, replacement: TlsFiles) -> None:
    """Replaces files one after the other, as programs that renew certificates do."""
    for path, new in zip(files.paths(), replacement.paths(), strict=True):
        new.replace(path)


async def test_files_that_are_half_replaced_change_nothing(
    authority: Authority, stranger: Authority
) -> None:
    """A certificate whose key is not there yet could end all connections."""
    files = authority.issue("shared")
    replacement = stranger.issue("shared")
    assert files.certificate is not None
    assert replacement.certificate is not None
    async with serving(tls=files) as served:
        certificate = files.certificate.read_bytes()
        files.certificate.write_bytes(replacement.certificate.read_bytes())
        await reserve(served.target, authority.issue("client"))
        files.certificate.unlink()
        await reserve(served.target, authority.issue("client"))
        files.certificate.write_bytes(certificate)
        await reserve(served.target, authority.issue("client"))


@pytest.mark.parametrize("has_authority", [True, False])
async def test_a_server_can_call_itself(authority: Authority, *, has_authority: bool) -> None:
    """A server that stops could cancel calls that have arrived, as it waits for its own."""
    files = authority.issue("server", "*.bookings.internal")
    tls = files if has_authority else replace(files, ca=None)
    async with serving(tls=tls) as served, served.server._channel_to_itself() as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        response = await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert response.status == server.SERVING
