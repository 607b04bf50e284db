import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import uuid4

import psycopg
import pytest

from boxoffice.accounts.v1 import notices_pb2, notices_pb2_grpc
from services.accounts.mail import templates
from services.accounts.outbox import notices as notices_module
from services.accounts.outbox.notices import Attachment, Notice, Notices
from services.accounts.people.people import People
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import PermissionDenied, Refusal, ValidationFailed
from tests.conftest import Database
from tests.services.accounts.client import Client, add_account, connect, execute, read
from tests.services.accounts.delivery import ADA, BOB, PASSWORD, Delivery, registered, unverified
from tests.services.accounts.mailbox import text
from tests.services.conditions import until_blocked

SOON = datetime(2099, 11, 20, 19, 30, tzinfo=UTC)
FILES = (
    Attachment("ticket.pdf", "application/pdf", b"%PDF-1.7\x00\xff"),
    Attachment("event.ics", "text/calendar", "SUMMARY:Soirée".encode()),
)
TABLES = "SELECT (SELECT count(*) FROM notices), (SELECT count(*) FROM outbox)"


@pytest.fixture
def notices(pool: Pool) -> Notices:
    """Notices without a server."""
    return Notices(pool)


@pytest.fixture
async def ada(people: People, delivery: Delivery) -> str:
    """Registers a user with a verified address."""
    account_id = (await registered(people, delivery)).user.id
    delivery.inbox.emails.clear()
    return account_id


def notice_with(account_id: str, **changes: object) -> Notice:
    """Returns the notice of a booking with some fields changed."""
    usual = Notice(str(uuid4()), account_id, "PROMOTED", "Concert", SOON, 2, "ref-1", None)
    return replace(usual, **changes)  # type: ignore[arg-type]


async def test_a_promotion_is_emailed(notices: Notices, ada: str, delivery: Delivery) -> None:
    """A user who got a seat must know what to do, and how to give it back."""
    await notices.accept([notice_with(ada)])
    await delivery.deliver()
    email = delivery.inbox.last(ADA.spelled)
    assert email["Subject"] == "You have a seat: Concert"
    for part in ("plain", "html"):
        assert "“Concert”: 2 seats booked for you." in text(email, part)
        assert "starts on 20 November 2099 at 19:30 UTC." in text(email, part)
        assert "Your booking is ref-1." in text(email, part)


@pytest.mark.parametrize(
    ("time_zone", "shown"),
    [("Europe/Berlin", "20:30 Europe/Berlin"), ("Mars/Base", "19:30 UTC")],
)
def test_a_start_is_shown_in_the_zone_of_its_event(time_zone: str, shown: str) -> None:
    """A visitor could come an hour late, or a letter fail for a zone that is not known here."""
    about = notice_with("acct_1", kind="TICKET", time_zone=time_zone)
    written = templates.notice(about).plain
    assert f"The event starts on 20 November 2099 at {shown}." in written


async def test_an_offer_is_emailed_with_its_end(
    notices: Notices, ada: str, delivery: Delivery
) -> None:
    """A user must know how long the seats are kept; an unknown start is left out."""
    offer = notice_with(ada, kind="OFFERED", starts_at=None, seat_count=1, offer_expires_at=SOON)
    await notices.accept([offer])
    await delivery.deliver()
    email = delivery.inbox.last(ADA.spelled)
    assert email["Subject"] == "A seat is kept for you: Concert"
    assert "1 seat kept for you until 20 November 2099 at 19:30 UTC." in text(email)
    assert "starts" not in text(email)


@pytest.mark.parametrize(
    ("kind", "why"), [("WEBHOOK_GONE", "answered 410"), ("WEBHOOK_FAILING", "for three days")]
)
async def test_an_organizer_learns_by_mail_that_a_webhook_was_disabled(
    notices: Notices, ada: str, delivery: Delivery, kind: str, why: str
) -> None:
    """Nobody would notice that a program gets no more changes, or know how to mend it."""
    url = "https://example.com/hook?x=1&y=<2>"
    about: dict[str, object] = {"event_name": "", "starts_at": None, "seat_count": 0}
    await notices.accept([notice_with(ada, kind=kind, webhook_url=url, **about)])
    await delivery.deliver()
    email = delivery.inbox.last(ADA.spelled)
    assert email["Subject"] == "Your webhook was disabled"
    assert f"Your webhook {url} gets no more changes: " in text(email)
    assert why in text(email)
    assert 'PATCH /api/webhooks/ref-1 {"status": "ENABLED"}' in text(email)
    assert "y=&lt;2&gt;" in text(email, "html")


