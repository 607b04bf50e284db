"""Which nodes of a Citus cluster a transaction of the core talks to; `make test-citus` runs it."""

import re
from collections.abc import AsyncIterator

import pytest

from services.bookings.catalogue.plans import Plans
from services.bookings.feed.distributed_tail import DistributedTail
from services.bookings.inventory import Inventory, routing
from services.bookings.inventory.commands import Apply, Cancel, Command
from services.bookings.inventory.transaction import Ask
from services.bookings.lookups import by_keys
from services.bookings.reports.reports import Reports
from services.bookings.reservations.reservations import Reservations
from services.bookings.waiting_list.notices import SQL as NOTICES
from services.kit.database.postgres import Pool
from tests.conftest import Database
from tests.pools import patient_pool
from tests.services.bookings.asking import party, seat, seat_by_key
from tests.services.bookings.conftest import concert
from tests.services.bookings.feed.door import Door
from tests.services.bookings.inventory.screening import hold, plans_of, room, screening
from tests.services.bookings.reports.test_reports import ANYBODY
from tests.services.bookings.rooms import Rooms

HALL = room(rows=2, seats=5)
SENT = re.compile(r"on server \S+@(\S+) connectionId")


class Sent:
    """What the coordinator sends for the statements of a pool: commands, and to which nodes."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.nodes: set[str] = set()

    def note(self, notice: object) -> None:
        """Takes a notice that `citus.log_remote_commands` makes."""
        message = str(getattr(notice, "message_primary", ""))
        if found := SENT.search(str(getattr(notice, "message_detail", ""))):
            self.commands.append(message.removeprefix("issuing "))
            self.nodes.add(found[1])


@pytest.fixture
async def one_session(database: Database) -> AsyncIterator[Pool]:
    """Opens a pool of one connection, with the settings of the lane."""
    async with patient_pool(
        database.bookings_dsn, schema="bookings", size=1, session=routing.SESSION
    ) as pool:
        yield pool


async def listen(pool: Pool) -> Sent:
    """Returns what is sent to other nodes from now on."""
    sent = Sent()
    async with pool.connection() as connection:
        connection.add_notice_handler(sent.note)
        await connection.execute("SET citus.log_remote_commands = on")
        await connection.execute("SET client_min_messages = notice")
    return sent


async def sent_for(pool: Pool, *asks: Ask) -> Sent:
    """Decides asks one after another, and returns what was sent to other nodes."""
    sent = await listen(pool)
    inventory = Inventory(pool, plans=plans_of(HALL))
    for ask in asks:
        await inventory.decide([ask])
    return sent


async def test_a_booking_is_a_transaction_of_one_node(one_session: Pool) -> None:
    """Every booking would wait for all nodes, and stop when any of them does."""
    await Inventory(one_session).apply(concert(capacity=3))
    sent = await sent_for(
        one_session,
        seat(1, "ada"),
        party(1, "bob", 2, key="k"),
        seat_by_key(1, "cyd"),
        Ask(Cancel(1, 1)),
        seat(1, "dan"),
    )
    assert len(sent.nodes) == 1, sent.commands
    assert sum(each.startswith("COMMIT") for each in sent.commands) == 5


async def test_a_hold_is_a_transaction_of_one_node(one_session: Pool) -> None:
    """Every hold of seats would wait for all nodes."""
    commands: list[Command] = [Apply(screening(HALL)), hold("ada", 1, 2), hold("bob", 2, 3)]
    sent = await sent_for(one_session, *map(Ask, commands))
    assert len(sent.nodes) == 1, sent.commands


async def test_a_refusal_without_a_lock_has_one_snapshot(one_session: Pool) -> None:
    """Its outcome and its revision would be of different moments on the node of the event."""
    await Inventory(one_session).apply(concert(capacity=1))
    asked = [seat(1, user) for user in ("ada", "bob", "cyd")]
    sent = await sent_for(one_session, *asked)
    began = [each for each in sent.commands if each.startswith("BEGIN")]
    assert ["REPEATABLE READ READ ONLY" in each for each in began] == [False, False, True]


async def test_a_report_is_one_snapshot_of_one_node(one_session: Pool) -> None:
    """Seats and bookings would not add up while tickets are being sold."""
    inventory = Inventory(one_session)
    await inventory.apply(concert(capacity=3))
    await inventory.decide([seat(1, "ada")])
    sent = await listen(one_session)
    report = await Reports(one_session, Plans(one_session, Rooms().fetch)).get(1, ANYBODY)
    assert (report.event.sold, report.bookings) == (1, {"CONFIRMED": 1})
    began = [each for each in sent.commands if each.startswith("BEGIN")]
    assert ["REPEATABLE READ" in each for each in began] == [True], began
    assert len(sent.nodes) == 1, sent.commands


async def test_a_letter_is_leased_on_its_node(one_session: Pool) -> None:
    """Each lease would wait for all nodes; only the look for what is due asks all of them."""
    await Inventory(one_session).apply(concert())
    sent = await listen(one_session)
    async with one_session.connection() as connection:
        await connection.execute(NOTICES["lease_notices"], {"event_id": 1, "limit": 1})
    [lease] = [each for each in sent.commands if "notices" in each]
    assert "SKIP LOCKED" in lease


async def test_the_position_of_a_scan_commits_with_its_span(
    pool: Pool, inventory: Inventory, reservations: Reservations, one_session: Pool
) -> None:
    """A coordinator that stops between two commits would leave the admission out of the feed."""
    door = Door(pool, inventory, reservations)
    await door.open(capacity=3)
    await door.scan(await door.sell("ada"))
    sent = Sent()
    await _listen(one_session, sent)
    await DistributedTail(one_session).advance()
    placed = next(n for n, each in enumerate(sent.commands) if "UPDATE bookings.ticket_" in each)
    assert sent.commands[placed + 1].startswith("PREPARE TRANSACTION"), sent.commands


async def test_each_node_looks_rows_up_by_their_keys(pool: Pool, inventory: Inventory) -> None:
    """Each would read its whole ledger for a page of the feed, and for a ranking."""
    for event_id in range(1, 9):
        await inventory.apply(concert(event_id))
    setting = "SELECT event_id, current_setting('enable_seqscan') FROM inventory"
    async with pool.connection() as connection, by_keys(connection):
        found = await (await connection.execute(setting)).fetchall()
    assert sorted(found) == [(event_id, "off") for event_id in range(1, 9)]


async def _listen(pool: Pool, sent: Sent) -> None:
    """Notes what is sent for the one connection of a pool."""
    async with pool.connection() as connection:
        connection.add_notice_handler(sent.note)
        await connection.execute("SET citus.log_remote_commands = on")
        await connection.execute("SET client_min_messages = notice")
