"""The waiting list: who stands where in it, and giving back a ticket or a place.

Who joins, leaves and is served is decided in inventory/waiting.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message
from psycopg.rows import class_row

from boxoffice.bookings.v1 import waiting_list_pb2
from services.bookings.access import Viewer
from services.bookings.catalogue.event_keys import Keys
from services.bookings.errors import BookingNotFound, EventNotFound
from services.bookings.inventory import Ask, Inventory
from services.bookings.inventory.commands import GiveBack, Outcome
from services.bookings.reservations.responses import give_back_response, responded
from services.kit.database import queries
from services.kit.database.idempotency import Key, fingerprint
from services.kit.database.postgres import Connection, Pool
from services.kit.rpc.errors import Refusal
from services.kit.rpc.paging import FIRST, Page
from services.kit.server.batch import decide_admitted

SQL = queries.load(__file__)
OPERATION = "cancel_ticket"
CHANGES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Tickets:
    """The seats of an event that goes by its key, at a revision of its inventory."""

    event_id: int
    key: str
    capacity: int
    available: int
    waiting: int
    rev: int
    is_draft: bool
    is_deleted: bool
    organizer_id: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a user stands: booked, waiting, offered or none."""

    status: str
    position: int | None = None
    offer_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the list; `id` is its place, in the order of joining."""

    id: int
    user_id: str
    seat_count: int
    state: str
    position: int | None
    booking_id: int | None
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class EntryChange:
    """What became of an entry at a revision; `position` is that of now, if it still waits."""

    rev: int
    user_id: str
    state: str
    position: int | None
    booking_id: int | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class GivingBack:
    """A request to give a ticket back, or a place in line."""

    event_key: str
    user_id: str
    viewer: Viewer
    request_id: str = ""


class WaitingList:
    """Looks into the waiting lists of events, and takes people out of them."""

    def __init__(self, pool: Pool, keys: Keys, inventory: Inventory) -> None:
        self._pool = pool
        self._inventory = inventory
        self._keys = keys

    async def tickets(self, key: str, viewer: Viewer) -> Tickets:
        """Counts the tickets of an event; raises EventNotFound unless the viewer may see it."""
        event_id = await self._keys.event_id(key)
        async with self._pool.connection() as connection:
            return await _tickets(connection, event_id, viewer)

    async def place(self, event_id: int, user_id: str) -> Place:
        """Tells where a user stands with an event."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Place))
            await cursor.execute(SQL["get_place"], {"event_id": event_id, "user_id": user_id})
            return await cursor.fetchone() or Place("none")

    async def entry(self, event_id: int, user_id: str) -> Entry:
        """Gets a user's last entry; raises BookingNotFound if there never was one."""
        values = {"event_id": event_id, "user_id": user_id}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Entry))
            found = await (await cursor.execute(SQL["get_entry"], values)).fetchone()
        if found is None:
            raise BookingNotFound
        return found

    async def list_waiting(self, event: Tickets, page: Page, viewer: Viewer) -> list[Entry]:
        """Lists who waits, in order, as far as the viewer may see; one more than the page has.

        Raises PermissionDenied.
        """
        viewer.expect_to_list_event(event.organizer_id)
        values = {
            "event_id": event.event_id,
            "organizer_id": event.organizer_id,
            "after": 0 if page.before == FIRST else page.before,
            "limit": page.limit,
            **viewer.rows(),
        }
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(Entry))
            return await (await cursor.execute(SQL["list_waiting"], values)).fetchall()

    async def changes(self, event_id: int, after: int) -> list[EntryChange]:
        """Lists the next changes after a revision, in the order of commits."""
        values = {"event_id": event_id, "after": after, "limit": CHANGES_AT_ONCE}
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=class_row(EntryChange))
            return await (await cursor.execute(SQL["list_changes"], values)).fetchall()

    async def give_back(
        self, asked: Sequence[GivingBack | Refusal], *, skip_busy: bool = False
    ) -> list[Message | bytes | Refusal]:
        """Cancels users' tickets or takes them off the list, once for each idempotency key.

        Refuses with EventNotFound, BookingNotFound, AlreadyCancelled, RequestInProgress and
        IdempotencyKeyReused.
        """
        keys = {each.event_key for each in asked if not isinstance(each, Refusal)}
        event_ids = await self._keys.event_ids(keys)
        asks = [_ask(each, event_ids) for each in asked]

        async def decide(asks: Sequence[Ask]) -> list[Outcome]:
            return await self._inventory.decide(asks, skip_busy=skip_busy)

        outcomes = await decide_admitted(asks, decide)
        return responded(asks, outcomes, waiting_list_pb2.CancelTicketResponse)


async def _tickets(connection: Connection, event_id: int, viewer: Viewer) -> Tickets:
    """Counts the tickets of an event; raises EventNotFound unless the viewer may see it."""
    cursor = connection.cursor(row_factory=class_row(Tickets))
    found = await (await cursor.execute(SQL["count_tickets"], {"event_id": event_id})).fetchone()
    if found is None or found.is_deleted:
        raise EventNotFound
    if found.is_draft and not viewer.owns(found.organizer_id):
        raise EventNotFound
    return found


def _ask(asked: GivingBack | Refusal, event_ids: Mapping[str, int | Refusal]) -> Ask | Refusal:
    if isinstance(asked, Refusal):
        return asked
    event_id = event_ids[asked.event_key]
    if isinstance(event_id, Refusal):
        return event_id
    key: Key | None = None
    if asked.request_id:
        digest = fingerprint(OPERATION, event_id, asked.user_id)
        key = Key(asked.viewer.key_owner, OPERATION, asked.request_id, digest)
    return Ask(GiveBack(event_id, asked.user_id, asked.viewer), key, give_back_response)
