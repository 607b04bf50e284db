"""Signing keys take over from each other without anybody noticing."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.errors import DevelopmentKeyError, NoSigningKeyError
from services.kit.rpc.errors import PermissionDenied
from tests.conftest import Database
from tests.services.accounts.client import Client, execute, read
from tests.services.accounts.conftest import Serve

PRODUCTION = {"BOXOFFICE_ENV": "production", "code_pepper": "a-secret-of-the-operator"}
AT_ONCE = timedelta()


async def test_the_key_set_is_public(client: Client) -> None:
    """Clients must be able to verify tokens; private halves must not be in it."""
    client.metadata = ()
    [key] = await client.signing_keys()
    assert (key.kty, key.crv, key.alg, key.use) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert len(base64.urlsafe_b64decode(f"{key.x}=")) == 32
    assert key.kid.startswith("dev-")


async def test_development_keeps_the_key_it_generated(serve: Serve) -> None:
    """A restart must not log everybody out."""
    async with serve() as first:
        before = await first.signing_keys()
    async with serve() as second:
        assert await second.signing_keys() == before


async def test_replicas_that_start_together_sign_with_one_key(signing_keys: SigningKeys) -> None:
    """A token of one replica must not be invalid at another."""
    await asyncio.gather(*(signing_keys.prepare(environment="development") for _ in range(4)))
    published = {key.kid for key in await signing_keys.list_published()}
    assert (await signing_keys.current()).kid in published


async def test_production_generates_no_key(serve: Serve, database: Database) -> None:
    """A key that nobody vouches for must not sign; the operator is told what to do."""
    with pytest.raises(NoSigningKeyError, match="boxoffice rotate-keys"):
        async with serve(**PRODUCTION):
            pass
    assert read(database, "SELECT FROM signing_keys") == []


async def test_production_refuses_development_keys(serve: Serve, signing_keys: SigningKeys) -> None:
    """Anybody may have such a key, even a former one that is still published."""
    await signing_keys.prepare(environment="development")
    await signing_keys.rotate(lead=AT_ONCE)
    with pytest.raises(DevelopmentKeyError, match="--compromised"):
        async with serve(**PRODUCTION):
            pass


async def test_production_serves_with_the_operators_key(
    serve: Serve, signing_keys: SigningKeys
) -> None:
    """The first key must sign at once, or nothing would start."""
    assert (await signing_keys.rotate()).signs_from <= datetime.now(UTC)
    async with serve(**PRODUCTION) as client:
        [key] = await client.signing_keys()
    assert not key.kid.startswith("dev-")


async def test_a_key_is_published_before_it_is_used(
    signing_keys: SigningKeys, database: Database
) -> None:
    """A verifier must know a key before its first token, and a former key until its last one."""
    await signing_keys.rotate()
    first = await signing_keys.current()
    await signing_keys.rotate()
    published = [key.kid for key in await signing_keys.list_published()]
    assert (await signing_keys.current()).kid == published[0] == first.kid
    execute(database, "UPDATE signing_keys SET signs_from = signs_from - interval '11 minutes'")
    assert (await signing_keys.current()).kid == published[1]
    assert [key.kid for key in await signing_keys.list_published()] == published


async def test_a_former_key_is_deleted_after_its_last_token(
    signing_keys: SigningKeys, database: Database
) -> None:
    """Deleted earlier, it would end valid tokens; kept for ever, it could leak."""
    await signing_keys.rotate()
    await signing_keys.rotate(lead=AT_ONCE)
    await signing_keys.forget()
    assert len(await signing_keys.list_published()) == 2
    current = await signing_keys.current()
    execute(database, "UPDATE signing_keys SET signs_from = signs_from - interval '20 minutes'")
    assert [key.kid for key in await signing_keys.list_published()] == [current.kid]
    await signing_keys.forget()
    assert read(database, "SELECT kid FROM signing_keys") == [(current.kid,)]


async def test_a_private_key_is_not_in_its_repr(signing_keys: SigningKeys) -> None:
    """A key that is logged by mistake must not leak."""
    await signing_keys.rotate()
    key = await signing_keys.current()
    assert "private" not in repr(key)


async def test_only_services_see_keys_and_revocations(client: Client) -> None:
    """Anybody could see the owners of API keys and the revoked accounts."""
    client.metadata = ()
    for call in (client.resolve("box_x_y"), client.revocations()):
        with pytest.raises(Exception, match=str(PermissionDenied())):
            await call
