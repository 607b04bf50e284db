import asyncio
from dataclasses import replace
from types import MappingProxyType

import pytest

from services.accounts.credentials.codes import Codes
from services.accounts.credentials.passwords import Passwords
from services.accounts.credentials.sessions import Session
from services.accounts.people.people import People
from services.accounts.people.registrations import OrganizerSignUp
from services.accounts.users import users as users_module
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import Refusal
from tests.conftest import Database
from tests.services.accounts.client import add_api_key, execute, pass_time, read
from tests.services.accounts.delivery import (
    ADA,
    BOB,
    REGISTRATION,
    Delivery,
    registered,
    unverified,
)
from tests.services.events.client import refused

ORGANIZER = replace(REGISTRATION, role="ORGANIZER")


async def test_a_code_registers(people: People, delivery: Delivery) -> None:
    """The address must be verified, and stay as its owner spells it."""
    user = (await registered(people, delivery)).user
    assert (user.email, user.canonical_email) == ("Ada@example.com", "ada@example.com")
    assert (user.email_verified, user.role, user.display_name) == (True, "USER", "Ada Lovelace")
    assert (user.firstname, user.lastname, user.country) == ("Ada", "Lovelace", "England")
    assert user.password_hash
    assert user.password_hash.startswith("$argon2id$")


async def test_a_wrong_code_adds_no_account(
    people: People, delivery: Delivery, database: Database
) -> None:
    """Somebody could register an address that is not theirs."""
    with refused("INVALID_CODE"):
        await people.registrations.register_with_code(REGISTRATION, "000000")
    await people.registrations.send_code(ADA)
    code = await delivery.code(ADA)
    with refused("INVALID_CODE"):
        await people.registrations.register_with_code(REGISTRATION, f"{(int(code) + 1) % 10**6:06}")
    assert read(database, "SELECT * FROM accounts") == []


async def test_a_code_registers_once(
    people: People, delivery: Delivery, database: Database
) -> None:
    """Concurrent requests with one code must not make several accounts."""
    await people.registrations.send_code(ADA)
    code = await delivery.code(ADA)
    submits = (people.registrations.register_with_code(REGISTRATION, code) for _ in range(4))
    outcomes = await asyncio.gather(*submits, return_exceptions=True)
    assert sum(isinstance(outcome, Session) for outcome in outcomes) == 1
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)]
    assert reasons == ["INVALID_CODE"] * 3
    assert read(database, "SELECT count(*) FROM accounts") == [(1,)]
    assert read(database, "SELECT count(*) FROM sessions") == [(1,)]


async def test_only_the_email_says_that_there_is_an_account(
    people: People, delivery: Delivery, database: Database
) -> None:
    """The response must not reveal who has an account."""
    await registered(people, delivery)
    pass_time(database, "61 seconds")
    await people.registrations.send_code(replace(ADA, spelled="ada@example.com"))
    await delivery.deliver()
    email = delivery.inbox.last("ada@example.com")
    assert email["Subject"] == "You have an account at Boxoffice"
    with refused("INVALID_CODE"):
        await people.registrations.register_with_code(REGISTRATION, "000000")


async def test_a_wrong_code_costs_the_same_for_every_address(
    people: People, delivery: Delivery, database: Database
) -> None:
    """The time of the response must not reveal who has an account."""
    await registered(people, delivery)
    pass_time(database, "1 minute")
    for address in (ADA, BOB):
        await people.registrations.send_code(address)
    await delivery.deliver()
    for address in (ADA, BOB):
        with refused("INVALID_CODE"):
            await people.registrations.register_with_code(
                replace(REGISTRATION, address=address), "000000"
            )
    found = read(database, "SELECT tries, hmac IS NULL FROM codes ORDER BY 2")
    assert found == [(1, False), (1, True)]


async def test_an_unverified_account_is_taken_over(
    people: People, delivery: Delivery, database: Database
) -> None:
    """Somebody could keep access to an account with the address of another user."""
    mallory = await unverified(people)
    add_api_key(database, mallory.user.id)
    user = (await registered(people, delivery)).user
    assert (user.id, user.display_name) == (mallory.user.id, "Ada Lovelace")
    assert user.generation == mallory.user.generation + 1
    with refused("INVALID_TOKEN"):
        await people.sessions.refresh(str(mallory.refresh_token))
    assert read(database, "SELECT count(*) FROM api_keys") == [(0,)]
    assert user.password_hash != mallory.user.password_hash


async def test_a_code_does_not_take_over_an_account_verified_meanwhile(
    people: People, delivery: Delivery, database: Database
) -> None:
    """A code from before must not take over an account of its real owner."""
    await unverified(people)
    await people.registrations.send_code(ADA)
    code = await delivery.code(ADA)
    execute(database, "UPDATE accounts SET email_verified = true")
    with refused("INVALID_CODE"):
        await people.registrations.register_with_code(REGISTRATION, code)


@pytest.mark.parametrize(
    ("policy", "role", "is_noted"),
    [(OrganizerSignUp.OPEN, "ORGANIZER", False), (OrganizerSignUp.APPROVAL, "USER", True)],
)
async def test_the_operator_decides_who_organizes(
    pool: Pool,
    codes: Codes,
    passwords: Passwords,
    delivery: Delivery,
    database: Database,
    policy: OrganizerSignUp,
    role: str,
    is_noted: bool,
) -> None:
    """Registering must not give a role that needs approval; the request is noted."""
    people = People.of(pool, codes, passwords, policy)
    assert (await registered(people, delivery, ORGANIZER)).user.role == role
    assert read(database, "SELECT organizer_asked_at IS NOT NULL FROM accounts") == [(is_noted,)]


async def test_closed_sign_up_refuses_organizers(
    pool: Pool, codes: Codes, passwords: Passwords
) -> None:
    """It must refuse before a code is tried."""
    people = People.of(pool, codes, passwords, OrganizerSignUp.CLOSED)
    with refused("PERMISSION_DENIED"):
        await people.registrations.register_with_code(ORGANIZER, "000000")


async def test_a_known_address_is_taken(people: People, delivery: Delivery) -> None:
    """An address could get a second account, by its case or while it is unverified."""
    await unverified(people)
    with refused("EMAIL_TAKEN"):
        await unverified(people, replace(ADA, spelled="ADA@example.com"))


async def test_of_concurrent_registrations_of_an_address_one_succeeds(
    people: People, database: Database
) -> None:
    """An address must not have two accounts."""
    outcomes = await asyncio.gather(*(unverified(people) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(outcome, Session) for outcome in outcomes) == 1
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)}
    assert reasons == {"EMAIL_TAKEN"}
    assert read(database, "SELECT count(*) FROM accounts") == [(1,)]


async def test_without_the_constraint_an_address_would_have_many_accounts(
    people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: looking first is not enough."""
    execute(database, "ALTER TABLE accounts DROP CONSTRAINT accounts_email_unique")
    looked = users_module.SQL["add_user"].replace(
        b"ON CONFLICT ON CONSTRAINT accounts_email_unique DO NOTHING", b""
    )
    looked = looked.replace(b"VALUES (", b"SELECT").replace(
        b"END\n)", b"END\nFROM pg_sleep(0.2)\nWHERE NOT EXISTS (SELECT 1 FROM accounts)"
    )
    statements = MappingProxyType({**users_module.SQL, "add_user": looked})
    monkeypatch.setattr(users_module, "SQL", statements)
    await asyncio.gather(*(unverified(people) for _ in range(3)), return_exceptions=True)
    [(accounts,)] = read(database, "SELECT count(*) FROM accounts")
    assert accounts > 1