async def test_a_ticket_is_emailed_with_its_files(
    notices: Notices, ada: str, delivery: Delivery, database: Database
) -> None:
    """A user would come without codes, or codes that admit people be kept in the database."""
    await notices.accept([notice_with(ada, kind="TICKET", attachments=FILES)])
    await delivery.deliver()
    email = delivery.inbox.last(ADA.spelled)
    assert email["Subject"] == "Your ticket: Concert"
    for part in ("plain", "html"):
        assert "You have a ticket for “Concert”: 2 seats." in text(email, part)
        assert "Your booking is ref-1." in text(email, part)
    files = list(email.iter_attachments())
    assert [
        (file.get_filename(), file.get_content_type(), file.get_payload(decode=True))
        for file in files
    ] == [(file.name, file.media_type, file.content) for file in FILES]
    assert files[1].get_content_charset() == "utf-8"
    assert read(database, "SELECT count(*) FROM attachments") == [(0,)]


@pytest.mark.parametrize("end", ["given up", "account deleted"])
async def test_files_go_with_their_email(
    notices: Notices, people: People, ada: str, delivery: Delivery, database: Database, end: str
) -> None:
    """Codes that admit people would be kept for ever."""
    await notices.accept([notice_with(ada, kind="TICKET", attachments=FILES)])
    assert read(database, "SELECT count(*) FROM attachments") == [(2,)]
    if end == "given up":
        execute(database, "UPDATE outbox SET asked_at = now() - interval '3 days'")
        await delivery.mailer.give_up()
    else:
        await people.profiles.delete(ada)
    assert read(database, "SELECT count(*) FROM attachments") == [(0,)]


async def test_each_notice_is_emailed_once(notices: Notices, ada: str, delivery: Delivery) -> None:
    """Repeated notices must not be sent twice, different ones not replace each other."""
    once, other = notice_with(ada), notice_with(ada)
    await notices.accept([once, other, once])
    await notices.accept([once])
    await delivery.deliver()
    await notices.accept([other, once])
    await delivery.deliver()
    assert len(delivery.inbox.emails) == 2


async def test_replicas_that_send_the_same_notices_store_each_once(
    notices: Notices, ada: str, database: Database
) -> None:
    """Retries of two replicas must neither deadlock nor send an e-mail twice."""
    batch = [notice_with(ada) for _ in range(50)]
    await asyncio.gather(*(notices.accept(each) for each in (batch, batch[::-1]) * 3))
    assert read(database, TABLES) == [(50, 50)]


async def test_without_the_constraint_a_notice_would_be_emailed_twice(
    notices: Notices, ada: str, database: Database
) -> None:
    """Negative control of the tests above."""
    execute(database, "ALTER TABLE notices DROP CONSTRAINT notices_pkey CASCADE")
    execute(database, "ALTER TABLE notices ADD CONSTRAINT notices_pkey UNIQUE (id, received_at)")
    execute(database, "ALTER TABLE outbox DROP CONSTRAINT outbox_letter_once")
    once = notice_with(ada)
    await notices.accept([once])
    await notices.accept([once])
    assert read(database, TABLES) == [(2, 2)]


async def test_accounts_without_an_address_are_skipped(
    notices: Notices, people: People, ada: str, delivery: Delivery, database: Database
) -> None:
    """One such account must not hold up the notices of others."""
    silent = [
        add_account(database),
        add_account(database, email_verified=True, banned_at=datetime.now(UTC)),
        add_account(database, deleted_at=datetime.now(UTC), email=None, canonical_email=None),
        (await unverified(people, BOB)).user.id,
        "acct_unknown",
        "guest",
    ]
    await notices.accept([*map(notice_with, silent), notice_with(ada)])
    await delivery.deliver()
    assert [email["To"] for email in delivery.inbox.emails] == [ADA.spelled]
    assert read(database, TABLES) == [(1, 0)]


async def test_a_banned_account_gets_no_notice(
    notices: Notices, ada: str, delivery: Delivery, database: Database
) -> None:
    """A ban must also stop the e-mail that already waits."""
    await notices.accept([notice_with(ada)])
    execute(database, "UPDATE accounts SET banned_at = now() WHERE id = %(id)s", id=ada)
    await delivery.deliver()
    assert delivery.inbox.emails == []
    assert read(database, "SELECT count(*) FROM outbox") == [(0,)]


async def test_deleting_an_account_deletes_its_notices(
    notices: Notices, people: People, ada: str, database: Database
) -> None:
    """Waiting or sent notices could keep data of an erased account."""
    await notices.accept([notice_with(ada)])
    await people.profiles.delete(ada)
    assert read(database, TABLES) == [(0, 0)]


