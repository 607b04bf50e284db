import asyncio
import itertools
from types import MappingProxyType

import pytest

from services.accounts.credentials.codes import Codes
from services.accounts.mail.mailer import Mailing
from services.accounts.mail.smtp import SmtpServer
from services.accounts.outbox import outbox as outbox_module
from services.accounts.outbox.outbox import Letter, Outbox
from services.accounts.outbox.outbox import post as post_letter
from services.accounts.people.people import People
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.services.accounts.client import execute, pass_time, read
from tests.services.accounts.mailbox import Mailbox, text
from tests.services.accounts.post import ADA, BOB, Post, registered, unverified

LETTERS = 20


def due_again(database: Database) -> None:
    """Lets letters that could not be sent become due."""
    execute(database, "UPDATE outbox SET due_at = now()")


async def test_a_letter_has_plain_text_and_html(people: People, post: Post) -> None:
    """Both say the same, and no machine should answer."""
    await people.registrations.send_code(ADA)
    code = await post.code(ADA)
    letter = post.inbox.last(ADA.spelled)
    assert letter["From"] == "Boxoffice <boxoffice@example.com>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Message-ID"].endswith("@example.com>")
    assert code in text(letter)
    assert f"<b>{code}</b>" in text(letter, "html")


async def test_nothing_secret_ever_waits(people: People, post: Post, database: Database) -> None:
    """The code is made when its letter is sent; what was sent is gone from the outbox."""
    await people.registrations.send_code(ADA)
    [(waiting,)] = read(database, "SELECT outbox::text FROM outbox")
    [(hmac,)] = read(database, "SELECT hmac FROM codes")
    assert hmac is None
    code = await post.code(ADA)
    assert code not in waiting
    assert read(database, "SELECT * FROM outbox") == []


async def test_nobody_without_an_account_is_mailed_a_reset(people: People, post: Post) -> None:
    """Nor do they have a code that could be guessed; the answer told them nothing."""
    await people.password_resets.send_code(ADA)
    await post.deliver()
    assert post.inbox.letters == []
    await unverified(people, BOB)
    await people.password_resets.send_code(BOB)
    assert len(await post.code(BOB)) == 6


async def test_the_owner_hears_of_changes(people: People, post: Post, database: Database) -> None:
    """Of a new password, and at the former address of a new one."""
    log_in = await registered(people, post)
    pass_time(database, "1 minute")
    await people.password_resets.send_code(ADA)
    await people.password_resets.reset(ADA, await post.code(ADA), "another password")
    await post.deliver()
    assert post.inbox.last(ADA.spelled)["Subject"] == "Your password was changed"
    await people.email_changes.send_code(log_in.user.id, BOB, "another password")
    await people.email_changes.change(log_in.user.id, BOB, await post.code(BOB))
    await post.deliver()
    assert post.inbox.last(ADA.spelled)["Subject"] == "Your address was changed"


async def test_a_server_that_is_away_is_asked_again(
    pool: Pool, people: People, codes: Codes, post: Post, database: Database
) -> None:
    """Later and later, with a code that is made anew."""
    nowhere = Mailing(pool, codes, server=SmtpServer("smtp", "127.0.0.1", 1), sender="a@b.de")
    await people.registrations.send_code(ADA)
    for attempts, seconds in ((1, 30), (2, 60), (3, 120)):
        await nowhere.deliver()
        [row] = read(
            database,
            "SELECT attempts, round(extract(epoch FROM due_at - now()) / 10) * 10 FROM outbox",
        )
        assert row == (attempts, seconds)
        due_again(database)
    assert len(await post.code(ADA)) == 6


@pytest.mark.parametrize(("answer", "waits"), [("451 Later", True), ("550 Never", False)])
async def test_a_refusal_is_final_or_not(
    people: People, post: Post, database: Database, answer: str, waits: bool
) -> None:
    """The server says which."""
    post.inbox.answer = answer
    await people.registrations.send_code(ADA)
    await post.deliver()
    assert read(database, "SELECT count(*) FROM outbox") == [(int(waits),)]


async def test_what_cannot_be_sent_is_given_up(
    people: People, mailing: Mailing, database: Database
) -> None:
    """After two days."""
    await people.registrations.send_code(ADA)
    execute(database, "UPDATE outbox SET asked_at = asked_at - interval '47 hours 59 minutes'")
    await mailing.give_up()
    assert read(database, "SELECT count(*) FROM outbox") == [(1,)]
    execute(database, "UPDATE outbox SET asked_at = asked_at - interval '2 minutes'")
    await mailing.give_up()
    assert read(database, "SELECT count(*) FROM outbox") == [(0,)]


async def test_without_a_server_letters_wait(
    pool: Pool, people: People, codes: Codes, database: Database
) -> None:
    """Untouched, for whoever sets one up."""
    await people.registrations.send_code(ADA)
    assert not await Mailing(pool, codes, server=None, sender="a@b.de").deliver()
    assert read(database, "SELECT attempts FROM outbox") == [(0,)]


async def test_what_was_asked_for_again_while_it_was_sent_is_sent_again(
    pool: Pool, people: People, post: Post, database: Database
) -> None:
    """Done is only what was asked for before."""
    outbox = Outbox(pool)
    await people.registrations.send_code(ADA)
    [sent] = await outbox.lease(1)
    pass_time(database, "1 minute")
    await people.registrations.send_code(ADA)
    await outbox.done(sent)
    assert len(await post.code(ADA)) == 6


async def write(pool: Pool) -> None:
    """Writes letters to many."""
    async with pool.connection() as connection:
        for number in range(LETTERS):
            await connection.execute(
                outbox_module.SQL["post_letter"],
                {
                    "letter": Letter.PASSWORD_CHANGED,
                    "canonical_email": f"{number}@example.com",
                    "email": f"{number}@example.com",
                },
            )


async def lease_all(pool: Pool) -> list[int]:
    """Takes letters as several replicas would, at once; gives all that were taken."""
    leases = await asyncio.gather(*(Outbox(pool).lease(LETTERS) for _ in range(4)))
    return [letter.id for letter in itertools.chain.from_iterable(leases)]


async def test_each_letter_is_sent_by_one_replica(pool: Pool) -> None:
    """However many look for letters at once."""
    await write(pool)
    taken = await lease_all(pool)
    assert len(taken) == len(set(taken)) == LETTERS


async def test_without_the_lock_replicas_would_send_the_same_letters(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: each would find them due."""
    await write(pool)
    lease = outbox_module.SQL["lease_letters"]
    unlocked = lease.replace(b"FOR UPDATE SKIP LOCKED", b"").replace(
        b"SELECT id\n    FROM outbox", b"SELECT id\n    FROM outbox, pg_sleep(0.01)"
    )
    statements = MappingProxyType({**outbox_module.SQL, "lease_letters": unlocked})
    monkeypatch.setattr(outbox_module, "SQL", statements)
    taken = await lease_all(pool)
    assert len(taken) > len(set(taken))


async def test_who_leaves_gets_no_more_letters(
    pool: Pool, people: People, inbox: Mailbox, mailing: Mailing
) -> None:
    """The address is not kept for them."""
    log_in = await unverified(people)
    async with pool.connection() as connection:
        await post_letter(connection, Letter.PASSWORD_CHANGED, ADA)
    await people.profiles.delete(log_in.user.id)
    await mailing.deliver()
    assert inbox.letters == []
