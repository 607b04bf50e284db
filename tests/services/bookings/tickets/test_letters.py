import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import orjson
import psycopg
import pytest

from boxoffice.accounts.v1 import notices_pb2
from services.bookings.catalogue.places import Place
from services.bookings.catalogue.plans import Plans
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import Booked, Cancel
from services.bookings.inventory.seat_commands import IssueTicket, Transfer
from services.bookings.tickets import letter_messages
from services.bookings.tickets.details import DoorTimes
from services.bookings.tickets.documents import Documents
from services.bookings.tickets.keys import TicketKeys
from services.bookings.tickets.letters import SQL, Letter, TicketLetters
from services.bookings.tickets.tickets import Tickets
from services.kit.database.postgres import Pool
from services.kit.rpc.errors import OutcomeUnknown, Refusal, Unavailable
from tests.conftest import Database
from tests.services.accounts.client import execute, read
from tests.services.bookings.asking import party
from tests.services.bookings.conftest import concert
from tests.services.bookings.inventory.payments import PRICE, paid, start
from tests.services.bookings.tickets.printing import PLACE
from tests.services.bookings.tickets.test_pdfs import scanned
from tests.services.conditions import until_blocked
from tests.services.issuer import account

ADA, BOB = map(account, ("ada", "bob"))
FREE, PRICED = 2, 1


@dataclass
class ScriptedAccounts:
    """Accepts letters, or refuses as a test says."""

    refusal: Refusal | None = None
    loses_the_answer: bool = False
    letters: list[Letter] = field(default_factory=list)

    async def send_notices(self, notices: Sequence[Letter]) -> None:
        """See outbox.Accounts."""
        if self.refusal:
            raise self.refusal
        self.letters += notices
        if self.loses_the_answer:
            raise OutcomeUnknown


@dataclass
class ScriptedPlaces:
    """Returns one place for all events, or is down."""

    place: Place | None = PLACE

    async def get_place(self, event_id: int) -> Place:
        """See places.Places."""
        if self.place is None:
            raise Unavailable
        return self.place


@dataclass
class Office:
    """A free and a priced event, and the worker, which sends only when a test calls it."""

    database: Database
    inventory: Inventory
    letters: TicketLetters
    accounts: ScriptedAccounts
    places: ScriptedPlaces

    async def book(self, user: str, event_id: int = FREE) -> int:
        """Books two seats; returns the number of the booking."""
        [booked] = await self.inventory.decide([party(event_id, user, 2)])
        assert isinstance(booked, Booked), booked
        return booked.booking.id

    async def ticket(self, user: str, event_id: int = FREE) -> int:
        """Books two seats and has their ticket issued; returns the number of the booking."""
        booking = await self.book(user, event_id)
        await self.decide(IssueTicket(event_id, booking))
        return booking

    async def decide(self, *commands: IssueTicket | Transfer | Cancel) -> None:
        """Decides commands, none of which may be refused."""
        for command in commands:
            [outcome] = await self.inventory.decide([Ask(command)])
            assert not isinstance(outcome, Refusal), outcome

    async def sent(self) -> list[Letter]:
        """Sends what is due; returns all letters so far."""
        for _ in range(self.count()):
            await self.letters.send()
        return self.accounts.letters

    def count(self) -> int:
        """Counts the letters on their way."""
        [(count,)] = read(self.database, "SELECT count(*) FROM bookings.ticket_letters")
        return int(count)

    def due_again(self) -> None:
        """Lets the pause after a refusal pass."""
        execute(self.database, "UPDATE bookings.ticket_letters SET due_at = now()")


@pytest.fixture
async def office(pool: Pool, database: Database) -> Office:
    """Opens the events."""

    async def no_plan(plan_id: int) -> bytes:
        raise AssertionError(plan_id)

    inventory, accounts, places = Inventory(pool), ScriptedAccounts(), ScriptedPlaces()
    await inventory.apply(concert(FREE))
    await inventory.apply(concert(PRICED, **PRICE))
    plans = Plans(pool, no_plan)
    documents = Documents(TicketKeys(pool), plans, DoorTimes(), places)
    letters = TicketLetters(pool, Tickets(pool), documents, accounts)
    return Office(database, inventory, letters, accounts, places)


def codes(letter: Letter) -> list[str]:
    """Reads the codes of the attached PDF."""
    return scanned(letter.pdf.data)


async def test_a_valid_ticket_is_mailed_with_its_documents(office: Office) -> None:
    """A user without the page at hand would stand at the door without a code."""
    await office.ticket(ADA)
    [letter] = await office.sent()
    assert office.count() == 0
    notice = letter_messages.notice(letter)
    assert (notice.account_id, notice.kind) == (ADA, notices_pb2.NOTICE_KIND_TICKET)
    assert (notice.seat_count, notice.event_name) == (2, "Concert")
    assert notice.time_zone == "Europe/Berlin"
    pdf, calendar = notice.attachments
    assert (pdf.name, pdf.media_type, len(scanned(pdf.content))) == (
        "ticket.pdf", "application/pdf", 2,
    )  # fmt: skip
    assert (calendar.name, calendar.media_type) == ("event.ics", "text/calendar")
    assert b"LOCATION:Roxy" in calendar.content


