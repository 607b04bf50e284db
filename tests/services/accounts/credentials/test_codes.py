import asyncio
from dataclasses import replace
from types import MappingProxyType

import pytest

from services.accounts.credentials import codes as codes_module
from services.accounts.credentials.codes import Challenge, Codes, Purpose
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.accounts.client import pass_time, read
from tests.services.accounts.delivery import ADA, BOB
from tests.services.events.client import refused

MINE = Challenge(ADA, Purpose.REGISTER)
AT_ONCE = 12


async def ask(pool: Pool, codes: Codes, challenge: Challenge = MINE) -> None:
    """Requests a code."""
    async with pool.connection() as connection, connection.transaction():
        await codes.request(connection, challenge)


async def mail(pool: Pool, codes: Codes, challenge: Challenge = MINE) -> str:
    """Requests a code, and returns the one that is sent."""
    await ask(pool, codes, challenge)
    code = await codes.issue(challenge.address, challenge.purpose)
    assert code is not None
    return code


async def spend(pool: Pool, codes: Codes, digest: bytes) -> None:
    """Consumes a code."""
    async with pool.connection() as connection, connection.transaction():
        await codes.spend(connection, MINE, digest)


def wrong(code: str) -> str:
    """Returns another code."""
    return f"{(int(code) + 1) % 10**6:06}"


async def test_a_code_of_six_digits_is_stored_as_an_hmac(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """A reader of the table could find the codes by trying all of them."""
    code = await mail(pool, codes)
    assert len(code) == 6
    assert code.isdecimal()
    [(row,)] = read(database, "SELECT codes::text FROM codes")
    assert code not in row
    assert ADA.canonical not in row


async def test_another_pepper_accepts_no_code(pool: Pool, codes: Codes) -> None:
    """A leaked table must not be usable without the secret."""
    code = await mail(pool, codes)
    with refused("INVALID_CODE"):
        await Codes(pool, b"salt").check(MINE, code)
    await codes.check(MINE, code)


async def test_a_pepper_replaces_another_while_replicas_have_either(pool: Pool) -> None:
    """A letter that was sent before the pepper was replaced could bring a code that is refused."""
    replicas = [Codes(pool, b"old", b"new"), Codes(pool, b"new", b"old")]
    for sender, address in zip(replicas, (ADA, BOB), strict=True):
        challenge = Challenge(address, Purpose.REGISTER)
        code = await mail(pool, sender, challenge)
        for replica in replicas:
            with refused("INVALID_CODE"):
                await replica.check(challenge, wrong(code))
            with refused("RATE_LIMITED"):
                await ask(pool, replica, challenge)
        [other] = [replica for replica in replicas if replica is not sender]
        digest = await other.check(challenge, code)
        async with pool.connection() as connection, connection.transaction():
            await other.spend(connection, challenge, digest)
        with refused("INVALID_CODE"):
            await sender.check(challenge, code)


async def test_a_code_can_be_tried_five_times(pool: Pool, codes: Codes) -> None:
    """More tries would make six digits guessable."""
    code = await mail(pool, codes)
    for _ in range(5):
        with refused("INVALID_CODE"):
            await codes.check(MINE, wrong(code))
    with refused("INVALID_CODE"):
        await codes.check(MINE, code)


async def compared(codes: Codes, code: str) -> int:
    """Tries a right code many times at once; returns how often it was accepted."""
    tries = (codes.check(MINE, code) for _ in range(AT_ONCE))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(outcome, bytes | Refusal) for outcome in outcomes)
    return sum(isinstance(outcome, bytes) for outcome in outcomes)


async def test_of_many_concurrent_tries_five_are_compared(pool: Pool, codes: Codes) -> None:
    """Concurrent guesses must not get around the limit."""
    assert await compared(codes, await mail(pool, codes)) == 5


