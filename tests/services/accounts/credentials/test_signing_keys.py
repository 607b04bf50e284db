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


async def test_anybody_gets_the_key_set(client: Client) -> None:
    """As JWK Set, public halves only, without a token."""
    client.metadata = ()
    [key] = await client.signing_keys()
    assert (key.kty, key.crv, key.alg, key.use) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert len(base64.urlsafe_b64decode(f"{key.x}=")) == 32
    assert key.kid.startswith("dev-")


async def test_development_keeps_the_key_it_generated(serve: Serve) -> None:
    """Tokens outlive a restart."""
    async with serve() as first:
        before = await first.signing_keys()
    async with serve() as second:
        assert await second.signing_keys() == before


async def test_replicas_that_start_together_can_all_be_checked(signing_keys: SigningKeys) -> None:
    """Whichever key each of them generated is published, and all sign with the same one."""
    await asyncio.gather(*(signing_keys.prepare(environment="development") for _ in range(4)))
    published = {key.kid for key in await signing_keys.list_published()}
    assert (await signing_keys.current()).kid in published


async def test_production_generates_no_key(serve: Serve, database: Database) -> None:
    """It says what to do instead, and nothing is written."""
    with pytest.raises(NoSigningKeyError, match="boxoffice rotate-keys"):
        async with serve(**PRODUCTION):
            pass
    assert read(database, "SELECT FROM signing_keys") == []


async def test_production_believes_no_generated_key(
    serve: Serve, signing_keys: SigningKeys
) -> None:
    """Not even a former one, which would still be published."""
    await signing_keys.prepare(environment="development")
    await signing_keys.rotate(lead=AT_ONCE)
    with pytest.raises(DevelopmentKeyError, match="--compromised"):
        async with serve(**PRODUCTION):
            pass


async def test_production_serves_with_the_operators_key(
    serve: Serve, signing_keys: SigningKeys
) -> None:
    """The first one signs at once."""
    assert (await signing_keys.rotate()).signs_from <= datetime.now(UTC)
    async with serve(**PRODUCTION) as client:
        [key] = await client.signing_keys()
    assert not key.kid.startswith("dev-")


async def test_a_key_is_published_before_it_is_used(
    signing_keys: SigningKeys, database: Database
) -> None:
    """And the former one for as long as its tokens may live."""
    await signing_keys.rotate()
    first = await signing_keys.current()
    await signing_keys.rotate()
    published = [key.kid for key in await signing_keys.list_published()]
    assert (await signing_keys.current()).kid == published[0] == first.kid
    execute(database, "UPDATE signing_keys SET signs_from = signs_from - interval '11 minutes'")
    assert (await signing_keys.current()).kid == published[1]
    assert [key.kid for key in await signing_keys.list_published()] == published


async def test_a_former_key_is_forgotten_when_its_tokens_are_over(
    signing_keys: SigningKeys, database: Database
) -> None:
    """Twenty minutes after another took over; until then, and the current one, stay."""
    await signing_keys.rotate()
    await signing_keys.rotate(lead=AT_ONCE)
    await signing_keys.forget()
    assert len(await signing_keys.list_published()) == 2
    current = await signing_keys.current()
    execute(database, "UPDATE signing_keys SET signs_from = signs_from - interval '20 minutes'")
    assert [key.kid for key in await signing_keys.list_published()] == [current.kid]
    await signing_keys.forget()
    assert read(database, "SELECT kid FROM signing_keys") == [(current.kid,)]


async def test_the_private_half_is_in_no_text(signing_keys: SigningKeys) -> None:
    """Whoever logs a key by mistake logs its name."""
    await signing_keys.rotate()
    key = await signing_keys.current()
    assert "private" not in repr(key)


async def test_only_services_ask_about_others(client: Client) -> None:
    """Who has a key, and whose tokens were revoked, is nobody else's business."""
    client.metadata = ()
    for call in (client.resolve("box_x_y"), client.revocations()):
        with pytest.raises(Exception, match=str(PermissionDenied())):
            await call
