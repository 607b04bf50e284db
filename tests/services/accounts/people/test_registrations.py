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


async def test_a_mailed_code_registers(people: People, delivery: Delivery) -> None:
    """The address is verified, and kept as its owner spells it."""
    user = (await registered(people, delivery)).user
    assert (user.email, user.canonical_email) == ("Ada@example.com", "ada@example.com")
    assert (user.email_verified, user.role, user.called) == (True, "USER", "Ada Lovelace")
    assert (user.firstname, user.lastname, user.country) == ("Ada", "Lovelace", "England")
    assert user.password_hash
    assert user.password_hash.startswith("$argon2id$")


async def test_without_the_code_nothing_is_made(
    people: People, delivery: Delivery, database: Database
) -> None:
    """A wrong one, or none that was sent."""
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
    """Whoever brings it first, however many bring it at once."""
    await people.registrations.send_code(ADA)
    code = await delivery.code(ADA)
    submits = (people.registrations.register_with_code(REGISTRATION, code) for _ in range(4))
    outcomes = await asyncio.gather(*submits, return_exceptions=True)
    assert sum(isinstance(outcome, Session) for outcome in outcomes) == 1
    reasons = [outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)]
    assert reasons == ["INVALID_CODE"] * 3
    assert read(database, "SELECT count(*) FROM accounts") == [(1,)]
    assert read(database, "SELECT count(*) FROM sessions") == [(1,)]


async def test_the_owner_of_an_account_is_told_by_mail_alone(
    people: People, delivery: Delivery, database: Database
) -> None:
    """The e-mail says that there is an account; nobody who sees the answers learns of it."""
    await registered(people, delivery)
    pass_time(database, "61 seconds")
    await people.registrations.send_code(replace(ADA, spelled="ada@example.com"))
    await delivery.deliver()
    email = delivery.inbox.last("ada@example.com")
    assert email["Subject"] == "You have an account at Boxoffice"
    with refused("INVALID_CODE"):
        await people.registrations.register_with_code(REGISTRATION, "000000")


async def test_a_wrong_code_is_as_much_work_whoever_is_known(
    people: People, delivery: Delivery, database: Database
) -> None:
    """The row that is written for a known address, which got no code, is written for any other."""
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
    """Whoever made it with somebody else's address loses all they had of it."""
    mallory = await unverified(people)
    add_api_key(database, mallory.user.id)
    user = (await registered(people, delivery)).user
    assert (user.id, user.called) == (mallory.user.id, "Ada Lovelace")
    assert user.generation == mallory.user.generation + 1
    with refused("INVALID_TOKEN"):
        await people.sessions.refresh(str(mallory.refresh_token))
    assert read(database, "SELECT count(*) FROM api_keys") == [(0,)]
    assert user.password_hash != mallory.user.password_hash


async def test_a_code_for_an_account_that_was_verified_meanwhile_is_no_good(
    people: People, delivery: Delivery, database: Database
) -> None:
    """Nobody's account is taken over by a code that was asked for before it was theirs."""
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
    """Where it takes an approval, the spec is noted."""
    people = People.of(pool, codes, passwords, policy)
    assert (await registered(people, delivery, ORGANIZER)).user.role == role
    assert read(database, "SELECT organizer_asked_at IS NOT NULL FROM accounts") == [(is_noted,)]


async def test_nobody_organizes_where_that_is_closed(
    pool: Pool, codes: Codes, passwords: Passwords
) -> None:
    """Whatever the code; there is nothing to try."""
    people = People.of(pool, codes, passwords, OrganizerSignUp.CLOSED)
    with refused("PERMISSION_DENIED"):
        await people.registrations.register_with_code(ORGANIZER, "000000")


async def test_a_known_address_is_taken(people: People, delivery: Delivery) -> None:
    """In whatever case it is spelled, verified or not."""
    await unverified(people)
    with refused("EMAIL_TAKEN"):
        await unverified(people, replace(ADA, spelled="ADA@example.com"))


async def test_of_several_who_register_an_address_one_has_it(
    people: People, database: Database
) -> None:
    """The others hear what they would have heard later."""
    outcomes = await asyncio.gather(*(unverified(people) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(outcome, Session) for outcome in outcomes) == 1
    reasons = {outcome.reason for outcome in outcomes if isinstance(outcome, Refusal)}
    assert reasons == {"EMAIL_TAKEN"}
    assert read(database, "SELECT count(*) FROM accounts") == [(1,)]


async def test_without_the_constraint_an_address_would_have_many_accounts(
    people: People, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: looking first is not enough."""
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
