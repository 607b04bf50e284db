import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.kit.auth import trusted_keys
from services.kit.auth.credential_cache import CredentialCache
from services.kit.auth.issuer import IssuerState
from services.kit.auth.trusted_keys import TrustedKeys
from services.kit.rpc.callers import Caller, Role
from services.kit.rpc.errors import InvalidToken, Unavailable
from tests.services.issuer import ScriptedIssuer, account

ADA = account("ada")


class Gated(ScriptedIssuer):
    """An issuer that answers when the test opens the gate."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gate = asyncio.Event()

    async def state(self) -> IssuerState:
        """Answers once the gate is open."""
        answer = await super().state()
        await self.gate.wait()
        return answer


@pytest.fixture
def issuer() -> ScriptedIssuer:
    """Returns the issuer that signs the tokens."""
    return ScriptedIssuer()


@pytest.fixture
def cache() -> CredentialCache:
    """Returns the cache from which revoked credentials are removed."""
    return CredentialCache()


@pytest.fixture
def keys(issuer: ScriptedIssuer, cache: CredentialCache) -> TrustedKeys:
    """Returns keys that have not asked the issuer yet."""
    return TrustedKeys(issuer, cache)


async def test_the_first_token_gets_the_keys_of_the_issuer(
    issuer: ScriptedIssuer, keys: TrustedKeys
) -> None:
    """A service that has just started could refuse every token, or get the keys for each."""
    caller, until = await keys.check(issuer.token(ADA, Role.ORGANIZER))
    assert caller == Caller(ADA, Role.ORGANIZER)
    assert until > 0
    await keys.check(issuer.token(ADA, Role.USER))
    assert issuer.asked == 1


async def test_concurrent_tokens_get_the_keys_once(issuer: ScriptedIssuer) -> None:
    """Each caller could make a call of its own, or one that gives up end it for the others."""
    gated = Gated(key=issuer.key)
    keys = TrustedKeys(gated, CredentialCache())
    waiting = [asyncio.create_task(keys.check(gated.token(ADA))) for _ in range(10)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    gated.gate.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {answer[0].subject for answer in answers[1:]} == {ADA}  # type: ignore[index]
    assert gated.asked == 1


async def test_a_silent_issuer_makes_tokens_unavailable(
    issuer: ScriptedIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers could wait for as long as the issuer is silent, or be refused as invalid."""
    monkeypatch.setattr(trusted_keys, "WAIT_SECONDS", 0.01)
    gated = Gated(key=issuer.key)
    keys = TrustedKeys(gated, CredentialCache())
    with pytest.raises(Unavailable):
        await keys.check(gated.token(ADA))
    gated.gate.set()
    await keys.refresh()
    assert (await keys.check(gated.token(ADA)))[0].subject == ADA
    assert gated.asked == 1


async def test_unknown_key_ids_ask_the_issuer_once_per_pause(
    issuer: ScriptedIssuer, keys: TrustedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made-up key ids could flood accounts with calls, or a new key never be found."""
    await keys.refresh()
    stranger = ScriptedIssuer(kid="another")
    for _ in range(20):
        with pytest.raises(InvalidToken):
            await keys.check(stranger.token(ADA))
    assert issuer.asked == 1
    monkeypatch.setattr(trusted_keys, "PAUSE_SECONDS", 0)
    issuer.published[stranger.kid] = stranger.key.public_key()
    caller, _ = await keys.check(stranger.token(ADA))
    assert (caller.subject, issuer.asked) == (ADA, 2)


async def test_a_token_is_verified_with_the_key_that_it_names(
    issuer: ScriptedIssuer, keys: TrustedKeys
) -> None:
    """A token could be accepted under the id of a key that did not sign it."""
    other = Ed25519PrivateKey.generate()
    issuer.published["another"] = other.public_key()
    with pytest.raises(InvalidToken):
        await keys.check(issuer.token(ADA, headers={"kid": "another"}))


async def test_a_revoked_generation_is_refused(issuer: ScriptedIssuer, keys: TrustedKeys) -> None:
    """A revoked token could be accepted, or a token from after the revocation be refused."""
    issuer.generations[ADA] = 3
    with pytest.raises(InvalidToken):
        await keys.check(issuer.token(ADA, ver=2))
    for generation in (3, 4):
        await keys.check(issuer.token(ADA, ver=generation))
    await keys.check(issuer.token(account("bob"), ver=1))


async def test_revoked_credentials_leave_the_cache(
    issuer: ScriptedIssuer, keys: TrustedKeys, cache: CredentialCache
) -> None:
    """A cached token could outlive its revocation, or a refresh evict valid credentials."""
    await keys.refresh()
    for name in ("ada", "bob"):
        cache.add(name, Caller(account(name)), until=2**40)
    issuer.generations[ADA] = 2
    await keys.refresh()
    assert (cache.find("ada"), cache.find("bob")) == (None, Caller(account("bob")))
    cache.add("ada anew", Caller(ADA), until=2**40)
    await keys.refresh()
    assert cache.find("ada anew") is not None


async def test_tokens_of_a_removed_key_are_refused(
    issuer: ScriptedIssuer, keys: TrustedKeys, cache: CredentialCache
) -> None:
    """Tokens of a compromised key could still be accepted after the key was removed."""
    token = issuer.token(ADA)
    await keys.check(token)
    cache.add(token, Caller(ADA), until=2**40)
    issuer.published = {"next": Ed25519PrivateKey.generate().public_key()}
    await keys.refresh()
    assert cache.find(token) is None
    with pytest.raises(InvalidToken):
        await keys.check(token)


async def test_known_keys_stay_in_use_while_the_issuer_is_silent(
    issuer: ScriptedIssuer, keys: TrustedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of accounts could log everybody out."""
    monkeypatch.setattr(trusted_keys, "RETRY_SECONDS", 0)
    issuer.generations[ADA] = 2
    await keys.refresh()
    issuer.refusal = Unavailable()
    refreshing = asyncio.create_task(keys.refresh())
    await asyncio.sleep(0.01)  # it fails, again and again
    await keys.check(issuer.token(ADA, ver=2))
    with pytest.raises(InvalidToken):
        await keys.check(issuer.token(ADA, ver=1))
    stranger = ScriptedIssuer(kid="another").token(ADA)
    with pytest.raises(Unavailable):
        await keys.check(stranger)
    issuer.refusal = None
    await refreshing
    with pytest.raises(InvalidToken):
        await keys.check(stranger)


async def test_a_malformed_token_is_refused_without_a_call(
    issuer: ScriptedIssuer, keys: TrustedKeys
) -> None:
    """Anybody could make a service call accounts with malformed tokens."""
    for token in ("", "abc.def.ghi", issuer.token(ADA, headers={"jku": "https://evil.example"})):
        with pytest.raises(InvalidToken):
            await keys.check(token)
    assert issuer.asked == 0
