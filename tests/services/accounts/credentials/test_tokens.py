"""Access tokens identify accounts, and stay valid while keys are rotated."""

import asyncio
import base64
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.accounts.credentials.signing_keys import SigningKeys
from services.accounts.credentials.tokens import AccessToken, Tokens
from services.accounts.errors import NoSigningKeyError
from tests.conftest import Database
from tests.services.accounts.client import Client, execute

AT_ONCE = timedelta()


@dataclass(frozen=True, slots=True)
class Account:
    """The subject of a token."""

    id: str = "acct_" + "a" * 26
    role: str = "ORGANIZER"
    generation: int = 3


@pytest.fixture
def tokens(signing_keys: SigningKeys) -> Tokens:
    """Tokens without a server."""
    return Tokens(signing_keys)


async def checked(client: Client, issued: AccessToken) -> dict[str, Any]:
    """Verifies a token with the published keys only; returns its claims."""
    published = {key.kid: key.x for key in await client.signing_keys()}
    x = published[jwt.get_unverified_header(issued.token)["kid"]]
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(f"{x}="))
    claims: dict[str, Any] = jwt.decode(
        issued.token, key, algorithms=["EdDSA"], audience="boxoffice", issuer="boxoffice"
    )
    return claims


async def test_a_token_has_all_claims(client: Client, tokens: Tokens) -> None:
    """Services decide by these claims alone."""
    account = Account()
    issued = await tokens.issue(account)
    claims = await checked(client, issued)
    assert claims.keys() == {"iss", "aud", "sub", "role", "ver", "iat", "exp", "jti"}
    assert (claims["sub"], claims["role"], claims["ver"]) == (account.id, "ORGANIZER", 3)
    assert claims["exp"] - claims["iat"] == issued.expires_in_seconds == 900
    assert abs(claims["iat"] - time.time()) < 5
    header = jwt.get_unverified_header(issued.token)
    assert header.keys() == {"alg", "typ", "kid"}
    assert (header["alg"], header["typ"]) == ("EdDSA", "at+jwt")


async def test_no_two_tokens_are_equal(client: Client, tokens: Tokens) -> None:
    """A log must be able to tell them apart."""
    issued = [await tokens.issue(Account()) for _ in range(3)]
    assert len({(await checked(client, token))["jti"] for token in issued}) == 3


async def test_a_token_is_not_in_its_repr(client: Client, tokens: Tokens) -> None:
    """A token that is logged by mistake must not leak."""
    issued = await tokens.issue(Account())
    assert issued.token not in repr(issued)


async def test_without_a_key_nothing_is_signed(tokens: Tokens) -> None:
    """A token without a valid key must not exist."""
    with pytest.raises(NoSigningKeyError):
        await tokens.issue(Account())


async def test_tokens_of_the_former_key_stay_valid(
    client: Client, tokens: Tokens, signing_keys: SigningKeys, database: Database
) -> None:
    """A rotation must not end sessions."""
    before = await tokens.issue(Account())
    await signing_keys.rotate(lead=AT_ONCE)
    after = await tokens.issue(Account())
    kids = [jwt.get_unverified_header(issued.token)["kid"] for issued in (before, after)]
    assert len(set(kids)) == 2
    for issued in (before, after):
        assert await checked(client, issued)
    execute(database, "UPDATE signing_keys SET signs_from = signs_from - interval '15 minutes'")
    assert await checked(client, before)
    execute(database, "UPDATE signing_keys SET signs_from = signs_from - interval '5 minutes'")
    with pytest.raises(KeyError, match=kids[0]):
        await checked(client, before)
    assert await checked(client, after)


async def test_replacing_compromised_keys_ends_their_tokens(
    client: Client, tokens: Tokens, signing_keys: SigningKeys
) -> None:
    """A thief of a key must not go on making tokens."""
    before = await tokens.issue(Account())
    await signing_keys.replace()
    with pytest.raises(KeyError):
        await checked(client, before)
    assert await checked(client, await tokens.issue(Account()))


async def test_a_rotation_under_traffic_fails_no_call(
    client: Client, tokens: Tokens, signing_keys: SigningKeys
) -> None:
    """A token must be valid the moment it is issued, for keys fetched before or after."""
    used: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
    done = asyncio.Event()

    async def log_in() -> None:
        while not done.is_set():
            issued = await tokens.issue(Account())
            assert await checked(client, issued)
            used[jwt.get_unverified_header(issued.token)["kid"]].set()

    async def rotate() -> None:
        for _ in range(3):
            successor = await signing_keys.rotate(lead=timedelta(milliseconds=20))
            await used[successor.kid].wait()
        done.set()

    await asyncio.gather(*(log_in() for _ in range(4)), rotate())
    assert len(used) == 4


async def test_verifiers_know_the_next_key_before_it_signs(
    client: Client, tokens: Tokens, signing_keys: SigningKeys, database: Database
) -> None:
    """Accounts may be down when the next key starts to sign."""
    await signing_keys.rotate()
    known = {key.kid for key in await client.signing_keys()}
    execute(database, "UPDATE signing_keys SET signs_from = signs_from - interval '11 minutes'")
    issued = await tokens.issue(Account())
    assert jwt.get_unverified_header(issued.token)["kid"] in known


async def test_a_key_that_signs_before_it_is_published_is_unknown(
    client: Client, tokens: Tokens, signing_keys: SigningKeys
) -> None:
    """Negative control: without the lead, keys that were fetched before are not enough."""
    known = {key.kid for key in await client.signing_keys()}
    await signing_keys.rotate(lead=AT_ONCE)
    issued = await tokens.issue(Account())
    assert jwt.get_unverified_header(issued.token)["kid"] not in known


async def test_a_changed_token_is_invalid(client: Client, tokens: Tokens) -> None:
    """A user could give themselves another role."""
    issued = await tokens.issue(Account())
    head, _, signature = issued.token.split(".")
    claims = base64.urlsafe_b64encode(b'{"role":"ADMIN"}').rstrip(b"=").decode()
    changed = replace(issued, token=f"{head}.{claims}.{signature}")
    with pytest.raises(jwt.InvalidSignatureError):
        await checked(client, changed)