async def test_a_ticket_is_mailed_when_it_is_paid(office: Office) -> None:
    """The letter would admit somebody who has not paid, or never come."""
    booking = await office.ticket(ADA, PRICED)
    assert office.count() == 0
    await office.inventory.decide([Ask(start(booking)), Ask(paid(booking, minor=1_800))])
    assert [letter.ticket.booking_id for letter in await office.sent()] == [booking]


async def test_guests_have_no_letter(office: Office) -> None:
    """The worker would try for ever to mail people without an address."""
    await office.ticket("guest")
    assert office.count() == 0


async def test_a_transferred_ticket_is_mailed_to_its_new_user_alone(office: Office) -> None:
    """The new user would have no code, or the former one the new codes."""
    booking = await office.ticket(ADA)
    await office.decide(Transfer(FREE, booking, ADA, BOB))
    [letter] = await office.sent()
    assert letter.ticket.user_id == BOB
    await office.decide(Transfer(FREE, booking, BOB, ADA))
    _, second = await office.sent()
    assert (second.ticket.user_id, second.id == letter.id) == (ADA, False)
    assert not set(codes(letter)) & set(codes(second))


async def test_a_ticket_that_is_revoked_before_is_not_mailed(office: Office) -> None:
    """Somebody would go there with codes that do not admit."""
    await office.decide(Cancel(FREE, await office.ticket(ADA)))
    assert await office.sent() == []
    assert office.count() == 0


async def test_an_event_without_a_start_has_a_letter_without_calendar(office: Office) -> None:
    """The ticket would wait for ever for a calendar that cannot be written."""
    office.places.place = Place(1, None, None, "UTC", "", "")
    await office.ticket(ADA)
    [letter] = await office.sent()
    assert [each.name for each in letter_messages.notice(letter).attachments] == ["ticket.pdf"]


@pytest.mark.parametrize("what", ["events is down", "accounts is down", "answer lost"])
async def test_a_letter_that_did_not_arrive_is_sent_again_with_the_same_id(
    office: Office, what: str
) -> None:
    """It would be lost while a service is down, or mailed twice when an answer is lost."""
    await office.ticket(ADA)
    office.places.place = None if what == "events is down" else PLACE
    office.accounts.refusal = Unavailable() if what == "accounts is down" else None
    office.accounts.loses_the_answer = what == "answer lost"
    tried = len(await office.sent())
    assert len(await office.sent()) == tried, "it is not due yet"
    office.places.place = PLACE
    office.accounts.refusal, office.accounts.loses_the_answer = None, False
    office.due_again()
    letters = await office.sent()
    assert len(letters) == tried + 1
    assert (len({letter.id for letter in letters}), office.count()) == (1, 0)


async def test_a_letter_that_a_transfer_replaced_is_not_ended(
    office: Office, pool: Pool, database: Database
) -> None:
    """A transfer while the former user's letter is sent would leave the new user without one."""
    booking = await office.ticket(ADA)
    [(former,)] = read(database, "SELECT id FROM bookings.ticket_letters")
    await office.decide(Transfer(FREE, booking, ADA, BOB))
    [(ticket_id,)] = read(database, "SELECT ticket_id FROM bookings.ticket_letters")
    await end(pool, ticket_id, former)
    assert [letter.ticket.user_id for letter in await office.sent()] == [BOB]


async def end(pool: Pool, ticket_id: UUID, letter_id: UUID) -> None:
    """Ends a letter as the worker does."""
    async with pool.connection() as connection:
        letters = [{"event_id": FREE, "ticket_id": ticket_id, "id": letter_id}]
        await connection.execute(SQL["end_letters"], {"letters": orjson.dumps(letters).decode()})


@pytest.mark.parametrize("locks", [True, False])
async def test_two_replicas_never_lease_one_letter(
    office: Office, pool: Pool, database: Database, locks: bool
) -> None:
    """Without the lock the second would wait for the first, and then send the same letter."""
    await office.ticket(ADA)
    lease = SQL["lease_letters"]
    lease = lease if locks else lease.replace(b"FOR UPDATE SKIP LOCKED", b"")
    values = {"event_id": FREE, "limit": 1}
    async with (
        pool.connection() as former,
        pool.connection() as latter,
        await psycopg.AsyncConnection.connect(database.owner_dsn, autocommit=True) as watch,
    ):
        async with former.transaction():
            assert await (await former.execute(lease, values)).fetchone()
            leasing = asyncio.create_task(latter.execute(lease, values))
            if locks:
                await leasing
            else:
                await until_blocked(watch, 1)
        assert ((await (await leasing).fetchone()) is None) is locks
