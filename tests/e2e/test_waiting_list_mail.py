"""Users get letters about their seats and with their tickets, although any process may be down."""

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from aiosmtpd.controller import Controller

from tests.conftest import Database
from tests.e2e.accounts import add_accounts
from tests.e2e.client import open_client
from tests.e2e.conftest import Start
from tests.e2e.system import free_ports, until
from tests.e2e.test_waiting_list_over_http import book, cancel, initialize
from tests.services.accounts.client import execute
from tests.services.accounts.mailbox import Mailbox, text
from tests.services.bookings.tickets.test_pdfs import scanned

ROLES = {"ada": "USER", "bob": "USER"}


@pytest.fixture
def inbox() -> Iterator[Mailbox]:
    """Runs a mail server."""
    [port] = free_ports(1)
    inbox = Mailbox(port)
    mail = Controller(inbox, hostname="127.0.0.1", port=port)
    with contextlib.ExitStack() as stack:
        mail.start()
        stack.callback(mail.stop)
        yield inbox


def left(database: Database) -> int:
    """Counts the notices and letters that are still on their way."""
    with psycopg.connect(database.owner_dsn) as connection:
        [count] = connection.execute(
            "SELECT (SELECT count(*) FROM bookings.notices)"
            " + (SELECT count(*) FROM accounts.outbox)"
        ).fetchone() or (-1,)
        return int(count)


def test_a_promoted_user_gets_one_letter(start: Start, inbox: Mailbox) -> None:
    """A promoted user could get no letter, or two, while a process is down."""
    system = start(replicas=2, ACCOUNTS_SMTP_URL=f"smtp://127.0.0.1:{inbox.port}")
    ada, bob = add_accounts(system.database, ROLES).values()
    execute(system.database, "UPDATE accounts SET email_verified = true")
    with open_client(system.url) as client:
        key = initialize(client, 1)
        book(client, key, "guest")
        for person in (ada, bob):
            waiting = book(client, key, person.id, authorization=person.authorization)
            assert waiting.status_code == 202, waiting.text
        cancel(client, key, "guest")
        until(lambda: len(inbox.emails) == 1, system.log)
        until(lambda: left(system.database) == 0, system.log)

        system.stop(system.accounts)
        gone = cancel(client, key, ada.id, authorization=ada.authorization)
        assert gone.status_code == 200, gone.text
    until(lambda: any("letters wait" in replica.log() for replica in system.bookings), system.log)
    assert (len(inbox.emails), left(system.database)) == (1, 1)
    system.accounts.start()
    until(lambda: len(inbox.emails) == 2, system.log, seconds=60)
    until(lambda: left(system.database) == 0, system.log)
    assert [letter["To"] for letter in inbox.emails] == [
        f"{person.id}@example.com" for person in (ada, bob)
    ]
    assert f"off the waiting list for “{key}”: 1 seat booked for you." in text(inbox.emails[0])


def test_a_ticket_arrives_by_mail(start: Start, inbox: Mailbox) -> None:
    """A user would have to come back to the site for the codes that admit."""
    system = start(ACCOUNTS_SMTP_URL=f"smtp://127.0.0.1:{inbox.port}")
    [ada] = add_accounts(system.database, {"ada": "USER"}).values()
    execute(system.database, "UPDATE accounts SET email_verified = true")
    with open_client(system.url) as client:
        key = initialize(client, 1)
        booked = book(client, key, ada.id, authorization=ada.authorization)
        made = client.post(
            "/api/tickets",
            json={"booking_id": booked.json()["booking_id"]},
            headers={"Authorization": ada.authorization},
        )
        assert made.status_code == 201, made.text
    until(lambda: len(inbox.emails) == 1, system.log, seconds=60)
    [letter] = inbox.emails
    assert letter["To"] == f"{ada.id}@example.com"
    [pdf] = letter.iter_attachments()
    assert scanned(pdf.get_content()) == [made.json()["seats"][0]["code"]]