async def test_without_counting_first_many_would_be_compared(
    pool: Pool, codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the UPDATE that counts first is what limits the tries."""
    code = await mail(pool, codes)
    look_then_count = codes_module.SQL["try_code"].replace(
        b"UPDATE codes\nSET tries = tries + 1\nWHERE",
        b"WITH seen AS MATERIALIZED (SELECT * FROM codes, pg_sleep(0.2)),"
        b" counted AS (UPDATE codes SET tries = least(tries + 1, 5))"
        b" SELECT hmac FROM seen WHERE",
    )
    look_then_count = look_then_count[: look_then_count.index(b"RETURNING")]
    statements = MappingProxyType({**codes_module.SQL, "try_code": look_then_count})
    monkeypatch.setattr(codes_module, "SQL", statements)
    assert await compared(codes, code) > 5


async def spent(pool: Pool, codes: Codes, digest: bytes) -> int:
    """Consumes a code many times at once; returns how many calls succeeded."""
    attempts = (spend(pool, codes, digest) for _ in range(4))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    return outcomes.count(None)


async def test_a_code_is_consumed_once(pool: Pool, codes: Codes) -> None:
    """Several calls that checked the same code must not all act on it."""
    digest = await codes.check(MINE, await mail(pool, codes))
    assert await spent(pool, codes, digest) == 1
    with refused("INVALID_CODE"):
        await spend(pool, codes, digest)


async def test_without_clearing_it_a_code_would_be_consumed_often(
    pool: Pool, codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the UPDATE of the digest is what admits one call."""
    digest = await codes.check(MINE, await mail(pool, codes))
    left = codes_module.SQL["spend_code"].replace(
        b"SET hmac = NULL, expires_at = NULL", b"SET tries = 1"
    )
    monkeypatch.setattr(
        codes_module, "SQL", MappingProxyType({**codes_module.SQL, "spend_code": left})
    )
    assert await spent(pool, codes, digest) == 4


@pytest.mark.parametrize(
    "other",
    [
        replace(MINE, address=BOB),
        replace(MINE, purpose=Purpose.RESET),
        replace(MINE, account_id="acct_other"),
    ],
)
async def test_a_code_is_bound_to_address_purpose_and_account(
    pool: Pool, codes: Codes, other: Challenge
) -> None:
    """A code to register must not reset a password."""
    code = await mail(pool, codes)
    with refused("INVALID_CODE"):
        await codes.check(other, code)
    await codes.check(MINE, code)


async def test_a_code_expires_after_ten_minutes(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """An old e-mail must not open an account; the time starts when it is sent."""
    code = await mail(pool, codes)
    pass_time(database, "9 minutes 50 seconds")
    await codes.check(MINE, code)
    pass_time(database, "11 seconds")
    with refused("INVALID_CODE"):
        await codes.check(MINE, code)


async def test_codes_to_an_address_are_a_minute_apart(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """Somebody could flood an address with codes, or an earlier code stay valid."""
    first = await mail(pool, codes)
    with refused("RATE_LIMITED") as refusal:
        await ask(pool, codes, replace(MINE, purpose=Purpose.RESET))
    assert 58 <= int(refusal.metadata["retry_after_seconds"]) <= 60
    pass_time(database, "1 minute")
    second = await mail(pool, codes)
    with refused("INVALID_CODE"):
        await codes.check(MINE, first if first != second else wrong(second))
    await codes.check(MINE, second)


async def test_only_a_new_request_has_new_tries(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """An e-mail that is sent again must not allow more guesses."""
    code = await mail(pool, codes)
    for _ in range(5):
        with refused("INVALID_CODE"):
            await codes.check(MINE, wrong(code))
    again = await codes.issue(ADA, Purpose.REGISTER)
    assert again is not None
    with refused("INVALID_CODE"):
        await codes.check(MINE, again)
    pass_time(database, "1 minute")
    await codes.check(MINE, await mail(pool, codes))


async def test_an_address_gets_twenty_codes_in_24_hours(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """A calendar day would allow twice as many guesses around midnight."""
    for _ in range(20):
        await ask(pool, codes)
        pass_time(database, "1 hour")
    with refused("RATE_LIMITED") as refusal:
        await ask(pool, codes)
    assert 4 * 3600 - 60 <= int(refusal.metadata["retry_after_seconds"]) <= 4 * 3600
    pass_time(database, "4 hours")
    await ask(pool, codes)
    with refused("RATE_LIMITED"):
        pass_time(database, "2 minutes")
        await ask(pool, codes)


async def asked(pool: Pool, codes: Codes) -> int:
    """Requests a code many times at once; returns how many requests succeeded."""
    attempts = (ask(pool, codes) for _ in range(4))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    return outcomes.count(None)


async def test_of_concurrent_requests_one_gets_a_code(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """Concurrent requests must not get around the limit, for a new address or a known one."""
    assert await asked(pool, codes) == 1
    pass_time(database, "1 minute")
    assert await asked(pool, codes) == 1


async def test_without_the_row_lock_several_would_get_a_code(
    pool: Pool, codes: Codes, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: reading before writing lets several through."""
    await ask(pool, codes)
    pass_time(database, "1 minute")
    looked = b"""
        WITH seen AS MATERIALIZED (
            SELECT 1 FROM codes, pg_sleep(0.2)
            WHERE asked_at[cardinality(asked_at)] <= clock_timestamp() - interval '60 seconds'
        )
        UPDATE codes SET asked_at = asked_at || clock_timestamp() FROM seen RETURNING 1
    """
    monkeypatch.setattr(
        codes_module, "SQL", MappingProxyType({**codes_module.SQL, "request_code": looked})
    )
    assert await asked(pool, codes) > 1


async def test_a_request_that_was_replaced_makes_no_code(pool: Pool, codes: Codes) -> None:
    """An e-mail of a replaced request must not bring a code for another purpose."""
    await ask(pool, codes, replace(MINE, purpose=Purpose.RESET))
    assert await codes.issue(ADA, Purpose.REGISTER) is None
    assert await codes.issue(BOB, Purpose.REGISTER) is None


async def test_old_requests_are_deleted(pool: Pool, codes: Codes, database: Database) -> None:
    """The table must not grow for ever, nor forget a request that still counts."""
    await ask(pool, codes)
    pass_time(database, "24 hours")
    await ask(pool, codes, Challenge(BOB, Purpose.REGISTER))
    await codes.forget()
    assert read(database, "SELECT count(*) FROM codes") == [(2,)]
    pass_time(database, "61 minutes")
    await codes.forget()
    assert read(database, "SELECT count(*) FROM codes") == [(1,)]
