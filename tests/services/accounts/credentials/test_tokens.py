"""Access tokens say who somebody is, and go on being good while keys change."""

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
    """Whom a token is about."""

    id: str = "acct_" + "a" * 26
    role: str = "ORGANIZER"
    generation: int = 3


@pytest.fixture
def tokens(signing_keys: SigningKeys) -> Tokens:
    """Gives the noun without a server around it."""
    return Tokens(signing_keys)


async def checked(client: Client, issued: AccessToken) -> dict[str, Any]:
    """Checks a token by the published keys alone, and gives its claims."""
    published = {key.kid: key.x for key in await client.signing_keys()}
    x = published[jwt.get_unverified_header(issued.token)["kid"]]
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(f"{x}="))
    claims: dict[str, Any] = jwt.decode(
        issued.token, key, algorithms=["EdDSA"], audience="boxoffice", issuer="boxoffice"
    )
    return claims


async def test_a_token_says_who_it_is_about(client: Client, tokens: Tokens) -> None:
    """And for how long, by whom, for whom, and of which generation."""
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


async def test_no_two_tokens_are_the_same(client: Client, tokens: Tokens) -> None:
    """One of them can be told apart in a log of what was done with it."""
    issued = [await tokens.issue(Account()) for _ in range(3)]
    assert len({(await checked(client, token))["jti"] for token in issued}) == 3


async def test_a_token_is_in_no_text(client: Client, tokens: Tokens) -> None:
    """Whoever logs one by mistake logs its lifetime."""
    issued = await tokens.issue(Account())
    assert issued.token not in repr(issued)


async def test_without_a_key_nothing_is_signed(tokens: Tokens) -> None:
    """Not even with an empty one."""
    with pytest.raises(NoSigningKeyError):
        await tokens.issue(Account())


async def test_tokens_of_the_former_key_stay_good_until_they_expire(
    client: Client, tokens: Tokens, signing_keys: SigningKeys, database: Database
) -> None:
    """A rotation ends nobody's session; when the key is gone, so is the last of its tokens."""
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


async def test_keys_in_wrong_hands_end_their_tokens(
    client: Client, tokens: Tokens, signing_keys: SigningKeys
) -> None:
    """Only what the new one signs is believed."""
    before = await tokens.issue(Account())
    await signing_keys.replace()
    with pytest.raises(KeyError):
        await checked(client, before)
    assert await checked(client, await tokens.issue(Account()))


async def test_a_rotation_under_traffic_fails_nobody(
    client: Client, tokens: Tokens, signing_keys: SigningKeys
) -> None:
    """Each token is good the moment it is issued, by keys that were fetched before or after."""
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


async def test_whoever_has_the_keys_from_before_can_check_what_comes(
    client: Client, tokens: Tokens, signing_keys: SigningKeys, database: Database
) -> None:
    """The next key is published before it signs, so accounts may even be down when it does."""
    await signing_keys.rotate()
    known = {key.kid for key in await client.signing_keys()}
    execute(database, "UPDATE signing_keys SET signs_from = signs_from - interval '11 minutes'")
    issued = await tokens.issue(Account())
    assert jwt.get_unverified_header(issued.token)["kid"] in known


async def test_a_key_that_signs_before_it_is_published_is_unknown(
    client: Client, tokens: Tokens, signing_keys: SigningKeys
) -> None:
    """Negative control: without the lead, keys that were fetched before do not do."""
    known = {key.kid for key in await client.signing_keys()}
    await signing_keys.rotate(lead=AT_ONCE)
    issued = await tokens.issue(Account())
    assert jwt.get_unverified_header(issued.token)["kid"] not in known


async def test_a_changed_token_is_none(client: Client, tokens: Tokens) -> None:
    """The role is as safe as the signature."""
    issued = await tokens.issue(Account())
    head, _, signature = issued.token.split(".")
    claims = base64.urlsafe_b64encode(b'{"role":"ADMIN"}').rstrip(b"=").decode()
    changed = replace(issued, token=f"{head}.{claims}.{signature}")
    with pytest.raises(jwt.InvalidSignatureError):
        await checked(client, changed)
