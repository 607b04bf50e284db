import asyncio
import time

import pytest

from boxoffice.rest.v1 import rest_pb2
from services.kit.auth.api_keys import CACHED_SECONDS, ApiKeys
from services.kit.rpc.callers import Caller, Role
from services.kit.rpc.errors import InvalidToken, Unavailable
from tests.services.issuer import ScriptedIssuer, account

ADA = account("ada")


@pytest.fixture
def issuer() -> ScriptedIssuer:
    """Knows the keys."""
    return ScriptedIssuer()


@pytest.fixture
def api_keys(issuer: ScriptedIssuer) -> ApiKeys:
    """Resolves keys with that issuer."""
    return ApiKeys(issuer)


async def test_a_key_stands_for_its_account_for_a_while(
    issuer: ScriptedIssuer, api_keys: ApiKeys
) -> None:
    """Within its scopes, and for less than the time in which a revocation must be known."""
    key = issuer.add_key(ADA, Role.ORGANIZER, rest_pb2.SCOPE_EVENTS_WRITE)
    caller, until = await api_keys.check(key)
    assert caller == Caller(ADA, Role.ORGANIZER, frozenset({rest_pb2.SCOPE_EVENTS_WRITE}))
    assert until <= time.time() + CACHED_SECONDS < time.time() + 30


async def test_who_shows_a_key_at_once_asks_once(issuer: ScriptedIssuer, api_keys: ApiKeys) -> None:
    """A busy client is one question, and so is one who tries the same wrong key."""
    key = issuer.add_key(ADA, Role.USER)
    answers = await asyncio.gather(*(api_keys.check(key) for _ in range(10)))
    assert {caller.subject for caller, _ in answers} == {ADA}
    wrong = (api_keys.check("box_2_wrong") for _ in range(10))
    refused = await asyncio.gather(*wrong, return_exceptions=True)
    assert {type(refusal) for refusal in refused} == {InvalidToken}
    assert issuer.resolved == [key, "box_2_wrong"]


async def test_a_wrong_key_is_not_remembered(issuer: ScriptedIssuer, api_keys: ApiKeys) -> None:
    """Nor that nobody could tell."""
    issuer.refusal = Unavailable()
    with pytest.raises(Unavailable):
        await api_keys.check("box_1_secret")
    issuer.refusal = None
    with pytest.raises(InvalidToken):
        await api_keys.check("box_1_secret")
    issuer.api_keys["box_1_secret"] = Caller(ADA)
    assert (await api_keys.check("box_1_secret"))[0] == Caller(ADA)


@pytest.mark.parametrize(
    "key",
    ["box_", "box_1", "box_1_", "box__secret", "box_1_se cret", "box_1_é", f"box_1_{'a' * 129}"],
)
async def test_what_is_no_key_makes_nobody_ask(
    issuer: ScriptedIssuer, api_keys: ApiKeys, key: str
) -> None:
    """Its form says so."""
    with pytest.raises(InvalidToken):
        await api_keys.check(key)
    assert issuer.resolved == []
