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


async def test_hashes_are_what_is_recommended() -> None:
    """Argon2id with 19 MiB, twice over, in one lane."""
    async with Passwords() as passwords:
        found = extract_parameters(await passwords.hash(SECRET))
    assert found.type is Type.ID
    assert (found.memory_cost, found.time_cost, found.parallelism) == (19 * 1024, 2, 1)


async def test_a_password_is_right_or_wrong(passwords: Passwords) -> None:
    """Alike on keyboards that spell the same letter in two ways."""
    known = await passwords.hash(SECRET)
    for password, matches in (
        (SECRET, True),
        (SECRET.replace("\u00e4", "a\u0308"), True),
        (SECRET.upper(), False),
        ("", False),
    ):
        assert (await passwords.check(password, known)).matches is matches
    assert not (await passwords.check(SECRET, None)).matches


async def test_what_everybody_tries_first_is_refused() -> None:
    """The 3,000 most common passwords of 8 characters or more, in either case."""
    common = common_passwords()
    assert len(common) == 3_000
    assert {len(each) >= 8 and each == each.casefold() for each in common} == {True}
    async with Passwords(QUICK, refused=common) as passwords:
        for password in ("password", "12345678", "Password1", "QWERTYUIOP"):
            with refused("VALIDATION_ERROR"):
                passwords.expect_uncommon(password)
        for password in (SECRET, "correct horse battery staple", "password of mine"):
            passwords.expect_uncommon(password)


async def test_what_was_hashed_otherwise_is_hashed_again(passwords: Passwords) -> None:
    """When the password is at hand, which is when somebody logs in."""
    known = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(SECRET)
    verdict = await passwords.check(SECRET, known)
    assert verdict.matches
    assert verdict.rehashed is not None
    assert (await passwords.check(SECRET, verdict.rehashed)).rehashed is None
    assert (await passwords.check("wrong", known)).rehashed is None


async def test_an_unknown_user_costs_as_much() -> None:
    """Nobody sees by the clock whether there was a hash to compare with."""

    async def seconds(known: str | None) -> float:
        started = time.process_time()
        await passwords.check("wrong", known)
        return time.process_time() - started

    async with Passwords() as passwords:
        known = await passwords.hash(SECRET)
        costs = [[await seconds(each) for each in (known, None)] for _ in range(9)]
    ours, nobodys = (sorted(column)[4] for column in zip(*costs, strict=True))
    assert 0.5 < ours / nobodys < 2


async def test_too_many_at_once_are_turned_away() -> None:
    """At once, and what was there before them is served."""
    async with Passwords(QUICK, most_waiting=3) as passwords:
        tasks = [asyncio.create_task(passwords.hash(SECRET)) for _ in range(8)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(outcome, str) for outcome in outcomes) == 5
        assert (await passwords.check(SECRET, await passwords.hash(SECRET))).matches


async def test_who_gave_up_waits_no_longer() -> None:
    """Their place goes to somebody else."""
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
