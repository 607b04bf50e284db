import asyncio
import itertools
from types import MappingProxyType

import psycopg
import pytest

from services.accounts.credentials.codes import Codes
from services.accounts.mail.mailer import Mailer
from services.accounts.mail.smtp import SmtpServer
from services.accounts.outbox import outbox as outbox_module
from services.accounts.outbox.outbox import EmailKind, Outbox, enqueue
from services.accounts.people.people import People
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.accounts.client import execute, pass_time, read
from tests.services.accounts.delivery import ADA, BOB, Delivery, registered, unverified
from tests.services.accounts.mailbox import Mailbox, text
from tests.services.conditions import until_blocked

EMAILS = 20
REPLICAS = 4


def due_again(database: Database) -> None:
    """Makes e-mails that could not be sent due."""
    execute(database, "UPDATE outbox SET due_at = now()")


async def test_an_email_has_plain_text_and_html(people: People, delivery: Delivery) -> None:
    """Both must say the same, and no autoresponder must answer."""
    await people.registrations.send_code(ADA)
    code = await delivery.code(ADA)
    email = delivery.inbox.last(ADA.spelled)
    assert email["From"] == "Boxoffice <boxoffice@example.com>"
    assert email["Auto-Submitted"] == "auto-generated"
    assert email["Message-ID"].endswith("@example.com>")
    assert code in text(email)
    assert f"<b>{code}</b>" in text(email, "html")


async def test_the_outbox_has_no_secrets(
    people: People, delivery: Delivery, database: Database
) -> None:
    """A reader of the outbox could find a code, before or after it is sent."""
    await people.registrations.send_code(ADA)
    [(waiting,)] = read(database, "SELECT outbox::text FROM outbox")
    [(hmac,)] = read(database, "SELECT hmac FROM codes")
    assert hmac is None
    code = await delivery.code(ADA)
    assert code not in waiting
    assert read(database, "SELECT * FROM outbox") == []


async def test_an_address_without_an_account_gets_no_reset(
    people: People, delivery: Delivery
) -> None:
    """It must not get a code that could be guessed either."""
    await people.password_resets.send_code(ADA)
    await delivery.deliver()
    assert delivery.inbox.emails == []
    await unverified(people, BOB)
    await people.password_resets.send_code(BOB)
    assert len(await delivery.code(BOB)) == 6


async def test_the_owner_is_told_of_changes(
    people: People, delivery: Delivery, database: Database
) -> None:
    """An owner must learn that somebody else changed password or address."""
    session = await registered(people, delivery)
    pass_time(database, "1 minute")
    await people.password_resets.send_code(ADA)
    await people.password_resets.reset(ADA, await delivery.code(ADA), "another password")
    await delivery.deliver()
    assert delivery.inbox.last(ADA.spelled)["Subject"] == "Your password was changed"
    await people.email_changes.send_code(session.user.id, BOB, "another password")
    await people.email_changes.change(session.user.id, BOB, await delivery.code(BOB))
    await delivery.deliver()
    assert delivery.inbox.last(ADA.spelled)["Subject"] == "Your address was changed"


async def test_a_failed_email_is_sent_again_later(
    pool: Pool, people: People, codes: Codes, delivery: Delivery, database: Database
) -> None:
    """An outage of the mail server must not lose e-mails; each attempt has a new code."""
    nowhere = Mailer(pool, codes, server=SmtpServer("smtp", "127.0.0.1", 1), sender="a@b.de")
    await people.registrations.send_code(ADA)
    for attempts, seconds in ((1, 30), (2, 60), (3, 120)):
        await nowhere.deliver()
        [row] = read(
            database,
            "SELECT attempts, round(extract(epoch FROM due_at - now()) / 10) * 10 FROM outbox",
        )
        assert row == (attempts, seconds)
        due_again(database)
    assert len(await delivery.code(ADA)) == 6


