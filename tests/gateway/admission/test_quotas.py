"""The limits that the contract gives to one RPC."""

import pytest

from boxoffice.rest.v1 import rest_pb2
from gateway.admission.counters import local_counters
from gateway.admission.quotas import EndpointQuotas, Hit, describe
from gateway.codec.json_body import Members
from gateway.http.errors import RateLimited
from tests.gateway.bindings import ruled

HERE, ELSEWHERE = "9.9.9.9", "9.9.9.8"
ADA: Members = (("event_id", 1), ("user_id", "ada@example.org"))
BOB: Members = (("event_id", 1), ("user_id", "bob@example.org"))


def quotas(*rules: rest_pb2.Quota) -> EndpointQuotas:
    """Returns quotas of reservations."""
    return EndpointQuotas(ruled("Reserve", rest_pb2.MethodRule(quotas=rules)), local_counters())


async def is_let_in(own: EndpointQuotas, address: str = HERE, body: Members = ADA) -> bool:
    """Makes another request; returns whether it was admitted."""
    try:
        await own.hit(address, body)
    except RateLimited:
        return False
    return True


async def test_each_address_has_its_own_quota() -> None:
    """One address would use up the quota of another."""
    own = quotas(rest_pb2.Quota(requests=1, seconds=60))
    assert await is_let_in(own)
    assert not await is_let_in(own, body=BOB)
    assert await is_let_in(own, ELSEWHERE)


async def test_each_value_has_a_quota_from_each_address() -> None:
    """An attacker could lock a user out from another address."""
    own = quotas(rest_pb2.Quota(requests=1, seconds=60, field="user_id"))
    assert await is_let_in(own)
    assert not await is_let_in(own)
    assert await is_let_in(own, body=BOB)
    assert await is_let_in(own, ELSEWHERE)


async def test_a_value_can_have_one_quota_for_all_addresses() -> None:
    """A password could be guessed from one address after the other."""
    own = quotas(rest_pb2.Quota(requests=1, seconds=60, field="user_id", shared=True))
    assert await is_let_in(own)
    assert not await is_let_in(own, ELSEWHERE)
    assert await is_let_in(own, ELSEWHERE, BOB)


@pytest.mark.parametrize(
    "again",
    [
        (("user_id", "ADA@example.org"),),
        (("user_id", " ada@example.org "),),
        (("userId", "ada@example.org"), ("user_id", "bob@example.org")),
    ],
)
async def test_another_spelling_counts_as_the_same_value(again: Members) -> None:
    """Another case, or another name of the field, would give a guesser a new quota."""
    own = quotas(rest_pb2.Quota(requests=1, seconds=60, field="user_id"))
    assert await is_let_in(own)
    assert not await is_let_in(own, body=again)


@pytest.mark.parametrize("body", [(), (("user_id", None),), (("user_id", ["a"]),)])
async def test_an_invalid_value_is_left_to_validation(body: Members) -> None:
    """A wrong type would end in 500 instead of 422."""
    own = quotas(rest_pb2.Quota(requests=1, seconds=60, field="user_id"))
    assert await is_let_in(own, body=body)
    assert await is_let_in(own)


async def test_only_failures_count_if_the_contract_says_so() -> None:
    """A user who logs in ten times with the right password would be locked out."""
    own = quotas(rest_pb2.Quota(requests=1, seconds=60, field="user_id", failures_only=True))
    for _ in range(5):
        hits = await own.hit(HERE, ADA)
        assert [type(hit) for hit in hits] == [Hit]
        await own.refund(hits)
    assert await is_let_in(own)
    assert not await is_let_in(own)


async def test_a_refusal_names_the_quota() -> None:
    """A client would not know which limit it has reached."""
    own = quotas(
        rest_pb2.Quota(requests=9, seconds=60),
        rest_pb2.Quota(requests=1, seconds=900, field="user_id"),
    )
    await own.hit(HERE, ADA)
    with pytest.raises(RateLimited) as refused:
        await own.hit(HERE, ADA)
    assert dict(refused.value.headers) == {
        b"retry-after": b"900",
        b"ratelimit": b'"reserve-user-id-address";r=0;t=900',
        b"ratelimit-policy": b'"reserve-user-id-address";q=1;w=900',
    }


async def test_keys_contain_no_personal_data() -> None:
    """The shared store would keep people's addresses for an hour."""
    own = quotas(rest_pb2.Quota(requests=1, seconds=60, field="user_id", failures_only=True))
    assert all("ada" not in hit.key for hit in await own.hit(HERE, ADA))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (rest_pb2.Quota(), "requests in 0 seconds for each address of a client"),
        (rest_pb2.Quota(shared=True, failures_only=True), "failed requests in 0 seconds"),
        (rest_pb2.Quota(field="email", shared=True), "requests in 0 seconds for each `email`"),
        (
            rest_pb2.Quota(field="email"),
            "requests in 0 seconds for each `email` from each address of a client",
        ),
    ],
)
def test_the_documentation_describes_quotas(rule: rest_pb2.Quota, words: str) -> None:
    """A reader of /docs would learn of a quota only from its 429."""
    assert describe(rule) == f"At most 0 {words}."
