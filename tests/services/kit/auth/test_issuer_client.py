import base64
import socket
from collections.abc import AsyncIterator

import grpc
import pytest

from boxoffice.accounts.v1 import identity_pb2
from boxoffice.rest.v1 import rest_pb2
from services.kit.auth import issuer_client
from services.kit.auth.issuer_client import IssuerClient
from services.kit.rpc.callers import Caller, Role
from services.kit.rpc.errors import InvalidToken, Refusal, Unavailable
from tests.services.issuer import ScriptedIssuer, account, jwk, serve_identity

ADA = account("ada")


@pytest.fixture
def issuer() -> ScriptedIssuer:
    """Returns the issuer that the stand-in for accounts serves."""
    return ScriptedIssuer()


@pytest.fixture
async def channel(issuer: ScriptedIssuer) -> AsyncIterator[grpc.aio.Channel]:
    """Serves the issuer; yields a channel to it."""
    server, target = await serve_identity(issuer)
    async with grpc.aio.insecure_channel(target) as opened:
        yield opened
    await server.stop(None)


async def test_keys_and_revocations_are_read(
    issuer: ScriptedIssuer, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Revocations after the first page could be missed."""
    monkeypatch.setattr(issuer_client, "REVOCATIONS_AT_ONCE", 2)
    issuer.generations = {account(f"user {number}"): number for number in range(2, 7)}
    trusted = await IssuerClient(channel, "secret", environment="test").state()
    assert trusted.generations == issuer.generations
    [(kid, key)] = trusted.keys.items()
    assert (kid, key.public_bytes_raw()) == (issuer.kid, issuer.key.public_key().public_bytes_raw())


async def test_production_trusts_no_key_of_development(
    issuer: ScriptedIssuer, channel: grpc.aio.Channel
) -> None:
    """Anybody who can read a development machine could sign tokens for production."""
    issuer.published["dev-abc"] = issuer.key.public_key()
    assert "dev-abc" in await IssuerClient(channel, "", environment="development").keys()
    assert list(await IssuerClient(channel, "", environment="production").keys()) == [issuer.kid]


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "oct"},
        {"crv": "Ed448"},
        {"alg": "HS256"},
        {"use": "enc"},
        {"x": ""},
        {"x": "AAAA"},
        {"x": "!"},
        {"x": base64.urlsafe_b64encode(bytes(64)).decode()},
    ],
)
async def test_an_unusable_key_is_skipped(
    channel: grpc.aio.Channel, change: dict[str, str], issuer: ScriptedIssuer
) -> None:
    """One key that is no Ed25519 signing key could keep the others from being trusted."""
    good, unfit = (jwk(kid, issuer.key.public_key()) for kid in ("good", "unfit"))
    for name, value in change.items():
        setattr(unfit, name, value)

    class Stub:
        """Publishes both keys."""

        async def GetSigningKeys(self, request: object, **_: object) -> object:  # noqa: N802
            return identity_pb2.GetSigningKeysResponse(keys=[unfit, good])

    client = IssuerClient(channel, "", environment="test")
    client._stub = Stub()  # type: ignore[assignment]
    assert list(await client.keys()) == ["good"]


async def test_an_api_key_is_resolved(issuer: ScriptedIssuer, channel: grpc.aio.Channel) -> None:
    """The account, role or scopes of a key could be lost between accounts and a service."""
    client = IssuerClient(channel, "secret", environment="test")
    scopes = {rest_pb2.SCOPE_EVENTS_WRITE, rest_pb2.SCOPE_BOOKINGS_READ}
    key = issuer.add_key(ADA, Role.ORGANIZER, *scopes)
    assert await client.resolve(key) == Caller(ADA, Role.ORGANIZER, frozenset(scopes))
    with pytest.raises(Refusal) as caught:
        await client.resolve("box_2_unknown")
    assert caught.value.reason == InvalidToken.reason


async def test_an_unreachable_issuer_is_unavailable(issuer: ScriptedIssuer) -> None:
    """A valid credential could be refused as invalid while accounts is down."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nowhere:
        client = IssuerClient(nowhere, "", environment="test")
        with pytest.raises(Unavailable):
            await client.state()
        with pytest.raises(Unavailable):
            await client.resolve("box_1_secret")


async def test_an_issuer_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request with an API key could wait for as long as accounts hangs."""
    monkeypatch.setattr(issuer_client, "API_KEY_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{silent.getsockname()[1]}") as channel:
            with pytest.raises(Unavailable):
                await IssuerClient(channel, "", environment="test").resolve("box_1_secret")
