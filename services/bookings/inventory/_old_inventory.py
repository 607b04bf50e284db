"""The inventory of each event, and how a state of the catalogue comes into force there.

`judge` is the whole rule, and pure; `apply` gives it the event's lock.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from services.kit import queries
from services.kit.failpoints import failpoint
from services.kit.postgres import Connection, Pool

SQL = queries.load(__file__)
CLOSING_CHUNK = 5_000


class Verdict(StrEnum):
    """What became of a state of an event."""

    APPLIED = "APPLIED"
    STALE = "STALE"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class EventState:
    """An event as the catalogue has it at revision `rev` of its life `epoch`.

    Times are aware, money is minor units for a seat.
    """

    event_id: int
    rev: int
    name: str
    capacity: int
    status: str
    deleted: bool = False
    starts_at: datetime | None = None
    sales_open_at: datetime | None = None
    sales_close_at: datetime | None = None
    price_amount_minor: int | None = None
    price_currency: str | None = None
    one_booking_per_user: bool | None = None
    organizer_id: str | None = None
    key: str | None = None
    epoch: str = ""

    @property
    def closes(self) -> bool:
        """Whether it ends the event for good and cancels its bookings."""
        return self.deleted or self.status == "CANCELLED"


@dataclass(frozen=True, slots=True)
class Stock:
    """An event's row of the inventory, as far as a new state is judged by it."""

    event_id: int
    capacity: int
    sold: int
    held: int
    rev: int
    epoch: str
    catalogue_rev: int
    verdict: str
    refusal: str
    cancelled_bookings: int
    status: str
    one_booking_per_user: bool | None
    is_closed: bool
    was_booked: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why a refusal, what it cancelled, and the inventory's revision afterwards."""

    verdict: Verdict
    refusal: str = ""
    cancelled_bookings: int = 0
    inventory_rev: int = 0


@dataclass(frozen=True, slots=True)
class Seats:
    """The seats of an event, and how many wait for them, at a revision of its inventory."""

    event_id: int
    capacity: int
    booked: int
    waiting: int
    rev: int
    is_draft: bool = False
    is_deleted: bool = False
    organizer_id: str | None = None


def judge(stock: Stock, state: EventState, *, begins_epoch: bool = False) -> Judgement:
    """Decides whether a state comes into force over what is booked.

    A later revision than the stored one wins, the same one gets the verdict it had, an earlier one
    changes nothing, however late or often it arrives. Revisions of another epoch cannot be
    compared: they change nothing, unless they are of the listing that begins the epoch.
    """
    if not is_news(stock, state, begins_epoch=begins_epoch):
        if (state.epoch, state.rev) != (stock.epoch, stock.catalogue_rev):
            return Judgement(Verdict.STALE, inventory_rev=stock.rev)
        verdict = Verdict(stock.verdict)
        return Judgement(verdict, stock.refusal, stock.cancelled_bookings, stock.rev)
    refusal = _objection(stock, state)
    verdict = Verdict.REFUSED if refusal else Verdict.APPLIED
    return Judgement(verdict, refusal, inventory_rev=stock.rev)


def is_news(stock: Stock, state: EventState, *, begins_epoch: bool) -> bool:
    """Tells whether a state is later than all that was judged of its event."""
    if state.epoch != stock.epoch:
        return begins_epoch
    return state.rev > stock.catalogue_rev


def _objection(stock: Stock, state: EventState) -> str:
    if state.closes:
        return ""
    booked = stock.sold + stock.held
    if state.capacity < booked:
        return "CAPACITY_BELOW_BOOKED"
    becomes_draft = state.status == "DRAFT" and stock.status != "DRAFT"
    changes_rule = state.one_booking_per_user != stock.one_booking_per_user
    if stock.is_closed or (becomes_draft and booked) or (changes_rule and stock.was_booked):
        return "INVALID_TRANSITION"
    return ""


class Inventory:
    """Keeps the counters of every event in step with the catalogue.

    `closing_chunk` is how many bookings of a closed event are written at once.
    """

    def __init__(self, pool: Pool, *, closing_chunk: int = CLOSING_CHUNK) -> None:
        self._pool = pool
        self._closing_chunk = closing_chunk

    async def apply(self, state: EventState) -> Judgement:
        """Judges a state under the event's lock and puts it in force, or records its refusal.

        Idempotent by `state.rev`, so it may be called late, twice and from several places.
        """
        async with self._pool.connection() as connection, connection.transaction():
            judgement = await apply(connection, state)
        failpoint("bookings.apply.committed")
        return judgement

    async def count_seats(self, event_ids: Collection[int]) -> dict[int, Seats]:
        """Counts the seats of the events that are known here, all in one snapshot."""
        async with self._pool.connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=class_row(Seats))
            await cursor.execute(SQL["count_seats"], {"event_ids": list(event_ids)})
            return {seats.event_id: seats for seats in await cursor.fetchall()}

    async def close_chunk(self) -> bool:
        """Writes a chunk of a closed event's bookings as CANCELLED; tells whether there was one."""
        async with self._pool.connection() as connection:
            chunk = {"chunk": self._closing_chunk}
            row = await (await connection.execute(SQL["close_chunk"], chunk)).fetchone()
            return bool(row and row[0])


async def apply(
    connection: Connection, state: EventState, *, begins_epoch: bool = False
) -> Judgement:
    """Applies a state within the caller's transaction; see `Inventory.apply` and `judge`.

    A transaction that applies several states takes them in the order of their events, as everybody
    does who locks more than one.
    """
    values = asdict(state) | {"closes": state.closes}
    failpoint("bookings.apply.begun")
    opened = await (await connection.execute(SQL["open_inventory"], values)).fetchone()
    if opened:
        return Judgement(Verdict.APPLIED, inventory_rev=opened[0])
    stock = await _locked(connection, state.event_id)
    failpoint("bookings.apply.locked")
    judgement = judge(stock, state, begins_epoch=begins_epoch)
    if not is_news(stock, state, begins_epoch=begins_epoch):
        return judgement
    if judgement.verdict is Verdict.REFUSED:
        await connection.execute(SQL["refuse_state"], values | {"refusal": judgement.refusal})
    else:
        judgement = await _put_in_force(connection, values)
        # More seats, or a sale that opens again, are for those who wait.
        await connection.execute(SQL["promote"], values)
    failpoint("bookings.apply.written")
    return judgement


async def _locked(connection: Connection, event_id: int) -> Stock:
    """Takes the event's lock and reads, in this order, what is booked."""
    await connection.execute(SQL["lock_inventory"], {"event_id": event_id})
    await connection.execute(SQL["expire"], {"event_id": event_id})
    cursor = connection.cursor(row_factory=class_row(Stock))
    await cursor.execute(SQL["get_inventory"], {"event_id": event_id})
    stock = await cursor.fetchone()
    if stock is None:
        raise LookupError(f"the inventory of event {event_id} is gone")
    return stock


async def _put_in_force(connection: Connection, values: dict[str, object]) -> Judgement:
    row = await (await connection.execute(SQL["apply_state"], values)).fetchone()
    if row is None:
        raise LookupError(f"the inventory of event {values['event_id']} is gone")
    return Judgement(Verdict.APPLIED, cancelled_bookings=row[1], inventory_rev=row[0])
