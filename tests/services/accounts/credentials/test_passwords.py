import asyncio
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from services.accounts.credentials.common_passwords import common_passwords
from services.accounts.credentials.passwords import RECOMMENDED, Passwords
from tests.services.accounts.conftest import QUICK
from tests.services.events.client import refused

SECRET = "p\u00e4ssw\u00f6rt \U0001f511"


async def test_hashes_have_the_recommended_parameters() -> None:
    """Cheaper hashes would be cracked faster."""
    async with Passwords() as passwords:
        found = extract_parameters(await passwords.hash(SECRET))
    assert found.type is Type.ID
    assert (found.memory_cost, found.time_cost, found.parallelism) == (19 * 1024, 2, 1)


async def test_a_password_matches_in_every_unicode_form(passwords: Passwords) -> None:
    """Keyboards that encode a letter differently must not lock a user out."""
    known = await passwords.hash(SECRET)
    for password, matches in (
        (SECRET, True),
        (SECRET.replace("\u00e4", "a\u0308"), True),
        (SECRET.upper(), False),
        ("", False),
    ):
        assert (await passwords.check(password, known)).matches is matches
    assert not (await passwords.check(SECRET, None)).matches


async def test_the_most_common_passwords_are_refused() -> None:
    """Attackers try them first."""
    common = common_passwords()
    assert len(common) == 3_000
    assert {len(each) >= 8 and each == each.casefold() for each in common} == {True}
    async with Passwords(QUICK, refused=common) as passwords:
        for password in ("password", "12345678", "Password1", "QWERTYUIOP"):
            with refused("VALIDATION_ERROR"):
                passwords.expect_uncommon(password)
        for password in (SECRET, "correct horse battery staple", "password of mine"):
            passwords.expect_uncommon(password)


async def test_an_old_hash_is_replaced(passwords: Passwords) -> None:
    """Accounts with weaker parameters would keep them for ever."""
    known = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(SECRET)
    verdict = await passwords.check(SECRET, known)
    assert verdict.matches
    assert verdict.rehashed is not None
    assert (await passwords.check(SECRET, verdict.rehashed)).rehashed is None
    assert (await passwords.check("wrong", known)).rehashed is None


async def test_an_unknown_user_takes_as_long() -> None:
    """The time of a log-in must not reveal who has an account."""

    async def seconds(known: str | None) -> float:
        started = time.process_time()
        await passwords.check("wrong", known)
        return time.process_time() - started

    async with Passwords() as passwords:
        known = await passwords.hash(SECRET)
        costs = [[await seconds(each) for each in (known, None)] for _ in range(9)]
    ours, nobodys = (sorted(column)[4] for column in zip(*costs, strict=True))
    assert 0.5 < ours / nobodys < 2


async def test_too_many_at_once_are_refused() -> None:
    """A queue without limit would let all log-ins time out."""
    async with Passwords(QUICK, most_waiting=3) as passwords:
        tasks = [asyncio.create_task(passwords.hash(SECRET)) for _ in range(8)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(outcome, str) for outcome in outcomes) == 5
        assert (await passwords.check(SECRET, await passwords.hash(SECRET))).matches


async def test_a_cancelled_caller_frees_its_place() -> None:
    """Clients that gave up must not block others."""
    async with Passwords(RECOMMENDED, most_waiting=1) as passwords:
        tasks = [asyncio.create_task(passwords.hash(SECRET)) for _ in range(3)]
        await asyncio.sleep(0)
        with refused("UNAVAILABLE"):
            await passwords.hash(SECRET)
        tasks[2].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[2]
        await passwords.hash(SECRET)
        await asyncio.gather(*tasks[:2])