async def test_an_address_that_is_erased_meanwhile_is_not_stored(
    notices: Notices, people: People, ada: str, database: Database
) -> None:
    """A notice that arrives during the deletion must not store the address again."""
    with connect(database) as connection, connection.transaction():
        connection.execute("SELECT FROM accounts FOR UPDATE")
        accepting = asyncio.create_task(notices.accept([notice_with(ada)]))
        await blocked(database)
        connection.execute("UPDATE accounts SET email_verified = false")
    await accepting
    assert read(database, TABLES) == [(0, 0)]


async def test_without_the_lock_an_erased_address_would_be_stored(
    notices: Notices, ada: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the foreign key alone waits too late."""
    unlocked = notices_module.SQL["accept_notice"].replace(b"FOR KEY SHARE", b"")
    statements = MappingProxyType({**notices_module.SQL, "accept_notice": unlocked})
    monkeypatch.setattr(notices_module, "SQL", statements)
    with connect(database) as connection, connection.transaction():
        connection.execute("SELECT FROM accounts FOR UPDATE")
        accepting = asyncio.create_task(notices.accept([notice_with(ada)]))
        await blocked(database)
        connection.execute("UPDATE accounts SET email_verified = false")
    await accepting
    assert read(database, TABLES) == [(1, 1)]


async def blocked(database: Database) -> None:
    """Returns when a session waits for a lock."""
    async with await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as own:
        await until_blocked(own, 1)


async def test_a_notice_follows_to_a_new_address(
    notices: Notices, people: People, ada: str, delivery: Delivery, database: Database
) -> None:
    """The former address may belong to somebody else by now."""
    await people.email_changes.send_code(ada, BOB, PASSWORD)
    code = await delivery.code(BOB)
    await notices.accept([notice_with(ada)])
    await people.email_changes.change(ada, BOB, code)
    await delivery.deliver()
    assert delivery.inbox.last(BOB.spelled)["Subject"] == "You have a seat: Concert"
    assert delivery.inbox.last(ADA.spelled)["Subject"] == "Your address was changed"


async def test_an_expired_offer_is_not_emailed(
    notices: Notices, ada: str, delivery: Delivery
) -> None:
    """The seats may belong to somebody else by now."""
    ended = datetime.now(UTC) - timedelta(seconds=1)
    await notices.accept([notice_with(ada, kind="OFFERED", offer_expires_at=ended)])
    await delivery.deliver()
    assert delivery.inbox.emails == []


async def test_an_event_name_cannot_change_the_email(
    notices: Notices, ada: str, delivery: Delivery
) -> None:
    """An organizer must not inject headers, HTML or hidden text."""
    name = "Gig\r\nBcc: all@example.com\n\n<script>alert(1)</script>\x1b\u202e & more"
    await notices.accept([notice_with(ada, event_name=name)])
    await delivery.deliver()
    email = delivery.inbox.last(ADA.spelled)
    shown = "Gig Bcc: all@example.com <script>alert(1)</script> & more"
    assert email["Subject"].strip() == f"You have a seat: {shown}"
    assert email["Bcc"] is None
    assert f"“{shown}”" in text(email)
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more”" in text(email, "html")


async def test_notices_are_deleted_after_a_week(
    notices: Notices, ada: str, delivery: Delivery, database: Database
) -> None:
    """The table must not grow for ever; bookings does not repeat a notice that long."""
    await notices.accept([notice_with(ada)])
    await delivery.deliver()
    execute(database, "UPDATE notices SET received_at = now() - interval '6 days 23 hours'")
    assert not await notices.forget()
    assert read(database, TABLES) == [(1, 0)]
    execute(database, "UPDATE notices SET received_at = now() - interval '7 days 1 second'")
    assert not await notices.forget()
    assert read(database, TABLES) == [(0, 0)]


async def test_only_services_send_notices(client: Client, database: Database) -> None:
    """Anybody could send e-mails in our name, or a part of an invalid request be accepted."""
    stub = notices_pb2_grpc.NoticesServiceStub(client.channel)
    account_id = add_account(database, email_verified=True)
    good = notices_pb2.Notice(
        id="1", account_id=account_id, kind=notices_pb2.NOTICE_KIND_PROMOTED, seat_count=1
    )
    bad = notices_pb2.Notice(id="2", account_id=account_id, seat_count=0)
    with pytest.raises(Refusal) as refused:
        await client.call(stub.SendNotices, notices_pb2.SendNoticesRequest(notices=[good, bad]))
    assert refused.value.reason == ValidationFailed.reason
    assert read(database, TABLES) == [(0, 0)]
    await client.call(stub.SendNotices, notices_pb2.SendNoticesRequest(notices=[good]))
    assert read(database, "SELECT id, kind, starts_at FROM notices") == [("1", "PROMOTED", None)]
    client.metadata = ()
    with pytest.raises(Refusal) as refused:
        await client.call(stub.SendNotices, notices_pb2.SendNoticesRequest(notices=[good]))
    assert refused.value.reason == PermissionDenied.reason