@pytest.mark.parametrize(("answer", "waits"), [("451 Later", True), ("550 Never", False)])
async def test_only_a_final_refusal_ends_the_attempts(
    people: People, delivery: Delivery, database: Database, answer: str, waits: bool
) -> None:
    """A temporary refusal must not lose the e-mail, a final one not repeat it."""
    delivery.inbox.answer = answer
    await people.registrations.send_code(ADA)
    await delivery.deliver()
    assert read(database, "SELECT count(*) FROM outbox") == [(int(waits),)]


async def test_an_email_is_given_up_after_two_days(
    people: People, mailer: Mailer, database: Database
) -> None:
    """The outbox must not grow for ever."""
    await people.registrations.send_code(ADA)
    execute(database, "UPDATE outbox SET asked_at = asked_at - interval '47 hours 59 minutes'")
    await mailer.give_up()
    assert read(database, "SELECT count(*) FROM outbox") == [(1,)]
    execute(database, "UPDATE outbox SET asked_at = asked_at - interval '2 minutes'")
    await mailer.give_up()
    assert read(database, "SELECT count(*) FROM outbox") == [(0,)]


async def test_without_a_mail_server_emails_wait(
    pool: Pool, people: People, codes: Codes, database: Database
) -> None:
    """An operator who sets the server later must not have lost e-mails."""
    await people.registrations.send_code(ADA)
    assert not await Mailer(pool, codes, server=None, sender="a@b.de").deliver()
    assert read(database, "SELECT attempts FROM outbox") == [(0,)]


async def test_an_email_requested_again_while_it_is_sent_is_sent_again(
    pool: Pool, people: People, delivery: Delivery, database: Database
) -> None:
    """The end of the first must not delete the second."""
    outbox = Outbox(pool)
    await people.registrations.send_code(ADA)
    [sent] = await outbox.lease(1)
    pass_time(database, "1 minute")
    await people.registrations.send_code(ADA)
    await outbox.done(sent)
    assert len(await delivery.code(ADA)) == 6


async def write(pool: Pool) -> None:
    """Stores e-mails to many addresses."""
    async with pool.connection() as connection:
        for number in range(EMAILS):
            await connection.execute(
                outbox_module.SQL["enqueue_email"],
                {
                    "kind": EmailKind.PASSWORD_CHANGED,
                    "canonical_email": f"{number}@example.com",
                    "email": f"{number}@example.com",
                },
            )


async def lease_all(pool: Pool) -> list[int]:
    """Leases e-mails as several replicas at once; returns the ids of all leases."""
    leases = await asyncio.gather(*(Outbox(pool).lease(EMAILS) for _ in range(REPLICAS)))
    return [email.id for email in itertools.chain.from_iterable(leases)]


async def test_each_email_is_sent_by_one_replica(pool: Pool) -> None:
    """Two replicas that lease the same e-mail would both send it."""
    await write(pool)
    taken = await lease_all(pool)
    assert len(taken) == len(set(taken)) == EMAILS


async def test_without_the_lock_replicas_would_send_the_same_emails(
    pool: Pool, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: each replica would find the same e-mails due."""
    await write(pool)
    unlocked = outbox_module.SQL["lease_emails"].replace(b"FOR UPDATE SKIP LOCKED", b"")
    statements = MappingProxyType({**outbox_module.SQL, "lease_emails": unlocked})
    monkeypatch.setattr(outbox_module, "SQL", statements)
    async with (
        await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as watcher,
        await psycopg.AsyncConnection.connect(database.owner_dsn) as holder,
    ):
        await holder.execute("SELECT FROM accounts.outbox FOR UPDATE")
        leasing = asyncio.create_task(lease_all(pool))
        await until_blocked(watcher, REPLICAS)
        await holder.rollback()
        taken = await leasing
    assert len(taken) == REPLICAS * EMAILS


async def test_a_deleted_account_gets_no_more_emails(
    pool: Pool, people: People, inbox: Mailbox, mailer: Mailer
) -> None:
    """The outbox must not keep an address that its owner erased."""
    session = await unverified(people)
    async with pool.connection() as connection:
        await enqueue(connection, EmailKind.PASSWORD_CHANGED, ADA)
    await people.profiles.delete(session.user.id)
    await mailer.deliver()
    assert inbox.emails == []
