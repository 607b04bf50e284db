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
    """Returns an issuer that knows the keys which a test adds."""
    return ScriptedIssuer()


@pytest.fixture
def api_keys(issuer: ScriptedIssuer) -> ApiKeys:
    """Returns a resolver that asks that issuer."""
    return ApiKeys(issuer)


async def test_a_key_is_cached_for_less_than_half_a_minute(
    issuer: ScriptedIssuer, api_keys: ApiKeys
) -> None:
    """A key could act outside of its scopes, or go on working after its revocation."""
    key = issuer.add_key(ADA, Role.ORGANIZER, rest_pb2.SCOPE_EVENTS_WRITE)
    caller, until = await api_keys.check(key)
    assert caller == Caller(ADA, Role.ORGANIZER, frozenset({rest_pb2.SCOPE_EVENTS_WRITE}))
    assert until <= time.time() + CACHED_SECONDS < time.time() + 30


async def test_concurrent_checks_of_a_key_ask_the_issuer_once(
    issuer: ScriptedIssuer, api_keys: ApiKeys
) -> None:
    """A busy client, or one that repeats a wrong key, could flood accounts with calls."""
    key = issuer.add_key(ADA, Role.USER)
    answers = await asyncio.gather(*(api_keys.check(key) for _ in range(10)))
    assert {caller.subject for caller, _ in answers} == {ADA}
    wrong = (api_keys.check("box_2_wrong") for _ in range(10))
    refused = await asyncio.gather(*wrong, return_exceptions=True)
    assert {type(refusal) for refusal in refused} == {InvalidToken}
    assert issuer.resolved == [key, "box_2_wrong"]


async def test_a_refused_key_is_asked_for_again(issuer: ScriptedIssuer, api_keys: ApiKeys) -> None:
    """A key could stay refused after it was created, or after an outage of the issuer."""
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
async def test_a_malformed_key_is_refused_without_a_call(
    issuer: ScriptedIssuer, api_keys: ApiKeys, key: str
) -> None:
    """Anybody could make accounts look up any number of malformed keys."""
    with pytest.raises(InvalidToken):
        await api_keys.check(key)
    assert issuer.resolved == []
