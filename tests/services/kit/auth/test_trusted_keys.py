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
        """Waits, then answers."""
        answer = await super().state()
        await self.gate.wait()
        return answer


@pytest.fixture
def issuer() -> ScriptedIssuer:
    """Signs the tokens."""
    return ScriptedIssuer()


@pytest.fixture
def known() -> CredentialCache:
    """Gives what trust tells to forget."""
    return CredentialCache()


@pytest.fixture
def trusting(issuer: ScriptedIssuer, known: CredentialCache) -> TrustedKeys:
    """Gives what checks tokens, before it has asked anybody."""
    return TrustedKeys(issuer, known)


async def test_a_token_is_checked_by_the_keys_of_the_issuer(
    issuer: ScriptedIssuer, trusting: TrustedKeys
) -> None:
    """They are asked for when the first token comes, if not before."""
    caller, until = await trusting.check(issuer.token(ADA, Role.ORGANIZER))
    assert caller == Caller(ADA, Role.ORGANIZER)
    assert until > 0
    await trusting.check(issuer.token(ADA, Role.USER))
    assert issuer.asked == 1


async def test_a_key_that_is_not_known_yet_is_asked_for_once(issuer: ScriptedIssuer) -> None:
    """All who need it wait for one question; whoever gives up leaves it to the others."""
    gated = Gated(key=issuer.key)
    trusting = TrustedKeys(gated, CredentialCache())
    waiting = [asyncio.create_task(trusting.check(gated.token(ADA))) for _ in range(10)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    gated.gate.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {answer[0].subject for answer in answers[1:]} == {ADA}  # type: ignore[index]
    assert gated.asked == 1


async def test_a_silent_issuer_holds_nobody_up(
    issuer: ScriptedIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cannot be checked in time is told to come again, and is known once it answers."""
    monkeypatch.setattr(trusted_keys, "WAIT_SECONDS", 0.01)
    gated = Gated(key=issuer.key)
    trusting = TrustedKeys(gated, CredentialCache())
    with pytest.raises(Unavailable):
        await trusting.check(gated.token(ADA))
    gated.gate.set()
    await trusting.refresh()
    assert (await trusting.check(gated.token(ADA)))[0].subject == ADA
    assert gated.asked == 1


async def test_made_up_keys_do_not_make_us_ask_all_the_time(
    issuer: ScriptedIssuer, trusting: TrustedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two questions there is a pause; afterwards a new key is found."""
    await trusting.refresh()
    stranger = ScriptedIssuer(kid="another")
    for _ in range(20):
        with pytest.raises(InvalidToken):
            await trusting.check(stranger.token(ADA))
    assert issuer.asked == 1
    monkeypatch.setattr(trusted_keys, "PAUSE_SECONDS", 0)
    issuer.published[stranger.kid] = stranger.key.public_key()
    caller, _ = await trusting.check(stranger.token(ADA))
    assert (caller.subject, issuer.asked) == (ADA, 2)


async def test_a_key_id_names_one_key_and_no_other(
    issuer: ScriptedIssuer, trusting: TrustedKeys
) -> None:
    """A token under the name of another published key is not tried with all keys."""
    other = Ed25519PrivateKey.generate()
    issuer.published["another"] = other.public_key()
    with pytest.raises(InvalidToken):
        await trusting.check(issuer.token(ADA, headers={"kid": "another"}))


async def test_a_revoked_generation_is_refused(
    issuer: ScriptedIssuer, trusting: TrustedKeys
) -> None:
    """Tokens of the generation that is listed, and later ones, are good."""
    issuer.generations[ADA] = 3
    with pytest.raises(InvalidToken):
        await trusting.check(issuer.token(ADA, ver=2))
    for generation in (3, 4):
        await trusting.check(issuer.token(ADA, ver=generation))
    await trusting.check(issuer.token(account("bob"), ver=1))


async def test_what_was_revoked_is_not_known_any_more(
    issuer: ScriptedIssuer, trusting: TrustedKeys, known: CredentialCache
) -> None:
    """At the next look; tokens of others stay known, and so does what was looked into since."""
    await trusting.refresh()
    for name in ("ada", "bob"):
        known.add(name, Caller(account(name)), until=2**40)
    issuer.generations[ADA] = 2
    await trusting.refresh()
    assert (known.find("ada"), known.find("bob")) == (None, Caller(account("bob")))
    known.add("ada anew", Caller(ADA), until=2**40)
    await trusting.refresh()
    assert known.find("ada anew") is not None


async def test_a_key_that_is_gone_is_good_for_nothing(
    issuer: ScriptedIssuer, trusting: TrustedKeys, known: CredentialCache
) -> None:
    """Neither for new tokens nor for those that were found good by it."""
    token = issuer.token(ADA)
    await trusting.check(token)
    known.add(token, Caller(ADA), until=2**40)
    issuer.published = {"next": Ed25519PrivateKey.generate().public_key()}
    await trusting.refresh()
    assert known.find(token) is None
    with pytest.raises(InvalidToken):
        await trusting.check(token)


async def test_while_the_issuer_is_silent_what_is_known_goes_on(
    issuer: ScriptedIssuer, trusting: TrustedKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens of known keys are good; of unknown ones nobody can tell, which is no 401."""
    monkeypatch.setattr(trusted_keys, "RETRY_SECONDS", 0)
    issuer.generations[ADA] = 2
    await trusting.refresh()
    issuer.refusal = Unavailable()
    refreshing = asyncio.create_task(trusting.refresh())
    await asyncio.sleep(0.01)  # it fails, again and again
    await trusting.check(issuer.token(ADA, ver=2))
    with pytest.raises(InvalidToken):
        await trusting.check(issuer.token(ADA, ver=1))
    stranger = ScriptedIssuer(kid="another").token(ADA)
    with pytest.raises(Unavailable):
        await trusting.check(stranger)
    issuer.refusal = None
    await refreshing
    with pytest.raises(InvalidToken):
        await trusting.check(stranger)


async def test_what_is_no_token_makes_nobody_ask(
    issuer: ScriptedIssuer, trusting: TrustedKeys
) -> None:
    """Form and header come first."""
    for token in ("", "abc.def.ghi", issuer.token(ADA, headers={"jku": "https://evil.example"})):
        with pytest.raises(InvalidToken):
            await trusting.check(token)
    assert issuer.asked == 0
