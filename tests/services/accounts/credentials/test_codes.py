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
    """Asks for a code."""
    async with pool.connection() as connection, connection.transaction():
        await codes.request(connection, challenge)


async def mail(pool: Pool, codes: Codes, challenge: Challenge = MINE) -> str:
    """Asks for a code, and gives what is mailed."""
    await ask(pool, codes, challenge)
    code = await codes.issue(challenge.address, challenge.purpose)
    assert code is not None
    return code


async def spend(pool: Pool, codes: Codes, digest: bytes) -> None:
    """Uses a code up."""
    async with pool.connection() as connection, connection.transaction():
        await codes.spend(connection, MINE, digest)


def wrong(code: str) -> str:
    """Gives another code."""
    return f"{(int(code) + 1) % 10**6:06}"


async def test_a_code_is_six_digits_of_which_nothing_is_stored(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """The table tells nothing to whoever lacks the pepper."""
    code = await mail(pool, codes)
    assert len(code) == 6
    assert code.isdecimal()
    [(row,)] = read(database, "SELECT codes::text FROM codes")
    assert code not in row
    assert ADA.canonical not in row


async def test_another_pepper_admits_no_code(pool: Pool, codes: Codes) -> None:
    """Replicas must share it, and nobody else."""
    code = await mail(pool, codes)
    with refused("INVALID_CODE"):
        await Codes(pool, b"salt").check(MINE, code)
    await codes.check(MINE, code)


async def test_a_code_is_tried_five_times(pool: Pool, codes: Codes) -> None:
    """Then the right one is as wrong as the others."""
    code = await mail(pool, codes)
    for _ in range(5):
        with refused("INVALID_CODE"):
            await codes.check(MINE, wrong(code))
    with refused("INVALID_CODE"):
        await codes.check(MINE, code)


async def compared(codes: Codes, code: str) -> int:
    """Tries a right code many times at once; gives how often it was compared."""
    tries = (codes.check(MINE, code) for _ in range(AT_ONCE))
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(outcome, bytes | Refusal) for outcome in outcomes)
    return sum(isinstance(outcome, bytes) for outcome in outcomes)


async def test_however_many_guess_at_once_five_are_compared(pool: Pool, codes: Codes) -> None:
    """Each try is counted before it is compared."""
    assert await compared(codes, await mail(pool, codes)) == 5


async def test_looked_at_first_and_counted_then_many_would_be_compared(
    pool: Pool, codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: it is the counting UPDATE that limits them."""
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
    """Uses a code up many times at once; gives for how many it was good."""
    attempts = (spend(pool, codes, digest) for _ in range(4))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    return outcomes.count(None)


async def test_of_several_who_bring_a_code_one_has_it(pool: Pool, codes: Codes) -> None:
    """Though all of them tried it, and found it right, before."""
    digest = await codes.check(MINE, await mail(pool, codes))
    assert await spent(pool, codes, digest) == 1
    with refused("INVALID_CODE"):
        await spend(pool, codes, digest)


async def test_if_it_were_left_there_a_code_would_serve_several(
    pool: Pool, codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: it is the UPDATE of the digest that admits one."""
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
async def test_a_code_is_good_for_what_it_was_asked_for(
    pool: Pool, codes: Codes, other: Challenge
) -> None:
    """For its address, its purpose and its account alone."""
    code = await mail(pool, codes)
    with refused("INVALID_CODE"):
        await codes.check(other, code)
    await codes.check(MINE, code)


async def test_a_code_is_good_for_ten_minutes(pool: Pool, codes: Codes, database: Database) -> None:
    """From when it is mailed on."""
    code = await mail(pool, codes)
    pass_time(database, "9 minutes 50 seconds")
    await codes.check(MINE, code)
    pass_time(database, "11 seconds")
    with refused("INVALID_CODE"):
        await codes.check(MINE, code)


async def test_a_minute_passes_between_two_codes(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """The address is what counts, whatever the codes are for; the last one is the good one."""
    first = await mail(pool, codes)
    with refused("RATE_LIMITED") as refusal:
        await ask(pool, codes, replace(MINE, purpose=Purpose.RESET))
    assert 58 <= int(refusal.metadata["retry_after_seconds"]) <= 60
    pass_time(database, "1 minute")
    second = await mail(pool, codes)
    with refused("INVALID_CODE"):
        await codes.check(MINE, first if first != second else wrong(second))
    await codes.check(MINE, second)


async def test_a_new_code_has_new_tries(pool: Pool, codes: Codes, database: Database) -> None:
    """An e-mail that is sent again has none: they belong to what was asked for."""
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


async def test_an_address_gets_twenty_codes_in_a_day(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """In any 24 hours, not in each calendar day; so 100 guesses are made at most."""
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
    """Asks for a code many times at once; gives how often one was promised."""
    attempts = (ask(pool, codes) for _ in range(4))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    return outcomes.count(None)


async def test_of_several_who_ask_at_once_one_is_sent_a_code(
    pool: Pool, codes: Codes, database: Database
) -> None:
    """Also where the address was asked for before."""
    assert await asked(pool, codes) == 1
    pass_time(database, "1 minute")
    assert await asked(pool, codes) == 1


async def test_looked_at_first_several_would_be_sent_one(
    pool: Pool, codes: Codes, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: it is the row's lock that makes them take turns."""
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
    """Its e-mail may still be under way."""
    await ask(pool, codes, replace(MINE, purpose=Purpose.RESET))
    assert await codes.issue(ADA, Purpose.REGISTER) is None
    assert await codes.issue(BOB, Purpose.REGISTER) is None


async def test_old_ones_are_forgotten(pool: Pool, codes: Codes, database: Database) -> None:
    """As soon as they limit nothing."""
    await ask(pool, codes)
    pass_time(database, "24 hours")
    await ask(pool, codes, Challenge(BOB, Purpose.REGISTER))
    await codes.forget()
    assert read(database, "SELECT count(*) FROM codes") == [(2,)]
    pass_time(database, "61 minutes")
    await codes.forget()
    assert read(database, "SELECT count(*) FROM codes") == [(1,)]
